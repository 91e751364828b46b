import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Finding, HostSummary, Report } from "../../bindings";
import { Button } from "../../components/button";
import { FindingRow, FixDone } from "../../components/finding";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { Dot } from "../../components/state";
import { Tip } from "../../components/tip";
import { ipc } from "../../ipc";
import { useActions } from "../../lib/actions";
import { orphanName, severities, severityTones, useFixes } from "../../lib/doctor";
import { doctorQuery, labsQuery } from "../../lib/queries";
import { AdoptLab, RemoveOrphan } from "./orphans";

/** What stands in the way of labs on a host, what hurts most first, and what helps. */
export function HostDoctor({ host: { name: host, is_local } }: { host: HostSummary }) {
  const { t } = useTranslation("hosts");
  const { t: c } = useTranslation();
  const client = useQueryClient();
  const report = useQuery(doctorQuery(host));
  const { done, doing, fix } = useFixes(host);
  const deep = useMutation({
    mutationFn: () => ipc.doctor(host, true),
    onSuccess: (found) => client.setQueryData(doctorQuery(host).queryKey, found),
    meta: { failureTitle: t(($) => $.doctor.failed, { host }) },
  });
  const isLooking = report.isFetching || deep.isPending;
  useActions([
    { id: "doctor-look", title: t(($) => $.doctor.look), group: c(($) => $.doctor), keys: "r", run: () => void report.refetch() },
    ...(is_local ? [{ id: "doctor-deep", title: t(($) => $.doctor.deep), group: c(($) => $.doctor), run: () => deep.mutate() }] : []),
  ]);
  const look = (
    <div className="ml-auto flex shrink-0 gap-1.5">
      {is_local && (
        <Tip text={t(($) => $.doctor.deepNote)}>
          <Button disabled={isLooking} onClick={() => deep.mutate()}>
            {t(($) => $.doctor.deep)}
          </Button>
        </Tip>
      )}
      <Button disabled={isLooking} onClick={() => void report.refetch()}>
        {isLooking ? t(($) => $.doctor.looking) : t(($) => $.doctor.look)}
      </Button>
    </div>
  );
  if (report.isPending) return <Loading what={t(($) => $.tabs.doctor)} rows={8} />;
  if (report.isError) return <Failed title={t(($) => $.doctor.failed, { host })} error={report.error} onRetry={() => void report.refetch()} />;
  return (
    <>
      <div className="flex items-center gap-3">
        <Verdict report={report.data} />
        {look}
      </div>
      {done.map((one) => (
        <FixDone key={one.finding.message} done={one} />
      ))}
      {severities.map((severity) => (
        <Group key={severity} host={host} severity={severity} findings={report.data.findings.filter((one) => one.severity === severity)} doing={doing} onFix={fix} />
      ))}
    </>
  );
}

function Verdict({ report: { host, os, findings } }: { report: Report }) {
  const { t } = useTranslation("hosts");
  const count = (severity: Finding["severity"]) => findings.filter((one) => one.severity === severity).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  const said = problems > 0 ? t(($) => $.doctor.problems, { count: problems, host }) : warnings > 0 ? t(($) => $.doctor.warnings, { count: warnings, host }) : t(($) => $.doctor.allWell, { host });
  return (
    <p className="flex min-w-0 items-center gap-2">
      <Dot tone={severityTones[problems > 0 ? "problem" : warnings > 0 ? "warning" : "ok"]} />
      <span className="min-w-0 truncate font-strong" title={said}>
        {said}
      </span>
      {os && <span className="shrink-0 text-dim">{os}</span>}
    </p>
  );
}

function Group({ host, severity, findings, doing, onFix }: { host: string; severity: Finding["severity"]; findings: Finding[]; doing: Finding | null; onFix: (finding: Finding) => void }) {
  const { t } = useTranslation("hosts");
  const labs = useQuery(labsQuery);
  const [open, setOpen] = useState(severity !== "ok");
  const [orphan, setOrphan] = useState<{ name: string; adopt: string | null } | null>(null);
  if (findings.length === 0) return null;
  const known = new Set(labs.data?.map(({ name }) => name));
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)} className="group/all shrink-0 rounded-ui border border-line bg-panel">
      <summary className={`flex h-8 items-center gap-2 px-3 ${open ? "border-b border-line" : ""}`}>
        <ChevronRight aria-hidden className="-ml-1 size-4 text-dim group-open/all:rotate-90" />
        <span className="font-strong">{t(($) => $.doctor.groups[severity])}</span>
        <span className="text-dim">{findings.length}</span>
        <span className="text-small text-dim">{t(($) => $.doctor.groupNotes[severity])}</span>
      </summary>
      <ul>
        {findings.map((finding, index) => {
          const name = orphanName(finding);
          const lab = name?.split(".")[0] ?? "";
          return (
            <FindingRow
              key={`${finding.check} ${index}`}
              host={host}
              finding={finding}
              open={severity === "problem"}
              doing={doing === finding}
              onFix={() => onFix(finding)}
              actions={
                name && (
                  <>
                    {known.has(lab) && <Button onClick={() => setOrphan({ name, adopt: lab })}>{t(($) => $.orphans.adopt, { lab })}</Button>}
                    <Button onClick={() => setOrphan({ name, adopt: null })}>{t(($) => $.orphans.remove)}</Button>
                  </>
                )
              }
            />
          );
        })}
      </ul>
      {orphan && (orphan.adopt ? <AdoptLab host={host} lab={orphan.adopt} onClose={() => setOrphan(null)} /> : <RemoveOrphan host={host} name={orphan.name} onClose={() => setOrphan(null)} />)}
    </details>
  );
}
