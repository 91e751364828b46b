// A whole window at an address, with a shell that answers.

import { act, render } from "@testing-library/react";
import axe from "axe-core";
import { expect } from "vitest";
import { App } from "../app";
import { startI18n } from "../i18n";
import { newClient } from "../lib/queries";
import { newRouter } from "../router";
import { type Answers, fake } from "./fake";
import { world } from "./world";

/** Opens the window at `page`, such as `/labs/hello`. Answers what was called so far. */
export async function open(page: string, answers: Answers = {}): Promise<string[]> {
  const calls = fake({ ...world, ...answers });
  startI18n();
  window.location.hash = page;
  const router = newRouter();
  await act(async () => {
    render(<App client={newClient()} router={router} />);
    await router.load();
  });
  return calls;
}

/** Insists that nothing serious stands in the way of people who cannot see, or not use a mouse. */
export async function accessible() {
  // jsdom draws nothing: contrast is looked at in screenshots.
  const { violations } = await axe.run(document.body, { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } });
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}
