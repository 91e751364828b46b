// What links machines to networks, in one drawing below them: a thousand links are too many for elements with a life of their own.

import { useStore, ViewportPortal } from "@xyflow/react";
import { memo, useContext, useMemo } from "react";
import type { Link } from "./graph";
import type { ThingId } from "./layout";
import { Zoom } from "./nodes";

/** Links are drawn where one looks, and this far around it, in px of the canvas. */
const TILE = 800;

export const Links = memo(function Links({ links, onSelect, onPoint }: { links: Link[]; onSelect: (id: ThingId, more: boolean) => void; onPoint: (id: ThingId) => void }) {
  const zoom = useContext(Zoom);
  const sight = useStore(({ transform: [x, y, zoom], width, height }) =>
    [Math.floor(-x / zoom / TILE), Math.floor(-y / zoom / TILE), Math.ceil((width - x) / zoom / TILE), Math.ceil((height - y) / zoom / TILE)].join(" "),
  );
  const far = useMemo(() => (zoom === "far" ? links.map(({ x1, y1, x2, y2 }) => `M${Math.round(x1)} ${Math.round(y1)}L${Math.round(x2)} ${Math.round(y2)}`).join("") : ""), [zoom, links]);
  const shown = useMemo(() => {
    if (zoom === "far") return [];
    const [left, top, right, bottom] = sight.split(" ").map((part) => Number(part) * TILE) as [number, number, number, number];
    return links.filter(({ x1, y1, x2, y2 }) => Math.max(x1, x2) >= left && Math.min(x1, x2) <= right && Math.max(y1, y2) >= top && Math.min(y1, y2) <= bottom);
  }, [zoom, links, sight]);
  return (
    <ViewportPortal>
      <svg className="pointer-events-none absolute top-0 left-0 overflow-visible" width={1} height={1} style={{ zIndex: -1 }} aria-hidden="true">
        {far && <path d={far} fill="none" stroke="var(--line-strong)" strokeWidth={4} />}
        {shown.map((link) => (
          <Line key={link.id} link={link} near={zoom === "near"} onSelect={onSelect} onPoint={onPoint} />
        ))}
      </svg>
    </ViewportPortal>
  );
});

const Line = memo(function Line({ link, near, onSelect, onPoint }: { link: Link; near: boolean; onSelect: (id: ThingId, more: boolean) => void; onPoint: (id: ThingId) => void }) {
  const { id, x1, y1, x2, y2, address, implied, selected } = link;
  const colour = selected ? "var(--accent)" : "var(--line-strong)";
  const path = `M${x1} ${y1}L${x2} ${y2}`;
  return (
    <g data-link={id}>
      <path d={path} fill="none" stroke={colour} strokeWidth={selected ? 2 : 1.5} strokeDasharray={implied ? "4 3" : undefined} />
      <circle cx={x2} cy={y2} r={3} fill={colour} />
      <path
        d={path}
        fill="none"
        stroke="transparent"
        strokeWidth={14}
        style={{ pointerEvents: "stroke" }}
        onClick={(event) => onSelect(id, event.ctrlKey || event.shiftKey || event.metaKey)}
        onContextMenu={() => onPoint(id)}
      />
      {near && address && (
        <text x={x1 + (x2 - x1) * 0.3 + 5} y={y1 + (y2 - y1) * 0.3 + (y2 < y1 ? -2 : 8)} className="fill-dim font-mono" fontSize={10} style={{ paintOrder: "stroke" }} stroke="var(--window)" strokeWidth={3}>
          {address}
        </text>
      )}
    </g>
  );
});
