// A list of things as a table: sorted by its heads, walked by keys, chosen from, with the same actions by menu and right click.
// It scrolls by itself and draws only what is in sight.

import { ChevronDown, ChevronUp, Ellipsis } from "lucide-react";
import { type KeyboardEvent, type MouseEvent, type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useActions } from "../lib/actions";
import { cn } from "../lib/cn";
import { keep, keptOr, useKept } from "../lib/kept";
import { useRowHeight, useSight } from "../lib/window";
import { Checkbox } from "./checkbox";
import { type Entry, Menu, PointerMenu } from "./menu";

export type Column<Row> = {
  id: string;
  title: string;
  /** In px; the columns without one share what is left. */
  width?: number;
  right?: boolean;
  /** What it is sorted by; it cannot be sorted by without. */
  by?: (row: Row) => string | number;
  cell: (row: Row) => ReactNode;
};

export type Order = { by: string; down: boolean };

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Rows in the order of a column; rows that are equal in it keep their places. */
export function sorted<Row>(rows: Row[], columns: Column<Row>[], order: Order | null): Row[] {
  const by = columns.find(({ id }) => id === order?.by)?.by;
  if (!by || !order) return rows;
  const sign = order.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    return sign * (typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x), String(y)));
  });
}

type Props<Row> = {
  /** What it is remembered by. */
  name: string;
  label: string;
  rows: Row[];
  columns: Column<Row>[];
  idOf: (row: Row) => string;
  order?: Order;
  onOpen?: (row: Row) => void;
  /** What can be done with a row, or with the chosen rows that it is one of. */
  menu?: (row: Row) => Entry[];
  chosen?: Set<string>;
  onChoose?: (chosen: Set<string>) => void;
  /** A row that was chosen elsewhere: it is walked to. */
  inSight?: string | null;
  className?: string;
  /** Said where no row is left, such as by a filter. */
  none?: ReactNode;
};

export function Rows<Row>({ name, label, rows: unsorted, columns, idOf, order: first, onOpen, menu, chosen, onChoose, inSight, className, none }: Props<Row>) {
  const { t } = useTranslation();
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLTableElement>(null);
  const height = useRowHeight();
  const [order, setOrder] = useKept<Order | null>(`${name} order`, first ?? null);
  const [cursorId, setCursorId] = useKept<string | null>(`${name} cursor`, null);
  const anchor = useRef<string | null>(null);
  const rows = sorted(unsorted, columns, order);
  const sight = useSight(box, height, rows.length);
  const cursor = rows.findIndex((row) => idOf(row) === cursorId);

  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = keptOr(`${name} scroll`, 0);
  }, [name]);

  /** Walks to a row, and brings it in sight. */
  const walk = (to: number, extend = false) => {
    if (rows.length === 0) return;
    const at = Math.max(0, Math.min(rows.length - 1, to));
    const row = rows[at];
    if (!row) return;
    if (extend && chosen && onChoose) {
      anchor.current ??= cursorId ?? idOf(row);
      onChoose(between(anchor.current, idOf(row)));
    } else anchor.current = null;
    setCursorId(idOf(row));
    grid.current?.focus({ preventScroll: true });
    bring(at);
  };
  const bring = (at: number) => {
    const element = box.current;
    if (!element) return;
    const top = at * height;
    const room = element.clientHeight - height;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (room > 0 && top + height > element.scrollTop + room) element.scrollTop = top + height - room;
  };
  useLayoutEffect(() => {
    const at = rows.findIndex((row) => idOf(row) === inSight);
    if (at < 0 || !inSight) return;
    setCursorId(inSight);
    bring(at);
  }, [inSight]);
  const between = (from: string, to: string) => {
    const ends = [rows.findIndex((row) => idOf(row) === from), rows.findIndex((row) => idOf(row) === to)].map((at) => Math.max(0, at)).sort((a, b) => a - b);
    return new Set([...(chosen ?? []), ...rows.slice(ends[0], (ends[1] ?? 0) + 1).map(idOf)]);
  };
  const toggle = (row: string) => {
    const next = new Set(chosen);
    if (!next.delete(row)) next.add(row);
    onChoose?.(next);
  };

  useActions([
    { id: `${name} next`, title: t(($) => $.rows.next), group: t(($) => $.view), keys: "j", hidden: true, run: () => walk(cursor + 1) },
    { id: `${name} previous`, title: t(($) => $.rows.previous), group: t(($) => $.view), keys: "k", hidden: true, run: () => walk(cursor < 0 ? 0 : cursor - 1) },
    ...(onOpen ? [{ id: `${name} open`, title: t(($) => $.rows.open), group: t(($) => $.view), keys: "o", hidden: true, run: () => rows[cursor] && onOpen(rows[cursor]) }] : []),
    ...(onChoose ? [{ id: `${name} choose`, title: t(($) => $.rows.choose), group: t(($) => $.view), keys: "x", hidden: true, run: () => rows[cursor] && toggle(idOf(rows[cursor])) }] : []),
  ]);

  const onKeyDown = (event: KeyboardEvent) => {
    // What has the focus inside of a row answers its keys itself.
    if (event.target !== grid.current || event.ctrlKey || event.altKey) {
      if (event.target === grid.current && event.ctrlKey && event.key === "a" && onChoose) {
        event.preventDefault();
        onChoose(new Set(rows.map(idOf)));
      }
      return;
    }
    const page = Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / height) - 2);
    const to = { ArrowDown: cursor + 1, ArrowUp: cursor < 0 ? 0 : cursor - 1, PageDown: cursor + page, PageUp: cursor - page, Home: 0, End: rows.length - 1 }[event.key];
    const row = rows[cursor];
    if (to !== undefined) walk(to, event.shiftKey);
    else if (event.key === "Enter" && row && onOpen) onOpen(row);
    else if (event.key === " " && row && onChoose) toggle(idOf(row));
    else if (event.key === "Escape" && chosen?.size) onChoose?.(new Set());
    else return;
    event.preventDefault();
  };

  const onClick = (event: MouseEvent, row: Row) => {
    if ((event.target as HTMLElement).closest("a, button, input")) return;
    if (event.shiftKey && onChoose) onChoose(between(cursorId ?? idOf(row), idOf(row)));
    else if (event.ctrlKey && onChoose) toggle(idOf(row));
    setCursorId(idOf(row));
    grid.current?.focus({ preventScroll: true });
  };

  const all = rows.length > 0 && rows.every((row) => chosen?.has(idOf(row)));
  const visible = rows.slice(sight.first, sight.end);
  return (
    <div ref={box} onScroll={(event) => keep(`${name} scroll`, event.currentTarget.scrollTop)} className={cn("min-h-0 overflow-auto", className)}>
      <table
        ref={grid}
        role="grid"
        aria-label={label}
        aria-rowcount={rows.length + 1}
        aria-multiselectable={onChoose ? true : undefined}
        aria-activedescendant={cursor >= sight.first && cursor < sight.end ? `${id}${cursor}` : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onFocus={(event) => event.target === grid.current && cursor < 0 && rows[0] && setCursorId(idOf(rows[0]))}
        className="group/grid w-full table-fixed border-separate border-spacing-0 whitespace-nowrap focus-visible:outline-none"
        style={{ minWidth: columns.reduce((sum, { width }) => sum + (width ?? 150), onChoose ? 36 : 0) + (menu ? 36 : 0) }}
      >
        <colgroup>
          {onChoose && <col style={{ width: 36 }} />}
          {columns.map((column) => (
            <col key={column.id} style={{ width: column.width }} />
          ))}
          {menu && <col style={{ width: 36 }} />}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {onChoose && (
              <th className={head}>
                <Checkbox aria-label={t(($) => $.rows.all)} checked={all} onChange={() => onChoose(all ? new Set() : new Set(rows.map(idOf)))} className="block" />
              </th>
            )}
            {columns.map((column) => (
              <th key={column.id} aria-sort={order?.by === column.id ? (order.down ? "descending" : "ascending") : undefined} className={cn(head, column.right && "text-right")}>
                {column.by ? (
                  <button type="button" className={cn("inline-flex max-w-full items-center gap-1 hover:text-text", column.right && "flex-row-reverse", order?.by === column.id && "text-text")} onClick={() => setOrder(order?.by === column.id ? { by: column.id, down: !order.down } : { by: column.id, down: false })}>
                    <span className="truncate">{column.title}</span>
                    {order?.by === column.id && (order.down ? <ChevronDown className="size-3" /> : <ChevronUp className="size-3" />)}
                  </button>
                ) : (
                  column.title
                )}
              </th>
            ))}
            {menu && (
              <th className={head}>
                <span className="sr-only">{t(($) => $.more)}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {sight.first > 0 && <tr aria-hidden style={{ height: sight.first * height }} />}
          {visible.map((row, index) => {
            const at = sight.first + index;
            const own = idOf(row);
            const is = chosen?.has(own) ?? false;
            const line = (
              <tr
                key={own}
                id={`${id}${at}`}
                aria-rowindex={at + 2}
                aria-selected={onChoose ? is : at === cursor}
                onClick={(event) => onClick(event, row)}
                onContextMenu={() => setCursorId(own)}
                onDoubleClick={(event) => onOpen && !(event.target as HTMLElement).closest("a, button, input") && onOpen(row)}
                className={cn("group hover:bg-hover", is && "bg-selected hover:bg-selected", at === cursor && "group-focus-visible/grid:outline-2 group-focus-visible/grid:-outline-offset-2 group-focus-visible/grid:outline-accent")}
              >
                {onChoose && (
                  <td className={cell} style={{ height }}>
                    <Checkbox tabIndex={-1} aria-label={t(($) => $.rows.one, { name: own })} checked={is} onChange={() => toggle(own)} className="block" />
                  </td>
                )}
                {columns.map((column) => (
                  <td key={column.id} style={{ height }} className={cn(cell, "truncate", column.right && "text-right")}>
                    {column.cell(row)}
                  </td>
                ))}
                {menu && (
                  <td className={cn(cell, "px-1")} style={{ height }}>
                    <Menu entries={menu(row)}>
                      <button type="button" tabIndex={-1} aria-label={t(($) => $.actionsOf, { name: own })} className="block rounded-ui p-1 text-dim opacity-0 group-hover:opacity-100 group-aria-selected:opacity-100 hover:bg-selected focus-visible:opacity-100 data-[state=open]:opacity-100">
                        <Ellipsis className="size-4" />
                      </button>
                    </Menu>
                  </td>
                )}
              </tr>
            );
            return menu ? (
              <PointerMenu key={own} entries={menu(row)}>
                {line}
              </PointerMenu>
            ) : (
              line
            );
          })}
          {sight.end < rows.length && <tr aria-hidden style={{ height: (rows.length - sight.end) * height }} />}
        </tbody>
      </table>
      {rows.length === 0 && <div className="px-3 py-3 text-dim">{none ?? t(($) => $.nothingFound)}</div>}
    </div>
  );
}

/** Rows where rows will be: they keep their places when data comes. */
export function LoadingRows({ what, rows = 12, className }: { what: string; rows?: number; className?: string }) {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t(($) => $.loading, { what })} className={cn("min-h-0 overflow-hidden bg-panel", className)}>
      <div className="h-7 border-b border-line" />
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="flex h-(--row) items-center gap-12 border-b border-line px-4">
          <span className="h-2 animate-work rounded-full bg-hover" style={{ width: `${10 + ((row * 7) % 5)}%` }} />
          <span className="h-2 animate-work rounded-full bg-hover" style={{ width: "7%" }} />
          <span className="h-2 animate-work rounded-full bg-hover" style={{ width: `${20 + ((row * 11) % 23)}%` }} />
        </div>
      ))}
    </div>
  );
}

const head = "sticky top-0 z-[1] h-7 truncate border-b border-line bg-panel px-3 text-small text-dim first:pl-4";
const cell = "border-b border-line px-3 first:pl-4";
