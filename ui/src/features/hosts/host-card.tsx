import { useQuery } from "@tanstack/react-query";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { State } from "../../components/state";
import { hostQuery } from "../../lib/queries";
import { gib } from "../../lib/words";

/** A host: whether it answers, what it has, and how guests run there. */
export function HostCard({ name }: { name: string }) {
  const host = useQuery(hostQuery(name));
  if (host.isPending) return <Loading what={`host ${name}`} rows={3} />;
  if (host.isError) return <Failed title={`Host ${name} does not answer`} error={host.error} onRetry={() => void host.refetch()} />;
  const { libvirt, cpus, memory_mib: memory, free_memory_mib: free, kvm, why } = host.data;
  const used = Math.max(0, memory - free);
  return (
    <section className="rounded-ui border border-line bg-panel" aria-label={`Host ${name}`}>
      <h2 className="flex h-9 items-center gap-3 border-b border-line px-3">
        <span className="font-strong">{name}</span>
        <State tone="running" word="connected" />
        <span className="text-dim">{name === "local" && "this computer"}</span>
      </h2>
      <dl className="selectable grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-1.5 px-3 py-2.5">
        <dt className="text-dim">libvirt</dt>
        <dd>{libvirt}</dd>
        <dt className="text-dim">Processors</dt>
        <dd>{cpus}</dd>
        <dt className="text-dim">Memory</dt>
        <dd className="flex items-center gap-3">
          <span role="meter" aria-label="Memory in use" aria-valuemin={0} aria-valuemax={memory} aria-valuenow={used} className="h-2 w-56 overflow-hidden rounded-[2px] border border-line-strong bg-window">
            <span className="block h-full bg-stopped" style={{ width: `${(used / Math.max(1, memory)) * 100}%` }} />
          </span>
          {gib(free)} free of {gib(memory)}
        </dd>
        <dt className="text-dim">Guests run on</dt>
        <dd>
          <span className={kvm ? "" : "text-attention"}>{kvm ? "KVM" : "TCG (emulation, slow)"}</span>
          <span className="text-dim">: {why}</span>
        </dd>
      </dl>
    </section>
  );
}
