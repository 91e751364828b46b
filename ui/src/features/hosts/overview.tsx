import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { HostStatus, HostSummary } from "../../bindings";
import { Loading, table } from "../../components/frame";
import { memoryOf } from "../../components/host-meters";
import { Meter } from "../../components/meter";
import { Failed } from "../../components/notice";
import { Dot, State } from "../../components/state";
import { copy } from "../../lib/copy";
import { hostQuery, labsQuery } from "../../lib/queries";
import { size } from "../../lib/sizes";
import { labState, machinesOf, moment, runKind, runState, sentence, type Tone } from "../../lib/words";
import { addressOf } from "./address";

/** What a host is, what of it is taken, and which labs are there. */
export function HostOverview({ host }: { host: HostSummary }) {
  const { t } = useTranslation("hosts");
  const status = useQuery(hostQuery(host.name));
  return (
    <>
      {status.isPending && <Loading what={host.name} rows={6} />}
      {status.isError && <Failed title={t(($) => $.failed, { name: host.name })} error={status.error} onRetry={() => void status.refetch()} />}
      {status.data && (
        <div className="grid grid-cols-1 gap-3 lg:grid-cols-2">
          <Part title={t(($) => $.overview.use)}>
            <Use status={status.data} />
          </Part>
          <Part title={t(($) => $.overview.facts)}>
            <Facts host={host} status={status.data} />
          </Part>
        </div>
      )}
      <Labs names={host.labs} />
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="min-w-0 rounded-ui border border-line bg-panel">
      <h2 className="flex h-8 items-center border-b border-line px-3 text-small text-dim">{title}</h2>
      {children}
    </section>
  );
}

function Facts({ host, status }: { host: HostSummary; status: HostStatus }) {
  const { t } = useTranslation("hosts");
  const { t: c } = useTranslation();
  const address = addressOf(host);
  const facts: [string, ReactNode][] = [
    [
      t(($) => $.address),
      address ? (
        <button type="button" className="-mx-1 max-w-full truncate rounded-ui px-1 font-mono hover:bg-hover" title={c(($) => $.copy)} onClick={() => void copy(address)}>
          {address}
        </button>
      ) : (
        t(($) => $.thisComputer)
      ),
    ],
    [t(($) => $.libvirt), status.libvirt],
    [
      t(($) => $.guests),
      <>
        <span className={status.kvm ? "" : "text-attention"}>{status.kvm ? t(($) => $.kvm) : t(($) => $.tcgLong)}</span>
        <span className="text-dim">: {status.why}</span>
      </>,
    ],
    [t(($) => $.overview.domains), t(($) => $.overview.domainsOn, { running: status.domains_running, all: status.domains })],
  ];
  return (
    <dl className="selectable grid grid-cols-[max-content_minmax(0,1fr)] gap-x-6 px-3 py-1.5 leading-7">
      {facts.map(([term, fact]) => (
        <div key={term} className="contents">
          <dt className="text-dim">{term}</dt>
          <dd className="max-h-28 min-w-0 overflow-y-auto wrap-anywhere">{fact}</dd>
        </div>
      ))}
    </dl>
  );
}

function Use({ status }: { status: HostStatus }) {
  const { t } = useTranslation("hosts");
  const { load, cpus, pool_mib: room, pool_free_mib: roomFree } = status;
  const { whole, labs, other, taken, free, isTight } = memoryOf(status);
  const isFull = room !== null && roomFree !== null && roomFree < room / 20;
  const key: [Tone, string, number][] = [
    ["running", t(($) => $.reserved), labs],
    [isTight ? "attention" : "stopped", t(($) => $.otherwise), other],
    ["unknown", t(($) => $.free), free],
  ];
  return (
    <div className="flex flex-col gap-3 px-3 py-2.5">
      <Bar
        title={t(($) => $.memory)}
        said={size(whole)}
        meter={<Meter className="h-2.5" total={whole} label={t(($) => $.memoryMeter, { labs: size(labs), used: size(taken), whole: size(whole) })} parts={[{ amount: labs, tone: "running" }, { amount: other, tone: isTight ? "attention" : "stopped" }]} />}
      >
        <ul className="mt-1 flex flex-wrap gap-x-4 text-small text-dim">
          {key.map(([tone, word, amount]) => (
            <li key={word} className="flex items-center gap-1.5">
              <Dot tone={tone} />
              {word} <span className={tone === "attention" ? "text-attention" : "text-text"}>{size(amount)}</span>
            </li>
          ))}
        </ul>
      </Bar>
      <Bar
        title={t(($) => $.load)}
        said={load === null ? t(($) => $.cpus, { count: cpus }) : t(($) => $.loadLong, { load: load.toFixed(1), cpus })}
        meter={load !== null && <Meter className="h-2.5" label={t(($) => $.loadMeter, { load: load.toFixed(1), cpus })} total={cpus} parts={[{ amount: load, tone: load > cpus ? "attention" : "stopped" }]} />}
      />
      <Bar
        title={t(($) => $.pool)}
        said={room === null || roomFree === null ? t(($) => $.noPoolLong) : t(($) => $.poolLong, { free: size(roomFree), whole: size(room) })}
        attention={isFull}
        meter={room !== null && roomFree !== null && <Meter className="h-2.5" label={t(($) => $.poolMeter, { used: size(room - roomFree), whole: size(room) })} total={room} parts={[{ amount: room - roomFree, tone: isFull ? "attention" : "stopped" }]} />}
      />
    </div>
  );
}

function Bar({ title, said, meter, attention, children }: { title: string; said: string; meter: ReactNode; attention?: boolean; children?: ReactNode }) {
  return (
    <div>
      <p className="mb-1 flex justify-between gap-3">
        <span className="text-dim">{title}</span>
        <span className={attention ? "text-attention" : ""}>{said}</span>
      </p>
      {meter}
      {children}
    </div>
  );
}

function Labs({ names }: { names: string[] }) {
  const { t } = useTranslation("hosts");
  const labs = useQuery(labsQuery);
  const known = new Map(labs.data?.map((lab) => [lab.name, lab]));
  return (
    <Part title={t(($) => $.overview.labs)}>
      {names.length === 0 && <p className="px-3 py-2 text-dim">{t(($) => $.overview.noLabs)}</p>}
      <table className={`${table.table} table-fixed`} aria-label={t(($) => $.overview.labs)}>
        <tbody>
          {names.map((name) => {
            const lab = known.get(name);
            const run = lab?.last_run;
            return (
              <tr key={name} className={table.row}>
                <td className={`${table.cell} truncate`}>
                  <Link to="/labs/$lab" params={{ lab: name }} className="font-strong hover:underline" title={name}>
                    {name}
                  </Link>
                </td>
                <td className={`${table.cell} w-36`}>{lab && <State {...labState(lab.state)} />}</td>
                <td className={`${table.cell} w-32 text-dim`}>{lab && machinesOf(lab.machines)}</td>
                <td className={`${table.cell} w-[36%] truncate text-dim`} title={run?.sentence ? sentence(run.sentence).slice(0, 2_000) : undefined}>
                  {lab &&
                    (run ? (
                      <Link to="/labs/$lab/runs/$run" params={{ lab: name, run: String(run.id) }} className="hover:underline">
                        {runKind(run.kind)} {moment(run.started)}, {runState(run.status).word}
                      </Link>
                    ) : (
                      t(($) => $.overview.never)
                    ))}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Part>
  );
}
