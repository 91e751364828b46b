// A text that is read, not written: line numbers, find, copy. It draws only the lines in sight.

import { Copy, Search } from "lucide-react";
import { type ReactNode, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useActions } from "../lib/actions";
import { cn } from "../lib/cn";
import { copy } from "../lib/copy";
import { useSight } from "../lib/window";
import { FindBar, marked } from "./find";
import { Tip } from "./tip";

const ROW = 18;

export function TextView({ title, text, name, tools, className }: { title: ReactNode; text: string; name: string; tools?: ReactNode; className?: string }) {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [find, setFind] = useState<string | null>(null);
  const [current, setCurrent] = useState(-1);
  const lines = useMemo(() => text.replace(/\n$/, "").split("\n"), [text]);
  const sight = useSight(box, ROW, lines.length);
  const expression = useMemo(() => (find ? new RegExp(find.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi") : null), [find]);
  const found = useMemo(() => (expression ? lines.flatMap((line, index) => ((expression.lastIndex = 0), expression.test(line) ? [index] : [])) : []), [lines, expression]);
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setCurrent(-1);
  }, [text]);
  const show = (at: number) => {
    setCurrent(at);
    const line = found[at];
    const element = box.current;
    if (line === undefined || !element) return;
    const top = line * ROW;
    if (top < element.scrollTop || top + ROW > element.scrollTop + element.clientHeight) element.scrollTop = top - element.clientHeight / 2;
  };
  const step = (by: 1 | -1) => found.length > 0 && show(current < 0 ? (by === 1 ? 0 : found.length - 1) : (current + by + found.length) % found.length);
  const open = () => {
    setFind((was) => was ?? "");
    field.current?.select();
  };
  useActions([
    { id: "text-find", title: t(($) => $.find.inText, { name }), group: t(($) => $.view), keys: "Ctrl+f", everywhere: true, run: open },
    { id: "text-copy", title: t(($) => $.find.copy, { name }), group: t(($) => $.view), run: () => void copy(text, name) },
  ]);
  const button = "rounded-ui p-1 text-dim hover:bg-hover hover:text-text";
  return (
    <section className={cn("flex min-h-0 min-w-0 flex-1 flex-col bg-panel", className)} aria-label={name}>
      <div className="flex h-9 shrink-0 items-center gap-2 border-b border-line pr-2 pl-4">
        <div className="min-w-0 flex-1 truncate">{title}</div>
        {tools}
        <Tip text={t(($) => $.find.label)} keys="Ctrl+F">
          <button type="button" className={button} aria-label={t(($) => $.find.inText, { name })} onClick={open}>
            <Search className="size-4" />
          </button>
        </Tip>
        <Tip text={t(($) => $.copy)}>
          <button type="button" className={button} aria-label={t(($) => $.find.copy, { name })} onClick={() => void copy(text, name)}>
            <Copy className="size-4" />
          </button>
        </Tip>
      </div>
      <div className="flex min-h-0 flex-1 flex-col">
        {find !== null && <FindBar ref={field} text={find} onText={(next) => (setFind(next), setCurrent(-1))} at={current} count={find ? found.length : null} onStep={step} onClose={() => (setFind(null), box.current?.focus())} />}
        <div ref={box} tabIndex={0} role="document" aria-label={name} className="selectable min-h-0 flex-1 overflow-auto py-1.5 font-mono text-small leading-[18px] [font-variant-ligatures:none] focus-visible:outline-none">
          <div className="relative" style={{ height: lines.length * ROW }}>
            {lines.slice(sight.first, sight.end).map((line, index) => {
              const at = sight.first + index;
              return (
                <div key={at} style={{ top: at * ROW, height: ROW }} className="absolute left-0 flex w-max min-w-full whitespace-pre">
                  <span aria-hidden className="sticky left-0 w-12 shrink-0 bg-panel pr-3 text-right text-dim select-none">
                    {at + 1}
                  </span>
                  <span className="pr-4">{marked(line, expression, found[current] === at)}</span>
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </section>
  );
}
