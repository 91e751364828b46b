// Heads and bodies of tables; of a long one, the rows in sight.

import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { cn } from "../lib/cn";
import { usePrefs } from "../lib/prefs";
import { table } from "./frame";

/** A table's titles, each with the classes of its column; `end` are those of a last column without a title. */
export function Head({ columns, end, cut }: { columns: [title: string, width: string][]; end?: string; cut?: boolean }) {
  return (
    <thead>
      <tr>
        {columns.map(([title, width]) => (
          <th key={title} scope="col" className={cn(table.head, width, cut && "truncate")}>
            {title}
          </th>
        ))}
        {end && <td className={cn(table.head, end)} />}
      </tr>
    </thead>
  );
}

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
