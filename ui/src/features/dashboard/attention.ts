// What somebody should look at: the most urgent first, one entry for a thing, whatever is wrong with it.

import type { LabSummary, Report, RunSummary } from "../../bindings";

export type Matter =
  | { kind: "doctor"; host: string; message: string }
  | { kind: "host"; host: string; message: string }
  | { kind: "run"; lab: string; run: RunSummary }
  | { kind: "lab"; lab: string };

export function matters(labs: LabSummary[], silent: { host: string; message: string }[], report: Report | undefined): Matter[] {
  const problems = report?.findings.filter(({ severity }) => severity === "problem") ?? [];
  const ofLabs = labs.flatMap((lab): Matter[] => {
    const run = lab.last_run;
    // What was tried and failed matters also where nothing is left of it.
    if (run && (run.status === "failed" || run.status === "cut_off")) return [{ kind: "run", lab: lab.name, run }];
    if (lab.state !== "incomplete") return [];
    return run?.status === "cancelled" ? [{ kind: "run", lab: lab.name, run }] : [{ kind: "lab", lab: lab.name }];
  });
  const when = (matter: Matter) => (matter.kind === "run" ? matter.run.started : "");
  return [
    ...problems.map(({ message }): Matter => ({ kind: "doctor", host: report?.host ?? "local", message })),
    ...silent.map(({ host, message }): Matter => ({ kind: "host", host, message })),
    ...ofLabs.sort((a, b) => when(b).localeCompare(when(a))),
  ];
}
