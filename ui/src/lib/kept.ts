// What a screen shows when one comes back to it: filter, order, selection, scroll. It lasts as long as the window.

import { useState } from "react";

const kept = new Map<string, unknown>();

/** State that is still there when the screen was left and opened again. */
export function useKept<Value>(name: string, initial: Value): [Value, (next: Value | ((before: Value) => Value)) => void] {
  // A screen that shows another thing under the same component has that thing's state.
  const [, redraw] = useState(0);
  const value = (kept.has(name) ? kept.get(name) : initial) as Value;
  return [
    value,
    (next) => {
      const before = (kept.has(name) ? kept.get(name) : initial) as Value;
      kept.set(name, typeof next === "function" ? (next as (before: Value) => Value)(before) : next);
      redraw((n) => n + 1);
    },
  ];
}

/** Remembers without drawing anew, such as a scroll position at each scroll event. */
export const keep = (name: string, value: unknown) => void kept.set(name, value);
export const keptOr = <Value,>(name: string, otherwise: Value): Value => (kept.has(name) ? (kept.get(name) as Value) : otherwise);
/** For tests: each begins with nothing. */
export const forgetKept = () => kept.clear();
