// A run as bars along its time: one line for the run itself, one for each machine.

import type { Phase } from "../../bindings";
import { phases } from "../../lib/words";
import { lastReached, type MachineProgress, nextPhase, type Progress, type Step, underWay } from "./progress";

/** `phase` is what was worked towards; without one it is a step, whose words are `text`. */
export type Bar = { phase: Phase | null; text: string; from: number; to: number; state: "done" | "going" | "stuck" | "failed" | "left" };

/** Whose lines there are: the run's own as null, once it did something, then its machines'. */
export const lines = (run: Progress): (MachineProgress | null)[] => (run.steps.length > 0 ? [null, ...run.machines] : run.machines);

/** The bars of a line. `now` is where bars end that go on; null once the run is over: what goes on then was left. */
export function barsOf(run: Progress, line: MachineProgress | null, now: number | null): Bar[] {
  const end = now ?? run.last ?? 0;
  if (line) return machineBars(line, end, now !== null);
  const bars = stepBars(run.steps, end, now !== null);
  const failed = run.failures.find(({ machine }) => machine === null);
  const last = bars.at(-1);
  // What the run itself failed at is its last step, unless its machines say where.
  if (failed && last && run.failures.every(({ machine }) => machine === null)) last.state = "failed";
  return bars;
}

const stepBars = (steps: Step[], end: number, live: boolean): Bar[] =>
  steps.map(({ text, from, to }) => ({ phase: null, text, from, to: to ?? end, state: to !== null ? "done" : live ? "going" : "left" }));

function machineBars(machine: MachineProgress, end: number, live: boolean): Bar[] {
  const { reached, failed } = machine;
  const on = phases.slice(1).flatMap((phase) => (reached[phase] === undefined ? [] : [{ phase, at: reached[phase] }]));
  const bars: Bar[] = [];
  on.forEach(({ phase, at }, index) => {
    const before = on[index - 1];
    if (before) bars.push({ phase, text: "", from: before.at, to: at, state: "done" });
  });
  const next = nextPhase(machine);
  const since = machine.done >= 2 ? lastReached(machine) : null;
  if (next !== null && since !== null) {
    if (failed) bars.push({ phase: next, text: failed.message, from: since, to: failed.at, state: "failed" });
    else bars.push({ phase: next, text: machine.task ?? "", from: since, to: end, state: !live ? "left" : machine.waiting ? "stuck" : "going" });
  } else if (failed) bars.push({ phase: null, text: failed.message, from: failed.at, to: failed.at, state: "failed" });
  // Where no phase says more, such as while it is shut down.
  if (bars.length === 0) return stepBars(machine.steps, end, live && underWay(machine));
  return bars;
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

/** Where an axis of so many milliseconds has its marks, in milliseconds from its beginning: at most `most` after the first. */
export function ticks(span: number, most = 8): number[] {
  const step = (steps.find((seconds) => span / (seconds * 1_000) <= most) ?? span / 1_000) * 1_000;
  return step > 0 ? Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step) : [0];
}
