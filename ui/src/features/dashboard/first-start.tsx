// The way of a newcomer to a running lab: three steps on one page, each looked at live, none to be clicked through.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { LabSummary, Template } from "../../bindings";
import { Button } from "../../components/button";
import { FindingRow, FixDone } from "../../components/finding";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { Dot } from "../../components/state";
import { ipc } from "../../ipc";
import { useFixes } from "../../lib/doctor";
import { doctorQuery, templatesQuery } from "../../lib/queries";
import { machinesOf, runKind, type Tone } from "../../lib/words";

type StepState = "done" | "open" | "working" | "failed";

const link = "inline-flex h-7 items-center rounded-ui border border-line-strong bg-raised px-2.5 whitespace-nowrap hover:bg-hover";
const primary = "inline-flex h-7 items-center rounded-ui bg-ink px-2.5 font-strong whitespace-nowrap text-on-ink hover:opacity-90";

export function FirstStart({ labs }: { labs: LabSummary[] }) {
  const { t } = useTranslation("dashboard");
  return (
    <div className="mx-auto flex w-full max-w-[860px] flex-col gap-3">
      <h2 className="sr-only">{t(($) => $.first.title)}</h2>
      <Computer />
      <Pick lab={labs[0]} />
      <Deploy lab={labs[0]} />
    </div>
  );
}

function Step({ number, title, state, children }: { number: number; title: string; state: StepState; children: ReactNode }) {
  const { t } = useTranslation("dashboard");
  const words: Record<StepState, string> = { done: t(($) => $.first.doneWord), open: t(($) => $.first.openWord), working: t(($) => $.first.workingWord), failed: t(($) => $.first.openWord) };
  return (
    <section aria-label={title} className="rounded-ui border border-line bg-panel">
      <h3 className="flex h-10 items-center gap-3 border-b border-line px-3">
        <span
          role="img"
          aria-label={`${t(($) => $.first.step, { number })}, ${words[state]}`}
          className={`flex size-5 items-center justify-center rounded-full text-small ${state === "done" ? "bg-running text-on-ink" : state === "working" ? "animate-work border border-changing text-changing" : state === "failed" ? "border border-failed text-failed" : "border border-line-strong text-dim"}`}
        >
          {state === "done" ? <Check className="size-3.5" /> : number}
        </span>
        <span className="font-strong">{title}</span>
      </h3>
      <div className="flex flex-col gap-2.5 p-3">{children}</div>
    </section>
  );
}

function Computer() {
  const { t } = useTranslation("dashboard");
  const report = useQuery(doctorQuery("local"));
  const { done, doing, fix } = useFixes("local");
  const title = t(($) => $.first.computer.title);
  const again = (
    <Button disabled={report.isFetching} onClick={() => void report.refetch()}>
      {t(($) => $.first.computer.again)}
    </Button>
  );
  if (report.isPending)
    return (
      <Step number={1} title={title} state="working">
        <p className="text-dim">{t(($) => $.first.computer.looking)}</p>
      </Step>
    );
  if (report.isError)
    return (
      <Step number={1} title={title} state="failed">
        <Failed title={t(($) => $.first.computer.failed)} error={report.error} onRetry={() => void report.refetch()} />
      </Step>
    );
  const { findings } = report.data;
  const problems = findings.filter(({ severity }) => severity === "problem");
  const warnings = findings.filter(({ severity }) => severity === "warning");
  const shown = [...problems, ...warnings];
  return (
    <Step number={1} title={title} state={report.isFetching ? "working" : problems.length > 0 ? "failed" : "done"}>
      <div className="flex items-center gap-2">
        <p className="min-w-0 flex-1">
          {problems.length > 0 ? t(($) => $.first.computer.problems, { count: problems.length }) : warnings.length > 0 ? t(($) => $.first.computer.warned, { count: warnings.length }) : t(($) => $.first.computer.well)}
        </p>
        <Link to="/hosts/$host" params={{ host: "local" }} search={{ tab: "doctor" }} className={link}>
          {t(($) => $.first.computer.details)}
        </Link>
        {again}
      </div>
      {done.map((one) => (
        <FixDone key={one.finding.message} done={one} />
      ))}
      {shown.length > 0 && (
        <ul className="rounded-ui border border-line">
          {shown.map((finding, index) => (
            <FindingRow key={`${finding.check} ${index}`} host="local" finding={finding} open={finding.severity === "problem"} doing={doing === finding} onFix={() => fix(finding)} />
          ))}
        </ul>
      )}
      {problems.length > 0 && (
        <p className="flex items-center gap-2 text-dim">
          {t(($) => $.first.computer.elsewhere)}
          <Link to="/hosts" className="text-text underline underline-offset-2">
            {t(($) => $.first.computer.addHost)}
          </Link>
        </p>
      )}
    </Step>
  );
}

function Pick({ lab }: { lab: LabSummary | undefined }) {
  const { t } = useTranslation("dashboard");
  const client = useQueryClient();
  const templates = useQuery(templatesQuery);
  const take = useMutation({
    mutationFn: ({ text }: Template) => ipc.saveLab(text, null, null, null),
    onSuccess: () => void client.invalidateQueries({ queryKey: ["labs"] }),
    meta: { failureTitle: t(($) => $.first.pick.takeFailed) },
  });
  const title = t(($) => $.first.pick.title);
  if (lab)
    return (
      <Step number={2} title={title} state="done">
        <div className="flex items-center gap-2">
          <p className="min-w-0 flex-1 truncate">
            {t(($) => $.first.pick.picked, { name: lab.name })} <span className="text-dim">{machinesOf(lab.machines)}</span>
          </p>
          <Link to="/labs/$lab/design" params={{ lab: lab.name }} className={link}>
            {t(($) => $.first.pick.change)}
          </Link>
        </div>
      </Step>
    );
  // The ready-made one comes first.
  const sorted = [...(templates.data ?? [])].sort((a, b) => Number(b.id === "hello") - Number(a.id === "hello"));
  return (
    <Step number={2} title={title} state={take.isPending ? "working" : "open"}>
      <p className="text-dim">{t(($) => $.first.pick.note)}</p>
      {templates.isPending && <Loading what={title} />}
      {templates.isError && <Failed title={t(($) => $.first.pick.failed)} error={templates.error} onRetry={() => void templates.refetch()} />}
      {sorted.length > 0 && (
        <ul className="max-h-72 overflow-y-auto rounded-ui border border-line">
          {sorted.map((template) => (
            <li key={template.id} className="flex items-center gap-3 border-b border-line px-3 py-1.5 last:border-0">
              <div className="min-w-0 flex-1">
                <p className="truncate">
                  <span className="font-strong">{template.title}</span>{" "}
                  <span className="text-small text-dim">{t(($) => $.first.pick.counts, { machines: machinesOf(template.machines), networks: t(($) => $.first.pick.networks, { count: template.networks }) })}</span>
                </p>
                <p className="truncate text-small text-dim" title={template.description.slice(0, 2_000)}>
                  {template.description}
                </p>
              </div>
              <Link to="/new" search={{ template: template.id }} aria-label={`${t(($) => $.first.pick.open)}: ${template.title}`} className={link}>
                {t(($) => $.first.pick.open)}
              </Link>
              {template.id === "hello" && (
                <Button kind="primary" title={t(($) => $.first.pick.readyNote)} disabled={take.isPending} onClick={() => take.mutate(template)}>
                  {t(($) => $.first.pick.ready)}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
      <Link to="/new" className="self-start text-dim underline underline-offset-2 hover:text-text">
        {t(($) => $.first.pick.blank)}
      </Link>
    </Step>
  );
}

function Deploy({ lab }: { lab: LabSummary | undefined }) {
  const { t } = useTranslation("dashboard");
  const title = t(($) => $.first.deploy.title);
  if (!lab)
    return (
      <Step number={3} title={title} state="open">
        <p className="text-dim">{t(($) => $.first.deploy.wait)}</p>
      </Step>
    );
  const { name, state, last_run: run } = lab;
  const at = { lab: name, run: String(run?.id ?? 0) };
  const line = (step: StepState, tone: Tone, said: string, action: ReactNode) => (
    <Step number={3} title={title} state={step}>
      <div className="flex items-center gap-2">
        <Dot tone={tone} />
        <p className="min-w-0 flex-1 truncate" title={said.slice(0, 2_000)}>
          {said}
        </p>
        {action}
      </div>
    </Step>
  );
  const plan = (
    <Link to="/labs/$lab/plan" params={{ lab: name }} className={primary}>
      {t(($) => $.first.deploy.plan, { name })}
    </Link>
  );
  if (run?.status === "running")
    return line(
      "working",
      "changing",
      t(($) => $.first.deploy.working, { kind: runKind(run.kind), name }),
      <Link to="/labs/$lab/runs/$run" params={at} className={primary}>
        {t(($) => $.first.deploy.see)}
      </Link>,
    );
  if (state === "deployed")
    return line(
      "done",
      "running",
      t(($) => $.first.deploy.done, { name }),
      <Link to="/labs/$lab" params={{ lab: name }} className={primary}>
        {t(($) => $.first.deploy.open, { name })}
      </Link>,
    );
  if (run?.status === "failed" || run?.status === "cut_off")
    return line(
      "failed",
      "failed",
      t(($) => $.first.deploy.failed, { name, why: run.sentence }),
      <>
        <Link to="/labs/$lab/runs/$run" params={at} className={link}>
          {t(($) => $.attention.openRun)}
        </Link>
        {plan}
      </>,
    );
  return line("open", "unknown", t(($) => $.first.deploy.ready, { name }), plan);
}
