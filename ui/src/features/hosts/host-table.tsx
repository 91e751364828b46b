import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { HostStatus, HostSummary } from "../../bindings";
import { Button } from "../../components/button";
import { table } from "../../components/frame";
import { LoadMeter, MemoryMeter } from "../../components/host-meters";
import { type Entry, Menu, PointerMenu } from "../../components/menu";
import { Head } from "../../components/rows";
import { State } from "../../components/state";
import { commandError } from "../../ipc";
import { copy } from "../../lib/copy";
import { hostQuery } from "../../lib/queries";
import { LabLinks } from "../labs/lab-links";
import { useRowKeys } from "../../lib/row-keys";
import { size } from "../../lib/sizes";
import { sentence } from "../../lib/words";
import { addressOf } from "./address";

/** The hosts, a row each. Each row asks its own host: one that does not answer holds no other up. */
export function HostTable({ hosts, onRemove }: { hosts: HostSummary[]; onRemove: (host: HostSummary) => void }) {
  const { t } = useTranslation("hosts");
  const list = useRef<HTMLDivElement>(null);
  useRowKeys(list);
  const columns: [string, string][] = [
    [t(($) => $.host), "w-[18%]"],
    [t(($) => $.state), "w-28"],
    [t(($) => $.libvirt), "w-17"],
    [t(($) => $.guestsShort), "w-17"],
    [t(($) => $.load), "w-29"],
    [t(($) => $.memory), "w-46"],
    [t(($) => $.pool), "w-32 text-right"],
    [t(($) => $.labs), ""],
  ];
  return (
    <div ref={list} className={table.frame}>
      <table className={`${table.table} min-w-[960px] table-fixed`}>
        <Head columns={columns} end="w-10" cut />
        <tbody>
          {hosts.map((host) => (
            <HostRow key={host.name} host={host} onRemove={() => onRemove(host)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function HostRow({ host, onRemove }: { host: HostSummary; onRemove: () => void }) {
  const { t } = useTranslation("hosts");
  const { t: c } = useTranslation();
  const navigate = useNavigate();
  const { name, labs } = host;
  const status = useQuery(hostQuery(name));
  const address = addressOf(host);
  const entries: Entry[] = [
    { label: t(($) => $.actions.open, { name }), onSelect: () => void navigate({ to: "/hosts/$host", params: { host: name } }) },
    { label: t(($) => $.actions.doctor, { name }), onSelect: () => void navigate({ to: "/hosts/$host", params: { host: name }, search: { tab: "doctor" } }) },
    { label: t(($) => $.actions.again, { name }), onSelect: () => void status.refetch() },
    ...(address ? ([{ label: t(($) => $.actions.copy), onSelect: () => void copy(address) }, "line", { label: t(($) => $.actions.remove, { name }), danger: true, onSelect: onRemove }] satisfies Entry[]) : []),
  ];
  return (
    <PointerMenu entries={entries}>
      <tr className={table.row}>
        <td className={table.cell}>
          <span className="flex min-w-0 items-baseline gap-2">
            <Link data-row to="/hosts/$host" params={{ host: name }} className="min-w-0 shrink-0 max-w-[70%] truncate font-strong hover:underline" title={name}>
              {name}
            </Link>
            <span className={`min-w-0 truncate text-small text-dim ${address ? "font-mono" : ""}`} title={address ?? undefined}>
              {address ?? t(($) => $.thisComputer)}
            </span>
          </span>
        </td>
        {status.isError ? (
          <>
            <td key="failed" className={table.cell}>
              <State tone="failed" word={t(($) => $.unreachable)} />
            </td>
            <td className={`${table.cell} truncate text-dim`} colSpan={5} title={sentence(commandError(status.error).message).slice(0, 2_000)}>
              {sentence(commandError(status.error).message)}
            </td>
          </>
        ) : status.data ? (
          <Measured status={status.data} />
        ) : (
          <>
            <td key="changing" className={table.cell}>
              <State tone="changing" word={t(($) => $.connecting)} />
            </td>
            {Array.from({ length: 5 }, (_, cell) => (
              <td key={cell} className={table.cell}>
                <span aria-hidden className="block h-1.5 animate-work rounded-full bg-hover" />
              </td>
            ))}
          </>
        )}
        <td className={`${table.cell} truncate`} title={labs.join(", ")}>
          <LabLinks labs={labs} most={4} none={t(($) => $.noLabs)} />
        </td>
        <td className="pr-1.5 text-right">
          <Menu entries={entries}>
            <Button kind="quiet" className="h-6 px-1" aria-label={c(($) => $.actionsOf, { name })}>
              <Ellipsis className="size-4" />
            </Button>
          </Menu>
        </td>
      </tr>
    </PointerMenu>
  );
}

function Measured({ status }: { status: HostStatus }) {
  const { t } = useTranslation("hosts");
  const { libvirt, kvm, why, pool_free_mib: free, pool_mib: room } = status;
  return (
    <>
      <td className={table.cell}>
        <State tone="running" word={t(($) => $.connected)} />
      </td>
      <td className={table.cell}>{libvirt}</td>
      <td className={`${table.cell} truncate ${kvm ? "" : "text-attention"}`} title={sentence(why)}>
        {kvm ? t(($) => $.kvm) : t(($) => $.tcg)}
      </td>
      <td className={table.cell}>
        <LoadMeter status={status} />
      </td>
      <td className={table.cell}>
        <MemoryMeter status={status} />
      </td>
      <td className={`${table.cell} truncate text-right ${free !== null && room && free < room / 20 ? "text-attention" : free === null ? "text-dim" : ""}`} title={free !== null && room !== null ? t(($) => $.poolLong, { free: size(free), whole: size(room) }) : t(($) => $.noPoolLong)}>
        {free === null ? t(($) => $.noPool) : t(($) => $.poolFree, { free: size(free) })}
      </td>
    </>
  );
}
