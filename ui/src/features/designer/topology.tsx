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
import { complete, machineId, readLayout, sorted, type ThingId } from "./layout";
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
