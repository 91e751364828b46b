import { ChevronDown } from "lucide-react";
import type { SelectHTMLAttributes } from "react";
import { cn } from "../lib/cn";

/** A choice of few. The system's own list is quickest, and reads well to screen readers. */
export function Select({ label, note, id, options, className, ...rest }: Omit<SelectHTMLAttributes<HTMLSelectElement>, "id"> & { label?: string; note?: string; id: string; options: { value: string; label: string }[] }) {
  return (
    <div className={cn("flex min-w-0 flex-col gap-1", className)}>
      {label && (
        <label htmlFor={id} className="text-small text-dim">
          {label}
        </label>
      )}
      <span className="relative">
        <select id={id} className="h-7 w-full appearance-none rounded-ui border border-line-strong bg-window pr-7 pl-2 text-base text-text disabled:opacity-45" {...rest}>
          {options.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <ChevronDown aria-hidden className="pointer-events-none absolute top-1.5 right-2 size-4 text-dim" />
      </span>
      {note && <p className="text-small text-dim">{note}</p>}
    </div>
  );
}
