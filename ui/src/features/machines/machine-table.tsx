import { Link, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { LabStatus, MachineStatus, PowerAction } from "../../bindings";
import { Button } from "../../components/button";
import { FilterField } from "../../components/filter";
import { type Column, Rows } from "../../components/grid";
import type { Entry } from "../../components/menu";
import { State } from "../../components/state";
import { useActions } from "../../lib/actions";
import { copy } from "../../lib/copy";
import { useKept } from "../../lib/kept";
import { useMedia } from "../../lib/window";
import { machinesOf, machineState, memory } from "../../lib/words";
import { can, useMachineDeeds, usePowerEntries } from "./deeds";

/** Machines that have each of the words in one of their columns. */
export function matching(lab: LabStatus, filter: string): MachineStatus[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return lab.machines;
  return lab.machines.filter((machine) => {
    const said = [machine.name, machine.address, machine.image, machine.host, machine.description, machineState(machine, lab.state, lab.unknown === null).word, ...machine.nics.map(({ network }) => network)].join(" ").toLowerCase();
    return words.every((word) => said.includes(word));
  });
}

/** Addresses in the order of their numbers. */
const byAddress = (address: string | null) => (address ?? "").split(".").map((part) => part.padStart(3, "0")).join(".");

const bulk: PowerAction[] = ["start", "shut_down", "reboot", "pause", "resume", "force_off"];

type Props = { lab: LabStatus; chosen: Set<string>; onChoose: (chosen: Set<string>) => void; /** A machine that was chosen elsewhere, to be in sight. */ shown: string | null };

/** A lab's machines as they are now: sorted, filtered, and done with many at once. */
export function MachineTable({ lab, chosen, onChoose: setChosen, shown: inSight }: Props) {
  const { t } = useTranslation(["machines", "common"]);
  const navigate = useNavigate();
  const field = useRef<HTMLInputElement>(null);
  const [filter, setFilter] = useKept(`machines of ${lab.name} filter`, "");
  const deeds = useMachineDeeds(lab.name);
  const power = usePowerEntries(deeds);
  const known = lab.unknown === null;
  const shown = matching(lab, filter);
  const of = lab.machines.filter(({ name }) => chosen.has(name));
  const open = ({ name }: MachineStatus) => void navigate({ to: "/labs/$lab/machines/$machine", params: { lab: lab.name, machine: name } });
  const menu = (machine: MachineStatus): Entry[] => {
    // With several chosen, one of them stands for all.
    const many = chosen.size > 1 && chosen.has(machine.name);
    const single: Entry[] = [
      { label: t(($) => $.open), onSelect: () => open(machine) },
      { label: t(($) => $.copySsh), onSelect: () => void copy(`vlm ssh ${lab.name}/${machine.name}`) },
      { label: t(($) => $.copyAddress), disabled: !machine.address, onSelect: () => void copy(machine.address ?? "") },
      "line",
    ];
    const several: Entry[] = [{ label: t(($) => $.copyAddresses), onSelect: () => void copy(of.flatMap(({ address }) => address ?? []).join("\n"), machinesOf(of.length)) }, "line"];
    return [...(many ? several : single), ...power(many ? of : [machine])];
  };
  useActions([
    { id: "machines-filter", title: t(($) => $.table.filterAction), group: lab.name, keys: "/", run: () => field.current?.focus() },
    { id: "machines-all", title: t(($) => $.table.chooseAll), group: lab.name, run: () => setChosen(new Set(shown.map(({ name }) => name))) },
    ...(of.length > 0
      ? bulk.filter((action) => of.some(({ state }) => can(action, state))).map((action) => ({ id: `machines-${action}`, title: `${t(($) => $.power.word[action])}: ${machinesOf(of.filter(({ state }) => can(action, state)).length)}`, group: lab.name, run: () => deeds.power(action, of) }))
      : []),
  ]);
  const wide = useMedia("(min-width: 1500px)");
  const columns: Column<MachineStatus>[] = [
    {
      id: "name",
      title: t(($) => $.table.name),
      width: wide ? 240 : undefined,
      by: ({ name }) => name,
      cell: ({ name, description }) => (
        <Link to="/labs/$lab/machines/$machine" params={{ lab: lab.name, machine: name }} tabIndex={-1} title={description ? `${name}: ${description.slice(0, 500)}` : name} className="font-strong hover:underline">
          <bdi>{name}</bdi>
        </Link>
      ),
    },
    { id: "state", title: t(($) => $.table.state), width: 120, by: (machine) => machineState(machine, lab.state, known).word, cell: (machine) => <State {...machineState(machine, lab.state, known)} /> },
    {
      id: "address",
      title: t(($) => $.table.address),
      width: 132,
      by: ({ address }) => byAddress(address),
      cell: ({ address, name, state }) =>
        address ? (
          <button type="button" tabIndex={-1} className={`-mx-1 max-w-full truncate rounded-ui px-1 font-mono hover:bg-selected ${state === "running" ? "" : "text-dim"}`} aria-label={t(($) => $.copyAddressOf, { address, name })} title={t(($) => $.copyAddress)} onClick={() => void copy(address)}>
            {address}
          </button>
        ) : (
          <span className="text-dim">{t(($) => $.dhcp)}</span>
        ),
    },
    { id: "image", title: t(($) => $.table.image), width: 124, by: ({ image }) => image, cell: ({ image }) => <span title={image}>{image}</span> },
    { id: "vcpus", title: t(($) => $.table.vcpus), width: 72, right: true, by: ({ vcpus }) => vcpus, cell: ({ vcpus }) => vcpus },
    { id: "memory", title: t(($) => $.table.memory), width: 92, right: true, by: ({ memory_mib }) => memory_mib, cell: ({ memory_mib }) => memory(memory_mib) },
    { id: "host", title: t(($) => $.table.host), width: 100, by: ({ host }) => host, cell: ({ host }) => <span title={host}>{host}</span> },
    { id: "configured", title: t(($) => $.table.configured), width: 112, by: ({ configured }) => (configured ? 0 : 1), cell: ({ configured }) => (configured ? t(($) => $.table.yes) : <span className="text-dim">{lab.state === "designed" ? "–" : t(($) => $.table.no)}</span>) },
    ...(wide
      ? [
          { id: "disk", title: t(($) => $.table.disk), width: 84, right: true, by: ({ disk }: MachineStatus) => Number.parseFloat(disk), cell: ({ disk }: MachineStatus) => disk },
          { id: "networks", title: t(($) => $.table.networks), width: 160, by: ({ nics }: MachineStatus) => nics.map(({ network }) => network).join(), cell: ({ nics }: MachineStatus) => nics.map(({ network }) => network).join(", ") },
          { id: "description", title: t(($) => $.table.description), cell: ({ description }: MachineStatus) => <span className="text-dim" title={description?.slice(0, 500)}><bdi>{description?.slice(0, 300)}</bdi></span> },
        ]
      : []),
  ];
  return (
    <section className="flex min-h-0 flex-1 flex-col bg-panel" aria-label={t(($) => $.table.label, { lab: lab.name })}>
      <div className="flex h-10 shrink-0 items-center gap-1.5 border-b border-line pr-2 pl-4">
        {of.length > 0 ? (
          <>
            <span role="status" className="mr-1.5 font-strong">
              {t(($) => $.table.chosen, { count: of.length })}
            </span>
            {bulk
              .filter((action) => of.some(({ state }) => can(action, state)))
              .map((action) => (
                <Button key={action} disabled={deeds.busy} className={action === "force_off" ? "text-failed" : ""} onClick={() => deeds.power(action, of)}>
                  {t(($) => $.power.word[action])}
                  {action === "force_off" && "…"}
                </Button>
              ))}
            <Button kind="quiet" onClick={() => setChosen(new Set())}>
              {t(($) => $.table.chooseNone)}
            </Button>
          </>
        ) : (
          <>
            <h2 className="font-strong">{t(($) => $.table.title)}</h2>
            <span className="text-dim">{filter ? t(($) => $.table.shown, { shown: shown.length, count: lab.machines.length }) : lab.machines.length}</span>
          </>
        )}
        <FilterField ref={field} className="ml-auto" label={t(($) => $.table.filter)} value={filter} onChange={setFilter} keys="/" />
      </div>
      <Rows name={`machines of ${lab.name}`} label={t(($) => $.table.label, { lab: lab.name })} rows={shown} columns={columns} idOf={({ name }) => name} onOpen={open} menu={menu} chosen={chosen} onChoose={setChosen} inSight={inSight} none={t(($) => $.table.none)} className="flex-1" />
      {deeds.dialog}
    </section>
  );
}
