// A lab file as the designer sees it. The text is the one truth: what cannot be read is left out here, and `checkText` says so.

import { type Document, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from "yaml";

export type Fields = Record<string, unknown>;
export type Path = (string | number)[];
export type Nic = { network: string; address: string | null; mac: string | null };
export type Network = { name: string; mode: string; cidr: string | null; raw: Fields };
export type Machine = {
  name: string;
  replicas: number | null;
  image: string | null;
  vcpus: number;
  memory: string;
  nics: Nic[];
  /** It says nothing of networks, and is on the first one. */
  implied: boolean;
  dependsOn: string[];
  raw: Fields;
};
export type Design = { name: string; raw: Fields; defaults: Fields; networks: Network[]; machines: Machine[] };
export type Mistake = { message: string; line: number; column: number };
export type Parsed = { design: Design; mistake: null } | { design: null; mistake: Mistake };

export const emptyDesign: Design = { name: "", raw: {}, defaults: {}, networks: [], machines: [] };

/** What a machine gets that says nothing, nor do the lab's defaults. */
export const built = { vcpus: 1, memory: "512 MiB", disk: "4 GiB", firmware: "bios", user: "lab", host: "local", mode: "nat" };

export type Source = { doc: Document; lines: LineCounter };
export function source(text: string): Source {
  const lines = new LineCounter();
  return { doc: parseDocument(text, { merge: true, lineCounter: lines }), lines };
}

export const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);
const fields = (value: unknown): Fields => (isFields(value) ? value : {});
const word = (value: unknown): string | null => (typeof value === "string" || typeof value === "number" ? String(value) : null);
/** Fields' texts, of what may be anything. */
export const words = (value: unknown): string[] => (Array.isArray(value) ? value.flatMap((item) => word(item) ?? []) : []);

export function parse(text: string): Parsed {
  const { doc, lines } = source(text);
  const error = doc.errors[0];
  if (error) {
    const { line, col } = lines.linePos(error.pos[0]);
    return { design: null, mistake: { message: (error.message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, ""), line, column: col } };
  }
  try {
    return { design: design(doc.toJS({ maxAliasCount: 100_000 })), mistake: null };
  } catch (error) {
    return { design: null, mistake: { message: error instanceof Error ? error.message : String(error), line: 1, column: 1 } };
  }
}

export function design(value: unknown): Design {
  const raw = fields(value);
  const defaults = fields(raw.defaults);
  const networks = Object.entries(fields(raw.networks)).map(([name, value]) => {
    const raw = fields(value);
    return { name, mode: word(raw.mode) ?? built.mode, cidr: word(raw.cidr), raw };
  });
  const first = networks[0]?.name;
  const machines = Object.entries(fields(raw.machines)).map(([name, value]): Machine => {
    const raw = fields(value);
    const implied = !Array.isArray(raw.nics);
    const number = Number(raw.vcpus ?? defaults.vcpus ?? built.vcpus);
    return {
      name,
      replicas: Number.isInteger(raw.replicas) ? (raw.replicas as number) : null,
      image: word(raw.image ?? defaults.image),
      vcpus: Number.isFinite(number) ? number : built.vcpus,
      memory: word(raw.memory ?? defaults.memory) ?? built.memory,
      nics: implied ? (first === undefined ? [] : [{ network: first, address: null, mac: null }]) : nics(raw.nics),
      implied,
      dependsOn: words(raw.depends_on),
      raw,
    };
  });
  return { name: word(raw.name) ?? "", raw, defaults, networks, machines };
}

const nics = (value: unknown): Nic[] =>
  (Array.isArray(value) ? value : []).map((nic) =>
    isFields(nic) ? { network: word(nic.network) ?? "", address: word(nic.address), mac: word(nic.mac) } : { network: word(nic) ?? "", address: null, mac: null },
  );

/** A size in MiB, or nothing for what is none. */
export function mib(size: string): number | null {
  const [, amount, unit] = /^([0-9]+(?:\.[0-9]+)?) ?(KiB|MiB|GiB|TiB)$/.exec(size) ?? [];
  if (!amount || !unit) return null;
  return Number(amount) * { KiB: 1 / 1024, MiB: 1, GiB: 1024, TiB: 1024 * 1024 }[unit]!;
}

/** What all machines take together. */
export function totals({ machines }: Design) {
  let [count, vcpus, memory] = [0, 0, 0];
  for (const machine of machines) {
    const times = machine.replicas ?? 1;
    count += times;
    vcpus += times * machine.vcpus;
    memory += times * (mib(machine.memory) ?? 0);
  }
  return { count, vcpus, memory_mib: Math.round(memory) };
}

/** The node at a path as far as it goes, its key's pair if it is a mapping's, and how much of the path that is. */
export function nodeAt(doc: Document, path: Path): { node: Node | null; pair: Pair | null; depth: number } {
  let node = doc.contents as Node | null;
  let pair: Pair | null = null;
  let depth = 0;
  for (const step of path) {
    const holder = isAlias(node) ? (node.resolve(doc) ?? null) : node;
    if (isMap(holder)) {
      const found = holder.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (!found) break;
      pair = found as Pair;
      node = found.value as Node | null;
    } else if (isSeq(holder) && holder.items[Number(step)] !== undefined) {
      pair = null;
      node = holder.items[Number(step)] as Node;
    } else break;
    depth += 1;
  }
  return { node, pair, depth };
}

/** Where in the text something stands: of a mapping's entry its key. */
export function rangeOf(text: string, path: Path): [number, number] | null {
  const { doc } = source(text);
  const { node, pair, depth } = nodeAt(doc, path);
  if (depth === 0) return null;
  const range = pair && isScalar(pair.key) ? pair.key.range : node?.range;
  return range ? [range[0], range[1]] : null;
}

/** The path of what stands at a place in the text, such as `["machines", "web", "memory"]`. */
export function pathAt(text: string, offset: number): Path {
  const { doc } = source(text);
  const path: Path = [];
  let node: unknown = doc.contents;
  for (;;) {
    if (isMap(node)) {
      // The last key that begins before the place, unless the place is after a flow mapping's end.
      const pair = node.items.findLast((item) => isScalar(item.key) && (item.key.range?.[0] ?? Infinity) <= offset);
      if (!pair || (node.flow && (node.range?.[1] ?? 0) < offset)) return path;
      path.push(String((pair.key as { value: unknown }).value));
      node = pair.value;
    } else if (isSeq(node)) {
      const index = node.items.findLastIndex((item) => ((isPair(item) ? null : (item as Node).range)?.[0] ?? Infinity) <= offset);
      if (index < 0 || (node.flow && (node.range?.[1] ?? 0) < offset)) return path;
      path.push(index);
      node = node.items[index];
    } else return path;
  }
}

/** A path as the engine writes it: `machines.web.nics[0].address`. */
export const written = (path: Path): string => path.map((step, index) => (typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`)).join("");

export function readPath(path: string): Path {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) => (index === undefined ? (name ?? "") : Number(index)));
}
