import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { LabStatus, Problem } from "../../bindings";
import { Dot, State } from "../../components/state";
import { copy } from "../../lib/copy";
import { labsQuery, portsQuery, problemsQuery } from "../../lib/queries";
import { moment, runKind, runState, sentence } from "../../lib/words";

/** What one asks of a lab beside its machines: its last run, where it can be reached, what is wrong with it. */
export function LabSide({ lab }: { lab: LabStatus }) {
  const { t } = useTranslation("labs");
  const labs = useQuery(labsQuery);
  const summary = labs.data?.find(({ name }) => name === lab.name);
  const run = lab.last_run;
  return (
    <>
      {summary?.description && <p className="selectable border-b border-line px-4 py-3 wrap-anywhere" dir="auto">{summary.description.length > 600 ? `${summary.description.slice(0, 600)}…` : summary.description}</p>}
      <Part title={t(($) => $.overview.lastRun)} note={t(($) => $.overview.revision, { revision: lab.revision })}>
        {run ? (
          <>
            <p className="flex items-center justify-between gap-2">
              <Link to="/labs/$lab/runs/$run" params={{ lab: lab.name, run: String(run.id) }} className="font-strong hover:underline">
                {runKind(run.kind)} {run.id}
              </Link>
              <State {...runState(run.status)} />
            </p>
            {run.sentence && <p className="selectable wrap-anywhere">{sentence(run.sentence)}</p>}
            <p className="text-dim">{moment(run.ended ?? run.started)}</p>
          </>
        ) : (
          <p className="text-dim">{t(($) => $.overview.noRun)}</p>
        )}
      </Part>
      <Ports lab={lab.name} />
      <Problems lab={lab.name} />
    </>
  );
}

function Part({ title, note, children }: { title: string; note?: string; children: ReactNode }) {
  return (
    <section className="border-b border-line px-4 py-3">
      <h2 className="mb-1 flex justify-between gap-2 text-small text-dim">
        {title}
        {note && <span>{note}</span>}
      </h2>
      {children}
    </section>
  );
}

function Ports({ lab }: { lab: string }) {
  const { t } = useTranslation("labs");
  const ports = useQuery(portsQuery(lab));
  if (ports.isError) return <Part title={t(($) => $.overview.ports)}><p className="text-attention wrap-anywhere">{t(($) => $.failed.ports)}</p></Part>;
  return (
    <Part title={t(($) => $.overview.ports)}>
      {ports.data?.length === 0 && <p className="text-dim">{t(($) => $.overview.noPorts)}</p>}
      <ul>
        {ports.data?.map(({ local, machine, guest, published, open }) => {
          const url = urlOf(local, guest);
          const [tone, word] = open ? (["running", t(($) => $.overview.portOpen)] as const) : published ? (["attention", t(($) => $.overview.portClosed)] as const) : (["unknown", t(($) => $.overview.portNotPublished)] as const);
          return (
            <li key={local} className="flex h-7 items-center gap-2">
              <button type="button" className="-mx-1 shrink-0 rounded-ui px-1 font-mono hover:bg-selected" title={t(($) => $.overview.copyUrl, { url })} aria-label={t(($) => $.overview.copyUrl, { url })} onClick={() => void copy(url)}>
                localhost:{local}
              </button>
              <span className="min-w-0 flex-1 truncate text-dim" title={t(($) => $.overview.port, { port: guest, machine })}>
                {machine}:{guest}
              </span>
              <State tone={tone} word={word} />
            </li>
          );
        })}
      </ul>
    </Part>
  );
}

/** As one pastes it: of the web where the guest's port says so. */
const urlOf = (local: number, guest: number) => (guest === 443 || guest === 8443 ? `https://localhost:${local}` : guest === 80 || guest === 3000 || (guest >= 8000 && guest < 9100) ? `http://localhost:${local}` : `localhost:${local}`);

function Problems({ lab }: { lab: string }) {
  const { t } = useTranslation("labs");
  const problems = useQuery(problemsQuery(lab));
  if (!problems.data || problems.data.length === 0) return null;
  const sorted = [...problems.data].sort((a, b) => (a.severity === b.severity ? 0 : a.severity === "error" ? -1 : 1));
  return (
    <Part title={t(($) => $.overview.problems)}>
      <ul className="flex flex-col gap-1.5">
        {sorted.slice(0, 20).map((problem) => (
          <li key={`${problem.path} ${problem.message}`} className="flex items-start gap-2">
            <span className="flex h-5 items-center">
              <Dot tone={problem.severity === "error" ? "failed" : "attention"} label={problem.severity === "error" ? t(($) => $.overview.error) : t(($) => $.overview.warning)} />
            </span>
            <span className="selectable min-w-0 wrap-anywhere">
              {sentence(problem.message)} <span className="text-small text-dim">{where(problem)}</span>
            </span>
          </li>
        ))}
      </ul>
      <Link to="/labs/$lab/design" params={{ lab }} className="mt-1.5 inline-block underline decoration-line-strong underline-offset-2">
        {t(($) => $.overview.edit)}
      </Link>
    </Part>
  );
}

export const where = ({ place, path }: Problem) => (place ? `lab.yaml:${place.line}:${place.column}` : path);
