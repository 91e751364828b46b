import type { InputHTMLAttributes } from "react";
import { cn } from "../lib/cn";

/** A line to write in. `error` says what is wrong with what stands there. */
export function Field({ label, note, error, id, mono = true, className, ...rest }: InputHTMLAttributes<HTMLInputElement> & { label: string; note?: string; error?: string | null; id: string; mono?: boolean }) {
  const said = error ?? note;
  return (
    <div className={cn("flex min-w-0 flex-1 flex-col gap-1", className)}>
      <label htmlFor={id} className="text-small text-dim">
        {label}
      </label>
      <input
        id={id}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={error ? true : undefined}
        aria-describedby={said ? `${id}-note` : undefined}
        className={cn("h-7 w-full rounded-ui border bg-window px-2 text-base placeholder:text-dim disabled:opacity-45", mono && "font-mono", error ? "border-failed" : "border-line-strong")}
        {...rest}
      />
      {said && (
        <p id={`${id}-note`} className={cn("text-small wrap-anywhere", error ? "text-failed" : "text-dim")}>
          {said}
        </p>
      )}
    </div>
  );
}
