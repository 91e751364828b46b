import { Check } from "lucide-react";
import type { InputHTMLAttributes } from "react";
import { cn } from "../lib/cn";

/** Chosen or not. Its name is in `aria-label`, or in a label around it. */
export function Checkbox({ className, ...rest }: Omit<InputHTMLAttributes<HTMLInputElement>, "type">) {
  return (
    <span className={cn("relative inline-flex size-3.5 shrink-0", className)}>
      <input type="checkbox" className="peer size-3.5 appearance-none rounded-[3px] border border-line-strong bg-window checked:border-transparent checked:bg-ink disabled:opacity-45" {...rest} />
      <Check aria-hidden strokeWidth={3} className="pointer-events-none absolute inset-0 m-auto hidden size-2.5 text-on-ink peer-checked:block" />
    </span>
  );
}
