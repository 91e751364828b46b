import { describe, expect, test } from "vitest";
import { begin, history } from "./history";
import { aligned, arrange, boxes, complete, inside, type Layout, noLayout, placed, readLayout, touch } from "./layout";
import { type Design, parse } from "./model";

const read = (text: string): Design => parse(text).design!;
const shop = read("name: shop\nnetworks: { lan: {}, back: {}, far: {} }\nmachines:\n  a: {}\n  b: { nics: [ lan, back ] }\n  c: { nics: [ back, far ] }\n  d: { nics: [] }\n  e: { nics: [ lan, far ] }\n");

test("a layout covers nothing twice, and has all in sight", () => {
  const chain = `networks: { ${Array.from({ length: 20 }, (_, n) => `n${n}: {}`).join(", ")} }\nmachines: { ${Array.from({ length: 200 }, (_, n) => `m${n}: { nics: [ n${n % 20}${n < 20 ? `, n${(n + 1) % 20}` : ""} ] }`).join(", ")} }`;
  for (const design of [shop, read(chain), read("machines: { a: {}, b: {} }"), read(`networks: { lan: {} }\nmachines: {${Array.from({ length: 300 }, (_, n) => `m${n}: {}`).join(", ")}}`)]) {
    const all = boxes(arrange(design));
    expect(all).toHaveLength(design.machines.length + design.networks.length);
    expect(all.filter((box, index) => all.some((other, at) => at > index && touch(box, other)))).toEqual([]);
  }
});

test("a machine stands between its networks", () => {
  const { machines, networks } = arrange(shop);
  expect(networks.lan!.y).toBeLessThan(machines.b!.y);
  expect(machines.b!.y).toBeLessThan(networks.back!.y);
});

describe("what has no place gets one", () => {
  const layout = arrange(shop);
  test("beside the others, which stay", () => {
    const more = read("name: shop\nnetworks: { lan: {}, back: {}, far: {}, new: {} }\nmachines:\n  a: {}\n  b: { nics: [ lan, back ] }\n  c: { nics: [ back, far ] }\n  d: { nics: [] }\n  f: { nics: [ back ] }\n");
    const next = complete(layout, more);
    expect(next.machines.a).toEqual(layout.machines.a);
    expect(next.machines.e).toBeUndefined();
    const all = boxes(next);
    expect(all.filter((box, index) => all.some((other, at) => at > index && touch(box, other)))).toEqual([]);
  });
  test("what was renamed by typing keeps its own", () => {
    const next = complete(layout, { ...shop, machines: shop.machines.map((machine) => (machine.name === "b" ? { ...machine, name: "bb" } : machine)) }, shop);
    expect(next.machines.bb).toEqual(layout.machines.b);
  });
  test("nothing to do is the same layout", () => expect(complete(layout, shop, shop)).toBe(layout));
});

test("things line up and spread", () => {
  const layout: Layout = { ...noLayout, machines: { a: { x: 0, y: 0 }, b: { x: 300, y: 40 }, c: { x: 900, y: 80 } } };
  const ids = ["m a", "m b", "m c"];
  expect(Object.values(aligned(layout, ids, "bottom").machines).map(({ y }) => y)).toEqual([80, 80, 80]);
  expect(Object.values(aligned(layout, ids, "across").machines).map(({ x }) => x)).toEqual([0, 450, 900]);
});

test("a frame holds what stands in it", () => {
  const group = { id: "g", title: "", x: -10, y: -10, w: 220, h: 100 };
  const layout = placed({ ...noLayout, machines: { a: { x: 0, y: 0 }, b: { x: 0, y: 0 } }, groups: [group] }, new Map([["m b", { x: 400 }]]));
  expect(inside(layout, group)).toEqual(["m a"]);
});

test.each([[null], ["nonsense"], ['{"machines":{"a":{"x":"1"}},"notes":[{"text":1}],"networks":7}']])("a layout that cannot be read is none: %j", (json) => {
  expect(readLayout(json)).toEqual(noLayout);
});

test("typing is one step, and undo goes over text and layout", () => {
  let state = begin({ text: "", layout: noLayout });
  const moved = { ...noLayout, machines: { a: { x: 1, y: 1 } } };
  for (const [index, text] of ["a", "ab", "abc"].entries()) state = history(state, { do: "change", change: { text, kind: "typing", at: index * 100 } });
  state = history(state, { do: "change", change: { layout: moved, at: 400 } });
  state = history(state, { do: "change", change: { text: "abcd", kind: "typing", at: 500 } });
  state = history(state, { do: "undo" });
  expect(state.now).toEqual({ text: "abc", layout: moved });
  state = history(history(state, { do: "undo" }), { do: "undo" });
  expect(state.now).toEqual({ text: "", layout: noLayout });
  state = history(history(state, { do: "redo" }), { do: "redo" });
  expect(state.now.layout).toBe(moved);
});
