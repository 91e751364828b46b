import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test } from "vitest";
import { accessible, open } from "../testing/render";

describe("the plan of a lab", () => {
  test("destroy", async () => {
    await open("/labs/shop/plan?what=destroy");
    await screen.findByRole("button", { name: "Destroy 5 machines" });
    console.log(document.body.textContent);
  });
});
