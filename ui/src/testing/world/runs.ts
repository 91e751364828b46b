import type { RunSummary } from "../../bindings";
import type { Answers } from "../fake";

const run = (lab: string, id: number, more: Partial<RunSummary> = {}): RunSummary => ({ lab, id, kind: "deploy", status: "done", sentence: "", started: "2026-11-25T09:04:10Z", ended: null, revision: 1, ...more });

const all: RunSummary[] = [
  run("k8s", 13, { status: "running", started: "2026-11-25T13:58:41Z", revision: 4 }),
  run("shop", 12, { sentence: "5 machines ready after 142 s", ended: "2026-11-25T09:06:34Z", revision: 7 }),
  run("shop", 11, { status: "failed", sentence: "1 of 5 machines not ready: web-2", started: "2026-11-25T08:47:02Z", ended: "2026-11-25T08:58:20Z", revision: 6 }),
  run("soc-training", 10, { status: "failed", sentence: "3 of 14 machines not ready: analyst-4, analyst-5, victim-mail", started: "2026-11-24T16:31:12Z", ended: "2026-11-24T16:49:55Z", revision: 12 }),
  run("ad-domain", 9, { kind: "stop", sentence: "4 machines stopped", started: "2026-11-24T17:58:03Z", ended: "2026-11-24T17:58:31Z", revision: 3 }),
  run("shop", 8, { kind: "start", sentence: "5 machines started", started: "2026-11-24T08:01:00Z", ended: "2026-11-24T08:01:49Z", revision: 5 }),
  run("shop", 7, { kind: "stop", status: "cancelled", sentence: "cancelled; 2 machines are still on", started: "2026-11-23T18:20:00Z", ended: "2026-11-23T18:20:21Z", revision: 5 }),
  run("shop", 6, { kind: "destroy", sentence: "nothing is left on the host; the design stays", started: "2026-11-20T11:30:00Z", ended: "2026-11-20T11:30:38Z", revision: 4 }),
  run("ad-domain", 5, { sentence: "4 machines ready after 312 s", started: "2026-11-19T08:13:00Z", ended: "2026-11-19T08:18:12Z", revision: 3 }),
  run("shop", 2, { status: "cut_off", sentence: "its process was gone while bringing web-1 up", started: "2026-11-18T15:02:00Z", ended: "2026-11-18T15:03:10Z", revision: 2 }),
];

export const runsOf = (lab: string) => all.filter((one) => one.lab === lab);

export const runs: Answers = {
  recentRuns: () => all,
  listRuns: ({ lab }) => runsOf(lab),
};
