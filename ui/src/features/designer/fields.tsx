// Lines of the inspector: dense, the label on the left, what is wrong below.

import { ChevronDown, Trash2 } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { Button } from "../../components/button";
import { Tip } from "../../components/tip";
import { cn } from "../../lib/cn";

export const input = "h-7 w-full min-w-0 rounded-ui border bg-window px-2 text-base placeholder:text-dim disabled:opacity-45";
const border = (error: string | null | undefined) => (error ? "border-failed" : "border-line-strong");

export function Section({ title, children, action }: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-1.5 border-t border-line px-3 py-2.5">
      <div className="flex h-5 items-center justify-between gap-2">
        <h3 className="min-w-0 truncate text-small text-dim">{title}</h3>
        {action}
      </div>
      {children}
    </section>
  );
}

/** What is typed, as long as its field has the focus: the text that comes back is a moment older. */
function useTyped(value: string, onChange: (value: string) => void, late: boolean) {
  const [typed, setTyped] = useState<string | null>(null);
  return {
    value: typed ?? value,
    onFocus: () => setTyped(value),
    onChange: (event: { target: { value: string } }) => {
      setTyped(event.target.value);
      if (!late) onChange(event.target.value);
    },
    onBlur: () => {
      if (late && typed !== null && typed !== value) onChange(typed);
      setTyped(null);
    },
  };
}

type LineProps = { label: string; value: string; placeholder?: string; onChange: (value: string) => void; error?: string | null; note?: string | null; list?: string[]; mono?: boolean; /** Counts only when the field is left, or by Enter. */ late?: boolean; disabled?: boolean };

export function Line({ label, value, placeholder, onChange, error, note, list, mono, late = false, disabled }: LineProps) {
  const id = useId();
  const typed = useTyped(value, onChange, late);
  return (
    <Row id={id} label={label} error={error} note={note}>
      <input
        id={id}
        className={cn(input, mono && "font-mono", border(error))}
        spellCheck={false}
        autoComplete="off"
        placeholder={placeholder}
        list={list && `${id}-list`}
        disabled={disabled}
        aria-invalid={error ? true : undefined}
        aria-describedby={error || note ? `${id}-note` : undefined}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
          if (event.key === "Escape") (event.stopPropagation(), event.currentTarget.blur());
        }}
        {...typed}
      />
      {list && (
        <datalist id={`${id}-list`}>
          {list.map((word) => (
            <option key={word} value={word} />
          ))}
        </datalist>
      )}
    </Row>
  );
}

function Row({ id, label, error, note, children }: { id: string; label: string; error?: string | null; note?: string | null; children: ReactNode }) {
  const said = error ?? note;
  return (
    <div className="grid grid-cols-[108px_minmax(0,1fr)] gap-x-2">
      <label htmlFor={id} className="truncate pt-1 text-dim" title={label}>
        {label}
      </label>
      {children}
      {said && (
        <p id={`${id}-note`} className={cn("col-start-2 pt-0.5 text-small wrap-anywhere", error ? "text-failed" : "text-dim")}>
          {said}
        </p>
      )}
    </div>
  );
}

export function Pick({ label, value, options, onChange, error }: { label: string; value: string; options: { value: string; label: string }[]; onChange: (value: string) => void; error?: string | null }) {
  const id = useId();
  return (
    <Row id={id} label={label} error={error}>
      <Choices id={id} value={value} options={options} error={error} onChange={onChange} />
    </Row>
  );
}

export function Choices({ value, options, onChange, error, ...rest }: { id?: string; "aria-label"?: string; value: string; options: { value: string; label: string }[]; onChange: (value: string) => void; error?: string | null }) {
  return (
    <span className="relative block min-w-0 flex-1">
      <select className={cn(input, "appearance-none pr-7 text-text", border(error))} value={value} aria-invalid={error ? true : undefined} onChange={(event) => onChange(event.target.value)} {...rest}>
        {!options.some((option) => option.value === value) && <option value={value}>{value}</option>}
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown aria-hidden className="pointer-events-none absolute top-1.5 right-2 size-4 text-dim" />
    </span>
  );
}

export function Lines({ label, value, onChange, error, note, rows = 2 }: LineProps & { rows?: number }) {
  const id = useId();
  const typed = useTyped(value, onChange, true);
  return (
    <Row id={id} label={label} error={error} note={note}>
      <textarea id={id} rows={rows} spellCheck={false} className={cn(input, "selectable h-auto resize-y py-1 font-mono text-small", border(error))} aria-describedby={error || note ? `${id}-note` : undefined} {...typed} />
    </Row>
  );
}

/** A field without a visible label, in a row of a list. */
export function Cell({ label, value, placeholder, onChange, error, mono = true, late = true }: LineProps) {
  const typed = useTyped(value, onChange, late);
  return (
    <input
      aria-label={label}
      title={error ?? label}
      className={cn(input, mono && "font-mono", border(error))}
      spellCheck={false}
      autoComplete="off"
      placeholder={placeholder}
      aria-invalid={error ? true : undefined}
      onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      {...typed}
    />
  );
}

export function RemoveButton({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <Tip text={label}>
      <Button kind="quiet" className="w-7 justify-center !px-0" aria-label={label} onClick={onClick}>
        <Trash2 className="size-4" />
      </Button>
    </Tip>
  );
}
