import { Link, useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { LabSummary } from "../../bindings";
import { type Column, Rows } from "../../components/grid";
import { Dot, State } from "../../components/state";
import { labState, moment, runKind, runState } from "../../lib/words";
import { factsOf, useDeeds, useLabEntries } from "./deeds";

/** Labs whose name, host, description or state has each of the words. */
export function matching(labs: LabSummary[], filter: string): LabSummary[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return labs;
  return labs.filter(({ name, hosts, description, state }) => {
    const said = `${name} ${hosts} ${description ?? ""} ${labState(state).word}`.toLowerCase();
    return words.every((word) => said.includes(word));
  });
}

/** All labs as dense rows. */
export function LabTable({ labs }: { labs: LabSummary[] }) {
  const { t } = useTranslation(["labs", "common"]);
  const navigate = useNavigate();
  const deeds = useDeeds();
  const entries = useLabEntries(deeds);
  const columns: Column<LabSummary>[] = [
    {
      id: "name",
      title: t(($) => $.list.name),
      width: 180,
      by: ({ name }) => name,
      cell: ({ name }) => (
        <Link to="/labs/$lab" params={{ lab: name }} tabIndex={-1} title={name} className="font-strong hover:underline">
          <bdi>{name}</bdi>
        </Link>
      ),
    },
    { id: "state", title: t(($) => $.list.state), width: 108, by: ({ state }) => labState(state).word, cell: ({ state }) => <State {...labState(state)} /> },
    {
      id: "machines",
      title: t(($) => $.list.machines),
      width: 120,
      by: ({ machines }) => machines,
      cell: ({ state, machines, running }) => (state === "designed" ? machines : t(($) => $.list.on, { on: running, count: machines })),
    },
    { id: "host", title: t(($) => $.list.host), width: 104, by: ({ hosts }) => hosts, cell: ({ hosts }) => <span title={hosts}>{hosts}</span> },
    {
      id: "run",
      title: t(($) => $.list.lastRun),
      width: 156,
      by: ({ last_run: run }) => (run ? runKind(run.kind) : ""),
      cell: ({ last_run: run }) =>
        run ? (
          <Link to="/labs/$lab/runs/$run" params={{ lab: run.lab, run: String(run.id) }} tabIndex={-1} title={run.sentence} className="inline-flex items-center gap-1.5 hover:underline">
            <Dot tone={runState(run.status).tone} />
            {runKind(run.kind)} <span className="text-dim">{runState(run.status).word}</span>
          </Link>
        ) : (
          <span className="text-dim">–</span>
        ),
    },
    {
      id: "when",
      title: t(($) => $.list.when),
      width: 148,
      by: ({ last_run: run, updated }) => Date.parse(run?.ended ?? run?.started ?? updated),
      cell: ({ last_run: run, updated }) => <span className="text-dim">{moment(run?.ended ?? run?.started ?? updated)}</span>,
    },
    { id: "description", title: t(($) => $.list.description), cell: ({ description }) => <span className="text-dim" title={description?.slice(0, 500)}><bdi>{description?.slice(0, 300)}</bdi></span> },
  ];
  return (
    <>
      <Rows
        name="labs"
        label={t(($) => $.labs, { ns: "common" })}
        rows={labs}
        columns={columns}
        idOf={({ name }) => name}
        order={{ by: "name", down: false }}
        onOpen={({ name }) => void navigate({ to: "/labs/$lab", params: { lab: name } })}
        menu={(lab) => entries(factsOf(lab))}
        none={t(($) => $.list.none)}
        className="flex-1 bg-panel"
      />
      {deeds.dialog}
    </>
  );
}
