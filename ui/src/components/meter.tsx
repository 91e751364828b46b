import { cn } from "../lib/cn";
import type { Tone } from "../lib/words";

const fills: Record<Tone, string> = { running: "bg-running", changing: "bg-changing", stopped: "bg-stopped", attention: "bg-attention", failed: "bg-failed", unknown: "bg-unknown" };

/** How much of a whole is taken: parts from the left, each in the colour of what it means. The words stand beside it. */
export function Meter({ label, parts, total, className }: { label: string; parts: { amount: number; tone: Tone }[]; total: number; className?: string }) {
  const taken = parts.reduce((sum, { amount }) => sum + amount, 0);
  return (
    <span role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={total} aria-valuenow={Math.min(taken, total)} className={cn("flex h-1.5 min-w-16 overflow-hidden rounded-full bg-selected", className)}>
      {parts.map(({ amount, tone }, index) => (
        <span key={index} className={fills[tone]} style={{ width: `${total > 0 ? Math.min(100, (amount / total) * 100) : 0}%` }} />
      ))}
    </span>
  );
}

/** How far something is, of a whole that is known. */
export function Progress({ label, value, total }: { label: string; value: number; total: number | null }) {
  return (
    <span role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={total ?? undefined} aria-valuenow={total === null ? undefined : value} className="block h-1 w-full overflow-hidden rounded-full bg-selected">
      <span className={cn("block h-full bg-changing", total === null && "animate-work")} style={{ width: total ? `${Math.min(100, (value / total) * 100)}%` : "100%" }} />
    </span>
  );
}
