// What can be done from here, said once: the palette (Ctrl+K) lists it, the keys do it, `?` shows the keys.

import { useEffect, useRef, useSyncExternalStore } from "react";

export type Action = {
  /** Unique; what is registered later under the same id hides the earlier one. */
  id: string;
  title: string;
  /** The heading that it stands under in the palette and among the shortcuts. */
  group: string;
  /** Words that find it, too. */
  words?: string;
  /** Such as `Ctrl+K`, `?`, `g l` (one key after the other), `Shift+Delete`. */
  keys?: string;
  /** Works while somebody types in a field as well. */
  everywhere?: boolean;
  /** Its key means more than this action: who offers it listens for it. */
  native?: boolean;
  /** Only for its key, not in the palette. */
  hidden?: boolean;
  run: () => void;
};

let actions: Action[] = [];
const listeners = new Set<() => void>();
const set = (next: Action[]) => {
  actions = next;
  for (const listener of listeners) listener();
};

/** Offers actions for as long as the caller is on the screen. */
export function useActions(offered: Action[]) {
  // What an action does may change with each render; what it is called seldom does.
  const latest = useRef(offered);
  latest.current = offered;
  const key = JSON.stringify(offered.map(({ run: _, ...said }) => said));
  useEffect(() => {
    const mine = latest.current.map((action) => ({ ...action, run: () => latest.current.find(({ id }) => id === action.id)?.run() }));
    set([...actions, ...mine]);
    return () => set(actions.filter((action) => !mine.includes(action)));
  }, [key]);
}

/** All that is offered now, the last of each id. */
export function allActions(): Action[] {
  return [...new Map(actions.map((action) => [action.id, action])).values()];
}

export function useAllActions(): Action[] {
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => actions,
  );
  return allActions();
}

/** A pressed key as it is written in `keys`. */
export function pressed(event: KeyboardEvent): string {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (event.key.length > 1 || /[a-z]/i.test(event.key));
  return [event.ctrlKey && "Ctrl", event.altKey && "Alt", shift && "Shift", key].filter(Boolean).join("+").toLowerCase();
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

/** Listens for keys until the answer is called. */
export function listenForKeys(): () => void {
  let first = "";
  let forget: ReturnType<typeof setTimeout> | undefined;
  const onKey = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing || ["Control", "Alt", "Shift", "Meta"].includes(event.key)) return;
    const now = pressed(event);
    const after = first ? `${first} ${now}` : "";
    const typing = isTyping(event.target);
    const may = allActions().filter((action) => action.keys && !action.native && (!typing || action.everywhere));
    const found = may.find(({ keys }) => keys?.toLowerCase() === after) ?? may.find(({ keys }) => keys?.toLowerCase() === now);
    clearTimeout(forget);
    first = "";
    if (found) {
      event.preventDefault();
      found.run();
    } else if (!typing && may.some(({ keys }) => keys?.toLowerCase().startsWith(`${now} `))) {
      first = now;
      forget = setTimeout(() => (first = ""), 1_000);
    }
  };
  window.addEventListener("keydown", onKey);
  return () => {
    clearTimeout(forget);
    window.removeEventListener("keydown", onKey);
  };
}
