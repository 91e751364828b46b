import { Link, useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { RunSummary } from "../../bindings";
import { type Column, Rows } from "../../components/grid";
import { State } from "../../components/state";
import { useNow } from "../../lib/window";
import { duration, moment, runKind, runState, sentence } from "../../lib/words";

/** The runs of a lab, newest first. */
export function RunTable({ lab, runs }: { lab: string; runs: RunSummary[] }) {
  const { t } = useTranslation("runs");
  const navigate = useNavigate();
  const now = useNow(runs.some(({ status }) => status === "running") ? 1_000 : null);
  const took = ({ started, ended }: RunSummary) => (ended ? Date.parse(ended) : now) - Date.parse(started);
  const columns: Column<RunSummary>[] = [
    {
      id: "run",
      title: t(($) => $.table.run),
      width: 160,
      by: ({ id }) => id,
      cell: ({ id, kind }) => (
        <Link to="/labs/$lab/runs/$run" params={{ lab, run: String(id) }} tabIndex={-1} className="font-strong hover:underline">
          {runKind(kind)} {id}
        </Link>
      ),
    },
    { id: "state", title: t(($) => $.table.state), width: 120, by: ({ status }) => runState(status).word, cell: ({ status }) => <State {...runState(status)} /> },
    { id: "began", title: t(($) => $.table.began), width: 150, by: ({ started }) => Date.parse(started), cell: ({ started }) => moment(started) },
    { id: "took", title: t(($) => $.table.took), width: 100, right: true, by: took, cell: (run) => duration(took(run)) },
    { id: "revision", title: t(($) => $.table.revision), width: 90, right: true, by: ({ revision }) => revision, cell: ({ revision }) => revision },
    { id: "sentence", title: t(($) => $.table.sentence), cell: ({ sentence: said, status }) => <span className="text-dim" title={said}>{status === "running" ? t(($) => $.table.atWork) : sentence(said)}</span> },
  ];
  return (
    <Rows
      name={`runs of ${lab}`}
      label={t(($) => $.table.label, { lab })}
      rows={runs}
      columns={columns}
      idOf={({ id }) => String(id)}
      order={{ by: "run", down: true }}
      onOpen={({ id }) => void navigate({ to: "/labs/$lab/runs/$run", params: { lab, run: String(id) } })}
      className="flex-1 bg-panel"
    />
  );
}
