// How things look on the canvas. There may be a thousand of them: plain boxes, drawn again only when they look otherwise.

import { type ConnectionLineComponentProps, Handle, type NodeProps, NodeResizeControl, NodeResizer, Position, useConnection } from "@xyflow/react";
import { Activity, Cable, Cloud, Container, Crosshair, Database, Globe, HardDrive, Layers, Lock, type LucideIcon, Mail, Monitor, Network, Route, Router, ScrollText, Server, ShieldHalf, Signpost, Split, Target, Users, Zap } from "lucide-react";
import { createContext, memo, type ReactNode, useContext } from "react";
import { useTranslation } from "react-i18next";
import { Dot } from "../../components/state";
import { cn } from "../../lib/cn";
import { phases, type Tone } from "../../lib/words";
import type { FrameNode, LaneNode, MachineNode, NoteNode } from "./graph";
import type { Role } from "./roles";

/** How the canvas is looked at: `far` means that figures could not be read; `near` that there is room for addresses on links. */
export const Zoom = createContext<"far" | "middle" | "near">("middle");
/** Whether things can be moved and linked. */
export const Editable = createContext(true);
/** Takes a frame's or note's words. */
export const Rewrite = createContext<(kind: "note" | "group", id: string, words: string) => void>(() => {});

export const roleIcons: Record<Role, LucideIcon> = {
  server: Server,
  web: Globe,
  database: Database,
  cache: Zap,
  balancer: Split,
  router: Router,
  firewall: ShieldHalf,
  directory: Users,
  monitoring: Activity,
  cluster: Container,
  desktop: Monitor,
  attacker: Crosshair,
  target: Target,
  mail: Mail,
  dns: Signpost,
  storage: HardDrive,
  logs: ScrollText,
  queue: Layers,
};

const modeIcons: Record<string, LucideIcon> = { nat: Cloud, isolated: Lock, routed: Route, bridge: Cable };
export const modeIcon = (mode: string): LucideIcon => modeIcons[mode] ?? Network;

const edges: Record<Tone, string> = {
  running: "border-l-running",
  changing: "border-l-changing",
  stopped: "border-l-stopped",
  attention: "border-l-attention",
  failed: "border-l-failed",
  unknown: "border-l-unknown",
};

const fills: Record<Tone, string> = { running: "bg-running", changing: "bg-changing", stopped: "bg-stopped", attention: "bg-attention", failed: "bg-failed", unknown: "bg-unknown" };

const ring = (selected: boolean | undefined, found: boolean) => (selected ? "border-accent ring-1 ring-accent" : found ? "border-attention ring-2 ring-attention" : "border-line-strong");

const MachineThing = memo(function MachineThing({ data, selected }: NodeProps<MachineNode>) {
  const { name, role, figures, address, replicas, tone, state, reached, severity, found } = data;
  const zoom = useContext(Zoom);
  const editable = useContext(Editable);
  const edge = tone ? cn("border-l-[3px]", edges[tone]) : severity === "error" ? "border-l-[3px] border-l-failed" : "";
  if (zoom === "far") return <div className={cn("h-full", selected ? "bg-accent" : found ? "bg-attention" : tone ? fills[tone] : severity === "error" ? "bg-failed" : "bg-line-strong")} />;
  const Icon = roleIcons[role];
  return (
    <div className={cn("group flex h-full flex-col justify-center gap-0.5 rounded-ui border bg-raised px-2", ring(selected, found), edge)} title={state ? `${name}: ${state}` : name}>
      <div className="flex min-w-0 items-center gap-1.5">
        {reached === null || reached === phases.length ? (
          <Icon className="size-4 shrink-0 text-dim" aria-hidden />
        ) : (
          <Readiness reached={reached}>
            <Icon className="size-3 text-dim" aria-hidden />
          </Readiness>
        )}
        <span className="min-w-0 flex-1 truncate font-strong">{name}</span>
        {replicas > 0 && <span className="rounded-[4px] bg-selected px-1 text-small">×{replicas}</span>}
        {severity && !tone && <Dot tone={severity === "error" ? "failed" : "attention"} />}
        {tone && <Dot tone={tone} label={state} />}
      </div>
      <div className="flex min-w-0 items-center justify-between gap-2 text-small text-dim">
        <span className="min-w-0 truncate font-mono">{address}</span>
        <span className="shrink-0">{figures}</span>
      </div>
      {editable && (
        <>
          <Handle id="out" type="source" position={Position.Bottom} className={handle} />
          <Handle id="up" type="source" position={Position.Top} className={handle} />
        </>
      )}
    </div>
  );
});

/** A ring of a tick for each phase on the way to a configured machine. */
function Readiness({ reached, children }: { reached: number; children: ReactNode }) {
  const ticks = { fill: "none", strokeWidth: 2.5, pathLength: 10 * phases.length, r: 9, cx: 11, cy: 11 };
  return (
    <span className="relative -ml-0.5 grid size-5.5 shrink-0 place-items-center">
      <svg className="absolute inset-0 -rotate-90" viewBox="0 0 22 22" aria-hidden>
        <circle {...ticks} className="stroke-line-strong" strokeDasharray="7 3" />
        {reached > 0 && <circle {...ticks} className="stroke-changing" strokeDasharray={`${"7 3 ".repeat(reached)}0 ${10 * phases.length}`} />}
      </svg>
      {children}
    </span>
  );
}

const handle = "!size-2.5 !min-h-0 !min-w-0 !border !border-raised !rounded-full !bg-accent opacity-0 group-hover:opacity-100 [.selected_&]:opacity-100";

const LaneThing = memo(function LaneThing({ data, selected }: NodeProps<LaneNode>) {
  const { t } = useTranslation("designer");
  const { name, mode, cidr, machines, severity, found } = data;
  const zoom = useContext(Zoom);
  const editable = useContext(Editable);
  const linking = useConnection((connection) => connection.inProgress);
  const Icon = modeIcon(mode);
  return (
    <div
      className={cn(
        "flex h-full items-center gap-2 rounded-full border px-4",
        mode === "isolated" ? "border-dashed" : mode === "bridge" ? "border-double border-[3px]" : "",
        linking ? "border-accent bg-selected outline-2 outline-accent" : zoom === "far" ? "bg-selected" : "bg-hover",
        linking ? "" : ring(selected, found),
      )}
      title={name}
    >
      {zoom !== "far" && (
        <>
          <Icon className="size-4 shrink-0 text-dim" aria-hidden />
          <span className="min-w-0 truncate font-strong">{name}</span>
          <span className="min-w-0 truncate font-mono text-small text-dim">{cidr}</span>
          {severity && <Dot tone={severity === "error" ? "failed" : "attention"} />}
          <span className="ml-auto flex shrink-0 items-center gap-2 text-small text-dim">
            <span>{t(($) => $.modes[mode as "nat"], { defaultValue: mode })}</span>
            <span title={t(($) => $.canvas.attached, { count: machines })}>{machines}</span>
          </span>
        </>
      )}
      {editable && (
        <>
          <Handle id="in" type="target" position={Position.Top} isConnectableStart={false} className={cn("!inset-0 !size-full !transform-none !rounded-full !border-0 !bg-transparent", linking ? "" : "!pointer-events-none")} />
          {selected && (
            <>
              <NodeResizeControl position="left" resizeDirection="horizontal" minWidth={120} className={grip} />
              <NodeResizeControl position="right" resizeDirection="horizontal" minWidth={120} className={grip} />
            </>
          )}
        </>
      )}
    </div>
  );
});

const grip = "!h-5 !w-1.5 !rounded-full !border-0 !bg-accent";

const NoteThing = memo(function NoteThing({ data, selected }: NodeProps<NoteNode>) {
  const { t } = useTranslation("designer");
  const editable = useContext(Editable);
  const rewrite = useContext(Rewrite);
  return (
    <div className={cn("flex h-full rounded-ui border border-dashed bg-panel text-dim", selected ? "border-accent" : "border-line-strong")}>
      {editable && <NodeResizer isVisible={selected} minWidth={96} minHeight={40} lineClassName="!border-transparent" handleClassName="!size-2 !rounded-[2px] !border-0 !bg-accent" />}
      {editable && selected ? (
        <textarea
          aria-label={t(($) => $.inspector.note)}
          className="nodrag nowheel selectable size-full resize-none bg-transparent px-2 py-1.5 text-text outline-none"
          placeholder={t(($) => $.canvas.notePlaceholder)}
          value={data.text}
          onChange={(event) => rewrite("note", data.id, event.target.value)}
        />
      ) : (
        <p className="size-full overflow-hidden px-2 py-1.5 whitespace-pre-wrap wrap-anywhere">{data.text || t(($) => $.canvas.notePlaceholder)}</p>
      )}
    </div>
  );
});

const FrameThing = memo(function FrameThing({ data, selected }: NodeProps<FrameNode>) {
  const { t } = useTranslation("designer");
  const editable = useContext(Editable);
  const rewrite = useContext(Rewrite);
  return (
    <div className={cn("pointer-events-none h-full rounded-ui border bg-panel/60", selected ? "border-accent" : "border-line-strong")}>
      {editable && <NodeResizer isVisible={selected} minWidth={160} minHeight={80} lineClassName="!border-transparent" handleClassName="!size-2 !rounded-[2px] !border-0 !bg-accent pointer-events-auto" />}
      <div className="frame-title pointer-events-auto flex h-7 items-center border-b border-line px-2">
        {editable && selected ? (
          <input
            aria-label={t(($) => $.inspector.title)}
            className="nodrag selectable w-full bg-transparent font-strong outline-none"
            placeholder={t(($) => $.canvas.framePlaceholder)}
            value={data.title}
            onChange={(event) => rewrite("group", data.id, event.target.value)}
          />
        ) : (
          <span className="truncate font-strong text-dim">{data.title || t(($) => $.canvas.framePlaceholder)}</span>
        )}
      </div>
    </div>
  );
});

/** The link that is being drawn. */
export function Drawn({ fromX, fromY, toX, toY, connectionStatus }: ConnectionLineComponentProps) {
  return (
    <g>
      <path d={`M${fromX} ${fromY}L${toX} ${toY}`} fill="none" stroke="var(--accent)" strokeWidth={2} strokeDasharray={connectionStatus === "valid" ? undefined : "5 4"} />
      <circle cx={toX} cy={toY} r={4} fill="var(--accent)" />
    </g>
  );
}

export const nodeTypes = { machine: MachineThing, lane: LaneThing, note: NoteThing, frame: FrameThing };
