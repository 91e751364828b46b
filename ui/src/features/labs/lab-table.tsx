import type { LabSummary } from "../../bindings";
import { table } from "../../components/frame";
import { State } from "../../components/state";
import { href } from "../../lib/route";
import { labStates, machinesOf, moment } from "../../lib/words";

/** All labs as dense rows. */
export function LabTable({ labs }: { labs: LabSummary[] }) {
  return (
    <div className={table.frame}>
      <table className={table.table}>
        <thead>
          <tr>
            {["Lab", "State", "Machines", "Host", "Revision", "Saved"].map((title) => (
              <th key={title} className={table.head}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {labs.map((lab) => (
            <tr key={lab.name} className={table.row}>
              <td className={`${table.cell} max-w-[320px] truncate`}>
                <a href={href({ page: "lab", lab: lab.name, tab: "machines" })} className="font-strong hover:underline" title={lab.name}>
                  {lab.name}
                </a>
              </td>
              <td className={table.cell}>
                <State {...labStates[lab.state]} />
              </td>
              <td className={table.cell}>{machinesOf(lab.machines)}</td>
              <td className={table.cell}>{lab.hosts}</td>
              <td className={table.cell}>{lab.revision}</td>
              <td className={`${table.cell} text-dim`}>{moment(lab.updated)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
