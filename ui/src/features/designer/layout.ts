// Where things stand on the canvas. It is kept beside the lab, and is no part of it: what has no place here gets one.

import { Graph, layout as dagre } from "@dagrejs/dagre";
import type { Design, Machine } from "./model";

export type Point = { x: number; y: number };
export type Box = Point & { w: number; h: number };
export type Note = Box & { id: string; text: string };
export type Group = Box & { id: string; title: string };
/** Lanes have a width of their own. Machines are all of one size. */
export type Layout = { version: 1; machines: Record<string, Point>; networks: Record<string, Point & { w: number }>; notes: Note[]; groups: Group[] };

export const GRID = 8;
export const MACHINE = { w: 208, h: 56 };
export const LANE = { h: 40, w: 320 };
const GAP = { x: 24, y: 24, lane: 56 };

export const noLayout: Layout = { version: 1, machines: {}, networks: {}, notes: [], groups: [] };

const isPoint = (value: any): value is Point => typeof value === "object" && value !== null && Number.isFinite(value.x) && Number.isFinite(value.y);
const isBox = (value: any): value is Box => isPoint(value) && Number.isFinite((value as Box).w) && Number.isFinite((value as Box).h);

/** What was kept; nothing where it cannot be read. */
export function readLayout(json: string | null): Layout {
  try {
    const value = JSON.parse(json ?? "{}");
    const entries = (map: unknown) => Object.entries(typeof map === "object" && map !== null ? map : {});
    return {
      version: 1,
      machines: Object.fromEntries(entries(value.machines).flatMap(([name, at]) => (isPoint(at) ? [[name, { x: at.x, y: at.y }]] : []))),
      networks: Object.fromEntries(entries(value.networks).flatMap(([name, at]: [string, any]) => (isPoint(at) ? [[name, { x: at.x, y: at.y, w: Number.isFinite((at as any).w) ? (at as any).w : LANE.w }]] : []))),
      notes: (Array.isArray(value.notes) ? value.notes : []).filter((note: any) => isBox(note) && typeof (note as Note).id === "string" && typeof (note as Note).text === "string"),
      groups: (Array.isArray(value.groups) ? value.groups : []).filter((group: any) => isBox(group) && typeof (group as Group).id === "string" && typeof (group as Group).title === "string"),
    };
  } catch {
    return noLayout;
  }
}

export const snap = (value: number) => Math.round(value / GRID) * GRID;

/** The whole lab in order: lanes across, each machine below its first network and above its others. */
export function arrange(design: Design, keep: Layout = noLayout): Layout {
  // Machines on the same networks stand together, as one block to dagre.
  const blocks = new Map<string, Machine[]>();
  const known = new Set(design.networks.map(({ name }) => name));
  const on = (machine: Machine) => [...new Set(machine.nics.map(({ network }) => network))].filter((name) => known.has(name));
  const kinds = new Set(design.machines.map((machine) => on(machine).join(" ")));
  for (const machine of design.machines) {
    const all = on(machine);
    const key = (kinds.size > 300 ? all.slice(0, 1) : all).join(" ");
    const block = blocks.get(key);
    if (block) block.push(machine);
    else blocks.set(key, [machine]);
  }
  const graph = new Graph();
  graph.setGraph({ rankdir: "TB", nodesep: GAP.x * 2, ranksep: GAP.lane });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { name } of design.networks) graph.setNode(`n ${name}`, { width: LANE.w, height: LANE.h });
  for (const [key, machines] of blocks) {
    const { columns, rows } = grid(machines.length, design.machines.length);
    graph.setNode(`b ${key}`, { width: columns * (MACHINE.w + GAP.x) - GAP.x, height: rows * (MACHINE.h + GAP.y) - GAP.y });
    key.split(" ").forEach((network, index) => {
      if (network) graph.setEdge(...((index === 0 ? [`n ${network}`, `b ${key}`] : [`b ${key}`, `n ${network}`]) as [string, string]));
    });
  }
  dagre(graph);
  const ranks = new Map<number, { id: string; x: number; w: number; h: number }[]>();
  for (const id of graph.nodes()) {
    const { x, y, width, height } = graph.node(id) as { x: number; y: number; width: number; height: number };
    const rank = Math.round(y);
    ranks.set(rank, [...(ranks.get(rank) ?? []), { id, x, w: width, h: height }]);
  }
  const next: Layout = { ...keep, machines: {}, networks: {} };
  // Across first: what a lane must reach is known then.
  const spans = new Map<string, [number, number]>();
  const widen = (network: string, from: number, to: number) => {
    const [a, b] = spans.get(network) ?? [from, to];
    spans.set(network, [Math.min(a, from), Math.max(b, to)]);
  };
  for (const [key, machines] of blocks) {
    const { x, width } = graph.node(`b ${key}`) as { x: number; width: number };
    const { columns } = grid(machines.length, design.machines.length);
    machines.forEach((machine, index) => {
      const left = snap(x - width / 2 + (index % columns) * (MACHINE.w + GAP.x));
      next.machines[machine.name] = { x: left, y: 0 };
      for (const network of on(machine)) widen(network, left, left + MACHINE.w);
    });
  }
  let y = 0;
  for (const [, items] of [...ranks].sort(([a], [b]) => a - b)) {
    const lanes = items.filter(({ id }) => id.startsWith("n ")).sort((a, b) => a.x - b.x);
    // Lanes of one rank that would lie over each other lie below each other.
    const rows: [number, number][][] = [];
    let low = y;
    for (const { id, x } of lanes) {
      const name = id.slice(2);
      const span = spans.get(name) ?? [x - LANE.w / 2, x + LANE.w / 2];
      const w = Math.max(LANE.w, snap(span[1] - span[0] + 2 * GAP.x));
      const left = snap((span[0] + span[1]) / 2 - w / 2);
      let row = rows.findIndex((taken) => taken.every(([from, to]) => left > to + GAP.x || left + w < from - GAP.x));
      if (row < 0) row = rows.push([]) - 1;
      rows[row]?.push([left, left + w]);
      next.networks[name] = { x: left, y: snap(y + row * (LANE.h + GAP.lane)), w };
      low = Math.max(low, y + row * (LANE.h + GAP.lane) + LANE.h);
    }
    const below = low;
    for (const { id, x, w, h } of items.filter(({ id }) => id.startsWith("b "))) {
      const machines = blocks.get(id.slice(2)) ?? [];
      const { columns } = grid(machines.length, design.machines.length);
      // A lane that was widened may reach over what dagre had beside it.
      const covered = rows.flat().some(([from, to]) => x - w / 2 < to + GAP.x && from < x + w / 2 + GAP.x);
      const top = covered ? below + GAP.lane : y;
      machines.forEach(({ name }, index) => {
        const at = next.machines[name];
        if (at) at.y = snap(top + Math.floor(index / columns) * (MACHINE.h + GAP.y));
      });
      low = Math.max(low, top + h);
    }
    y = low + GAP.lane;
  }
  // Many networks in a chain would be a long stair.
  return design.networks.length > 6 && density(next) < 0.12 ? cells(design, keep) : next;
}

/** Each network with the machines that have it first, as cells in columns. */
function cells(design: Design, keep: Layout): Layout {
  const next: Layout = { ...keep, machines: {}, networks: {} };
  const groups = new Map<string, Machine[]>(design.networks.map(({ name }) => [name, []]));
  const alone: Machine[] = [];
  for (const machine of design.machines) (groups.get(machine.nics[0]?.network ?? "") ?? alone).push(machine);
  const sizes = [...groups].map(([name, machines]) => {
    const { columns, rows } = grid(machines.length);
    return { name, machines, columns, w: Math.max(LANE.w, columns * (MACHINE.w + GAP.x) + GAP.x), h: LANE.h + GAP.lane + rows * (MACHINE.h + GAP.y) + GAP.lane };
  });
  const width = Math.max(...sizes.map(({ w }) => w));
  const height = sizes.reduce((sum, { h }) => sum + h, 0);
  const tall = height / Math.max(1, Math.round(Math.sqrt((1.6 * height) / width)));
  let [x, y] = [0, 0];
  let low = 0;
  const place = (machines: Machine[], columns: number, top: number) =>
    machines.forEach(({ name }, index) => {
      next.machines[name] = { x: snap(x + GAP.x + (index % columns) * (MACHINE.w + GAP.x)), y: snap(top + Math.floor(index / columns) * (MACHINE.h + GAP.y)) };
    });
  for (const { name, machines, columns, w, h } of sizes) {
    if (y > 0 && y + h / 2 > tall) [x, y] = [x + width + GAP.lane, 0];
    next.networks[name] = { x: snap(x), y: snap(y), w: snap(w) };
    place(machines, columns, y + LANE.h + GAP.lane);
    y += h;
    low = Math.max(low, y);
  }
  x = 0;
  place(alone, grid(alone.length).columns, low);
  return next;
}

/** How much of the room that a layout takes is covered. */
function density(layout: Layout): number {
  const all = boxes({ ...layout, notes: [] });
  const room = bounds(all);
  return room ? all.reduce((sum, { w, h }) => sum + w * h, 0) / (room.w * room.h) : 1;
}

/** Few stand in a row, many in a block that is a little wider than high. */
function grid(count: number, all = count) {
  const columns = Math.max(1, all <= 4 ? count : Math.ceil(Math.sqrt(count * 1.2)));
  return { columns, rows: Math.ceil(count / columns) };
}

/** Gives a place to what has none, and forgets what is no more. Answers the same layout where nothing is to be done. */
export function complete(layout: Layout, design: Design, before: Design | null = null): Layout {
  const moved = before ? carried(before, design, layout) : layout;
  const newMachines = design.machines.filter(({ name }) => !moved.machines[name]);
  const newNetworks = design.networks.filter(({ name }) => !moved.networks[name]);
  const names = { machines: new Set(design.machines.map(({ name }) => name)), networks: new Set(design.networks.map(({ name }) => name)) };
  const stale = Object.keys(moved.machines).some((name) => !names.machines.has(name)) || Object.keys(moved.networks).some((name) => !names.networks.has(name));
  if (newMachines.length === 0 && newNetworks.length === 0 && !stale) return moved;
  const all = design.machines.length + design.networks.length;
  if (newMachines.length + newNetworks.length === all || newMachines.length + newNetworks.length > Math.max(8, all / 2)) return arrange(design, moved);
  const next: Layout = {
    ...moved,
    machines: Object.fromEntries(Object.entries(moved.machines).filter(([name]) => names.machines.has(name))),
    networks: Object.fromEntries(Object.entries(moved.networks).filter(([name]) => names.networks.has(name))),
  };
  for (const { name } of newNetworks) {
    const box = bounds(boxes(next));
    next.networks[name] = { x: box ? box.x : 0, y: box ? snap(box.y + box.h + GAP.lane) : 0, w: LANE.w };
  }
  for (const machine of newMachines) {
    const lane = next.networks[machine.nics[0]?.network ?? ""];
    const box = bounds(boxes(next));
    const from = lane ? { x: lane.x + GAP.x, y: lane.y + LANE.h + GAP.lane } : { x: box?.x ?? 0, y: box ? box.y + box.h + GAP.y : 0 };
    next.machines[machine.name] = free(from, next);
  }
  return next;
}

/** What was renamed by typing keeps its place: one name went, and another came where it was. */
function carried(before: Design, design: Design, layout: Layout): Layout {
  let next = layout;
  for (const kind of ["machines", "networks"] as const) {
    const old = before[kind].map(({ name }) => name);
    const now = design[kind].map(({ name }) => name);
    if (old.length !== now.length) continue;
    const different = old.flatMap((name, index) => (name === now[index] ? [] : [[name, now[index]!] as const]));
    if (different.length !== 1) continue;
    next = renamed(next, kind, ...different[0]!);
  }
  return next;
}

export function renamed(layout: Layout, kind: "machines" | "networks", from: string, to: string): Layout {
  const { [from]: at, ...rest } = layout[kind] as Record<string, Point & { w: number }>;
  return at ? { ...layout, [kind]: { ...rest, [to]: at } } : layout;
}

/** The first place from there, to the right and then down, where a machine covers nothing. */
export function free(from: Point, layout: Layout): Point {
  const taken = boxes(layout);
  for (let row = 0; ; row += 1)
    for (let column = 0; column < 5; column += 1) {
      const box = { x: snap(from.x + column * (MACHINE.w + GAP.x)), y: snap(from.y + row * (MACHINE.h + GAP.y)), ...MACHINE };
      if (!taken.some((other) => touch(box, other))) return { x: box.x, y: box.y };
    }
}

export const touch = (a: Box, b: Box) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
export const within = (box: Box, frame: Box) => box.x >= frame.x && box.y >= frame.y && box.x + box.w <= frame.x + frame.w && box.y + box.h <= frame.y + frame.h;

/** All that covers something: not frames, which things stand in. */
export const boxes = (layout: Layout): Box[] => [
  ...Object.values(layout.machines).map((at) => ({ ...at, ...MACHINE })),
  ...Object.values(layout.networks).map((at) => ({ ...at, h: LANE.h })),
  ...layout.notes,
];

export function bounds(boxes: Box[]): Box | null {
  if (boxes.length === 0) return null;
  const x = Math.min(...boxes.map((box) => box.x));
  const y = Math.min(...boxes.map((box) => box.y));
  return { x, y, w: Math.max(...boxes.map((box) => box.x + box.w)) - x, h: Math.max(...boxes.map((box) => box.y + box.h)) - y };
}

// ------------------------------------------------------------ things by their ids

/** `m NAME`, `n NAME`, `note ID`, `group ID`; links are `l INDEX NAME`. */
export type ThingId = string;
export const machineId = (name: string): ThingId => `m ${name}`;
export const networkId = (name: string): ThingId => `n ${name}`;
export const linkId = (machine: string, index: number): ThingId => `l ${index} ${machine}`;
export const noteId = (id: string): ThingId => `note ${id}`;
export const groupId = (id: string): ThingId => `group ${id}`;

/** What a selection holds. */
export function sorted(ids: Iterable<ThingId>) {
  const out = { machines: [] as string[], networks: [] as string[], links: [] as { machine: string; index: number }[], notes: [] as string[], groups: [] as string[] };
  for (const id of ids) {
    const [kind, ...rest] = id.split(" ");
    if (kind === "m") out.machines.push(rest.join(" "));
    else if (kind === "n") out.networks.push(rest.join(" "));
    else if (kind === "note") out.notes.push(rest.join(" "));
    else if (kind === "group") out.groups.push(rest.join(" "));
    else if (kind === "l") out.links.push({ machine: rest.slice(1).join(" "), index: Number(rest[0]) });
  }
  return out;
}

export function boxOf(layout: Layout, id: ThingId): Box | null {
  const { machines, networks, notes, groups } = sorted([id]);
  if (machines[0] !== undefined) return layout.machines[machines[0]] ? { ...layout.machines[machines[0]]!, ...MACHINE } : null;
  if (networks[0] !== undefined) return layout.networks[networks[0]] ? { ...layout.networks[networks[0]]!, h: LANE.h } : null;
  return layout.notes.find((note) => note.id === notes[0]) ?? layout.groups.find((group) => group.id === groups[0]) ?? null;
}

/** Moves (and, where a size is given, resizes) things. */
export function placed(layout: Layout, places: Map<ThingId, Partial<Box>>): Layout {
  const next = { ...layout, machines: { ...layout.machines }, networks: { ...layout.networks } };
  const box = <Thing extends Box>(thing: Thing, to: Partial<Box> | undefined): Thing => (to ? { ...thing, ...to } : thing);
  for (const [id, to] of places) {
    const { machines, networks } = sorted([id]);
    if (machines[0] !== undefined) {
      const at = next.machines[machines[0]];
      if (at) next.machines[machines[0]] = { x: to.x ?? at.x, y: to.y ?? at.y };
    } else if (networks[0] !== undefined) {
      const at = next.networks[networks[0]];
      if (at) next.networks[networks[0]] = { x: to.x ?? at.x, y: to.y ?? at.y, w: to.w ?? at.w };
    }
  }
  next.notes = layout.notes.map((note) => box(note, places.get(noteId(note.id))));
  next.groups = layout.groups.map((group) => box(group, places.get(groupId(group.id))));
  return next;
}

/** What stands in a frame, and moves with it. */
export function inside(layout: Layout, frame: Group): ThingId[] {
  const ids = [
    ...Object.keys(layout.machines).map(machineId),
    ...Object.keys(layout.networks).map(networkId),
    ...layout.notes.map(({ id }) => noteId(id)),
    ...layout.groups.filter(({ id }) => id !== frame.id).map(({ id }) => groupId(id)),
  ];
  return ids.filter((id) => within(boxOf(layout, id)!, frame));
}

export type Align = "left" | "centre" | "right" | "top" | "middle" | "bottom" | "across" | "down";

/** Lines things up, or spreads them evenly between the outermost. */
export function aligned(layout: Layout, ids: ThingId[], how: Align): Layout {
  const things = ids.flatMap((id) => {
    const box = boxOf(layout, id);
    return box ? [{ id, box }] : [];
  });
  const all = bounds(things.map(({ box }) => box));
  if (!all || things.length < 2) return layout;
  const places = new Map<ThingId, Partial<Box>>();
  if (how === "across" || how === "down") {
    const [at, size] = how === "across" ? (["x", "w"] as const) : (["y", "h"] as const);
    const order = [...things].sort((a, b) => a.box[at] + a.box[size] / 2 - (b.box[at] + b.box[size] / 2));
    const gap = (all[size] - order.reduce((sum, { box }) => sum + box[size], 0)) / (order.length - 1);
    let next = all[at];
    for (const { id, box } of order) {
      places.set(id, { [at]: next });
      next += box[size] + gap;
    }
  } else {
    for (const { id, box } of things) {
      if (how === "left") places.set(id, { x: all.x });
      if (how === "centre") places.set(id, { x: all.x + (all.w - box.w) / 2 });
      if (how === "right") places.set(id, { x: all.x + all.w - box.w });
      if (how === "top") places.set(id, { y: all.y });
      if (how === "middle") places.set(id, { y: all.y + (all.h - box.h) / 2 });
      if (how === "bottom") places.set(id, { y: all.y + all.h - box.h });
    }
  }
  return placed(layout, places);
}
