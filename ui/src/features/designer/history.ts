// One history over text and layout: undo takes back what was last done, wherever it was done.

import type { Layout } from "./layout";

export type Snapshot = { text: string; layout: Layout };
/** What follows another of the same kind within a moment belongs to it: typing, nudging by arrow keys. */
export type Change = Partial<Snapshot> & { kind?: string; at: number };
export type History = { now: Snapshot; past: Snapshot[]; future: Snapshot[]; last: { kind: string; at: number } | null };
export type Step = { do: "change"; change: Change } | { do: "undo" } | { do: "redo" } | { do: "reset"; now: Snapshot } | { do: "settle"; layout: Layout };

const MOMENT_MS = 900;
const KEPT = 200;
/** Characters of text that are kept at most, as labs may be large. */
const KEPT_CHARS = 20_000_000;

export const begin = (now: Snapshot): History => ({ now, past: [], future: [], last: null });

export function history(state: History, step: Step): History {
  switch (step.do) {
    case "change": {
      const { kind, at, ...change } = step.change;
      const now = { ...state.now, ...change };
      if (now.text === state.now.text && now.layout === state.now.layout) return state;
      const last = kind ? { kind, at } : null;
      if (kind && state.last?.kind === kind && at - state.last.at < MOMENT_MS) return { ...state, now, last, future: [] };
      const most = Math.min(KEPT, Math.max(10, Math.floor(KEPT_CHARS / (now.text.length + 1))));
      return { now, past: [...state.past.slice(-most + 1), state.now], future: [], last };
    }
    case "undo": {
      const before = state.past.at(-1);
      return before ? { now: before, past: state.past.slice(0, -1), future: [state.now, ...state.future], last: null } : state;
    }
    case "redo": {
      const [next, ...future] = state.future;
      return next ? { now: next, past: [...state.past, state.now], future, last: null } : state;
    }
    case "reset":
      return begin(step.now);
    // Places that follow from the text are no step of their own.
    case "settle":
      return { ...state, now: { ...state.now, layout: step.layout } };
  }
}
