// What stands beside the labs: work that goes on, what needs attention, and how the hosts are.

import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { HostStatus, HostSummary, LabSummary, RunSummary } from "../../bindings";
import { Loading } from "../../components/frame";
import { LoadMeter, MemoryMeter } from "../../components/host-meters";
import { Progress } from "../../components/meter";
import { Failed } from "../../components/notice";
import { Dot } from "../../components/state";
import { commandError } from "../../ipc";
import { doctorQuery, hostQuery, hostsQuery } from "../../lib/queries";
import { runKind, sentence, type Tone } from "../../lib/words";
import { type Matter, matters } from "./attention";
import { useProgress } from "./progress";

/** So many are shown; the rest is on pages of its own. */
const SHOWN = 8;

export function Side({ labs, runs }: { labs: { data?: LabSummary[]; isError: boolean }; runs: RunSummary[] | undefined }) {
  const { t: c } = useTranslation();
  const hosts = useQuery(hostsQuery);
  const states = useQueries({ queries: (hosts.data ?? []).map(({ name }) => hostQuery(name)) });
  const local = hosts.data?.find(({ is_local }) => is_local);
  const report = useQuery({ ...doctorQuery(local?.name ?? "local"), enabled: local !== undefined });
  const silent = (hosts.data ?? []).flatMap(({ name }, index) => {
    const error = states[index]?.error;
    return error ? [{ host: name, message: commandError(error).message }] : [];
  });
  return (
    <aside className="flex w-80 shrink-0 flex-col gap-4 min-[1500px]:w-104">
      <Working runs={runs?.filter(({ status }) => status === "running")} labs={labs.data ?? []} />
      <Attention
        matters={matters(labs.data ?? [], silent, report.data)}
        known={labs.isError || hosts.isError || report.isError ? "failed" : labs.data && hosts.data && report.data ? "all" : "pending"}
      />
      {hosts.isPending && <Loading what={c(($) => $.hosts)} rows={3} />}
      {hosts.isError && <HostsFailed error={hosts.error} onRetry={() => void hosts.refetch()} />}
      {hosts.data && <Hosts hosts={hosts.data} states={states} />}
    </aside>
  );
}

function Part({ title, more, children }: { title: string; more?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title} className="rounded-ui border border-line bg-panel">
      <h2 className="flex h-7 items-center justify-between border-b border-line px-3 text-small text-dim">
        {title}
        {more}
      </h2>
      {children}
    </section>
  );
}

function Working({ runs, labs }: { runs: RunSummary[] | undefined; labs: LabSummary[] }) {
  const { t } = useTranslation("dashboard");
  return (
    <Part title={t(($) => $.working.title)}>
      {runs?.length === 0 && <p className="px-3 py-2 text-dim">{t(($) => $.working.nothing)}</p>}
      {runs === undefined && <Waiting />}
      <ul>
        {runs?.slice(0, SHOWN).map((run) => (
          <RunLine key={run.id} run={run} machines={labs.find(({ name }) => name === run.lab)?.machines ?? 0} />
        ))}
      </ul>
    </Part>
  );
}

function RunLine({ run: { id, lab, kind }, machines }: { run: RunSummary; machines: number }) {
  const { t } = useTranslation("dashboard");
  const { step, ready, error } = useProgress(id);
  // Machines that are shut down or taken away are no fraction of machines that are ready.
  const counts = (kind === "deploy" || kind === "start") && machines > 0;
  const said = error ? t(($) => $.working.failed, { why: error.message }) : step ? sentence(step) : t(($) => $.working.begins);
  const label = counts ? t(($) => $.working.progress, { kind: runKind(kind), lab, ready: ready.size, all: machines }) : t(($) => $.working.progressUnknown, { kind: runKind(kind), lab });
  return (
    <li className="border-b border-line last:border-0">
      <Link to="/labs/$lab/runs/$run" params={{ lab, run: String(id) }} className="flex flex-col gap-1 px-3 py-2 hover:bg-hover">
        <span className="flex min-w-0 items-center gap-2">
          <Dot tone="changing" />
          <span className="min-w-0 flex-1 truncate">
            {runKind(kind)} <span className="font-strong">{lab}</span>
          </span>
          {counts && <span className="shrink-0 text-small text-dim">{t(($) => $.working.ready, { ready: ready.size, all: machines })}</span>}
        </span>
        <Progress label={label} value={ready.size} total={counts && ready.size > 0 ? machines : null} />
        <span className="truncate text-small text-dim" title={said.slice(0, 2_000)}>
          {said}
        </span>
      </Link>
    </li>
  );
}

/** A line where words will be. */
const Waiting = () => (
  <p aria-hidden className="flex h-9 items-center px-3">
    <span className="h-1.5 w-1/2 animate-work rounded-full bg-hover" />
  </p>
);

function Attention({ matters, known }: { matters: Matter[]; known: "all" | "pending" | "failed" }) {
  const { t } = useTranslation("dashboard");
  const rest = matters.length - SHOWN;
  return (
    <Part title={t(($) => $.attention.title)} more={matters.length > 0 && <span>{matters.length}</span>}>
      {matters.length === 0 && <p className="px-3 py-2 text-dim">{{ all: t(($) => $.attention.nothing), pending: t(($) => $.attention.looking), failed: t(($) => $.attention.unknown) }[known]}</p>}
      <ul>
        {matters.slice(0, SHOWN).map((matter, index) => (
          <MatterLine key={index} matter={matter} />
        ))}
        {rest > 0 && (
          <li>
            <Link to="/labs" className="block px-3 py-1 text-dim hover:bg-hover">
              {t(($) => $.attention.more, { count: rest })}
            </Link>
          </li>
        )}
      </ul>
    </Part>
  );
}

function MatterLine({ matter }: { matter: Matter }) {
  const { t } = useTranslation("dashboard");
  const action = "shrink-0 rounded-ui border border-line-strong bg-raised px-2 leading-6 hover:bg-hover";
  switch (matter.kind) {
    case "doctor":
    case "host": {
      const isDoctor = matter.kind === "doctor";
      return (
        <MatterRow tone="failed" name={matter.host} what={isDoctor ? t(($) => $.attention.problem) : t(($) => $.attention.host)} why={sentence(matter.message)}>
          <Link to="/hosts/$host" params={{ host: matter.host }} search={{ tab: "doctor" }} className={action}>
            {isDoctor ? t(($) => $.attention.mend) : t(($) => $.attention.doctor)}
          </Link>
        </MatterRow>
      );
    }
    case "run": {
      const { lab, run } = matter;
      const kind = runKind(run.kind);
      const what = run.status === "cut_off" ? t(($) => $.attention.cutOff, { kind }) : run.status === "cancelled" ? t(($) => $.attention.cancelled, { kind }) : t(($) => $.attention.failed, { kind });
      return (
        <MatterRow tone={run.status === "cancelled" ? "attention" : "failed"} name={lab} what={what} why={sentence(run.sentence)}>
          <Link to="/labs/$lab/runs/$run" params={{ lab, run: String(run.id) }} className={action}>
            {t(($) => $.attention.openRun)}
          </Link>
        </MatterRow>
      );
    }
    case "lab":
      return (
        <MatterRow tone="attention" name={matter.lab} what={t(($) => $.attention.incomplete)} why={null}>
          <Link to="/labs/$lab/plan" params={{ lab: matter.lab }} className={action}>
            {t(($) => $.attention.plan)}
          </Link>
        </MatterRow>
      );
  }
}

function MatterRow({ tone, name, what, why, children }: { tone: Tone; name: string; what: string; why: string | null; children: ReactNode }) {
  return (
    <li className="flex items-center gap-2.5 border-b border-line px-3 py-1.5 last:border-0">
      <Dot tone={tone} />
      <div className="min-w-0 flex-1">
        <p className="truncate" title={`${name}: ${what}`}>
          <span className="font-strong">{name}</span> <span className="text-dim">{what}</span>
        </p>
        {why && (
          <p className="truncate text-small text-dim" title={why.slice(0, 2_000)}>
            {why}
          </p>
        )}
      </div>
      {children}
    </li>
  );
}

function HostsFailed({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t } = useTranslation("dashboard");
  return <Failed title={t(($) => $.hostsFailed)} error={error} onRetry={onRetry} />;
}

function Hosts({ hosts, states }: { hosts: HostSummary[]; states: { data?: HostStatus; error: unknown }[] }) {
  const { t } = useTranslation("dashboard");
  const { t: c } = useTranslation();
  return (
    <Part title={c(($) => $.hosts)}>
      <ul>
        {hosts.slice(0, SHOWN).map(({ name }, index) => (
          <li key={name} className="border-b border-line last:border-0">
            <Link to="/hosts/$host" params={{ host: name }} className="flex flex-col gap-0.5 px-3 py-1.5 hover:bg-hover">
              <HostLine name={name} state={states[index]} />
            </Link>
          </li>
        ))}
        {hosts.length > SHOWN && (
          <li>
            <Link to="/hosts" className="block px-3 py-1 text-dim hover:bg-hover">
              {t(($) => $.allHosts, { count: hosts.length })}
            </Link>
          </li>
        )}
      </ul>
    </Part>
  );
}

/** Two lines whatever is known, so that nothing moves when it is. */
function HostLine({ name, state }: { name: string; state: { data?: HostStatus; error: unknown } | undefined }) {
  const { t } = useTranslation("hosts");
  const status = state?.data;
  const tone: Tone = state?.error ? "failed" : status ? "running" : "changing";
  return (
    <>
      <span className="flex min-w-0 items-center gap-2">
        <Dot tone={tone} label={state?.error ? t(($) => $.unreachable) : status ? t(($) => $.connected) : t(($) => $.connecting)} />
        <span className="min-w-0 flex-1 truncate font-strong" title={name}>
          {name}
        </span>
        {status && <span className={`shrink-0 text-small ${status.kvm ? "text-dim" : "text-attention"}`}>{status.kvm ? t(($) => $.kvm) : t(($) => $.tcg)}</span>}
        {!!state?.error && <span className="shrink-0 text-small text-failed">{t(($) => $.unreachable)}</span>}
      </span>
      <span className="flex h-5 items-center gap-4 text-small">
        {status ? (
          <>
            <LoadMeter status={status} className="flex-1" />
            <MemoryMeter status={status} className="flex-1" />
          </>
        ) : state?.error ? (
          <span className="truncate text-dim" title={commandError(state.error).message.slice(0, 2_000)}>
            {sentence(commandError(state.error).message)}
          </span>
        ) : (
          <span aria-hidden className="h-1.5 w-full animate-work rounded-full bg-hover" />
        )}
      </span>
    </>
  );
}
