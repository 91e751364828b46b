// What can be put on the canvas: dragged to its place, or clicked.

import { Cable, Cloud, Frame, Lock, type LucideIcon, Server, StickyNote } from "lucide-react";
import { useRef, useState } from "react";
import { createPortal } from "react-dom";
import { useTranslation } from "react-i18next";
import { cn } from "../../lib/cn";
import { LANE, MACHINE, type Point } from "./layout";

export type Fresh = "machine" | "network" | "isolated" | "bridge" | "note" | "frame";

const things: { what: Fresh; icon: LucideIcon; keys?: string }[] = [
  { what: "machine", icon: Server, keys: "N" },
  { what: "network", icon: Cloud, keys: "W" },
  { what: "isolated", icon: Lock },
  { what: "bridge", icon: Cable },
  { what: "note", icon: StickyNote, keys: "O" },
  { what: "frame", icon: Frame, keys: "R" },
];

/** How far the pointer goes before a click is a drag, in px. */
const SLOP = 5;

export function Palette({ onAdd }: { onAdd: (what: Fresh, client?: Point) => void }) {
  const { t } = useTranslation("designer");
  const from = useRef<Point | null>(null);
  // What is drawn may be a move behind the pointer, so it does not tell where that is, or whether it moved at all.
  const dragged = useRef(false);
  const [drag, setDrag] = useState<{ what: Fresh; at: Point } | null>(null);
  return (
    <div role="toolbar" aria-label={t(($) => $.palette.label)} aria-orientation="vertical" className="nopan nowheel absolute top-2 left-2 z-10 flex w-16 flex-col gap-0.5 rounded-ui border border-line bg-panel p-1">
      {things.map(({ what, icon: Icon, keys }) => (
        <button
          key={what}
          type="button"
          title={`${t(($) => $.palette.hint)}${keys ? ` (${keys})` : ""}`}
          className="flex h-11 touch-none flex-col items-center justify-center gap-0.5 rounded-[4px] text-small hover:bg-hover"
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.currentTarget.setPointerCapture(event.pointerId);
            from.current = { x: event.clientX, y: event.clientY };
          }}
          onPointerMove={(event) => {
            const at = { x: event.clientX, y: event.clientY };
            if (!from.current) return;
            dragged.current ||= Math.hypot(at.x - from.current.x, at.y - from.current.y) > SLOP;
            if (dragged.current) setDrag({ what, at });
          }}
          onPointerUp={(event) => {
            const over = document.elementFromPoint(event.clientX, event.clientY);
            if (dragged.current && over?.closest(".react-flow") && !over.closest("[role=toolbar]")) onAdd(what, { x: event.clientX, y: event.clientY });
            from.current = null;
            setDrag(null);
            // The click that follows a drag is none.
            setTimeout(() => (dragged.current = false), 0);
          }}
          onPointerCancel={() => ((from.current = null), (dragged.current = false), setDrag(null))}
          onClick={() => !dragged.current && onAdd(what)}
        >
          <Icon className="size-4 text-dim" aria-hidden />
          {t(($) => $.palette[what])}
        </button>
      ))}
      {drag && createPortal(<Ghost {...drag} />, document.body)}
    </div>
  );
}

function Ghost({ what, at }: { what: Fresh; at: Point }) {
  const { t } = useTranslation("designer");
  const lane = what === "network" || what === "isolated" || what === "bridge";
  const size = lane ? LANE : MACHINE;
  return (
    <div
      aria-hidden
      className={cn("pointer-events-none fixed z-50 flex items-center justify-center border border-accent bg-raised opacity-80", lane ? "rounded-full" : "rounded-ui")}
      style={{ left: at.x - size.w / 2, top: at.y - size.h / 2, width: size.w, height: size.h }}
    >
      {t(($) => $.palette[what])}
    </div>
  );
}
