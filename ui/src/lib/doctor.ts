// What the doctor found, in the order of what hurts most, and fixes that are done for the user.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Finding, FindingSeverity } from "../bindings";
import { ipc } from "../ipc";
import { doctorQuery } from "./queries";
import type { Tone } from "./words";

export const severities: FindingSeverity[] = ["problem", "warning", "note", "ok"];
export const severityTones: Record<FindingSeverity, Tone> = { problem: "failed", warning: "attention", note: "unknown", ok: "running" };

/** Orphans are removed by their name, which the doctor says in the command for it. */
export const orphanName = ({ check, fix }: Finding): string | null => (check === "orphans" ? (/ --remove-orphan '?([^\s']+)'?$/.exec(fix?.commands[0] ?? "")?.[1] ?? null) : null);

/** A fix that was done, and how to bring back what was. */
export type Done = { finding: Finding; helped: boolean };

/** Does fixes on a host; what each of them did stays to be read. */
export function useFixes(host: string) {
  const { t } = useTranslation("hosts");
  const client = useQueryClient();
  const [done, setDone] = useState<Done[]>([]);
  const fix = useMutation({
    mutationFn: (finding: Finding) => ipc.doctorFix(host, finding.check, finding.message),
    onSuccess: (report, finding) => {
      client.setQueryData(doctorQuery(host).queryKey, report);
      const helped = !report.findings.some(({ check, message }) => check === finding.check && message === finding.message);
      setDone((all) => [...all.filter((one) => one.finding.message !== finding.message), { finding, helped }]);
      void client.invalidateQueries({ queryKey: ["hosts"] });
    },
    meta: { failureTitle: t(($) => $.doctor.notFixed, { host }) },
  });
  return { done, doing: fix.isPending ? fix.variables : null, fix: fix.mutate };
}
