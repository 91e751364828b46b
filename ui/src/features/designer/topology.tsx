// A lab's topology to look at: where its machines stand and how they are.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DesignedMachine, LabStatus, MachineStatus } from "../../bindings";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { documentQuery, labQuery } from "../../lib/queries";
import { machineState, type Tone } from "../../lib/words";
import { useFeed } from "../runs/feed";
import type { MachineProgress } from "../runs/progress";
import { Canvas, type CanvasHandle } from "./canvas";
import type { Live } from "./graph";
import { complete, machineId, readLayout, sorted, type ThingId } from "./layout";
import { emptyDesign, parse } from "./model";

/** Of several, the one that most wants to be seen. */
const order: Tone[] = ["failed", "attention", "changing", "unknown", "stopped", "running"];

/** States by the machine's name in the file: of replicas the worst, and the least that a run brought them to. None while nothing is deployed. */
export function states(status: LabStatus, progress: MachineProgress[] = []): Map<string, Live> | null {
  if (status.state === "designed") return null;
  const done = new Map(progress.map((machine) => [machine.name, machine.done]));
  const out = new Map<string, Live>();
  for (const machine of status.machines) {
    const state = machineState(machine, status.state, status.unknown === null);
    const other = out.get(machine.spec);
    const worst = !other || order.indexOf(state.tone) < order.indexOf(other.tone) ? state : other;
    const reached = [done.get(machine.name), other?.reached].filter((count) => count !== undefined);
    out.set(machine.spec, { tone: worst.tone, word: worst.word, ...(reached.length > 0 && { reached: Math.min(...reached) }) });
  }
  return out;
}

const NOBODY: MachineProgress[] = [];

/** How a lab's machines are, for the canvas: the same map as long as all are as before. */
export function useLive(lab: string): Map<string, Live> | null {
  const status = useQuery(labQuery(lab)).data;
  const run = status?.last_run;
  const goesUp = run?.status === "running" && (run.kind === "deploy" || run.kind === "start");
  const heard = useFeed(goesUp ? run.id : null).run.machines;
  const progress = goesUp ? heard : NOBODY;
  const last = useRef<Map<string, Live> | null>(null);
  return useMemo(() => {
    const now = status ? states(status, progress) : null;
    const before = last.current;
    if (now && before && now.size === before.size && [...now].every(([name, live]) => isSame(before.get(name), live))) return before;
    last.current = now;
    return now;
  }, [status, progress]);
}

const isSame = (a: Live | undefined, b: Live) => a?.tone === b.tone && a.word === b.word && a.reached === b.reached;

const designed = (machine: MachineStatus): DesignedMachine => ({ ...machine, user: "", depends_on: [], ports: [] });

type Props = { lab: string; chosen: ReadonlySet<string>; onChoose: (machines: Set<string>) => void; onOpen?: (machine: string) => void };

/** A click chooses a machine, a double click opens it. One with replicas stands for all of them, and opens the first. */
export function Topology({ lab, chosen, onChoose, onOpen }: Props) {
  const { t } = useTranslation("designer");
  const document = useQuery(documentQuery(lab));
  const status = useQuery(labQuery(lab)).data;
  const live = useLive(lab);
  const canvas = useRef<CanvasHandle>(null);
  const design = useMemo(() => parse(document.data?.text ?? "").design ?? emptyDesign, [document.data?.text]);
  const layout = useMemo(() => complete(readLayout(document.data?.layout ?? null), design), [document.data?.layout, design]);
  const machines = status?.machines;
  // States change every few seconds, addresses seldom.
  const key = machines?.map(({ name, address }) => `${name} ${address}`).join();
  const derived = useMemo(() => (machines ?? []).map(designed), [key]);
  // Networks and links are chosen here alone.
  const [others, setOthers] = useState<ReadonlySet<ThingId>>(new Set());
  const specs = [...new Set(machines?.filter(({ name }) => chosen.has(name)).map(({ spec }) => spec))].join(" ");
  const selection: ReadonlySet<ThingId> = useMemo(() => new Set([...others, ...specs.split(" ").filter(Boolean).map(machineId)]), [others, specs]);
  const latest = useRef({ selection, chosen });
  latest.current = { selection, chosen };
  const select = (change: (before: ReadonlySet<ThingId>) => ReadonlySet<ThingId>) => {
    // There may be several changes before all is drawn again.
    const before = latest.current;
    const next = change(before.selection);
    if (next === before.selection || !machines) return;
    const [was, is] = [sorted([...before.selection]).machines, sorted([...next]).machines];
    const names = new Set(machines.filter(({ name, spec }) => is.includes(spec) && (before.chosen.has(name) || !was.includes(spec))).map(({ name }) => name));
    latest.current = { selection: next, chosen: names };
    setOthers(new Set([...next].filter((id) => sorted([id]).machines.length === 0)));
    onChoose(names);
  };
  const nameOf = (id: ThingId): string | null => {
    const name = sorted([id]).machines[0];
    return name === undefined ? null : (machines?.find((machine) => machine.spec === name)?.name ?? name);
  };
  if (document.isError) return <Failed title={t(($) => $.topology.failed)} error={document.error} onRetry={() => void document.refetch()} />;
  if (!document.data) return <Loading what={t(($) => $.design.what)} />;
  if (design.machines.length + design.networks.length === 0) return <p className="m-auto text-dim">{t(($) => $.topology.empty)}</p>;
  return (
    <Canvas
      ref={canvas}
      label={t(($) => $.canvas.topology, { name: lab })}
      design={design}
      layout={layout}
      selection={selection}
      onSelect={select}
      derived={derived}
      live={live}
      onOpen={(id) => {
        const name = nameOf(id);
        if (name !== null) onOpen?.(name);
      }}
    />
  );
}
