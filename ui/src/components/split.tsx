// A border that can be moved, by the mouse and by the arrow keys; what it was moved to is remembered.

import { type ReactNode, useRef } from "react";
import { cn } from "../lib/cn";
import { setPrefs, usePrefs } from "../lib/prefs";

/** A part of a page beside the rest, `size` px wide (or high) until somebody moves its border. It stands after the border unless `first`. */
export function Resizable({ name, label, size, min = 160, max = 900, side, className, children }: { name: string; label: string; size: number; min?: number; max?: number; side: "left" | "right" | "bottom"; className?: string; children: ReactNode }) {
  const { sizes } = usePrefs();
  const now = Math.min(max, Math.max(min, sizes[name] ?? size));
  const from = useRef<{ at: number; size: number } | null>(null);
  const upright = side !== "bottom";
  const set = (next: number) => setPrefs({ sizes: { ...sizes, [name]: Math.round(Math.min(max, Math.max(min, next))) } });
  const grows = side === "left" ? 1 : -1;
  const border = (
    <div
      role="separator"
      aria-label={label}
      aria-orientation={upright ? "vertical" : "horizontal"}
      aria-valuenow={now}
      aria-valuemin={min}
      aria-valuemax={max}
      tabIndex={0}
      className={cn("group relative z-10 shrink-0 bg-line focus-visible:bg-accent", upright ? "w-px cursor-col-resize" : "h-px cursor-row-resize")}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = { at: upright ? event.clientX : event.clientY, size: now };
      }}
      onPointerMove={(event) => from.current && set(from.current.size + grows * ((upright ? event.clientX : event.clientY) - from.current.at))}
      onPointerUp={() => (from.current = null)}
      onDoubleClick={() => set(size)}
      onKeyDown={(event) => {
        const step = { ArrowLeft: upright ? -1 : 0, ArrowRight: upright ? 1 : 0, ArrowUp: upright ? 0 : -1, ArrowDown: upright ? 0 : 1 }[event.key];
        if (step) {
          event.preventDefault();
          set(now + grows * step * 16);
        }
      }}
    >
      <span className={cn("absolute", upright ? "inset-y-0 -left-1 w-2" : "inset-x-0 -top-1 h-2")} />
    </div>
  );
  const part = (
    <div className={cn("flex min-h-0 min-w-0 shrink-0 flex-col overflow-hidden", className)} style={upright ? { width: now } : { height: now }}>
      {children}
    </div>
  );
  return side === "left" ? (
    <>
      {part}
      {border}
    </>
  ) : (
    <>
      {border}
      {part}
    </>
  );
}
