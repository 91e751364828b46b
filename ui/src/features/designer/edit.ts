// What the canvas and the inspector do, as edits of the lab's text.

import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, visit, type YAMLMap, type YAMLSeq } from "yaml";
import { design, type Design, isFields, type Machine, type Nic, nodeAt, type Path, source } from "./model";
import { addItem, addKey, apply, endOf, extent, type Patch, remove, render, replace } from "./splice";

export type Link = { machine: string; index: number };
export type Kind = "machines" | "networks";
export type Edit =
  /** Nothing as the value takes the field out. */
  | { do: "set"; path: Path; value: unknown }
  /** The same field of several machines or networks. */
  | { do: "setAll"; kind: Kind; names: string[]; path: Path; value: unknown }
  | { do: "add"; kind: Kind; name: string; fields: Record<string, unknown> }
  | { do: "link"; machines: string[]; network: string }
  | { do: "nic"; link: Link; nic: Nic }
  | { do: "rename"; kind: Kind; from: string; to: string }
  | { do: "remove"; machines: string[]; networks: string[]; links: Link[] };

const ORDER = ["version", "name", "description", "host", "acceleration", "defaults", "networks", "machines"];
const MACHINE = ["description", "replicas", "host", "image", "vcpus", "memory", "disk", "disks", "nics", "firmware", "user", "ssh_keys", "packages", "cloud_config", "depends_on", "ports", "ansible"];
const NETWORK = ["description", "mode", "cidr", "bridge", "dhcp", "domain"];

/** The text after an edit. What makes no sense leaves it as it is. */
export function edit(text: string, what: Edit): string {
  const { doc } = source(text);
  if (doc.errors.length > 0) return text;
  const js = doc.toJS({ maxAliasCount: 100_000 }) as unknown;
  const on: Work = { text, doc, js, lab: design(js) };
  switch (what.do) {
    case "set":
      return apply(text, set(on, what.path, what.value));
    case "setAll":
      return apply(text, what.names.flatMap((name) => set(on, [what.kind, name, ...what.path], what.value)));
    case "add":
      return apply(text, set(on, [what.kind, what.name], what.fields));
    case "link":
      return apply(text, what.machines.flatMap((machine) => link(on, machine, what.network)));
    case "nic":
      return apply(text, setNic(on, what.link, what.nic));
    case "rename":
      return apply(text, rename(on, what.kind, what.from, what.to));
    case "remove":
      return apply(text, take(on, what.machines, what.networks, what.links));
  }
}

type Work = { text: string; doc: Document; js: unknown; lab: Design };

const at = (js: unknown, path: Path): unknown => path.reduce<unknown>((value, step) => (typeof value === "object" && value !== null ? (value as Record<string, unknown>)[step] : undefined), js);

/** What stands at a path in the text itself, not behind an alias or a merge. */
function own(doc: Document, path: Path) {
  let node = doc.contents as Node | null;
  let pair: Pair | null = null;
  let flow = false;
  let depth = 0;
  const holders: (YAMLMap | YAMLSeq)[] = [];
  for (const step of path) {
    if (isMap(node)) {
      const found = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step)) as Pair | undefined;
      if (!found) break;
      holders.push(node);
      flow ||= node.flow === true;
      pair = found;
      node = found.value as Node | null;
    } else if (isSeq(node) && node.items[Number(step)] !== undefined) {
      holders.push(node);
      flow ||= node.flow === true;
      pair = null;
      node = node.items[Number(step)] as Node;
    } else break;
    depth += 1;
  }
  return { node, pair, flow, depth, holders };
}

function set({ text, doc, js }: Work, path: Path, value: unknown): Patch[] {
  const found = own(doc, path);
  if (value === undefined) {
    if (found.depth === path.length) return prune(text, doc, path);
    // What is inherited cannot be taken out.
    return [];
  }
  const indent = 2 * path.filter((step) => typeof step === "string").length;
  if (found.depth === path.length) return [replace(text, found.pair, found.node, value, found.flow, found.pair ? columnOf(text, found.pair) + 2 : indent, levels(path))];
  const { node, depth } = found;
  const key = path[depth] as string | number;
  // Below what is not there, or what is only inherited, all is written.
  const whole = (depth: number) => fill(structuredClone(at(js, path.slice(0, depth))), path.slice(depth), value);
  if (!doc.contents) return [{ from: text.length, to: text.length, insert: `${text === "" || text.endsWith("\n") ? "" : "\n"}${String(key)}:${render(whole(1), false, 2, levels(path.slice(0, 1)))}\n` }];
  if (isMap(node)) {
    const block = !found.flow && (depth === 1 || (depth === 2 && path[0] === "machines"));
    const order = depth === 0 ? ORDER : depth === 2 && path[0] === "machines" ? MACHINE : depth === 2 && path[0] === "networks" ? NETWORK : [];
    const indent = found.pair ? columnOf(text, found.pair) + 2 : 0;
    return addKey(text, node, String(key), whole(depth + 1), indent, block, order, levels(path.slice(0, depth + 1)));
  }
  if (isSeq(node)) return addItem(text, node, whole(depth + 1));
  return [replace(text, found.pair, node, whole(depth), found.flow, found.pair ? columnOf(text, found.pair) + 2 : indent, levels(path.slice(0, depth)))];
}

/** A machine has a line for each field, a network is on one. */
const levels = (path: Path) => (path[0] === "machines" ? Math.max(0, 3 - path.length) : path[0] === "networks" ? Math.max(0, 2 - path.length) : 0);

const columnOf = (text: string, pair: Pair) => {
  const start = (pair.key as Node).range?.[0] ?? 0;
  return start - (text.lastIndexOf("\n", start - 1) + 1);
};

/** `value` put at `path` in what is there. */
function fill(there: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "number") {
    const list = Array.isArray(there) ? there : [];
    list[step] = fill(list[step], rest, value);
    return list;
  }
  const map = isFields(there) ? there : {};
  map[step] = fill(map[step], rest, value);
  return map;
}

/** Takes out what is at a path, and what would be empty without it. */
function prune(text: string, doc: Document, path: Path): Patch[] {
  const { holders } = own(doc, path);
  for (let depth = path.length; depth > 0; depth -= 1) {
    const holder = holders[depth - 1];
    if (!holder) return [];
    if (holder.items.length > 1) return remove(text, holder, new Set([itemOf(holder, path[depth - 1]!)]));
    // A machine of defaults only is one.
    if (depth === 3 && path[0] === "machines") return [empty(text, holder, "{}")];
  }
  return [];
}

const itemOf = (holder: YAMLMap | YAMLSeq, step: string | number): unknown =>
  isMap(holder) ? holder.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step)) : holder.items[Number(step)];

function empty(text: string, node: YAMLMap | YAMLSeq, insert: string): Patch {
  let from = node.range?.[0] ?? 0;
  const to = endOf(text, node);
  if (node.flow) return { from, to, insert };
  while (/\s/.test(text[from - 1] ?? "")) from -= 1;
  return { from, to, insert: ` ${insert}` };
}

/** Adds to a list that may not be there yet, or only by inheritance. */
function append(work: Work, path: Path, there: unknown[], value: unknown): Patch[] {
  const { node, depth } = own(work.doc, path);
  if (depth === path.length && isSeq(node)) return addItem(work.text, node, value);
  return set(work, path, [...there, value]);
}

const plain = ({ network, address, mac }: Nic) => (address || mac ? { network, ...(address && { address }), ...(mac && { mac }) } : network);

function link(work: Work, name: string, network: string): Patch[] {
  const machine = work.lab.machines.find((machine) => machine.name === name);
  if (!machine || !work.lab.networks.some((one) => one.name === network)) return [];
  // A link that is only implied stays, as the first.
  return append(work, ["machines", name, "nics"], machine.nics.map(plain), network);
}

function setNic(work: Work, { machine: name, index }: Link, nic: Nic): Patch[] {
  const machine = work.lab.machines.find((machine) => machine.name === name);
  if (!machine?.nics[index]) return [];
  const path = ["machines", name, "nics", index];
  const { node, depth } = own(work.doc, path);
  if (depth < path.length) return set(work, path.slice(0, 3), machine.nics.map((one, at) => plain(at === index ? nic : one)));
  if (!isMap(node) || plain(nic) === nic.network) return set(work, path, plain(nic));
  return (["network", "address", "mac"] as const).flatMap((field) => {
    const now = machine.nics[index]?.[field];
    return now === nic[field] ? [] : set(work, [...path, field], nic[field] || undefined);
  });
}

function rename({ text, doc, lab }: Work, kind: Kind, from: string, to: string): Patch[] {
  const taken = lab[kind].some(({ name }) => name === to);
  const { pair, depth } = nodeAt(doc, [kind, from]);
  if (depth < 2 || !pair || taken || to === "" || to === from) return [];
  const patches: Patch[] = [{ ...range(pair.key as Node), insert: render(to, true) }];
  for (const { name } of lab.machines) {
    const field = own(doc, ["machines", name, kind === "machines" ? "depends_on" : "nics"]);
    if (field.depth < 3 || !isSeq(field.node)) continue;
    for (const item of field.node.items) {
      const node = isMap(item) ? item.get("network", true) : item;
      if (isScalar(node) && node.value === from) patches.push({ ...range(node), insert: render(to, true) });
    }
  }
  return patches;
}

const range = (node: Node) => ({ from: node.range?.[0] ?? 0, to: node.range?.[1] ?? 0 });

function take(work: Work, machines: string[], networks: string[], links: Link[]): Patch[] {
  const { text, doc, lab } = work;
  const patches: Patch[] = [];
  const goneMachines = new Set(machines);
  const goneNetworks = new Set(networks);
  const root = doc.contents;
  if (!isMap(root)) return [];
  for (const [kind, gone] of [["machines", goneMachines], ["networks", goneNetworks]] as const) {
    if (gone.size === 0) continue;
    const { node, depth } = own(doc, [kind]);
    if (depth < 1 || !isMap(node)) continue;
    const items = new Set<unknown>(node.items.filter((item) => isScalar(item.key) && gone.has(String(item.key.value))));
    if (items.size === node.items.length) patches.push(...remove(text, root, new Set([itemOf(root, kind)])));
    else patches.push(...remove(text, node, items));
  }
  for (const machine of lab.machines) {
    if (goneMachines.has(machine.name)) continue;
    const isGone = (nic: Nic, index: number) => goneNetworks.has(nic.network) || links.some((link) => link.machine === machine.name && link.index === index);
    // The first network goes, and with it what was only implied: the next is the first then.
    if (machine.nics.some(isGone) && !(machine.implied && goneNetworks.has(machine.nics[0]?.network ?? ""))) {
      patches.push(...without(work, ["machines", machine.name, "nics"], machine.nics.map(plain), machine.nics.map(isGone), true));
    }
    if (machine.dependsOn.some((name) => goneMachines.has(name))) {
      patches.push(...without(work, ["machines", machine.name, "depends_on"], machine.dependsOn, machine.dependsOn.map((name) => goneMachines.has(name)), false));
    }
  }
  return patches;
}

/** A list without some of its items. One that is left empty is written as such where `empty`, as a list that is left out means another thing. */
function without(work: Work, path: Path, there: unknown[], gone: boolean[], stays: boolean): Patch[] {
  const { node, depth } = own(work.doc, path);
  const all = gone.every(Boolean);
  if (all && !stays) return set(work, path, undefined);
  if (depth < path.length || !isSeq(node)) return set(work, path, there.filter((_, index) => !gone[index]));
  if (all) return [empty(work.text, node, "[]")];
  return remove(work.text, node, new Set(node.items.filter((_, index) => gone[index])));
}

/** All lines of what stands at a path. */
export function extentAt(text: string, path: Path): [number, number] | null {
  const { doc } = source(text);
  const { node, pair, depth } = nodeAt(doc, path);
  if (depth < path.length) return null;
  return pair ? extent(text, pair) : node?.range ? [node.range[0], endOf(text, node)] : null;
}

// ------------------------------------------------------------ copies

/** Machines and networks as text that can be pasted, here or anywhere. */
export function copied(text: string, machines: string[], networks: string[]): string {
  const { doc } = source(text);
  const js = doc.toJS({ maxAliasCount: 100_000 });
  const part = (kind: Kind, names: string[]) =>
    names.length === 0 ? "" : `${kind}:\n${names.map((name) => piece(text, doc, js, kind, name)).join("")}`;
  return part("networks", networks) + part("machines", machines);
}

/** One entry, indented by two. */
function piece(text: string, doc: Document, js: unknown, kind: Kind, name: string): string {
  const { pair, flow, depth } = own(doc, [kind, name]);
  if (depth < 2 || !pair || flow || refers(pair)) return `  ${render(name, true)}:${render(at(js, [kind, name]), false, 4, levels([kind, name]))}\n`;
  const start = (pair.key as Node).range?.[0] ?? 0;
  const column = columnOf(text, pair);
  const end = text.indexOf("\n", endOf(text, pair));
  const lines = text.slice(start, end < 0 ? text.length : end).split("\n");
  return lines.map((line, index) => (index === 0 ? `  ${line}\n` : line.trim() === "" ? "\n" : `  ${line.slice(Math.min(column, /^ */.exec(line)![0].length))}\n`)).join("");
}

function refers(node: Pair): boolean {
  let found = isAlias(node.value);
  visit(node.value as Node, { Alias: () => ((found = true), visit.BREAK), Node: (_, node) => void (found ||= "anchor" in node && Boolean(node.anchor)) });
  return found;
}

export type Pasted = { text: string; machines: Map<string, string>; networks: Map<string, string> };

/** Puts what was copied into a lab, under names, addresses and ports that are free there; nothing where it is no part of a lab. */
export function pasted(text: string, part: string): Pasted | null {
  let fragment = part;
  const read = (text: string) => {
    const { doc } = source(text);
    if (doc.errors.length > 0) return null;
    const js = doc.toJS() as unknown;
    return isFields(js) && (isFields(js.machines) || isFields(js.networks)) ? design(js) : null;
  };
  const lab = read(part);
  const target = read(text) ?? design({});
  if (!lab) return null;
  const made = { machines: new Map<string, string>(), networks: new Map<string, string>() };
  const names = { machines: new Set(target.machines.flatMap(namesOf)), networks: new Set(target.networks.map(({ name }) => name)) };
  const known = new Set(target.machines.map(({ name }) => name));
  const grown: Design = { ...target, networks: [...target.networks], machines: [...target.machines] };
  for (const kind of ["networks", "machines"] as const) {
    for (const { name } of lab[kind]) {
      const free = freeName(name, names[kind]);
      names[kind].add(free);
      made[kind].set(name, free);
    }
    // First aside, so that none takes the name of another that is still to be renamed.
    const renamed = [...made[kind]].filter(([from, to]) => from !== to);
    renamed.forEach(([from], index) => (fragment = edit(fragment, { do: "rename", kind, from, to: `aside-${index}-of-a-paste` })));
    renamed.forEach(([, to], index) => (fragment = edit(fragment, { do: "rename", kind, from: `aside-${index}-of-a-paste`, to })));
  }
  for (const network of lab.networks) {
    const name = made.networks.get(network.name)!;
    const cidr = network.cidr && grown.networks.some((other) => other.cidr && overlap(other.cidr, network.cidr!)) && network.mode !== "bridge" ? freeCidr(grown) : network.cidr;
    if (cidr !== network.cidr) fragment = edit(fragment, { do: "set", path: ["networks", name, "cidr"], value: cidr });
    grown.networks.push({ ...network, name, cidr });
  }
  for (const machine of lab.machines) {
    const name = made.machines.get(machine.name)!;
    const twin = known.has(machine.name);
    machine.nics.forEach((nic, index) => {
      if (machine.implied || (!nic.mac && !nic.address)) return;
      const taken = twin || made.networks.get(nic.network) !== nic.network;
      if (!taken) return;
      const network = made.networks.get(nic.network) ?? nic.network;
      const address = nic.address ? freeAddress(grown, network, nic.address) : null;
      fragment = edit(fragment, { do: "nic", link: { machine: name, index }, nic: { network, address, mac: null } });
      grown.machines.push({ ...machine, name, nics: [{ network, address, mac: null }] });
    });
    if (twin && isFields(machine.raw.ports)) {
      const ports = Object.entries(machine.raw.ports).map(([local, guest]) => [String(freePort(grown, Number(local))), guest] as const);
      fragment = edit(fragment, { do: "set", path: ["machines", name, "ports"], value: Object.fromEntries(ports) });
      grown.machines.push({ ...machine, name, nics: [], raw: { ports: Object.fromEntries(ports) } });
    }
  }
  let out = text;
  const { doc } = source(fragment);
  const js = doc.toJS();
  for (const kind of ["networks", "machines"] as const) {
    if (made[kind].size === 0) continue;
    const { doc: now } = source(out);
    const { node } = own(now, [kind]);
    const last = isMap(node) && !node.flow ? node.items.at(-1) : undefined;
    if (last && columnOf(out, last as Pair) === 2) {
      // As it was written where it comes from.
      const end = out.indexOf("\n", endOf(out, last));
      const place = end < 0 ? out.length : end;
      const lines = [...made[kind].values()].map((name) => piece(fragment, doc, js, kind, name)).join("");
      out = `${out.slice(0, place)}\n${lines.trimEnd()}${out.slice(place)}`;
    } else for (const name of made[kind].values()) out = edit(out, { do: "add", kind, name, fields: at(js, [kind, name]) as Record<string, unknown> });
  }
  return { text: out, ...made };
}

// ------------------------------------------------------------ what is free

/** The names that a machine takes: its own, and those of its replicas. */
export const namesOf = ({ name, replicas }: Pick<Machine, "name" | "replicas">): string[] =>
  replicas === null ? [name] : [name, ...Array.from({ length: Math.min(1000, Math.max(0, replicas)) }, (_, index) => `${name}-${index + 1}`)];

export function freeName(name: string, taken: Set<string>): string {
  if (!taken.has(name)) return name;
  const base = name.replace(/-\d+$/, "");
  for (let number = 2; ; number += 1) if (!taken.has(`${base}-${number}`)) return `${base}-${number}`;
}

const number = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const dotted = (address: number) => [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");

function span(cidr: string): [number, number] | null {
  const [, address, length] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(cidr) ?? [];
  if (!address || !length) return null;
  const size = 2 ** (32 - Number(length));
  const from = Math.floor(number(address) / size) * size;
  return [from, from + size - 1];
}

export function overlap(one: string, other: string): boolean {
  const [a, b] = [span(one), span(other)];
  return a !== null && b !== null && a[0] <= b[1] && b[0] <= a[1];
}

export function freeCidr({ networks }: Design): string {
  for (let number = 1; number < 65_536; number += 1) {
    const cidr = `10.${77 + Math.floor(number / 256)}.${number % 256}.0/24`;
    if (!networks.some((network) => network.cidr && overlap(network.cidr, cidr))) return cidr;
  }
  return "10.77.1.0/24";
}

/** The next address up that no other machine of the design has fixed. */
function freeAddress({ machines, networks }: Design, network: string, like: string): string | null {
  const range = span(networks.find(({ name }) => name === network)?.cidr ?? "");
  if (!range) return null;
  const taken = new Set<number>();
  for (const { nics, replicas } of machines)
    for (const nic of nics) {
      if (nic.network !== network || !nic.address) continue;
      const first = number(nic.address.replace("+", ""));
      for (let index = 0; index < (nic.address.endsWith("+") ? (replicas ?? 1) : 1); index += 1) taken.add(first + index);
    }
  const host = number(like.replace("+", "")) - (span(`${like.replace("+", "")}/24`)?.[0] ?? 0);
  for (let at = range[0] + Math.max(2, host); at < range[1]; at += 1) if (!taken.has(at)) return dotted(at) + (like.endsWith("+") ? "+" : "");
  return null;
}

function freePort({ machines }: Design, like: number): number {
  const taken = new Set<number>();
  for (const { raw, replicas } of machines)
    for (const port of Object.keys(isFields(raw.ports) ? raw.ports : {})) for (let index = 0; index < (replicas ?? 1); index += 1) taken.add(Number(port) + index);
  let port = like;
  while (taken.has(port)) port += 1;
  return port;
}
