// A lab's machines on their networks, as lines of text: until the canvas is there.

import { useQuery } from "@tanstack/react-query";
import { Dot } from "../../components/state";
import { labQuery } from "../../lib/queries";
import { machineState } from "../../lib/words";

export function Topology({ lab, onOpen }: { lab: string; onOpen?: (machine: string) => void }) {
  const status = useQuery(labQuery(lab));
  const machines = status.data?.machines ?? [];
  const networks = [...new Set(machines.flatMap(({ nics }) => nics.map(({ network }) => network)))];
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-3 overflow-auto p-4">
      {networks.map((network) => (
        <div key={network} className="flex flex-col gap-1.5">
          <span className="border-b-2 border-line-strong pb-0.5 text-small text-dim">{network}</span>
          <div className="flex flex-wrap gap-1.5">
            {machines
              .filter(({ nics }) => nics.some((nic) => nic.network === network))
              .slice(0, 200)
              .map((machine) => (
                <button key={machine.name} type="button" onDoubleClick={() => onOpen?.(machine.name)} className="flex h-7 max-w-40 items-center gap-1.5 rounded-ui border border-line-strong bg-raised px-2 hover:bg-hover">
                  <Dot tone={machineState(machine, status.data?.state ?? "designed", status.data?.unknown === null).tone} />
                  <span className="truncate">{machine.name}</span>
                </button>
              ))}
          </div>
        </div>
      ))}
    </div>
  );
}
