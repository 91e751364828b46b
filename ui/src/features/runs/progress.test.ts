import { describe, expect, test } from "vitest";
import type { RunEvent } from "../../bindings";
import { said } from "../../testing/fake";
import { advance, begin, doing, nextPhase, underWay } from "./progress";

const run = (...bodies: Parameters<typeof said>) => advance(begin([]), said(...bodies));
const reached = (phase: "defined" | "booting" | "address" | "ssh" | "cloud_init" | "configured", address: string | null = null) => ({ kind: "phase", phase, address }) as const;

describe("the progress of a run", () => {
  test("goes phase by phase, and keeps when each was reached", () => {
    const { machines } = run(["web", reached("defined")], ["web", reached("booting")], ["web", reached("address", "10.0.0.4")]);
    expect(machines).toMatchObject([{ name: "web", done: 3, address: "10.0.0.4", reached: { defined: 1_000_000, booting: 1_001_000, address: 1_002_000 } }]);
    expect(nextPhase(machines[0]!)).toBe("ssh");
  });

  test("a phase that was jumped over is behind it too", () => {
    const { machines } = run(["web", reached("configured")]);
    expect(machines[0]).toMatchObject({ done: 6 });
    expect(nextPhase(machines[0]!)).toBeNull();
  });

  test("events that were seen before change nothing", () => {
    const events = said([null, { kind: "step", text: "applying" }], ["web", reached("defined")]);
    const once = advance(begin([]), events);
    expect(advance(once, events)).toBe(once);
    expect(advance(advance(begin([]), events.slice(0, 1)), events)).toEqual(once);
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
    expect(advance(begin([]), stuck.slice(0, 2)).machines[0]?.waiting).toEqual({ reason: "no address", remedy: "check dhcp" });
    expect(advance(begin([]), stuck).machines[0]?.waiting).toBeNull();
  });

  test("a failure stays with its machine and in the run", () => {
    const failed = run(["web", reached("booting")], ["web", { kind: "failed", message: "it crashed", hint: "read its log", evidence: "panic" }], [null, { kind: "ended", status: "failed", sentence: "1 of 2" }]);
    expect(failed.failures).toEqual([{ machine: "web", message: "it crashed", hint: "read its log", evidence: "panic" }]);
    expect(failed.machines[0]?.failed?.message).toBe("it crashed");
    expect(failed.ended).toEqual({ status: "failed", sentence: "1 of 2" });
  });

  test("says what it is at", () => {
    expect(doing(run([null, { kind: "step", text: "applying 9 changes" }]))).toBe("Applying 9 changes");
    expect(doing(run(["db", reached("configured")], ["web", reached("booting")]))).toBe("Bringing machines up: 1 of 2 ready");
  });

  test("its log has an end, and says what was left out", () => {
    const many: RunEvent[] = said(...Array.from({ length: 2_010 }, (_, n): [null, RunEvent["body"]] => [null, { kind: "step", text: `${n}` }]));
    const { log, dropped } = advance(begin([]), many);
    expect([log.length, dropped, log.at(-1)?.text]).toEqual([2_000, 10, "2009"]);
  });
});
