// Bodies of tables: all rows of a short one, those in sight of a long one.

import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { usePrefs } from "../lib/prefs";

/** So many rows cost nothing worth saving. */
const SHORT = 100;

/** The rows of `items` inside a scrolling `main`; each must be as high as `h-(--row)` and its line. */
export function Rows<Item>({ items, columns, row }: { items: Item[]; columns: number; row: (item: Item, index: number) => ReactNode }) {
  return items.length <= SHORT ? <tbody>{items.map(row)}</tbody> : <LongRows items={items} columns={columns} row={row} />;
}

function LongRows<Item>({ items, columns, row }: { items: Item[]; columns: number; row: (item: Item, index: number) => ReactNode }) {
  const { density } = usePrefs();
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  const scroller = () => body.current?.closest("main") ?? null;
  useLayoutEffect(() => {
    const main = scroller();
    if (main && body.current) setTop(body.current.getBoundingClientRect().top - main.getBoundingClientRect().top + main.scrollTop);
  });
  const rows = useVirtualizer({ count: items.length, getScrollElement: scroller, estimateSize: () => (density === "dense" ? 29 : 35), overscan: 20, scrollMargin: top });
  const seen = rows.getVirtualItems();
  const before = (seen[0]?.start ?? top) - top;
  const after = rows.getTotalSize() - ((seen.at(-1)?.end ?? top) - top);
  const gap = (height: number) => (
    <tr aria-hidden>
      <td colSpan={columns} style={{ height }} />
    </tr>
  );
  return (
    <tbody ref={body}>
      {before > 0 && gap(before)}
      {seen.map(({ index }) => row(items[index]!, index))}
      {after > 0 && gap(after)}
    </tbody>
  );
}
