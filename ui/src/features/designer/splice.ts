// Changes of YAML text that touch only what changes: comments, order, quotes and spaces of all else stay as somebody wrote them.
// Places come from the document's tree; each change is a few pieces of text cut out and put in.

import { Document, isAlias, isMap, isPair, isScalar, isSeq, type Node, type Pair, Scalar, visit, type YAMLMap, type YAMLSeq } from "yaml";

export type Patch = { from: number; to: number; insert: string };

export function apply(text: string, patches: Patch[]): string {
  // What lies in a piece that goes needs no change of its own.
  const kept = patches.filter((patch) => !patches.some((other) => other !== patch && other.insert === "" && other.from <= patch.from && other.to >= patch.to && other.to - other.from > patch.to - patch.from));
  // Those at the same place stay in their order.
  const sorted = kept.map((patch, index) => ({ ...patch, index })).sort((a, b) => a.from - b.from || a.to - b.to || a.index - b.index);
  let out = "";
  let at = 0;
  for (const { from, to, insert } of sorted) {
    if (from < at) continue;
    out += text.slice(at, from) + insert;
    at = to;
  }
  return out + text.slice(at);
}

const lineStart = (text: string, at: number) => text.lastIndexOf("\n", at - 1) + 1;
const lineEnd = (text: string, at: number) => {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end;
};
const column = (text: string, at: number) => at - lineStart(text, at);

/** Where the last that belongs to a node ends, in its line. */
export function endOf(text: string, node: unknown): number {
  if (isPair(node)) return node.value ? endOf(text, node.value) : endOf(text, node.key);
  if ((isMap(node) || isSeq(node)) && !node.flow && node.items.length > 0) return endOf(text, node.items.at(-1));
  let end = (node as Node).range?.[1] ?? 0;
  if (isScalar(node) && (node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED)) while (/\s/.test(text[end - 1] ?? "")) end -= 1;
  return end;
}

/** From an entry's key to its end. */
export const extent = (text: string, pair: Pair): [number, number] => [startOf(pair), endOf(text, pair)];

const startOf = (node: unknown): number => (isPair(node) ? startOf(node.key) : ((node as Node).range?.[0] ?? 0));

/** A value as YAML. In a block its lines after the first are indented by `indent`, and its outermost `levels` have a line for each entry. */
export function render(value: unknown, flow: boolean, indent = 0, levels = 0): string {
  const doc = new Document({ value });
  const node = (doc.contents as YAMLMap).items[0]?.value;
  if (flow) {
    (doc.contents as YAMLMap).flow = true;
    return doc.toString({ lineWidth: 0 }).trim().replace(/^\{ value: ?/, "").replace(/ \}$/, "");
  }
  if (isMap(node) || isSeq(node)) {
    if (node.items.length === 0) return ` ${isMap(node) ? "{}" : "[]"}`;
    compact(node, levels);
    if (node.flow) return ` ${new Document(node).toString({ lineWidth: 0 }).trim()}`;
    const lines = new Document(node).toString({ lineWidth: 0 }).trimEnd().split("\n");
    return lines.map((line) => (line ? `\n${" ".repeat(indent)}${line}` : "\n")).join("");
  }
  const [first = "", ...rest] = doc.toString({ lineWidth: 0 }).trimEnd().slice("value:".length).split("\n");
  return [first, ...rest.map((line) => (line ? " ".repeat(Math.max(0, indent - 2)) + line : line))].join("\n");
}

/** Writes short collections on one line, as people do. */
function compact(node: Node, levels: number) {
  visit(node, {
    Collection: (_, collection, path) => {
      if (path.filter((above) => isMap(above) || isSeq(above)).length < levels) return;
      if (isShort(collection as YAMLMap, true)) (collection as YAMLMap).flow = true;
    },
  });
}

function isShort(collection: YAMLMap | YAMLSeq, outer: boolean): boolean {
  const values = collection.items.map((item) => (isPair(item) ? item.value : item));
  // Interfaces are short, tasks are not.
  const isShortValue = (value: unknown) =>
    isScalar(value) ? String(value.value).length < 48 && !String(value.value).includes("\n") : outer && isMap(value) && value.has("network") && isShort(value, false);
  return values.length < 12 && values.every(isShortValue);
}

/** Puts a key into a mapping: in a block after those that `order` has before it, else at the end. An empty one becomes a block where `block`. */
export function addKey(text: string, map: YAMLMap, key: string, value: unknown, indent: number, block: boolean, order: string[] = [], levels = 0): Patch[] {
  const word = render(key, true);
  const last = map.items.at(-1);
  if (!last) {
    const [from, to] = map.range ?? [0, 0];
    if (!block) return [{ from, to, insert: `{ ${word}: ${render(value, true)} }` }];
    return [{ from: text[from - 1] === " " ? from - 1 : from, to, insert: `\n${" ".repeat(indent)}${word}:${render(value, false, indent + 2, levels)}` }];
  }
  if (map.flow) return [addToFlow(text, map, endOf(text, last), `${word}: ${render(value, true)}`)];
  const own = column(text, startOf(map.items[0]));
  const place = order.indexOf(key);
  const before = (item: Pair) => isScalar(item.key) && order.indexOf(String(item.key.value)) < place;
  const after = place < 0 ? last : map.items.findLast((item) => before(item as Pair));
  if (!after) {
    const first = startOf(map.items[0]);
    return [{ from: first, to: first, insert: `${word}:${render(value, false, own + 2, levels)}\n${" ".repeat(own)}` }];
  }
  const at = lineEnd(text, endOf(text, after));
  return [{ from: at, to: at, insert: `\n${" ".repeat(own)}${word}:${render(value, false, own + 2, levels)}` }];
}

export function addItem(text: string, seq: YAMLSeq, value: unknown): Patch[] {
  const last = seq.items.at(-1);
  const [from, to] = seq.range ?? [0, 0];
  if (!last) return [{ from, to, insert: `[ ${render(value, true)} ]` }];
  if (seq.flow) return [addToFlow(text, seq, endOf(text, last), render(value, true))];
  const at = lineEnd(text, endOf(text, last));
  return [{ from: at, to: at, insert: `\n${" ".repeat(column(text, dashOf(text, startOf(seq.items[0]))))}- ${render(value, true)}` }];
}

function addToFlow(text: string, node: YAMLMap | YAMLSeq, end: number, piece: string): Patch {
  const close = (node.range?.[1] ?? end) - 1;
  const comma = text.slice(end, close).search(/^\s*,/) >= 0;
  const at = comma ? text.indexOf(",", end) + 1 : end;
  // One item a line stays so.
  const line = text.slice(lineStart(text, end), end);
  const alone = text.slice(node.range?.[0], end).includes("\n") ? `\n${/^\s*/.exec(line)?.[0] ?? ""}` : " ";
  return { from: at, to: at, insert: `${comma ? "" : ","}${alone}${piece}` };
}

const dashOf = (text: string, at: number) => text.lastIndexOf("-", at - 1);

/** Takes items out of a mapping or list that keeps some. */
export function remove(text: string, node: YAMLMap | YAMLSeq, gone: Set<unknown>): Patch[] {
  const items = node.items as unknown[];
  if (node.flow) {
    const first = items.findIndex((item) => !gone.has(item));
    return items.flatMap((item, index) => {
      if (!gone.has(item)) return [];
      // Those before the first that stays go with what follows them, the others with what is before.
      if (index < first) return [{ from: startOf(item), to: startOf(items[index + 1]), insert: "" }];
      return [{ from: endOf(text, items[index - 1]), to: endOf(text, item), insert: "" }];
    });
  }
  return items.flatMap((item, index) => {
    if (!gone.has(item)) return [];
    const start = isSeq(node) ? dashOf(text, startOf(item)) : startOf(item);
    let from = lineStart(text, start);
    const end = lineEnd(text, endOf(text, item));
    // The first entry of a list in a list, or of a mapping in a list, shares its line with a dash.
    if (text.slice(from, start).trim() !== "") {
      const next = items[index + 1];
      return [{ from: start, to: next === undefined ? end : isSeq(node) ? dashOf(text, startOf(next)) : startOf(next), insert: "" }];
    }
    // Remarks right above an entry are about it; above the first they are about all.
    if (index > 0) {
      const indent = text.slice(from, start);
      for (;;) {
        const above = lineStart(text, from - 1);
        if (from === 0 || !text.slice(above, from).startsWith(`${indent}#`)) break;
        from = above;
      }
    }
    return [{ from: end === text.length && from > 0 ? from - 1 : from, to: Math.min(text.length, end + 1), insert: "" }];
  });
}

/** Puts another value in the place of one. */
export function replace(text: string, pair: Pair | null, node: Node | null, value: unknown, inFlow: boolean, indent: number, levels = 0): Patch {
  if (!node || (isScalar(node) && node.range && node.range[0] === node.range[1])) {
    // Nothing stands there yet.
    const at = node?.range?.[0] ?? text.indexOf(":", endOf(text, pair?.key)) + 1;
    return { from: at, to: at, insert: inFlow ? ` ${render(value, true)}` : render(value, false, indent, levels) };
  }
  const from = node.range?.[0] ?? 0;
  const to = endOf(text, node);
  const flow = inFlow || isAlias(node) || isScalar(node) || ((isMap(node) || isSeq(node)) && node.flow === true);
  // Quotes that somebody chose stay; those that the old value needed need not.
  const isQuoted = isScalar(node) && (node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE) && !/^["']/.test(render(node.value, true));
  if (isQuoted && typeof value === "string") {
    const scalar = new Scalar(value);
    scalar.type = (node as Scalar).type!;
    return { from, to, insert: new Document(scalar).toString({ lineWidth: 0 }).trimEnd() };
  }
  if (flow && (inFlow || typeof value === "object")) return { from, to, insert: render(value, true) };
  const insert = render(value, false, indent, levels);
  return insert.startsWith(" ") ? { from, to, insert: insert.slice(1) } : { from: lineBefore(text, from), to, insert };
}

/** Where a block that begins on a line of its own is put instead: right after its key. */
function lineBefore(text: string, from: number): number {
  let at = from;
  while (/[ \n]/.test(text[at - 1] ?? "")) at -= 1;
  return at;
}
