import { ChevronDown, ChevronUp, X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import type { ThingId } from "./layout";

/** Finds things on the canvas: all are marked, and Enter goes from one to the next. */
export function FindBar({ words, found, onWords, onShow, onClose }: { words: string; found: ThingId[]; onWords: (words: string) => void; onShow: (id: ThingId) => void; onClose: () => void }) {
  const { t } = useTranslation(["designer", "common"]);
  const [at, setAt] = useState(-1);
  const first = found[0];
  useEffect(() => setAt(-1), [words]);
  const go = (by: number) => {
    if (!first) return;
    const next = (Math.max(at, by > 0 ? -1 : 0) + by + found.length) % found.length;
    setAt(next);
    onShow(found[next] ?? first);
  };
  return (
    <div role="search" className="absolute top-2 right-2 z-20 flex items-center gap-1 rounded-ui border border-line-strong bg-raised p-1 shadow-xl">
      <input
        autoFocus
        aria-label={t(($) => $.canvas.find)}
        placeholder={t(($) => $.canvas.find)}
        className="h-7 w-72 rounded-ui bg-transparent px-2 outline-none placeholder:text-dim"
        spellCheck={false}
        value={words}
        onChange={(event) => onWords(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") (event.stopPropagation(), onClose());
          if (event.key === "Enter") (event.preventDefault(), go(event.shiftKey ? -1 : 1));
        }}
      />
      <span role="status" className="min-w-14 px-1 text-right text-small text-dim">
        {words.trim() && (found.length === 0 ? t(($) => $.canvas.noMatch) : t(($) => $.canvas.matches, { at: Math.max(1, at + 1), count: found.length }))}
      </span>
      <Button kind="quiet" className="w-7 justify-center !px-0" aria-label={t(($) => $.canvas.previous)} disabled={!first} onClick={() => go(-1)}>
        <ChevronUp className="size-4" />
      </Button>
      <Button kind="quiet" className="w-7 justify-center !px-0" aria-label={t(($) => $.canvas.next)} disabled={!first} onClick={() => go(1)}>
        <ChevronDown className="size-4" />
      </Button>
      <Button kind="quiet" className="w-7 justify-center !px-0" aria-label={t(($) => $.close, { ns: "common" })} onClick={onClose}>
        <X className="size-4" />
      </Button>
    </div>
  );
}
