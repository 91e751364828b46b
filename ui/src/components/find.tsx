// Finding in a text that is only drawn where it is in sight, as Ctrl+F does in one that is drawn in full.

import { ChevronDown, ChevronUp, X } from "lucide-react";
import { type ReactNode, type Ref } from "react";
import { useTranslation } from "react-i18next";

/** `at` is the match where one is, from 0; `count` is null while there is nothing to look for. */
export function FindBar({ ref, text, onText, at, count, onStep, onClose }: { ref?: Ref<HTMLInputElement>; text: string; onText: (text: string) => void; at: number; count: number | null; onStep: (by: 1 | -1) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const button = "rounded-[4px] p-1 text-dim hover:bg-hover hover:text-text disabled:opacity-45";
  return (
    <div role="search" className="flex shrink-0 items-center justify-end gap-1 border-b border-line bg-window px-2 py-1">
      <input
        ref={ref}
        autoFocus
        aria-label={t(($) => $.find.label)}
        placeholder={t(($) => $.find.label)}
        spellCheck={false}
        autoComplete="off"
        value={text}
        onChange={(event) => onText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
          else if (event.key === "Escape") onClose();
          else return;
          event.preventDefault();
        }}
        className="h-6 w-52 rounded-[4px] border border-line-strong bg-window px-1.5 font-mono text-small"
      />
      <span role="status" className="min-w-16 px-1 text-center text-small text-dim">
        {count === null ? "" : count === 0 ? t(($) => $.find.none) : t(($) => $.find.count, { at: at + 1, count })}
      </span>
      <button type="button" className={button} aria-label={t(($) => $.find.previous)} disabled={!count} onClick={() => onStep(-1)}>
        <ChevronUp className="size-3.5" />
      </button>
      <button type="button" className={button} aria-label={t(($) => $.find.next)} disabled={!count} onClick={() => onStep(1)}>
        <ChevronDown className="size-3.5" />
      </button>
      <button type="button" className={button} aria-label={t(($) => $.find.close)} onClick={onClose}>
        <X className="size-3.5" />
      </button>
    </div>
  );
}

/** How much of a line is drawn: one of a megabyte would stop the page. */
const SHOWN = 3_000;

/** A line with what was found in it marked. */
export function marked(line: string, find: RegExp | null, current = false): ReactNode {
  const text = line.length > SHOWN ? `${line.slice(0, SHOWN)} …` : line;
  if (!find) return text;
  const parts: ReactNode[] = [];
  let from = 0;
  find.lastIndex = 0;
  for (let match = find.exec(text); match && parts.length < 400; match = find.exec(text)) {
    if (match[0] === "") {
      find.lastIndex += 1;
      continue;
    }
    parts.push(
      text.slice(from, match.index),
      <mark key={match.index} className={current ? "bg-attention text-on-ink" : "bg-attention/35 text-text"}>
        {match[0]}
      </mark>,
    );
    from = match.index + match[0].length;
  }
  return parts.length > 0 ? [...parts, text.slice(from)] : text;
}
