import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import type { LabSummary, Report, RunSummary } from "../../bindings";
import { run, said } from "../../testing/fake";
import { accessible, open } from "../../testing/render";
import { empty } from "../../testing/world/empty";
import { forwardFinding } from "../../testing/world/hosts";
import { matters } from "./attention";
import { advance, start } from "./progress";

const lab = (name: string, more: Partial<LabSummary> = {}): LabSummary => ({ name, state: "designed", machines: 2, hosts: "local", revision: 1, updated: "2026-11-25T13:00:00Z", description: null, running: 0, last_run: null, ...more });
const report: Report = { host: "local", address: null, os: null, findings: [forwardFinding, { check: "kvm", severity: "warning", message: "slow", evidence: "", fix: null }] };

test("what needs attention, the most urgent first, each thing once", () => {
  const failed: Partial<RunSummary> = { status: "failed", started: "2026-11-25T12:00:00Z" };
  const labs = [
    lab("well", { state: "deployed", last_run: run(1) }),
    lab("half", { state: "incomplete" }),
    lab("old", { state: "incomplete", last_run: run(2, { ...failed, started: "2026-11-24T12:00:00Z" }) }),
    lab("new", { last_run: run(3, failed) }),
    lab("busy", { state: "changing", last_run: run(4, { status: "running" }) }),
    lab("gone", { state: "incomplete", last_run: run(5, { status: "cancelled", started: "2026-11-23T12:00:00Z" }) }),
  ];
  const said = matters(labs, [{ host: "rack4", message: "no route" }], report).map((one) => `${one.kind} ${"host" in one ? one.host : one.lab}`);
  expect(said).toEqual(["doctor local", "host rack4", "run new", "run old", "run gone", "lab half"]);
});

test("how far a run is", () => {
  const events = said([null, { kind: "step", text: "plan" }], ["web", { kind: "phase", phase: "ssh", address: null }], ["db", { kind: "phase", phase: "configured", address: null }], [null, { kind: "step", text: "machines come up" }], ["db", { kind: "phase", phase: "configured", address: null }]);
  const { step, ready } = advance(start, events);
  expect([step, ...ready]).toEqual(["machines come up", "db"]);
});

const work = run(30, { lab: "busy", status: "running", ended: null });
const labs = () => [
  lab("busy", { state: "changing", machines: 4, last_run: work }),
  lab("big", { state: "deployed", machines: 1_000, running: 999 }),
  lab("cut", { state: "incomplete", last_run: run(31, { lab: "cut", status: "cut_off", sentence: "its process is gone" }) }),
];

test("labs, work with its progress, hosts, and what needs attention with one action each", async () => {
  await open("/", {
    listLabs: labs,
    recentRuns: () => [work],
    followRun: ({ onEvents }) => {
      onEvents.onmessage(said([null, { kind: "step", text: "machines come up" }], ["web", { kind: "phase", phase: "configured", address: null }]));
      return new Promise(() => {});
    },
    unfollowRun: () => null,
    doctor: () => report,
  });
  const table = within(await screen.findByRole("table", { name: "Labs" }));
  expect(table.getByRole("img", { name: "999 of 1000 machines ready" })).toBeTruthy();
  expect((await screen.findByRole("progressbar", { name: "Deploy busy: 1 of 4 machines ready" })).getAttribute("aria-valuenow")).toBe("1");
  expect(screen.getByText("Machines come up")).toBeTruthy();
  const attention = within(screen.getByRole("region", { name: "Needs attention" }));
  await waitFor(() => expect(attention.getAllByRole("link").map((link) => `${link.textContent} ${link.getAttribute("href")?.replace(/^.*#/, "")}`)).toEqual(["See what helps /hosts/local?tab=doctor", "See why /hosts/rack4?tab=doctor", "See the run /labs/cut/runs/31"]));
  await accessible();
});

test("the first start: three steps, looked at live, from nothing to a plan", async () => {
  const have: LabSummary[] = [];
  const saveLab = vi.fn(() => {
    have.push(lab("hello"));
    return { name: "hello", revision: 1, problems: [] };
  });
  const doctorFix = vi.fn(() => ({ ...report, findings: [] }));
  await open("/", {
    ...empty,
    listLabs: () => [...have],
    doctor: () => report,
    doctorFix,
    listTemplates: () => [
      { id: "big", title: "Big", description: "", machines: 9, networks: 2, text: "big", own: false },
      { id: "hello", title: "Hello", description: "", machines: 2, networks: 1, text: "name: hello\n", own: false },
    ],
    saveLab,
  });
  const user = userEvent.setup();
  const step = (number: number, state: string) => screen.findByRole("img", { name: `Step ${number}, ${state}` });
  await step(1, "to do");
  expect(screen.getByText("1 problem stands in the way:")).toBeTruthy();
  await accessible();
  await user.click(screen.getByRole("button", { name: "Do it…" }));
  await user.click(screen.getByRole("button", { name: "Run 2 commands" }));
  await step(1, "done");
  expect(doctorFix).toHaveBeenCalledWith({ host: "local", check: "forward", message: forwardFinding.message });
  expect(screen.getByRole("link", { name: "Open in the designer: Big" }).getAttribute("href")).toContain("#/new?template=big");
  await user.click(screen.getByRole("button", { name: "Take it as it is" }));
  expect(saveLab).toHaveBeenCalledWith({ text: "name: hello\n", lab: null, expected: null, layout: null });
  await step(2, "done");
  expect((await screen.findByRole("link", { name: "Plan hello" })).getAttribute("href")).toContain("#/labs/hello/plan");
  await user.click(screen.getByRole("button", { name: "To the dashboard" }));
  expect(await screen.findByRole("table", { name: "Labs" })).toBeTruthy();
});
