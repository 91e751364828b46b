import { act, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { accessible, open } from "../../testing/render";

test("the design page comes up", async () => {
  await open("/labs/shop/design");
  expect(await screen.findByRole("toolbar", { name: "Designer" })).toBeTruthy();
  await accessible();
});
