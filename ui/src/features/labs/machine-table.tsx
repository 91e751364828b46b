import type { LabStatus } from "../../bindings";
import { table } from "../../components/frame";
import { State } from "../../components/state";
import { copy } from "../../lib/copy";
import { machineState, memory } from "../../lib/words";

/** A lab's machines as they are now. */
export function MachineTable({ lab }: { lab: LabStatus }) {
  return (
    <div className={table.frame}>
      <table className={table.table} aria-label={`Machines of ${lab.name}`}>
        <thead>
          <tr>
            {["Machine", "State", "Configuration", "Address"].map((title) => (
              <th key={title} className={table.head}>
                {title}
              </th>
            ))}
            {["vCPUs", "Memory"].map((title) => (
              <th key={title} className={`${table.head} text-right`}>
                {title}
              </th>
            ))}
            {["Image", "Host"].map((title) => (
              <th key={title} className={table.head}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {lab.machines.map((machine) => (
            <tr key={machine.name} className={table.row}>
              <td className={`${table.cell} max-w-[260px] truncate font-strong`} title={machine.name}>
                {machine.name}
              </td>
              <td className={table.cell}>
                <State {...machineState(machine, lab.state, lab.unknown === null)} />
              </td>
              <td className={table.cell}>
                {machine.configured ? "configured" : <span className="text-dim">{lab.state === "designed" ? "–" : "not configured"}</span>}
              </td>
              <td className={table.cell}>
                {machine.address ? (
                  <button
                    type="button"
                    className={`-mx-1 rounded-ui px-1 font-mono hover:bg-selected ${machine.state === "running" ? "" : "text-dim"}`}
                    aria-label={`Copy address ${machine.address} of ${machine.name}`}
                    title="Copy address"
                    onClick={() => void copy(machine.address ?? "")}
                  >
                    {machine.address}
                  </button>
                ) : (
                  <span className="text-dim">by DHCP</span>
                )}
              </td>
              <td className={`${table.cell} text-right`}>{machine.vcpus}</td>
              <td className={`${table.cell} text-right`}>{memory(machine.memory_mib)}</td>
              <td className={`${table.cell} font-mono text-small`}>{machine.image}</td>
              <td className={table.cell}>{machine.host}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
