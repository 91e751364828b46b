// A lab's topology to look at: where its machines stand and how they are.

import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DesignedMachine, LabStatus, MachineStatus } from "../../bindings";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { documentQuery, labQuery } from "../../lib/queries";
import { machineState, type Tone, type Worded } from "../../lib/words";
import { Canvas, type CanvasHandle } from "./canvas";
import { complete, readLayout, sorted, type ThingId } from "./layout";
import { emptyDesign, parse } from "./model";

/** Of several, the one that most wants to be seen. */
const order: Tone[] = ["failed", "attention", "changing", "unknown", "stopped", "running"];

/** States by the machine's name in the file: of replicas the worst. None while nothing is deployed. */
export function states(status: LabStatus): Map<string, Worded> | null {
  if (status.state === "designed") return null;
  const out = new Map<string, Worded>();
  for (const machine of status.machines) {
    const state = machineState(machine, status.state, status.unknown === null);
    const other = out.get(machine.spec);
    if (!other || order.indexOf(state.tone) < order.indexOf(other.tone)) out.set(machine.spec, state);
  }
  return out;
}

/** How a lab's machines are, for the canvas: the same map as long as all are as before. */
export function useLive(lab: string): Map<string, Worded> | null {
  const status = useQuery(labQuery(lab)).data;
  const last = useRef<Map<string, Worded> | null>(null);
  return useMemo(() => {
    const now = status ? states(status) : null;
    const before = last.current;
    if (now && before && now.size === before.size && [...now].every(([name, { tone, word }]) => before.get(name)?.tone === tone && before.get(name)?.word === word)) return before;
    last.current = now;
    return now;
  }, [status]);
}

const designed = (machine: MachineStatus): DesignedMachine => ({ ...machine, user: "", depends_on: [], ports: [] });

/** A click selects, a double click opens a machine; a machine with replicas stands for its first. */
export function Topology({ lab, selected, onSelect, onOpen }: { lab: string; selected?: string | null; onSelect?: (machine: string | null) => void; onOpen?: (machine: string) => void }) {
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
  const spec = selected === undefined || selected === null ? null : (machines?.find(({ name }) => name === selected)?.spec ?? selected);
  const [own, setOwn] = useState<ReadonlySet<ThingId>>(new Set());
  const selection = useMemo(() => (selected === undefined ? own : new Set(spec === null ? [] : [`m ${spec}`])), [selected, own, spec]);
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
      onSelect={(change) => {
        const next = change(selection);
        if (next === selection) return;
        setOwn(next);
        const added = [...next].filter((id) => !selection.has(id)).map(nameOf).find((name) => name !== null);
        if (added !== undefined || next.size === 0) onSelect?.(added ?? null);
      }}
      derived={derived}
      live={live}
      onOpen={(id) => {
        const name = nameOf(id);
        if (name !== null) onOpen?.(name);
      }}
    />
  );
}
