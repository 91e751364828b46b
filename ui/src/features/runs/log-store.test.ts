import { describe, expect, test } from "vitest";
import { follows, type Line, linesOf, LogStore, NO_FILTER, passes, pattern, View } from "./log-store";

const line = (more: Partial<Line>): Line => ({ at: 0, machine: null, source: "run", text: "", tone: "plain", ...more });
const texts = (log: LogStore, view: View) => Array.from({ length: view.length }, (_, row) => log.line(view.number(row)).text);

describe("the log of a run", () => {
  const log = new LogStore(100);
  for (const [at, machine, source, text] of [
    [1, null, "terraform", "create network"],
    [2, "web-1", "run", "Booting"],
    [3, "web-2", "ansible", "Package cache: ok"],
    [4, "web-1", "ansible", "a.b (c"],
    [Number.NaN, "web-1", "serial", "login:"],
  ] as const)
    log.add(line({ at, machine, source, text }));

  test.each([
    [{}, ["create network", "Booting", "Package cache: ok", "a.b (c", "login:"]],
    [{ machine: "web-1" }, ["Booting", "a.b (c", "login:"]],
    [{ without: ["serial", "terraform"] }, ["Booting", "Package cache: ok", "a.b (c"]],
    [{ text: "CACHE" }, ["Package cache: ok"]],
    [{ text: "b (" }, ["a.b (c"]],
    [{ text: "/^[a-z]+:?( n|$)/" }, ["create network", "Booting", "login:"]],
    [{ from: 2, to: 3 }, ["Booting", "Package cache: ok"]],
    // What is no pattern holds nothing back: the field says so.
    [{ text: "/(/" }, ["create network", "Booting", "Package cache: ok", "a.b (c", "login:"]],
  ])("filtered by %o", (filter, expected) => {
    expect(texts(log, new View(log, passes({ ...NO_FILTER, ...filter })))).toEqual(expected);
  });

  test("says of a pattern that is none", () => {
    expect([pattern("/(/"), pattern("(")?.source]).toEqual([null, "\\("]);
  });

  test("keeps the last 200,000 lines, and a view of them, as 10,000 more come", () => {
    const log = new LogStore();
    const even = new View(log, ({ text }) => Number(text) % 2 === 0);
    for (let n = 0; n < 205_000; n++) {
      log.add(line({ text: String(n) }));
      if (n % 1_000 === 999) even.update();
    }
    expect([log.first, log.end, log.line(5_000).text, log.line(204_999).text]).toEqual([5_000, 205_000, "5000", "204999"]);
    const began = performance.now();
    for (let n = 205_000; n < 215_000; n++) log.add(line({ text: String(n) }));
    expect(even.update()).toBe(5_000);
    // A second's worth takes a few frames at most, on a slow machine too.
    expect(performance.now() - began).toBeLessThan(250);
    expect([even.length, even.number(0), even.number(even.length - 1), even.row(15_001), even.has(15_001), even.has(15_002)]).toEqual([100_000, 15_000, 214_998, 1, false, true]);
  });

  test.each([
    ["stays at the end while lines come", true, 900, 900, 1_000, true],
    ["ends when one scrolls up", true, 900, 700, 900, false],
    ["does not begin again on the way down", false, 100, 300, 900, false],
    ["begins again at the end", false, 700, 898, 900, true],
  ])("following %s", (_, was, before, now, end, expected) => {
    expect(follows(was, before, now, end)).toBe(expected);
  });

  test("an event of several lines is several lines", () => {
    expect(linesOf({ run: 1, seq: 1, at_ms: 7, machine: "db", body: { kind: "log", source: "terraform", text: "Error: no\n  on main.tf" } })).toEqual([
      { at: 7, machine: "db", source: "terraform", text: "Error: no", tone: "bad" },
      { at: 7, machine: "db", source: "terraform", text: "  on main.tf", tone: "bad" },
    ]);
  });
});
