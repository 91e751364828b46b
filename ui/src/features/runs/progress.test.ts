import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../bindings";
import { said } from "../../testing/fake";
import { advance, begin, causes, looksSame, nextPhase, ready, underWay } from "./progress";

const run = (...bodies: Parameters<typeof said>) => advance(begin(), said(...bodies));
const reached = (phase: "defined" | "booting" | "address" | "ssh" | "cloud_init" | "configured", address: string | null = null) => ({ kind: "phase", phase, address }) as const;
const step = (text: string) => ({ kind: "step", text }) as const;

describe("the progress of a run", () => {
  test("goes phase by phase, and keeps when each was reached", () => {
    const { machines } = run(["web", reached("defined")], ["web", reached("booting")], ["web", reached("address", "10.0.0.4")]);
    expect(machines).toMatchObject([{ name: "web", done: 3, address: "10.0.0.4", reached: { defined: 1_000_000, booting: 1_001_000, address: 1_002_000 } }]);
    expect(nextPhase(machines[0]!)).toBe("ssh");
  });

  test("a phase that was jumped over is behind it too", () => {
    const progress = run(["web", reached("configured")]);
    expect(nextPhase(progress.machines[0]!)).toBeNull();
    expect(ready(progress)).toBe(1);
  });

  test("events that were seen before change nothing", () => {
    const events = said([null, step("applying")], ["web", reached("defined")]);
    const once = advance(begin(), events);
    expect(advance(once, events)).toBe(once);
    expect(advance(advance(begin(), events.slice(0, 1)), events)).toEqual(once);
  });

  test("a step ends where the next begins, where machines take over, or with the run", () => {
    const { steps, machines } = run([null, step("rendering")], [null, step("applying")], ["web", reached("booting")], [null, step("publishing")], ["web", step("resting")], [null, { kind: "ended", status: "done", sentence: "" }]);
    expect(steps.map(({ text, from, to }) => [text, from - 1_000_000, to && to - 1_000_000])).toEqual([
      ["rendering", 0, 1_000],
      ["applying", 1_000, 2_000],
      ["publishing", 3_000, 5_000],
    ]);
    expect(machines[0]?.steps).toEqual([{ text: "resting", from: 1_004_000, to: 1_005_000 }]);
  });

  test("one that is only defined waits for its turn; one that boots is under way", () => {
    const { machines } = run(["db", reached("defined")], ["web", reached("defined")], ["web", reached("booting")]);
    expect(machines.map((machine) => [machine.name, underWay(machine)])).toEqual([
      ["db", false],
      ["web", true],
    ]);
  });

  test("a stuck machine says why, until it goes on", () => {
    const stuck = said(["web", reached("booting")], ["web", { kind: "waiting", reason: "no address", remedy: "check dhcp" }], ["web", reached("address")]);
    expect(advance(begin(), stuck.slice(0, 2)).machines[0]?.waiting).toEqual({ reason: "no address", remedy: "check dhcp" });
    expect(advance(begin(), stuck).machines[0]?.waiting).toBeNull();
  });

  test("a failure stays with its machine; the run's own is told only where no machine's is", () => {
    const own: RunEvent["body"] = { kind: "failed", message: "1 of 2", hint: "", evidence: null };
    const failed = run(["web", reached("booting")], ["web", { kind: "failed", message: "it crashed", hint: "read its log", evidence: "panic" }], [null, own], [null, { kind: "ended", status: "failed", sentence: "1 of 2" }]);
    expect(failed.machines[0]?.failed?.message).toBe("it crashed");
    expect(causes(failed).map(({ message }) => message)).toEqual(["it crashed"]);
    expect(causes(run([null, own])).map(({ message }) => message)).toEqual(["1 of 2"]);
    expect(failed.ended).toEqual({ status: "failed", sentence: "1 of 2" });
  });

  test("lines of the log alone leave the page as it looks", () => {
    const events = said(["web", reached("booting")], [null, { kind: "log", source: "terraform", text: "…" }], ["web", reached("address")]);
    const before = advance(begin(), events.slice(0, 1));
    const after = advance(before, events.slice(1, 2));
    expect([looksSame(before, after), looksSame(after, advance(after, events))]).toEqual([true, false]);
  });
});
