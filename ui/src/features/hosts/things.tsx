// What libvirt has on a host: ours leads to its lab, what is others' stands apart and is only looked at.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { HostDomain, HostNetwork, HostPool } from "../../bindings";
import { Loading, table } from "../../components/frame";
import { Meter } from "../../components/meter";
import { Failed } from "../../components/notice";
import { Rows } from "../../components/rows";
import { State } from "../../components/state";
import { hostThingsQuery } from "../../lib/queries";
import { size } from "../../lib/sizes";
import { domainState, memory } from "../../lib/words";

export function HostDomains({ host }: { host: string }) {
  const { t } = useTranslation("hosts");
  const things = useQuery(hostThingsQuery(host));
  if (things.isPending) return <Loading what={t(($) => $.tabs.domains)} />;
  if (things.isError) return <Failed title={t(($) => $.domains.failed, { name: host })} error={things.error} onRetry={() => void things.refetch()} />;
  const { domains } = things.data;
  const row = ({ name, state, lab, machine, vcpus, memory_mib }: HostDomain) => (
    <tr key={name} className={table.row}>
      <td className={`${table.cell} truncate font-mono ${lab ? "" : "text-dim"}`} title={name.slice(0, 2_000)}>
        {lab && machine ? (
          <Link to="/labs/$lab/machines/$machine" params={{ lab, machine }} className="hover:underline">
            {name}
          </Link>
        ) : (
          name
        )}
      </td>
      <td className={`${table.cell} truncate`}>{lab ? <LabLink lab={lab} /> : null}</td>
      <td className={table.cell}>
        <State {...domainState(state)} />
      </td>
      <td className={`${table.cell} text-right`}>{vcpus}</td>
      <td className={`${table.cell} text-right`}>{memory(memory_mib)}</td>
    </tr>
  );
  const columns: Column[] = [[t(($) => $.domains.name), ""], [t(($) => $.domains.lab), "w-[22%]"], [t(($) => $.state), "w-36"], [t(($) => $.domains.cpus), "w-20 text-right"], [t(($) => $.memory), "w-28 text-right"]];
  return <OursAndTheirs things={domains} columns={columns} row={row} none={t(($) => $.domains.none)} />;
}

export function HostNetworks({ host }: { host: string }) {
  const { t } = useTranslation("hosts");
  const things = useQuery(hostThingsQuery(host));
  if (things.isPending) return <Loading what={t(($) => $.tabs.networks)} />;
  if (things.isError) return <Failed title={t(($) => $.networks.failed, { name: host })} error={things.error} onRetry={() => void things.refetch()} />;
  const row = ({ name, bridge, subnets, active, lab }: HostNetwork) => (
    <tr key={name} className={table.row}>
      <td className={`${table.cell} truncate font-mono ${lab ? "" : "text-dim"}`} title={name}>
        {name}
      </td>
      <td className={`${table.cell} truncate`}>{lab ? <LabLink lab={lab} /> : null}</td>
      <td className={table.cell}>{active ? <State tone="running" word={t(($) => $.networks.active)} /> : <State tone="stopped" word={t(($) => $.networks.inactive)} />}</td>
      <td className={`${table.cell} truncate font-mono`}>{bridge}</td>
      <td className={`${table.cell} truncate font-mono`} title={subnets.join(", ")}>
        {subnets.length > 0 ? subnets.join(", ") : <span className="font-sans text-dim">{t(($) => $.networks.subnetsNone)}</span>}
      </td>
    </tr>
  );
  const columns: Column[] = [[t(($) => $.networks.name), ""], [t(($) => $.domains.lab), "w-[22%]"], [t(($) => $.state), "w-28"], [t(($) => $.networks.bridge), "w-28"], [t(($) => $.networks.subnets), "w-[28%]"]];
  return <OursAndTheirs things={things.data.networks} columns={columns} row={row} none={t(($) => $.networks.none)} />;
}

export function HostPools({ host }: { host: string }) {
  const { t } = useTranslation("hosts");
  const things = useQuery(hostThingsQuery(host));
  if (things.isPending) return <Loading what={t(($) => $.tabs.pools)} />;
  if (things.isError) return <Failed title={t(($) => $.pools.failed, { name: host })} error={things.error} onRetry={() => void things.refetch()} />;
  const row = ({ name, path, capacity_mib: whole, available_mib: free, active, is_ours }: HostPool) => (
    <tr key={name} className={table.row}>
      <td className={`${table.cell} truncate`} title={name}>
        <span className={is_ours ? "font-strong" : "text-dim"}>{name}</span>
        {is_ours && <span className="text-dim"> {t(($) => $.pools.ours)}</span>}
      </td>
      <td className={`${table.cell} truncate font-mono`} title={path}>
        {path}
      </td>
      <td className={table.cell}>{active ? <State tone="running" word={t(($) => $.networks.active)} /> : <State tone="stopped" word={t(($) => $.networks.inactive)} />}</td>
      <td className={table.cell}>
        {active && (
          <span className="flex items-center gap-2">
            <Meter label={t(($) => $.poolMeter, { used: size(whole - free), whole: size(whole) })} total={whole} parts={[{ amount: whole - free, tone: free < whole / 20 ? "attention" : "stopped" }]} className="flex-1" />
            <span className={`w-44 text-right ${free < whole / 20 ? "text-attention" : ""}`}>{t(($) => $.poolLong, { free: size(free), whole: size(whole) })}</span>
          </span>
        )}
      </td>
    </tr>
  );
  const columns: Column[] = [[t(($) => $.pools.name), ""], [t(($) => $.pools.path), "w-[32%]"], [t(($) => $.state), "w-28"], [t(($) => $.pools.room), "w-76"]];
  const { pools } = things.data;
  if (pools.length === 0) return <p className="text-dim">{t(($) => $.pools.none)}</p>;
  return <Things label={t(($) => $.tabs.pools)} columns={columns} things={[...pools].sort((a, b) => Number(b.is_ours) - Number(a.is_ours))} row={row} />;
}

type Column = [title: string, className: string];

function OursAndTheirs<Thing extends { lab: string | null }>({ things, columns, row, none }: { things: Thing[]; columns: Column[]; row: (thing: Thing) => ReactNode; none: string }) {
  const { t } = useTranslation("hosts");
  const ours = things.filter(({ lab }) => lab !== null);
  const theirs = things.filter(({ lab }) => lab === null);
  return (
    <>
      <Heading title={t(($) => $.domains.ours)} count={ours.length} />
      {ours.length > 0 ? <Things label={t(($) => $.domains.ours)} columns={columns} things={ours} row={row} /> : <p className="text-dim">{none}</p>}
      <Heading title={t(($) => $.domains.theirs)} count={theirs.length} note={t(($) => $.domains.theirsNote)} />
      {theirs.length > 0 ? <Things label={t(($) => $.domains.theirs)} columns={columns} things={theirs} row={row} /> : <p className="text-dim">{t(($) => $.domains.noneTheirs)}</p>}
    </>
  );
}

function Heading({ title, count, note }: { title: string; count: number; note?: string }) {
  return (
    <h2 className="-mb-1 flex items-baseline gap-2 not-first:mt-2">
      <span className="font-strong">{title}</span> <span className="text-dim">{count}</span> {note && <span className="text-small text-dim">{note}</span>}
    </h2>
  );
}

function Things<Thing>({ label, columns, things, row }: { label: string; columns: Column[]; things: Thing[]; row: (thing: Thing) => ReactNode }) {
  return (
    <div className={`${table.frame} shrink-0`}>
      <table className={`${table.table} min-w-[760px] table-fixed`} aria-label={label}>
        <thead>
          <tr>
            {columns.map(([title, className]) => (
              <th key={title} scope="col" className={`${table.head} ${className}`}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <Rows items={things} columns={columns.length} row={row} />
      </table>
    </div>
  );
}

const LabLink = ({ lab }: { lab: string }) => (
  <Link to="/labs/$lab" params={{ lab }} className="hover:underline" title={lab}>
    {lab}
  </Link>
);
