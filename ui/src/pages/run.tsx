import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { RunSummary } from "../bindings";
import { Button } from "../components/button";
import { Progress as ProgressBar } from "../components/meter";
import { Failed, Notice } from "../components/notice";
import { Resizable } from "../components/split";
import { State } from "../components/state";
import { LabFrame } from "../features/labs/frame";
import { useFeed, useSerial } from "../features/runs/feed";
import { Failures, Stuck } from "../features/runs/failures";
import { type Filter, NO_FILTER } from "../features/runs/log-store";
import { LogView } from "../features/runs/log-view";
import { nextPhase, type Progress, ready, underWay } from "../features/runs/progress";
import { type Pick, TimelineView } from "../features/runs/timeline-view";
import { ipc } from "../ipc";
import { useActions } from "../lib/actions";
import { labQuery, runsQuery } from "../lib/queries";
import { toast } from "../lib/toasts";
import { useNow } from "../lib/window";
import { duration, runKind, runState, sentence, theRun } from "../lib/words";

export function RunPage() {
  const { lab, run } = useParams({ from: "/labs/$lab/runs/$run" });
  return <Run key={`${lab} ${run}`} lab={lab} id={Number(run)} />;
}

const SERIAL = ["serial"];

/** Consoles that are read at once while a run is at work: those of machines that are under way. */
const CONSOLES = 16;

function Run({ lab, id }: { lab: string; id: number }) {
  const { t } = useTranslation("runs");
  const navigate = useNavigate();
  const status = useQuery(labQuery(lab));
  const runs = useQuery(runsQuery(lab));
  const summary = runs.data?.find((one) => one.id === id);
  const { feed, run: heard, over, error } = useFeed(id);
  const designed = status.data?.machines;
  const run = useMemo(() => ordered(heard, designed?.map(({ name }) => name) ?? []), [heard, designed]);
  const said = run.machines.map(({ name }) => name).join(" ");
  const names = useMemo(() => (said === "" ? [] : said.split(" ")), [said]);
  const [filter, setFilter] = useState<Filter>({ ...NO_FILTER, without: ["serial"] });
  const [picked, setPicked] = useState<Pick | null>(null);
  const now = useNow(over ? null : 500);

  // Consoles are read where somebody wishes to see them: while the run is at work those that say something new, else once.
  const serial = !filter.without.includes("serial");
  const speaking = over ? run.machines : run.machines.filter(underWay);
  useSerial(feed, lab, serial ? (filter.machine ? [filter.machine] : speaking.slice(0, CONSOLES).map(({ name }) => name)) : [], over ? null : 1_000);

  const cancel = useMutation({
    mutationFn: () => ipc.cancelRun(id),
    meta: { failureTitle: t(($) => $.page.cancelFailed) },
    onSuccess: (known) => known || toast({ title: t(($) => $.page.foreign), message: t(($) => $.page.foreignMessage), hint: t(($) => $.page.foreignHint), details: [] }),
  });
  // A run whose process died has no end of its own.
  const cutOff = over && run.ended === null && error === null;
  const kind = summary ? runKind(summary.kind) : t(($) => $.table.run);
  const state = run.ended ? runState(run.ended.status) : cutOff ? runState("cut_off") : runState(over ? (summary?.status ?? "running") : "running");
  const undone = cutOff || (run.ended !== null && run.ended.status !== "done");
  const isLast = runs.data?.[0]?.id === id;
  const again = useMutation({
    mutationFn: () => (summary?.kind === "start" ? ipc.startLab(lab) : ipc.stopLab(lab, false)),
    meta: { failureTitle: t(($) => $.page.resumeFailed) },
    onSuccess: (next) => (next === null ? show() : void navigate({ to: "/labs/$lab/runs/$run", params: { lab, run: String(next) } })),
  });
  const resume = () => (summary?.kind === "start" || summary?.kind === "stop" ? again.mutate() : void navigate({ to: "/labs/$lab/plan", params: { lab }, search: { what: "resume" } }));
  const retry = () => void navigate({ to: "/labs/$lab/plan", params: { lab }, search: summary?.kind === "destroy" ? { what: "destroy" } : {} });
  const show = () => void navigate({ to: "/labs/$lab", params: { lab } });
  const low = summary ? theRun(summary.kind) : kind.toLowerCase();
  const mayRetry = over && undone && isLast && (summary?.kind === "deploy" || summary?.kind === "destroy");
  useActions([
    ...(over ? [] : [{ id: "run-cancel", title: t(($) => $.page.cancel, { run: low }), group: kind, run: () => cancel.mutate() }]),
    ...(mayRetry ? [{ id: "run-retry", title: t(($) => $.page.retry), group: kind, run: retry }] : []),
    ...(over && undone && isLast ? [{ id: "run-resume", title: t(($) => $.page.resume, { run: low }), group: kind, run: resume }] : []),
  ]);
  const change = useCallback((next: Partial<Filter>) => {
    if (next.machine !== undefined) setPicked(null);
    setFilter((filter) => ({ ...filter, ...next }));
  }, []);
  const pick = useCallback(
    (next: Pick | null) => {
      change({ machine: next?.machine ?? null, from: next?.from ?? null, to: next?.to ?? null });
      setPicked(next);
    },
    [change],
  );
  return (
    <LabFrame
      lab={lab}
      tab="runs"
      bare
      trail={t(($) => $.title, { kind, id })}
      state={
        <>
          {(error === null || summary) && <State {...state} />}
          <span className="text-dim">{run.began !== null && duration((over ? (run.last ?? run.began) : now) - run.began)}</span>
        </>
      }
      actions={
        over ? (
          <>
            {mayRetry && <Button onClick={retry}>{t(($) => $.page.retry)}</Button>}
            {undone && isLast ? (
              <Button kind="primary" disabled={again.isPending} onClick={resume}>
                {t(($) => $.page.resume, { run: low })}
              </Button>
            ) : (
              <Button kind="primary" onClick={show}>
                {t(($) => $.page.machines)}
              </Button>
            )}
          </>
        ) : (
          <Button disabled={cancel.isPending || cancel.data === true} onClick={() => cancel.mutate()}>
            {cancel.data === true ? t(($) => $.page.cancelling) : t(($) => $.page.cancel, { run: low })}
          </Button>
        )
      }
    >
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <div className="flex min-h-0 flex-1 flex-col">
          <div className="flex max-h-[56%] shrink-0 flex-col gap-2 overflow-auto px-4 py-2.5 empty:hidden">
            {error && <Failed title={error.code === "not_found" ? t(($) => $.page.notFoundTitle, { id, lab }) : t(($) => $.page.followFailed)} error={error} />}
            <Words run={run} over={over} summary={summary} cancelling={cancel.data === true} />
            {cutOff && <Notice tone="attention" title={t(($) => $.page.cutOff)} message={summary?.sentence ? sentence(summary.sentence) : t(($) => $.page.cutOffMessage)} hint={t(($) => $.page.cutOffHint)} />}
            <Failures run={run} onShow={(machine) => pick({ machine, from: 0, to: Number.MAX_SAFE_INTEGER, words: machine })} />
            {!over && <Stuck run={run} />}
          </div>
          {(run.machines.length > 0 || run.steps.length > 0) && (
            <div className="flex min-h-0 flex-1 flex-col border-t border-line">
              <TimelineView run={run} now={over ? null : now} picked={picked} onPick={pick} />
            </div>
          )}
        </div>
        <Resizable name="run-log" label={t(($) => $.timeline.size)} side="bottom" size={Math.round(window.innerHeight * 0.38)} min={120} max={1_400}>
          <LogView log={feed.log} began={run.began ?? 0} live={!over} filter={filter} onFilter={change} machines={names} sources={SERIAL} narrowed={picked?.words ?? null} />
        </Resizable>
      </div>
    </LabFrame>
  );
}

/** What the run is at, or how it ended, and how far it is. */
function Words({ run, over, summary, cancelling }: { run: Progress; over: boolean; summary: RunSummary | undefined; cancelling: boolean }) {
  const { t } = useTranslation("runs");
  if (over) {
    const said = run.ended?.sentence ?? "";
    return said && run.failures.every(({ message }) => message !== said) ? <p className="selectable wrap-anywhere">{sentence(said)}</p> : null;
  }
  const count = run.machines.length;
  const done = ready(run);
  const up = summary?.kind !== "stop" && count > 0 && (done > 0 || run.machines.some((machine) => machine.done >= 2 && nextPhase(machine) !== null));
  const step = run.steps.at(-1);
  return (
    <div className="flex flex-col gap-1.5">
      <p role="status" className="min-h-5 wrap-anywhere">
        {cancelling ? t(($) => $.page.cancellingNote) : up ? t(($) => $.page.bringingUp, { ready: done, count }) : step ? sentence(step.text) : t(($) => $.page.waiting)}
        {run.transfer && (
          <span className="ml-2 text-dim">
            {t(($) => $.page.sending, { what: run.transfer.what })}, {t(($) => $.page.mib, { done: run.transfer.done, total: run.transfer.total })}
          </span>
        )}
      </p>
      <ProgressBar label={run.transfer ? run.transfer.what : t(($) => $.page.ready)} value={run.transfer ? run.transfer.done : done} total={run.transfer ? run.transfer.total : up ? count : null} />
    </div>
  );
}

/** Machines in the order of the lab. */
function ordered(run: Progress, names: string[]): Progress {
  const places = new Map(names.map((name, index) => [name, index]));
  const place = (name: string) => places.get(name) ?? names.length;
  return { ...run, machines: [...run.machines].sort((a, b) => place(a.name) - place(b.name)) };
}
