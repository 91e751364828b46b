// What this window remembers of itself: views, not facts. It stays with the window's own storage.

import { useSyncExternalStore } from "react";

export type Prefs = {
  theme: "system" | "light" | "dark";
  language: "system" | "en" | "fr";
  /** Row height of lists. */
  density: "dense" | "comfortable";
  sidebar: "open" | "icons";
  /** Widths and heights of parts that can be resized, in px, by the part's name. */
  sizes: Record<string, number>;
  /** Where the window was last. */
  page: string;
  /** Whether the desktop is told when a long run ends. */
  notifications: boolean;
  /** Whether the first steps were put away. */
  welcomed: boolean;
};

const KEY = "vlm";
const defaults: Prefs = { theme: "system", language: "system", density: "dense", sidebar: "open", sizes: {}, page: "/", notifications: true, welcomed: false };

function read(): Prefs {
  try {
    return { ...defaults, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return defaults;
  }
}

let prefs = read();
const listeners = new Set<() => void>();

export const getPrefs = () => prefs;

export function setPrefs(change: Partial<Prefs>) {
  prefs = { ...prefs, ...change };
  localStorage.setItem(KEY, JSON.stringify(prefs));
  apply();
  for (const listener of listeners) listener();
}

/** Makes the page look as the preferences say. */
export function apply() {
  const { dataset } = document.documentElement;
  if (prefs.theme === "system") delete dataset.theme;
  else dataset.theme = prefs.theme;
  dataset.density = prefs.density;
}

/** Reads what is stored anew; for tests. */
export function reread() {
  prefs = read();
  apply();
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => prefs,
  );
}
