import { Link, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { LabSummary } from "../../bindings";
import { table } from "../../components/frame";
import { type Entry, PointerMenu } from "../../components/menu";
import { Head, Rows } from "../../components/rows";
import { Dot, State } from "../../components/state";
import { useRowKeys } from "../../lib/row-keys";
import { labState, machinesOf, moment, runKind, runState, sentence, type Tone } from "../../lib/words";

/** So many machines are shown as dots; of the others, their number. */
const DOTS = 11;

/** The labs: how they stand, their machines as a strip of dots, what was done last. */
export function LabRows({ labs }: { labs: LabSummary[] }) {
  const { t } = useTranslation("dashboard");
  const { t: c } = useTranslation();
  const list = useRef<HTMLDivElement>(null);
  useRowKeys(list);
  const columns: [string, string][] = [
    [t(($) => $.columns.lab), "w-[20%]"],
    [t(($) => $.columns.state), "w-33"],
    [t(($) => $.columns.machines), "w-41"],
    [t(($) => $.columns.host), "w-[12%]"],
    [t(($) => $.columns.run), ""],
  ];
  return (
    <div ref={list} className={table.frame}>
      <table className={`${table.table} min-w-[600px] table-fixed`} aria-label={c(($) => $.labs)}>
        <Head columns={columns} />
        <Rows items={labs} columns={columns.length} row={(lab) => <LabRow key={lab.name} lab={lab} />} />
      </table>
    </div>
  );
}

function LabRow({ lab }: { lab: LabSummary }) {
  const { t } = useTranslation("dashboard");
  const navigate = useNavigate();
  const { name, state, hosts, description, last_run: run } = lab;
  const params = { lab: name };
  const entries: Entry[] = [
    { label: t(($) => $.open, { name }), onSelect: () => void navigate({ to: "/labs/$lab", params }) },
    { label: t(($) => $.design, { name }), onSelect: () => void navigate({ to: "/labs/$lab/design", params }) },
    { label: t(($) => $.plan, { name }), onSelect: () => void navigate({ to: "/labs/$lab/plan", params }) },
    { label: t(($) => $.runs, { name }), onSelect: () => void navigate({ to: "/labs/$lab/runs", params }) },
  ];
  return (
    <PointerMenu entries={entries}>
      <tr className={table.row}>
        <td className={`${table.cell} truncate`}>
          <Link data-row to="/labs/$lab" params={params} className="font-strong hover:underline" title={description ? `${name}\n${description.slice(0, 2_000)}` : name}>
            {name}
          </Link>
        </td>
        <td className={table.cell}>
          <State {...labState(state)} />
        </td>
        <td className={table.cell}>
          <Strip lab={lab} />
        </td>
        <td className={`${table.cell} truncate text-dim`} title={hosts}>
          {hosts}
        </td>
        <td className={`${table.cell} truncate text-dim`} title={run ? `${runKind(run.kind)} ${moment(run.started)}, ${runState(run.status).word}\n${sentence(run.sentence).slice(0, 2_000)}` : undefined}>
          {run ? (
            <Link to="/labs/$lab/runs/$run" params={{ lab: name, run: String(run.id) }} className="inline-flex max-w-full items-center gap-1.5 hover:underline">
              <Dot tone={runState(run.status).tone} label={runState(run.status).word} />
              <span className="truncate">
                {runKind(run.kind)} {day(run.started)}
              </span>
            </Link>
          ) : (
            t(($) => $.never)
          )}
        </td>
      </tr>
    </PointerMenu>
  );
}

/** The time today, else the day: the whole moment stands in the title. */
const day = (rfc3339: string) => moment(rfc3339).replace(/^(\d{4}-\d{2}-\d{2}) .*$/, "$1");

/** Machines as dots: those that were ready when a run last saw them, then the others. */
function Strip({ lab: { state, machines, running } }: { lab: LabSummary }) {
  const { t } = useTranslation("dashboard");
  const others: Tone = state === "stopped" ? "stopped" : state === "incomplete" ? "attention" : "unknown";
  // Of many, each dot stands for several; one that is not ready is seen all the same.
  const dots = Math.min(machines, DOTS);
  const ready = Math.floor((running / machines) * dots);
  const label = running > 0 || state !== "designed" ? t(($) => $.ready, { ready: running, all: machines }) : machinesOf(machines);
  return (
    <span role="img" aria-label={label} title={label} className="flex items-center gap-[3px]">
      {Array.from({ length: dots }, (_, index) => (
        <Dot key={index} tone={index < ready ? "running" : others} />
      ))}
      {machines > DOTS && <span className="pl-1 text-small text-dim">{machines}</span>}
    </span>
  );
}
