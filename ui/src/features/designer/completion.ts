// What can stand at a place in a lab file: its keys and values from the JSON Schema, names from the lab and the images that there are.

import type { Design, Path } from "./model";

export type Spot = { path: Path; kind: "key" | "value"; from: number; word: string };
export type Offer = { label: string; detail?: string; info?: string; apply?: string };
type Schema = { [key: string]: any };

/** Where in the lab a place is, also while the text does not parse: by indentation, and by brackets within a line. */
export function spotAt(text: string, offset: number): Spot | null {
  const lineFrom = text.lastIndexOf("\n", offset - 1) + 1;
  const line = text.slice(lineFrom, offset);
  if (/(^|\s)#/.test(line)) return null;
  const inFlow = flowSpot(line);
  const above = (indent: number, from: number): Path => blockPath(text, indent, from);
  if (inFlow) {
    const { key, indent, dash } = head(line);
    const base = above(indent, lineFrom);
    const path = [...base, ...(dash ? [indexOf(text, lineFrom, indent)] : []), ...(key === null ? [] : [key]), ...inFlow.path];
    return { path, kind: inFlow.kind, from: lineFrom + inFlow.from, word: line.slice(inFlow.from) };
  }
  const [, spaces = "", dashes = "", rest = ""] = /^( *)((?:- +)*)(.*)$/.exec(line) ?? [];
  const indent = spaces.length;
  const path = [...above(indent, lineFrom), ...(dashes ? [indexOf(text, lineFrom, indent)] : [])];
  const value = /^([^\s:]+): +(.*)$/.exec(rest);
  if (value) return { path: [...path, unquoted(value[1]!)], kind: "value", from: offset - value[2]!.length, word: value[2]! };
  if (/\s/.test(rest) || rest.endsWith(":")) return null;
  // A list's item may be a word, or begin a mapping.
  return { path, kind: dashes ? "value" : "key", from: offset - rest.length, word: rest };
}

const unquoted = (word: string) => word.replace(/^["']|["']$/g, "");

/** Of a line: its key, and how far in it stands. */
function head(line: string) {
  const [, spaces = "", dash = "", key] = /^( *)(- +)?(?:([^\s:[{]+):)?/.exec(line) ?? [];
  return { indent: spaces.length, dash, key: key === undefined ? null : unquoted(key) };
}

/** The keys under which a line that is indented so stands. */
function blockPath(text: string, indent: number, from: number): Path {
  const path: Path = [];
  let depth = indent;
  let end = from - 1;
  while (end >= 0 && depth > 0) {
    const start = text.lastIndexOf("\n", end - 1) + 1;
    const line = text.slice(start, end);
    end = start - 1;
    if (/^\s*(#|$)/.test(line)) continue;
    const at = head(line);
    const inner = at.indent + at.dash.length;
    if (at.dash && at.indent < depth && inner <= depth) {
      // The key on the dash's own line holds what stands deeper than it.
      if (inner < depth && at.key !== null) path.unshift(at.key);
      path.unshift(indexOf(text, start, at.indent));
      depth = at.indent;
      // A list may stand under its key without being indented.
      if (depth === 0) break;
      depth += 1;
      continue;
    }
    if (at.indent < depth && at.key !== null) {
      path.unshift(at.key);
      depth = at.indent;
    }
  }
  return path;
}

/** Which item of its list a line with a dash is. */
function indexOf(text: string, from: number, indent: number): number {
  let index = 0;
  let end = from - 1;
  while (end > 0) {
    const start = text.lastIndexOf("\n", end - 1) + 1;
    const line = text.slice(start, end);
    const at = head(line);
    if (line.trim() !== "" && at.indent < indent) break;
    if (at.indent === indent && at.dash) index += 1;
    else if (line.trim() !== "" && at.indent === indent) break;
    end = start - 1;
  }
  return index;
}

function flowSpot(line: string): { path: Path; kind: Spot["kind"]; from: number } | null {
  const open: { kind: "{" | "["; index: number; key: string | null }[] = [];
  let from = 0;
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at]!;
    if (quote) {
      if (char === quote) quote = "";
      continue;
    }
    const top = open.at(-1);
    if (char === '"' || char === "'") quote = char;
    else if (char === "{" || char === "[") {
      if (!top && !/[:\-\s]$/.test(line.slice(0, at))) continue;
      open.push({ kind: char, index: 0, key: null });
      from = at + 1;
    } else if ((char === "}" || char === "]") && top) open.pop();
    else if (char === "," && top) {
      top.index += 1;
      top.key = null;
      from = at + 1;
    } else if (char === ":" && top?.kind === "{" && top.key === null) {
      top.key = unquoted(line.slice(from, at).trim());
      from = at + 1;
    }
  }
  const top = open.at(-1);
  if (!top || quote) return null;
  const path = open.flatMap(({ kind, index, key }, depth): Path => (kind === "[" ? [index] : key === null ? (depth === open.length - 1 ? [] : []) : [key]));
  const kind = top.kind === "{" && top.key === null ? "key" : "value";
  while (line[from] === " ") from += 1;
  return { path, kind, from };
}

export type Known = { design: Design; images: string[]; hosts: string[] };

export function offers(schema: Schema, { path, kind }: Spot, known: Known): Offer[] {
  const found = walk(schema, path);
  if (kind === "key") return keys(schema, found);
  return [...values(schema, found, path, known), ...(typeof path.at(-1) === "number" ? keys(schema, found) : [])];
}

const follow = (schema: Schema, part: Schema | undefined): Schema => {
  const name = typeof part?.$ref === "string" ? part.$ref.split("/").at(-1) : undefined;
  return name ? { ...schema.$defs?.[name], ...(part?.description && { description: part.description }) } : (part ?? {});
};
/** What a part of the schema may be: itself, or one of its choices. */
const choices = (schema: Schema, part: Schema): Schema[] => {
  const real = follow(schema, part);
  return [real, ...(real.anyOf ?? []).flatMap((one: Schema) => choices(schema, one))];
};

function walk(schema: Schema, path: Path): Schema[] {
  let parts = choices(schema, schema);
  for (const step of path)
    parts = parts.flatMap((part) => {
      const next = typeof step === "number" ? part.items : (part.properties?.[step] ?? (typeof part.additionalProperties === "object" ? part.additionalProperties : undefined));
      return next && typeof next === "object" ? choices(schema, next) : [];
    });
  return parts;
}

function keys(schema: Schema, parts: Schema[]): Offer[] {
  return parts.flatMap((part) =>
    Object.entries(part.properties ?? {}).map(([key, value]) => {
      const real = follow(schema, value as Schema);
      return { label: key, info: real.description, apply: real.type === "object" || real.additionalProperties ? `${key}:` : `${key}: ` };
    }),
  );
}

function values(schema: Schema, parts: Schema[], path: Path, { design, images, hosts }: Known): Offer[] {
  const [section, , field] = path;
  const last = path.at(-1);
  const inNics = section === "machines" && field === "nics";
  if (inNics && (path.length === 4 || last === "network")) return design.networks.map(({ name, cidr, mode }) => ({ label: name, detail: cidr ?? mode }));
  if (section === "machines" && field === "depends_on" && path.length === 4) return design.machines.map(({ name }) => ({ label: name }));
  if (last === "image" && (path.length === 3 || section === "defaults")) return images.map((label) => ({ label }));
  if (last === "host" && path.length !== 2) return hosts.map((label) => ({ label }));
  return parts.flatMap((part): Offer[] => {
    const fixed = (part.oneOf ?? []).filter((one: Schema) => "const" in one).map((one: Schema) => ({ label: String(one.const), info: one.description }));
    if (fixed.length > 0) return fixed;
    if ("const" in part) return [{ label: String(part.const) }];
    if (part.type === "boolean") return [{ label: "true" }, { label: "false" }];
    return (part.examples ?? []).map((label: string) => ({ label, apply: /:/.test(label) ? `"${label}"` : label }));
  });
}
