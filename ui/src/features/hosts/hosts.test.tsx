import { screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { accessible, open } from "../../testing/render";

test("a host's page", async () => {
  await open("/hosts/lab1");
  expect(await screen.findByText("Use")).toBeTruthy();
  await accessible();
});
