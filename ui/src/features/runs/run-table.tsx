import type { RunSummary } from "../../bindings";
import { table } from "../../components/frame";
import { State } from "../../components/state";
import { href } from "../../lib/route";
import { duration, moment, runKinds, runStates } from "../../lib/words";

/** The runs of a lab, newest first. */
export function RunTable({ lab, runs }: { lab: string; runs: RunSummary[] }) {
  return (
    <div className={table.frame}>
      <table className={table.table} aria-label={`Runs of ${lab}`}>
        <thead>
          <tr>
            {["Run", "State", "Began", "Took", "Revision", "How it ended"].map((title) => (
              <th key={title} className={table.head}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id} className={table.row}>
              <td className={table.cell}>
                <a className="font-strong hover:underline" href={href({ page: "run", lab, run: run.id })}>
                  {runKinds[run.kind]} {run.id}
                </a>
              </td>
              <td className={table.cell}>
                <State {...runStates[run.status]} />
              </td>
              <td className={table.cell}>{moment(run.started)}</td>
              <td className={table.cell}>{run.ended ? duration(Date.parse(run.ended) - Date.parse(run.started)) : "–"}</td>
              <td className={table.cell}>{run.revision}</td>
              <td className={`${table.cell} w-full max-w-0 truncate text-dim`} title={run.sentence}>
                {run.sentence}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
