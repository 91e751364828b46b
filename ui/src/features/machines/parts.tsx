// The parts of a machine that are read: what it is made of, its disks, its network cards, what it was given.

import { useKept } from "../../lib/kept";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { LabPort, MachineDetails } from "../../bindings";
import { Empty, table } from "../../components/frame";
import { State } from "../../components/state";
import { TextView } from "../../components/text-view";
import { Choice } from "../../components/toggle";
import { cn } from "../../lib/cn";
import { copy } from "../../lib/copy";
import { gib, memory, moment } from "../../lib/words";

/** Something that a click copies. */
function Copied({ text, label, className }: { text: string; label: string; className?: string }) {
  return (
    <button type="button" className={cn("-mx-1 max-w-full truncate rounded-ui px-1 text-left font-mono hover:bg-selected", className)} title={label} aria-label={label} onClick={() => void copy(text)}>
      {text}
    </button>
  );
}

export function Facts({ machine, all }: { machine: MachineDetails; all?: boolean }) {
  const { t } = useTranslation(["machines", "common"]);
  const rows: [string, ReactNode][] = [
    [t(($) => $.hardware.image), machine.image],
    [t(($) => $.hardware.vcpus), machine.vcpus],
    [t(($) => $.hardware.memory), memory(machine.memory_mib)],
    [t(($) => $.hardware.firmware), t(($) => $.hardware.firmwares[machine.firmware])],
    [t(($) => $.hardware.host), <Link key="host" to="/hosts/$host" params={{ host: machine.host }} className="hover:underline">{machine.host}</Link>],
    [t(($) => $.hardware.user), machine.user],
    [t(($) => $.hardware.ssh), <Copied key="ssh" text={machine.ssh_command} label={t(($) => $.page.copySsh, { command: machine.ssh_command })} />],
    [t(($) => $.hardware.started), machine.started ? moment(machine.started) : t(($) => $.unknown, { ns: "common" })],
    ...(all
      ? ([
          [
            t(($) => $.hardware.dependsOn),
            machine.depends_on.length === 0 ? (
              <span key="none" className="text-dim">{t(($) => $.hardware.nothing)}</span>
            ) : (
              <span key="machines" className="flex flex-wrap gap-x-3">
                {machine.depends_on.map((name) => (
                  <Link key={name} to="/labs/$lab/machines/$machine" params={{ lab: machine.lab, machine: name }} className="hover:underline">
                    {name}
                  </Link>
                ))}
              </span>
            ),
          ],
          [t(($) => $.hardware.configured), machine.configured ? t(($) => $.table.yes) : t(($) => $.table.no)],
          [t(($) => $.hardware.description), <span key="description" className="whitespace-pre-wrap" dir="auto">{machine.description ?? "–"}</span>],
        ] as [string, ReactNode][])
      : []),
  ];
  return (
    <section className="rounded-ui border border-line bg-panel" aria-label={t(($) => $.hardware.title)}>
      <dl className="selectable">
        {rows.map(([title, value]) => (
          <div key={title} className="flex min-h-(--row) items-baseline gap-3 border-b border-line px-3 py-1 last:border-0">
            <dt className="w-28 shrink-0 text-dim">{title}</dt>
            <dd className="min-w-0 flex-1 wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Table({ label, heads, children }: { label: string; heads: { title: string; right?: boolean }[]; children: ReactNode }) {
  return (
    <div className={cn(table.frame, "shrink-0")}>
      <table className={table.table} aria-label={label}>
        <thead>
          <tr>
            {heads.map(({ title, right }) => (
              <th key={title} scope="col" className={cn(table.head, right && "text-right")}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Disks({ machine }: { machine: MachineDetails }) {
  const { t } = useTranslation("machines");
  if (machine.disks.length === 0) return <p className="text-dim">{t(($) => $.disks.none)}</p>;
  return (
    <Table label={t(($) => $.disks.title, { machine: machine.name })} heads={[{ title: t(($) => $.disks.name) }, { title: t(($) => $.disks.size), right: true }, { title: t(($) => $.disks.allocated), right: true }, { title: t(($) => $.disks.path) }]}>
      {machine.disks.map(({ name, size, path, allocated_mib: allocated, capacity_mib: capacity }) => (
        <tr key={name} className={table.row}>
          <td className={cn(table.cell, "font-strong")}>{name}</td>
          <td className={cn(table.cell, "text-right")}>{size}</td>
          <td className={cn(table.cell, "text-right")}>{allocated === null ? <span className="text-dim">–</span> : capacity === null ? gib(allocated) : t(($) => $.disks.of, { allocated: gib(allocated), capacity: memory(capacity) })}</td>
          <td className={cn(table.cell, "w-full max-w-0")}>{path ? <Copied text={path} label={t(($) => $.disks.copyPath, { name })} /> : <span className="text-dim">{t(($) => $.disks.notYet)}</span>}</td>
        </tr>
      ))}
    </Table>
  );
}

export function Network({ machine }: { machine: MachineDetails }) {
  const { t } = useTranslation("machines");
  return (
    <>
      {machine.nics.length === 0 ? (
        <p className="text-dim">{t(($) => $.network.none)}</p>
      ) : (
        <Table label={t(($) => $.network.title, { machine: machine.name })} heads={[{ title: t(($) => $.network.network) }, { title: t(($) => $.network.address) }, { title: t(($) => $.network.mac) }, { title: t(($) => $.network.device) }]}>
          {machine.nics.map(({ network, mac, address, device }) => (
            <tr key={mac} className={table.row}>
              <td className={cn(table.cell, "max-w-60 truncate font-strong")} title={network}>{network}</td>
              <td className={table.cell}>{address ? <Copied text={address} label={t(($) => $.copyAddressOf, { address, name: network })} /> : <span className="text-dim">{t(($) => $.dhcp)}</span>}</td>
              <td className={cn(table.cell, "font-mono")}>{mac}</td>
              <td className={cn(table.cell, "w-full font-mono")}>{device ?? <span className="font-sans text-dim">–</span>}</td>
            </tr>
          ))}
        </Table>
      )}
      <h2 className="mt-1 text-small text-dim">{t(($) => $.network.ports)}</h2>
      {machine.ports.length === 0 ? <p className="text-dim">{t(($) => $.network.noPorts)}</p> : <Ports ports={machine.ports} />}
    </>
  );
}

function Ports({ ports }: { ports: LabPort[] }) {
  const { t } = useTranslation(["machines", "labs"]);
  return (
    <Table label={t(($) => $.network.ports)} heads={[{ title: t(($) => $.network.port) }, { title: t(($) => $.network.guest), right: true }, { title: t(($) => $.network.state) }]}>
      {ports.map(({ local, guest, open, published }) => (
        <tr key={local} className={table.row}>
          <td className={table.cell}>
            <Copied text={`localhost:${local}`} label={t(($) => $.overview.copyUrl, { ns: "labs", url: `localhost:${local}` })} />
          </td>
          <td className={cn(table.cell, "text-right")}>{guest}</td>
          <td className={cn(table.cell, "w-full")}>
            {open ? <State tone="running" word={t(($) => $.network.open)} /> : published ? <State tone="attention" word={t(($) => $.network.closed)} /> : <State tone="unknown" word={t(($) => $.network.notPublished)} />}
          </td>
        </tr>
      ))}
    </Table>
  );
}

export function Configuration({ machine }: { machine: MachineDetails }) {
  const { t } = useTranslation("machines");
  const [shown, setShown] = useKept<"cloud_init" | "ansible">("machine configuration", "cloud_init");
  const text = machine[shown];
  const choice = (
    <Choice
      label={t(($) => $.config.show)}
      value={shown}
      onChange={setShown}
      options={[
        { value: "cloud_init", label: t(($) => $.config.cloudInit) },
        { value: "ansible", label: t(($) => $.config.ansible) },
      ]}
    />
  );
  if (text === null)
    return (
      <div className="flex min-h-0 flex-1 flex-col bg-panel">
        <div className="flex h-9 shrink-0 items-center border-b border-line px-4">{choice}</div>
        <Empty title={shown === "cloud_init" ? t(($) => $.config.noCloudInit) : t(($) => $.config.noAnsible)}>
          <Link to="/labs/$lab/design" params={{ lab: machine.lab }} className="underline decoration-line-strong underline-offset-2">
            {t(($) => $.config.edit)}
          </Link>
        </Empty>
      </div>
    );
  return <TextView name={shown === "cloud_init" ? t(($) => $.config.cloudInit) : t(($) => $.config.ansible)} text={text} title={choice} />;
}

export function Xml({ machine }: { machine: MachineDetails }) {
  const { t } = useTranslation("machines");
  if (machine.xml === null) return <Empty title={t(($) => $.xml.none)} />;
  return <TextView name={t(($) => $.xml.title, { machine: machine.name })} text={machine.xml} title={<span className="text-small text-dim">{t(($) => $.xml.note)}</span>} />;
}
