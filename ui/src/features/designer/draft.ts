// What is not saved yet, kept in the window's own storage: it outlives a reload, and leaving the page.

import type { Start } from "./use-designer";

const PREFIX = "vlm-draft ";

export function keep(key: string, draft: Start) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(draft));
  } catch {
    // The storage is full: the draft lives as long as the page.
  }
}

export const forget = (key: string) => localStorage.removeItem(PREFIX + key);

export function draft(key: string): Start | null {
  try {
    const value = JSON.parse(localStorage.getItem(PREFIX + key) ?? "null");
    return typeof value?.text === "string" ? { text: value.text, layout: value.layout ?? null, revision: value.revision ?? null } : null;
  } catch {
    return null;
  }
}

/** The keys of all drafts that begin so. */
export const drafts = (beginning: string) =>
  Object.keys(localStorage)
    .filter((key) => key.startsWith(PREFIX + beginning))
    .map((key) => key.slice(PREFIX.length));
