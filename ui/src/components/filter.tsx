import { Search, X } from "lucide-react";
import type { Ref } from "react";
import { useTranslation } from "react-i18next";
import { cn } from "../lib/cn";
import { Keys } from "./keys";

/** A line that narrows a list down as one types. Escape empties it, and then leaves it. */
export function FilterField({ ref, label, value, onChange, keys, bad, className }: { ref?: Ref<HTMLInputElement>; label: string; value: string; onChange: (text: string) => void; keys?: string; bad?: string | null; className?: string }) {
  const { t } = useTranslation();
  return (
    <span className={cn("relative flex h-7 w-56 min-w-24 items-center", className)}>
      <Search aria-hidden className="pointer-events-none absolute left-2 size-3.5 text-dim" />
      <input
        ref={ref}
        aria-label={label}
        placeholder={t(($) => $.filter)}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={bad ? true : undefined}
        title={bad ?? undefined}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" && event.key !== "Enter") return;
          event.preventDefault();
          // On to what was found.
          if (event.key === "Enter") document.querySelector<HTMLElement>("main [role=grid], main [role=log]")?.focus();
          else if (value) onChange("");
          else event.currentTarget.blur();
        }}
        className={cn("h-7 w-full rounded-ui border bg-window pr-7 pl-7 text-base placeholder:text-dim", bad ? "border-failed" : "border-line-strong")}
      />
      {value ? (
        <button type="button" aria-label={t(($) => $.clear)} className="absolute right-1.5 rounded-[4px] p-0.5 text-dim hover:bg-hover hover:text-text" onClick={() => onChange("")}>
          <X className="size-3.5" />
        </button>
      ) : (
        keys && (
          <span aria-hidden className="pointer-events-none absolute right-1.5">
            <Keys keys={keys} />
          </span>
        )
      )}
    </span>
  );
}
