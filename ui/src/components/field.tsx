import type { InputHTMLAttributes } from "react";

export function Field({ label, note, id, ...rest }: InputHTMLAttributes<HTMLInputElement> & { label: string; note?: string; id: string }) {
  return (
    <div className="flex min-w-0 flex-1 flex-col gap-1">
      <label htmlFor={id} className="text-small text-dim">
        {label}
      </label>
      <input
        id={id}
        spellCheck={false}
        autoComplete="off"
        className="h-7 w-full rounded-ui border border-line-strong bg-window px-2 font-mono text-base placeholder:text-dim"
        {...rest}
      />
      {note && <p className="text-small text-dim">{note}</p>}
    </div>
  );
}
