import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { accessible, open } from "../testing/render";

test("the palette finds a page, and keys go to it", async () => {
  await open("/");
  const user = userEvent.setup();
  await user.keyboard("{Control>}k{/Control}");
  const field = await screen.findByPlaceholderText("Type what to find or do");
  await accessible();
  await user.type(field, "Hosts");
  await user.keyboard("{Enter}");
  expect(window.location.hash).toBe("#/hosts");
  await user.keyboard("gi");
  expect(window.location.hash).toBe("#/images");
});
