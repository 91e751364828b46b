// Messages that are about something the user just did. They stay until they are closed when they say what to do.

import { useSyncExternalStore } from "react";

export type Toast = { id: number; title: string; message: string; hint: string | null; details: string[]; calm?: boolean };

let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

const set = (next: Toast[]) => {
  toasts = next;
  for (const listener of listeners) listener();
};

export function toast(content: Omit<Toast, "id">) {
  last += 1;
  const id = last;
  set([...toasts.slice(-3), { ...content, id }]);
  if (content.calm) setTimeout(() => closeToast(id), 2_500);
}

export const closeToast = (id: number) => set(toasts.filter((toast) => toast.id !== id));

/** Says in passing what was done. */
export const mention = (title: string) => toast({ title, message: "", hint: null, details: [], calm: true });

export function useToasts(): Toast[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
}
