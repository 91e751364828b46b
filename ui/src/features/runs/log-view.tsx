// The log: one list of all that was said, narrowed down, searched, followed, copied from. Only rows in sight are drawn.

import { ArrowDownToLine, Copy, X } from "lucide-react";
import { type KeyboardEvent, memo, type MouseEvent, type ReactNode, useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { FilterField } from "../../components/filter";
import { FindBar, marked } from "../../components/find";
import { Tip } from "../../components/tip";
import { useActions } from "../../lib/actions";
import { cn } from "../../lib/cn";
import { copy } from "../../lib/copy";
import { inSight, useSight } from "../../lib/window";
import { type Filter, follows, type Line, type LineTone, type LogStore, passes, pattern, View } from "./log-store";

const ROW = 18;

type Props = {
  log: LogStore;
  /** Lines' times count from here. */
  began: number;
  live: boolean;
  filter: Filter;
  onFilter: (change: Partial<Filter>) => void;
  /** Machines that can be chosen; none where there is but one. */
  machines: string[];
  /** Sources beyond those that spoke, such as consoles that are read when they are wished. */
  sources: string[];
  /** What the filter was narrowed to by a click elsewhere, in words. */
  narrowed?: string | null;
  /** Times of day instead of time since the beginning: for what is of several runs. */
  wall?: boolean;
};

export const LogView = memo(function LogView({ log, began, live, filter, onFilter, machines, sources, narrowed, wall }: Props) {
  const { t } = useTranslation(["runs", "common"]);
  useSyncExternalStore(log.subscribe, log.version);
  const box = useRef<HTMLDivElement>(null);
  const filterField = useRef<HTMLInputElement>(null);
  const findField = useRef<HTMLInputElement>(null);
  const [following, setFollowing] = useState(true);
  const [chosen, setChosen] = useState<{ anchor: number; cursor: number } | null>(null);
  const [find, setFind] = useState<string | null>(null);
  const [current, setCurrent] = useState<number | null>(null);
  const scrolled = useRef(0);
  const dragging = useRef(false);

  const time = (at: number) => (wall ? timeOfDay(at) : elapsed(at, began));
  // What is typed is seen at once; the lines follow.
  const asked = useDeferredValue(filter);
  const view = useMemo(() => new View(log, passes(asked)), [log, asked]);
  const gone = view.update();
  const found = useMemo(() => {
    const test = passes(asked);
    const looksFor = find ? pattern(find) : null;
    return looksFor && new View(log, (line) => test(line) && ((looksFor.lastIndex = 0), looksFor.test(line.text)));
  }, [log, asked, find]);
  found?.update();
  const findPattern = useMemo(() => (find ? pattern(find) : null), [find]);
  const inside = useSight(box, ROW, view.length);
  // While the end is followed, it is what is in sight, before the box has been scrolled there.
  const sight = following ? inSight(view.length * ROW - (box.current?.clientHeight ?? 0), box.current?.clientHeight ?? 0, ROW, view.length) : inside;

  const atEnd = () => box.current && (box.current.scrollTop = box.current.scrollHeight);
  // The end stays in sight; elsewhere, the lines stay where they are when older ones go.
  useLayoutEffect(() => {
    if (following) atEnd();
    else if (gone > 0 && box.current) box.current.scrollTop -= gone * ROW;
  });
  // Another choice of lines begins at its end again, if that was followed.
  useEffect(() => setChosen(null), [filter]);

  const show = (row: number) => {
    const element = box.current;
    if (!element) return;
    setFollowing(false);
    const top = row * ROW;
    if (top < element.scrollTop || top + ROW > element.scrollTop + element.clientHeight) element.scrollTop = top - element.clientHeight / 2;
  };
  const step = (by: 1 | -1) => {
    if (!found || found.length === 0) return;
    const now = current === null ? view.number(sight.first) : current;
    const row = found.row(now);
    const next = by === 1 ? (found.number(row) === now && current !== null ? row + 1 : row) : row - 1;
    const number = found.number((next + found.length) % found.length);
    setCurrent(number);
    show(view.row(number));
  };
  const openFind = () => {
    setFind((was) => was ?? "");
    findField.current?.select();
  };
  const range = chosen && ([Math.min(chosen.anchor, chosen.cursor), Math.max(chosen.anchor, chosen.cursor)] as const);
  const copyLines = () => {
    const rows = range ? [view.row(range[0]), view.row(range[1] + 1)] : [0, view.length];
    const lines: string[] = [];
    for (let row = rows[0] ?? 0; row < (rows[1] ?? 0); row++) lines.push(asText(log.line(view.number(row)), time));
    void copy(lines.join("\n"), t(($) => $.log.lines, { count: lines.length }));
  };
  useActions([
    { id: "log-find", title: t(($) => $.log.find), group: t(($) => $.log.title), keys: "Ctrl+f", everywhere: true, run: openFind },
    { id: "log-filter", title: t(($) => $.log.filterAction), group: t(($) => $.log.title), keys: "/", run: () => filterField.current?.focus() },
    { id: "log-follow", title: t(($) => $.log.follow), group: t(($) => $.log.title), keys: "f", run: () => (setFollowing(true), atEnd()) },
    { id: "log-copy", title: t(($) => $.log.copyAll), group: t(($) => $.log.title), run: copyLines },
  ]);

  const rowAt = (event: MouseEvent) => {
    const element = box.current;
    if (!element) return -1;
    return Math.min(view.length - 1, Math.floor((event.clientY - element.getBoundingClientRect().top + element.scrollTop) / ROW));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey && event.key === "c" && range) {
      event.preventDefault();
      copyLines();
      return;
    }
    if (event.ctrlKey && event.key === "a") {
      event.preventDefault();
      setChosen({ anchor: view.number(0), cursor: view.number(view.length - 1) });
      return;
    }
    if (event.key === "Escape") setChosen(null);
    if (event.key === "End") setFollowing(true);
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !chosen) return;
    event.preventDefault();
    setFollowing(false);
    const row = Math.max(0, Math.min(view.length - 1, view.row(chosen.cursor) + by));
    const cursor = view.number(row);
    setChosen({ anchor: event.shiftKey ? chosen.anchor : cursor, cursor });
    const element = box.current;
    if (element && row * ROW < element.scrollTop) element.scrollTop = row * ROW;
    else if (element && (row + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (row + 1) * ROW - element.clientHeight;
  };

  const choices = useMemo(() => machines.map((name) => <option key={name}>{name}</option>), [machines]);
  const names = [...new Set([...log.sourceNames, ...sources])];
  const bad = filter.text !== "" && pattern(filter.text) === null ? t(($) => $.find.bad, { ns: "common" }) : null;
  const rows: ReactNode[] = [];
  // Lines of the screen are used again for what comes next: their text changes, not they.
  const drawn = Math.max(1, sight.end - sight.first);
  for (let row = sight.first; row < Math.min(sight.end, view.length); row++) {
    const number = view.number(row);
    const line = log.line(number);
    const is = range !== null && number >= range[0] && number <= range[1];
    rows.push(
      <div key={row % drawn} style={{ top: row * ROW, height: ROW }} className={cn("absolute left-0 flex w-max min-w-full gap-3 px-4 whitespace-pre", is ? "bg-selected" : "hover:bg-hover")}>
        <span className="w-16 shrink-0 text-right text-dim">{time(line.at)}</span>
        {machines.length > 0 && (
          <span className="w-28 shrink-0 truncate" title={line.machine ?? undefined}>
            {line.machine}
          </span>
        )}
        <span className="w-18 shrink-0 truncate text-dim">{line.source}</span>
        <span className={textOf[line.tone]}>{marked(line.text, findPattern, number === current)}</span>
      </div>,
    );
  }
  return (
    <section className="flex min-h-0 min-w-0 flex-1 flex-col bg-panel" aria-label={t(($) => $.log.title)}>
      <div className="flex min-h-9 shrink-0 flex-wrap items-center gap-2 border-b border-line py-1 pr-2 pl-4">
        <h2 className="mr-1 font-strong">{t(($) => $.log.title)}</h2>
        <div className="flex gap-1" role="group" aria-label={t(($) => $.log.sources)}>
          {names.map((name) => {
            const on = !filter.without.includes(name);
            return (
              <button
                key={name}
                type="button"
                aria-pressed={on}
                onClick={() => onFilter({ without: on ? [...filter.without, name] : filter.without.filter((other) => other !== name) })}
                className={cn("h-6 rounded-ui border px-2 text-small", on ? "border-line-strong bg-selected text-text" : "border-line text-dim line-through hover:text-text")}
              >
                {sourceWord(name, t)}
              </button>
            );
          })}
        </div>
        {machines.length > 0 && (
          <select aria-label={t(($) => $.log.machine)} value={filter.machine ?? ""} onChange={(event) => onFilter({ machine: event.target.value || null, from: null, to: null })} className="h-6 max-w-40 rounded-ui border border-line-strong bg-window px-1 text-small">
            <option value="">{t(($) => $.log.allMachines)}</option>
            {choices}
          </select>
        )}
        {narrowed && (
          <button type="button" onClick={() => onFilter({ machine: null, from: null, to: null })} className="flex h-6 max-w-60 items-center gap-1 rounded-ui bg-selected px-2 text-small hover:bg-hover" title={t(($) => $.log.widen)}>
            <span className="truncate">{narrowed}</span>
            <X className="size-3 shrink-0" />
          </button>
        )}
        <FilterField ref={filterField} className="h-6 w-48 text-small" label={t(($) => $.log.filter)} value={filter.text} onChange={(text) => onFilter({ text })} bad={bad} keys="/" />
        <span className="ml-auto text-small text-dim" role="status">
          {range ? t(($) => $.log.chosen, { count: view.row(range[1] + 1) - view.row(range[0]) }) : view.length === log.end - log.first ? t(($) => $.log.lines, { count: view.length }) : t(($) => $.log.some, { shown: view.length, count: log.end - log.first })}
          {log.first > 0 && ` ${t(($) => $.log.dropped, { count: log.first })}`}
        </span>
        {live && (
          <Tip text={t(($) => $.log.follow)} keys="F">
            <button type="button" aria-pressed={following} aria-label={t(($) => $.log.follow)} onClick={() => (setFollowing(!following), following || atEnd())} className={cn("rounded-ui p-1 hover:bg-hover", following ? "bg-selected text-text" : "text-dim")}>
              <ArrowDownToLine className="size-4" />
            </button>
          </Tip>
        )}
        <Tip text={range ? t(($) => $.log.copyChosen) : t(($) => $.log.copyAll)}>
          <button type="button" aria-label={range ? t(($) => $.log.copyChosen) : t(($) => $.log.copyAll)} disabled={view.length === 0} onClick={copyLines} className="rounded-ui p-1 text-dim hover:bg-hover hover:text-text disabled:opacity-45">
            <Copy className="size-4" />
          </button>
        </Tip>
      </div>
      <div className="flex min-h-0 flex-1 flex-col">
        {find !== null && (
          <FindBar
            ref={findField}
            text={find}
            onText={(text) => (setFind(text), setCurrent(null))}
            at={found && current !== null ? found.row(current) : -1}
            count={found ? found.length : null}
            onStep={step}
            onClose={() => (setFind(null), setCurrent(null), box.current?.focus())}
          />
        )}
        <div
          ref={box}
          role="log"
          aria-live="off"
          aria-label={t(($) => $.log.title)}
          tabIndex={0}
          className="min-h-0 flex-1 overflow-auto py-1 font-mono text-small leading-[18px] [font-variant-ligatures:none] focus-visible:outline-none"
          onKeyDown={onKeyDown}
          onScroll={({ currentTarget: at }) => {
            const before = scrolled.current;
            scrolled.current = at.scrollTop;
            const next = follows(following, before, at.scrollTop, at.scrollHeight - at.clientHeight);
            if (next !== following) setFollowing(next);
          }}
          onMouseDown={(event) => {
            if (event.button !== 0) return;
            const row = rowAt(event);
            if (row < 0) return setChosen(null);
            const number = view.number(row);
            dragging.current = true;
            setChosen((was) => ({ anchor: event.shiftKey && was ? was.anchor : number, cursor: number }));
            if (following && live) setFollowing(false);
          }}
          onMouseMove={(event) => {
            if (!dragging.current || event.buttons !== 1) return;
            const row = rowAt(event);
            if (row >= 0) setChosen((was) => was && { ...was, cursor: view.number(row) });
          }}
          onMouseUp={() => (dragging.current = false)}
        >
          <div className="relative" style={{ height: view.length * ROW }}>
            {rows}
          </div>
          {view.length === 0 && <p className="px-4 py-1 font-sans text-base text-dim">{log.end > log.first ? t(($) => $.log.noneLeft) : live ? t(($) => $.log.nothingYet) : t(($) => $.log.nothing)}</p>}
        </div>
      </div>
    </section>
  );
});

const textOf: Record<LineTone, string> = { plain: "", dim: "text-dim", good: "text-running", warn: "text-attention", bad: "text-failed" };

function sourceWord(name: string, t: ReturnType<typeof useTranslation<["runs", "common"]>>["t"]): string {
  if (name === "run") return t(($) => $.log.run);
  if (name === "serial") return t(($) => $.log.serial);
  return name === "terraform" ? "Terraform" : name === "ansible" ? "Ansible" : name;
}

/** Since the run began, in minutes and seconds: `1:12.0`; a line from before has no time. */
export function elapsed(at: number, began: number): string {
  if (Number.isNaN(at)) return "";
  const tenths = Math.max(0, Math.round((at - began) / 100));
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}

function timeOfDay(at: number): string {
  if (Number.isNaN(at)) return "";
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

const asText = (line: Line, time: (at: number) => string) => [time(line.at), line.machine ?? "", line.source, line.text].join("\t");
