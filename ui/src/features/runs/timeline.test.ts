import { expect, test } from "vitest";
import { said } from "../../testing/fake";
import { eventsOf } from "../../testing/world/runs";
import { advance, begin } from "./progress";
import { ticks, barsOf, lines } from "./timeline";

/** Each line as its name and bars: what, from and to in seconds since the beginning, and how it stands. */
function drawn(events: Parameters<typeof advance>[1], now: number | null) {
  const run = advance(begin(), events);
  const began = run.began ?? 0;
  const s = (ms: number) => Math.round((ms - began) / 100) / 10;
  return lines(run).map((machine) => `${machine?.name ?? "-"}: ${barsOf(run, machine, now === null ? null : began + now).map((bar) => `${bar.phase ?? bar.text} ${s(bar.from)}-${s(bar.to)} ${bar.state}`).join(", ")}`);
}

const phase = (phase: "defined" | "booting" | "address" | "ssh" | "configured") => ({ kind: "phase", phase, address: null }) as const;
const deploy = said([null, { kind: "step", text: "applying" }], ["db", phase("defined")], ["web", phase("defined")], ["db", phase("booting")], ["db", phase("address")], ["db", phase("configured")], ["web", phase("booting")]);

test("a bar for each phase, from the one before; what goes on ends now", () => {
  expect(drawn(deploy, 9_000)).toEqual(["-: applying 0-3 done", "db: address 3-4 done, configured 4-5 done", "web: address 6-9 going"]);
});

test("what keeps a machine, what it failed at, and what a run that ended left", () => {
  const waiting = { kind: "waiting", reason: "no lease", remedy: "" } as const;
  const stuck = said(["web", phase("booting")], ["web", waiting]);
  expect(drawn(stuck, 5_000)).toEqual(["web: address 0-5 stuck"]);
  expect(drawn(said(["web", phase("booting")], ["web", waiting], ["web", { kind: "failed", message: "no address", hint: "", evidence: null }]), 9_000)).toEqual(["web: address 0-2 failed"]);
  expect(drawn(said(["web", phase("booting")], [null, { kind: "ended", status: "cancelled", sentence: "" }]), null)).toEqual(["web: address 0-1 left"]);
  expect(drawn(said(["web", { kind: "failed", message: "not started", hint: "", evidence: null }]), null)).toEqual(["web: null 0-0 failed".replace("null", "not started")]);
});

test("machines that are shut down have steps for bars", () => {
  expect(drawn(eventsOf(7), null)[0]).toBe("lb: shutting down 0-20 done");
});

test("the axis has few marks, at times that one reads", () => {
  expect([900, 7_000, 142_000, 3_000_000].map((span) => ticks(span).map((ms) => ms / 1_000))).toEqual([[0], [0, 1, 2, 3, 4, 5, 6, 7], [0, 30, 60, 90, 120], [0, 600, 1_200, 1_800, 2_400, 3_000]]);
});
