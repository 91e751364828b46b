// The design and its layout as what the canvas draws. Things that look as before are the same objects, so that they are not drawn again.

import type { Node } from "@xyflow/react";
import { Position } from "@xyflow/react";
import type { DesignedMachine, Problem, Severity } from "../../bindings";
import { phases, phaseWord, type Worded } from "../../lib/words";
import { type Box, boxOf, groupId, LANE, type Layout, linkId, MACHINE, machineId, networkId, noteId, type ThingId } from "./layout";
import type { Design, Machine } from "./model";
import { type Role, role } from "./roles";

export type MachineData = { name: string; role: Role; figures: string; address: string; replicas: number; tone: Worded["tone"] | null; state: string; reached: number | null; severity: Severity | null; found: boolean };
export type LaneData = { name: string; mode: string; cidr: string; machines: number; severity: Severity | null; found: boolean };
export type NoteData = { id: string; text: string };
export type FrameData = { id: string; title: string };
/** From a machine's edge to a lane's. */
export type Link = { id: ThingId; x1: number; y1: number; x2: number; y2: number; address: string; implied: boolean; selected: boolean };
export type MachineNode = Node<MachineData, "machine">;
export type LaneNode = Node<LaneData, "lane">;
export type NoteNode = Node<NoteData, "note">;
export type FrameNode = Node<FrameData, "frame">;
export type Thing = MachineNode | LaneNode | NoteNode | FrameNode;

/** How a machine is; while a run brings it up, how many of the phases are behind it. */
export type Live = Worded & { reached?: number };

export type Shown = {
  design: Design;
  layout: Layout;
  /** Where things are that are being moved. */
  moving: Map<ThingId, Partial<Box>>;
  selection: ReadonlySet<ThingId>;
  derived: DesignedMachine[];
  problems: Problem[];
  /** States by the machine's name in the file. */
  live: Map<string, Live> | null;
  found: ReadonlySet<ThingId>;
};

/** Remembers what it answered, and answers the same objects for what has not changed. */
export function graphs() {
  let things = new Map<string, Thing>();
  let known = new Map<string, Link>();
  return (shown: Shown): { nodes: Thing[]; links: Link[] } => {
    const nodes = thingsOf(shown).map((thing) => same(things.get(thing.id), thing));
    things = new Map(nodes.map((node) => [node.id, node]));
    const links = linksOf(shown).map((link) => {
      const before = known.get(link.id);
      return before && isSame(before, link) ? before : link;
    });
    known = new Map(links.map((link) => [link.id, link]));
    return { nodes, links };
  };
}

/** The old one, if both look the same. */
function same(old: Thing | undefined, now: Thing): Thing {
  if (!old) return now;
  for (const key of Object.keys(now) as (keyof Thing)[]) {
    const [a, b] = [old[key], now[key]];
    if (a === b) continue;
    if ((key === "data" || key === "position" || key === "measured") && isSame(a as object, b as object)) continue;
    return now;
  }
  return old;
}

function isSame(a: object, b: object): boolean {
  return Object.entries(b).every(([key, value]) => (a as Record<string, unknown>)[key] === value);
}

function thingsOf({ design, layout, moving, selection, derived, problems, live, found }: Shown): Thing[] {
  const bySpec = new Map<string, DesignedMachine[]>();
  for (const machine of derived) {
    const all = bySpec.get(machine.spec);
    if (all) all.push(machine);
    else bySpec.set(machine.spec, [machine]);
  }
  const worst = severities(problems);
  const counts = new Map<string, number>();
  for (const { nics, replicas } of design.machines) for (const { network } of nics) counts.set(network, (counts.get(network) ?? 0) + (replicas ?? 1));
  const out: Thing[] = [];
  const put = (id: ThingId, type: Thing["type"], box: Box | null, data: Thing["data"], more: Partial<Thing> = {}) => {
    if (!box) return;
    const { x, y, w, h } = { ...box, ...moving.get(id) };
    const handles = handlesOf(type, w, h);
    out.push({ id, type, position: { x, y }, width: w, height: h, measured: { width: w, height: h }, selected: selection.has(id), data, ...(handles && { handles }), ...more } as Thing);
  };
  for (const { id, title, ...box } of layout.groups) put(groupId(id), "frame", box, { id, title }, { zIndex: -2, dragHandle: ".frame-title", ariaLabel: title });
  for (const { name, mode, cidr, raw } of design.networks) {
    put(networkId(name), "lane", boxOf(layout, networkId(name)), {
      name,
      mode,
      cidr: cidr ?? (typeof raw.bridge === "string" ? raw.bridge : ""),
      machines: counts.get(name) ?? 0,
      severity: worst.get(`networks.${name}`) ?? null,
      found: found.has(networkId(name)),
    }, { ariaLabel: name });
  }
  for (const machine of design.machines) {
    const id = machineId(machine.name);
    const state = live?.get(machine.name);
    put(id, "machine", boxOf(layout, id), {
      name: machine.name,
      role: role(machine),
      figures: `${machine.vcpus} vCPU · ${machine.memory}`,
      address: addressOf(machine, bySpec.get(machine.name) ?? []),
      replicas: machine.replicas ?? 0,
      tone: state?.tone ?? null,
      state: state?.reached ? `${state.word}, ${phaseWord(phases[state.reached - 1]!)}` : (state?.word ?? ""),
      reached: state?.reached ?? null,
      severity: worst.get(`machines.${machine.name}`) ?? null,
      found: found.has(id),
    }, { ariaLabel: state ? `${machine.name}, ${state.word}` : machine.name });
  }
  for (const { id, text, ...box } of layout.notes) put(noteId(id), "note", box, { id, text }, { zIndex: 1, ariaLabel: text.slice(0, 80) });
  return out;
}

// Where links are drawn from and to, so that React Flow need not measure it. The lists are made once a size.
const handleLists = new Map<string, Thing["handles"]>();
function handlesOf(type: Thing["type"], w: number, h: number): Thing["handles"] {
  if (type !== "machine" && type !== "lane") return undefined;
  const key = `${type} ${w} ${h}`;
  if (!handleLists.has(key))
    handleLists.set(
      key,
      type === "machine"
        ? [
            { id: "out", type: "source", position: Position.Bottom, x: w / 2 - 5, y: h - 5, width: 10, height: 10 },
            { id: "up", type: "source", position: Position.Top, x: w / 2 - 5, y: -5, width: 10, height: 10 },
          ]
        : [{ id: "in", type: "target", position: Position.Top, x: 0, y: 0, width: w, height: h }],
    );
  return handleLists.get(key);
}

function addressOf(machine: Machine, derived: DesignedMachine[]): string {
  const first = derived[0]?.nics.find(({ address }) => address)?.address ?? machine.nics.find(({ address }) => address)?.address ?? "";
  return machine.replicas && machine.replicas > 1 && first ? `${first.replace("+", "")} …` : first;
}

/** The worst that is said of each machine and network. */
function severities(problems: Problem[]): Map<string, Severity> {
  const worst = new Map<string, Severity>();
  for (const { path, severity } of problems) {
    const thing = /^(?:machines|networks)\.[^.[]+/.exec(path)?.[0];
    if (thing && worst.get(thing) !== "error") worst.set(thing, severity);
  }
  return worst;
}

function linksOf({ design, layout, moving, selection, derived }: Shown): Link[] {
  const box = (id: ThingId): Box | null => {
    const at = boxOf(layout, id);
    return at && { ...at, ...moving.get(id) };
  };
  const lanes = new Map(design.networks.map(({ name }) => [name, box(networkId(name))]));
  const addresses = new Map<string, DesignedMachine>();
  for (const machine of derived) if (!addresses.has(machine.spec)) addresses.set(machine.spec, machine);
  const out: Link[] = [];
  for (const machine of design.machines) {
    const at = box(machineId(machine.name));
    if (!at) continue;
    const ends = machine.nics.flatMap(({ network, address }, index) => {
      const lane = lanes.get(network);
      if (!lane) return [];
      return [{ index, lane, isAbove: lane.y + LANE.h / 2 < at.y + MACHINE.h / 2, address: addresses.get(machine.name)?.nics[index]?.address ?? address ?? "" }];
    });
    for (const side of [true, false]) {
      // Links of one side leave beside each other, in the order of where they go.
      const here = ends.filter(({ isAbove }) => isAbove === side);
      here.forEach(({ index, lane, address }, order) => {
        const x1 = at.x + (at.w * (order + 1)) / (here.length + 1);
        out.push({
          id: linkId(machine.name, index),
          x1,
          y1: side ? at.y : at.y + at.h,
          x2: Math.min(lane.x + lane.w - 12, Math.max(lane.x + 12, x1)),
          y2: side ? lane.y + LANE.h : lane.y,
          address,
          implied: machine.implied,
          selected: selection.has(linkId(machine.name, index)),
        });
      });
    }
  }
  return out;
}
