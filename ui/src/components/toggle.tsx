import { cn } from "../lib/cn";

/** One of few that exclude each other, all in sight. */
export function Choice<Value extends string>({ label, value, options, onChange, className }: { label: string; value: Value; options: { value: Value; label: string }[]; onChange: (value: Value) => void; className?: string }) {
  return (
    <div role="radiogroup" aria-label={label} className={cn("inline-flex h-7 shrink-0 rounded-ui border border-line-strong bg-window p-0.5", className)}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          role="radio"
          aria-checked={option.value === value}
          tabIndex={option.value === value ? 0 : -1}
          className={cn("rounded-[4px] px-2 whitespace-nowrap", option.value === value ? "bg-raised text-text shadow-sm ring-1 ring-line-strong" : "text-dim hover:text-text")}
          onClick={() => onChange(option.value)}
          onKeyDown={(event) => {
            const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
            if (!step) return;
            event.preventDefault();
            const next = options[(options.findIndex((one) => one.value === value) + step + options.length) % options.length];
            if (next) onChange(next.value);
            const buttons = event.currentTarget.parentElement?.querySelectorAll("button");
            buttons?.[options.findIndex((one) => one.value === next?.value)]?.focus();
          }}
        >
          {option.label}
        </button>
      ))}
    </div>
  );
}

/** On or off, at once. */
export function Switch({ label, note, checked, onChange, disabled }: { label: string; note?: string; checked: boolean; onChange: (checked: boolean) => void; disabled?: boolean }) {
  return (
    <label className={cn("flex items-start gap-2.5", disabled && "opacity-45")}>
      <input type="checkbox" role="switch" className="peer sr-only" checked={checked} disabled={disabled} onChange={(event) => onChange(event.target.checked)} />
      <span aria-hidden className="mt-0.5 flex h-4 w-7 shrink-0 rounded-full border border-line-strong bg-window p-px peer-checked:justify-end peer-checked:border-transparent peer-checked:bg-ink peer-focus-visible:outline-2 peer-focus-visible:outline-offset-1 peer-focus-visible:outline-accent">
        <span className={cn("size-3 rounded-full", checked ? "bg-on-ink" : "bg-unknown")} />
      </span>
      <span className="min-w-0">
        {label}
        {note && <span className="block text-small text-dim">{note}</span>}
      </span>
    </label>
  );
}
