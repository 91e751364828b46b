// Which rows of a long list are in sight. Rows have one height: that keeps 200,000 of them as quick as twenty.

import { type RefObject, useEffect, useLayoutEffect, useState, useSyncExternalStore } from "react";
import { usePrefs } from "./prefs";

/** Rows drawn above and below what is in sight, so that a quick scroll shows no gaps. */
const OVER = 10;
/** What is assumed where nothing is laid out. */
const HEIGHT = 600;

export type Sight = { first: number; end: number };

/** The rows in sight of a box that scrolls `count` rows of `row` px, from `first` up to, and without, `end`. */
export function inSight(top: number, height: number, row: number, count: number): Sight {
  const first = Math.max(0, Math.min(Math.floor(top / row), count) - OVER);
  return { first, end: Math.min(count, Math.ceil((top + (height || HEIGHT)) / row) + OVER) };
}

export function useSight(box: RefObject<HTMLElement | null>, row: number, count: number): Sight {
  const [at, setAt] = useState({ top: 0, height: 0 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => setAt((old) => (old.top === element.scrollTop && old.height === element.clientHeight ? old : { top: element.scrollTop, height: element.clientHeight }));
    look();
    element.addEventListener("scroll", look, { passive: true });
    const sized = new ResizeObserver(look);
    sized.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      sized.disconnect();
    };
  }, [box]);
  return inSight(at.top, at.height, row, count);
}

/** The height of a row in lists, in px. */
export const useRowHeight = () => (usePrefs().density === "dense" ? 28 : 34);

/** Whether the window is as a media query says. */
export const useMedia = (query: string): boolean =>
  useSyncExternalStore(
    (listener) => {
      const media = window.matchMedia(query);
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => window.matchMedia(query).matches,
  );

/** The time, as often as `every` says; stands still where `every` is null. */
export function useNow(every: number | null): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (every === null) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
