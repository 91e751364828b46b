// What is selected, field by field. Each field is an edit of lab.yaml at its path; what is left empty falls back to what its placeholder says.

import { Plus } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../../bindings";
import { Button } from "../../components/button";
import { Tip } from "../../components/tip";
import { Cell, Choices, input, Line, Lines, Pick, RemoveButton, Section } from "./fields";
import { type Edit, type Kind, namesOf } from "./edit";
import { linkId, machineId, networkId, renamed } from "./layout";
import { built, type Fields, isFields, type Machine, type Network, type Path, words, written } from "./model";
import { modeIcon, roleIcons } from "./nodes";
import { role } from "./roles";
import type { Designer } from "./use-designer";

type Props = { designer: Designer; images: string[]; hosts: string[]; onText: (path: Path) => void; onOpen: ((machine: string) => void) | null };

export function Inspector(props: Props) {
  const { t } = useTranslation("designer");
  const { designer } = props;
  const { machines, networks, links, notes, groups } = designer.picked;
  const theMachines = designer.design.machines.filter(({ name }) => machines.includes(name));
  const theNetworks = designer.design.networks.filter(({ name }) => networks.includes(name));
  const theLinks = links.filter(({ machine, index }) => designer.design.machines.find(({ name }) => name === machine)?.nics[index]);
  const others = notes.length + groups.length;
  const count = theMachines.length + theNetworks.length + theLinks.length + others;
  return (
    <aside aria-label={t(($) => $.inspector.label)} className="selectable min-h-0 flex-1 overflow-y-auto bg-panel">
      {count === 0 ? (
        <LabFields {...props} />
      ) : theMachines.length === count ? (
        <MachineFields {...props} machines={theMachines} />
      ) : theNetworks.length === count ? (
        <NetworkFields {...props} networks={theNetworks} />
      ) : theLinks.length === 1 && count === 1 ? (
        <LinkFields {...props} {...theLinks[0]!} />
      ) : others === 1 && count === 1 ? (
        <Words {...props} />
      ) : (
        <>
          <Head title={t(($) => $.inspector.things, { count })} />
          {theMachines.length > 1 && <MachineFields {...props} machines={theMachines} />}
          {theNetworks.length > 1 && <NetworkFields {...props} networks={theNetworks} />}
        </>
      )}
    </aside>
  );
}

function Head({ title, kind, icon: Icon, action }: { title: string; kind?: string; icon?: typeof Plus; action?: React.ReactNode }) {
  return (
    <div className="flex h-9 items-center gap-2 px-3">
      {Icon && <Icon className="size-4 shrink-0 text-dim" aria-hidden />}
      <h2 className="min-w-0 truncate font-strong" title={title}>
        {title}
      </h2>
      {kind && <span className="shrink-0 text-small text-dim">{kind}</span>}
      <span className="ml-auto">{action}</span>
    </div>
  );
}

/** What is said of a place, and of nothing below it. */
const saidOf = (problems: Problem[], path: Path): string | null => {
  const at = written(path);
  return problems.find((problem) => problem.path === at)?.message ?? null;
};

/** What is said of a place and all below it. */
const saidBelow = (problems: Problem[], path: Path): string | null => {
  const at = written(path);
  return problems.find((problem) => problem.path === at || problem.path.startsWith(`${at}.`) || problem.path.startsWith(`${at}[`))?.message ?? null;
};

const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? String(value) : "");
const number = (value: string): unknown => (value === "" ? undefined : /^[0-9]{1,9}$/.test(value) ? Number(value) : value);
const list = (value: string): string[] | undefined => {
  const words = value.split(/[,\n]/).map((word) => word.trim()).filter(Boolean);
  return words.length > 0 ? words : undefined;
};

/** Reads and writes fields of several things at once. */
function useFields({ designer }: Props, kind: Kind | null, all: { name: string; raw: Fields }[], under: Path = []) {
  const { t } = useTranslation("designer");
  const problems = designer.checked?.problems ?? [];
  const same = (name: string): string | null => {
    const values = new Set(all.map(({ raw }) => JSON.stringify(raw[name]) ?? ""));
    return values.size > 1 ? null : text(all[0]?.raw[name]);
  };
  const set = (name: string, value: unknown) => {
    const change: Edit = kind ? { do: "setAll", kind, names: all.map(({ name }) => name), path: [name], value } : { do: "set", path: [...under, name], value };
    designer.apply(change, { kind: `${kind ?? ""} ${all.map(({ name }) => name).join(" ")} ${written([...under, name])}` });
  };
  const error = (name: string) => (kind ? all.map((one) => saidBelow(problems, [kind, one.name, name])).find(Boolean) : saidBelow(problems, [...under, name])) ?? null;
  const field = (name: string, label: string, placeholder: string, more: { number?: boolean; list?: string[]; mono?: boolean } = {}) => {
    const value = same(name);
    return (
      <Line
        key={name}
        label={label}
        value={value ?? ""}
        placeholder={value === null ? t(($) => $.inspector.mixed) : placeholder}
        error={error(name)}
        list={more.list}
        mono={more.mono}
        onChange={(value) => set(name, more.number ? number(value) : value === "" ? undefined : value)}
      />
    );
  };
  const pick = (name: string, label: string, fallback: string, options: string[], words: (value: string) => string = (value) => value, parse: (value: string) => unknown = (value) => value) => {
    const value = same(name);
    return (
      <Pick
        key={name}
        label={label}
        value={value ?? "\0"}
        error={error(name)}
        options={[...(value === null ? [{ value: "\0", label: t(($) => $.inspector.mixed) }] : []), { value: "", label: t(($) => $.inspector.byDefault, { value: words(fallback) }) }, ...options.map((option) => ({ value: option, label: words(option) }))]}
        onChange={(value) => value !== "\0" && set(name, value === "" ? undefined : parse(value))}
      />
    );
  };
  return { same, set, error, field, pick };
}

function LabFields(props: Props) {
  const { t } = useTranslation("designer");
  const { designer, images, hosts } = props;
  const { design } = designer;
  const lab = useFields(props, null, [{ name: "", raw: design.raw }]);
  const defaults = useFields(props, null, [{ name: "", raw: design.defaults }], ["defaults"]);
  return (
    <>
      <Head title={design.name || t(($) => $.newLab)} kind={t(($) => $.inspector.lab)} />
      <div className="flex flex-col gap-1.5 px-3 pb-2.5">
        <Line
          label={t(($) => $.inspector.name)}
          value={design.name}
          mono
          late
          error={lab.error("name")}
          onChange={(value) => value && lab.set("name", value)}
        />
        {lab.field("description", t(($) => $.inspector.description), "")}
        {lab.field("host", t(($) => $.inspector.host), built.host, { list: hosts })}
        {lab.pick("acceleration", t(($) => $.inspector.acceleration), "auto", ["auto", "kvm", "tcg"])}
      </div>
      <Section title={t(($) => $.inspector.defaults)}>
        {defaults.field("image", t(($) => $.inspector.image), "", { list: images })}
        {defaults.field("vcpus", t(($) => $.inspector.vcpus), String(built.vcpus), { number: true })}
        {defaults.field("memory", t(($) => $.inspector.memory), built.memory)}
        {defaults.field("disk", t(($) => $.inspector.disk), built.disk)}
        {defaults.pick("firmware", t(($) => $.inspector.firmware), built.firmware, ["bios", "uefi"])}
        {defaults.field("user", t(($) => $.inspector.user), built.user)}
        <Lines
          label={t(($) => $.inspector.sshKeys)}
          value={words(design.defaults.ssh_keys).join("\n")}
          note={t(($) => $.inspector.sshKeysNote)}
          error={defaults.error("ssh_keys")}
          onChange={(value) => defaults.set("ssh_keys", value.split("\n").map((line) => line.trim()).filter(Boolean).length > 0 ? value.split("\n").map((line) => line.trim()).filter(Boolean) : undefined)}
        />
      </Section>
    </>
  );
}

function MachineFields(props: Props & { machines: Machine[] }) {
  const { t } = useTranslation("designer");
  const { designer, machines, images, hosts, onOpen } = props;
  const { design } = designer;
  const fallback = (name: string, value: string | number) => text(design.defaults[name]) || String(value);
  const fields = useFields(props, "machines", machines);
  const one = machines.length === 1 ? machines[0] : undefined;
  return (
    <>
      <Head
        title={one ? one.name : t(($) => $.inspector.machines, { count: machines.length })}
        kind={one && t(($) => $.inspector.machine)}
        icon={one && roleIcons[role(one)]}
        action={
          one &&
          onOpen && (
            <Button kind="quiet" className="h-6 text-small" onClick={() => onOpen(namesOf(one).at(one.replicas === null ? 0 : 1) ?? one.name)}>
              {t(($) => $.inspector.open)}
            </Button>
          )
        }
      />
      <div className="flex flex-col gap-1.5 px-3 pb-2.5">
        {one && <NameField designer={designer} kind="machines" name={one.name} />}
        {one && fields.field("description", t(($) => $.inspector.description), "")}
        {fields.field("image", t(($) => $.inspector.image), fallback("image", ""), { list: images })}
        {fields.field("vcpus", t(($) => $.inspector.vcpus), fallback("vcpus", built.vcpus), { number: true })}
        {fields.field("memory", t(($) => $.inspector.memory), fallback("memory", built.memory))}
        {fields.field("disk", t(($) => $.inspector.disk), fallback("disk", built.disk))}
        {fields.field("replicas", t(($) => $.inspector.replicas), t(($) => $.inspector.one), { number: true })}
        {fields.field("host", t(($) => $.inspector.host), text(design.raw.host) || built.host, { list: hosts })}
        {fields.pick("firmware", t(($) => $.inspector.firmware), fallback("firmware", built.firmware), ["bios", "uefi"])}
        {fields.field("user", t(($) => $.inspector.user), fallback("user", built.user))}
      </div>
      {one && <Interfaces {...props} machine={one} />}
      {one && <Disks designer={designer} machine={one} />}
      {one && <Ports designer={designer} machine={one} />}
      <Section title={t(($) => $.inspector.configuration)}>
        <ListField {...props} machines={machines} name="packages" label={t(($) => $.inspector.packages)} />
        <ListField {...props} machines={machines} name="depends_on" label={t(($) => $.inspector.dependsOn)} />
        {one && <Lines
          label={t(($) => $.inspector.sshKeys)}
          value={words(one.raw.ssh_keys).join("\n")}
          placeholder=""
          error={fields.error("ssh_keys")}
          note={t(($) => $.inspector.sshKeysNote)}
          onChange={(value) => {
            const keys = value.split("\n").map((line) => line.trim()).filter(Boolean);
            fields.set("ssh_keys", keys.length > 0 ? keys : undefined);
          }}
        />}
        {one && <Written {...props} path={["machines", one.name, "ansible"]} label={t(($) => $.inspector.ansible)} value={one.raw.ansible} fresh={[{ name: "Install nginx", apt: { name: "nginx", update_cache: true } }]} />}
        {one && <Written {...props} path={["machines", one.name, "cloud_config"]} label={t(($) => $.inspector.cloudConfig)} value={one.raw.cloud_config} fresh={{ timezone: "Etc/UTC" }} />}
      </Section>
    </>
  );
}

function NameField({ designer, kind, name }: { designer: Designer; kind: Kind; name: string }) {
  const { t } = useTranslation("designer");
  const id = kind === "machines" ? machineId : networkId;
  return (
    <Line
      label={t(($) => $.inspector.name)}
      value={name}
      mono
      late
      error={saidOf(designer.checked?.problems ?? [], [kind, name])}
      onChange={(to) => {
        if (!to || designer.design[kind].some((other) => other.name === to)) return;
        designer.apply({ do: "rename", kind, from: name, to }, { layout: renamed(designer.now.current.layout, kind, name, to) });
        designer.setSelection(new Set([id(to)]));
      }}
    />
  );
}

function ListField({ designer, machines, name, label }: Props & { machines: Machine[]; name: "packages" | "depends_on"; label: string }) {
  const { t } = useTranslation("designer");
  const values = new Set(machines.map(({ raw }) => words(raw[name]).join(", ")));
  const value = values.size === 1 ? [...values][0]! : "";
  const problems = designer.checked?.problems ?? [];
  return (
    <Line
      label={label}
      value={value}
      placeholder={values.size > 1 ? t(($) => $.inspector.mixed) : ""}
      late
      note={machines.length === 1 ? null : t(($) => $.inspector.listNote)}
      error={machines.map((machine) => saidBelow(problems, ["machines", machine.name, name])).find(Boolean) ?? null}
      onChange={(value) => designer.apply({ do: "setAll", kind: "machines", names: machines.map(({ name }) => name), path: [name], value: list(value) })}
    />
  );
}

function Interfaces({ designer, machine }: Props & { machine: Machine }) {
  const { t } = useTranslation("designer");
  const { networks } = designer.design;
  const problems = designer.checked?.problems ?? [];
  const derived = designer.checked?.machines.find(({ spec }) => spec === machine.name);
  return (
    <Section
      title={t(($) => $.inspector.interfaces)}
      action={<AddButton label={t(($) => $.inspector.addInterface)} disabled={networks.length === 0} onClick={() => {
        const used = new Set(machine.nics.map(({ network }) => network));
        const network = networks.find(({ name }) => !used.has(name)) ?? networks[0];
        if (network) designer.apply({ do: "link", machines: [machine.name], network: network.name });
      }} />}
    >
      {machine.implied && machine.nics.length > 0 && <p className="text-small text-dim">{t(($) => $.inspector.impliedNote)}</p>}
      {machine.nics.length === 0 && networks.length > 0 && <p className="text-small text-attention">{t(($) => $.inspector.noInterfaces)}</p>}
      {machine.nics.map((nic, index) => {
        const path = ["machines", machine.name, "nics", index];
        const error = saidBelow(problems, path);
        const set = (change: Partial<typeof nic>) => designer.apply({ do: "nic", link: { machine: machine.name, index }, nic: { ...nic, ...change } });
        return (
          <div key={index} className="flex flex-col gap-1">
            <div className="grid grid-cols-[minmax(0,2fr)_minmax(0,3fr)_auto] items-center gap-1">
              <Choices aria-label={t(($) => $.inspector.network)} value={nic.network} options={networks.map(({ name }) => ({ value: name, label: name }))} onChange={(network) => set({ network })} />
              <Cell label={t(($) => $.inspector.address)} value={nic.address ?? ""} placeholder={derived?.nics[index]?.address ?? t(($) => $.inspector.derived)} error={saidOf(problems, [...path, "address"])} onChange={(address) => set({ address: address || null })} />
              <RemoveButton label={t(($) => $.inspector.removeInterface, { name: nic.network })} onClick={() => designer.apply({ do: "remove", machines: [], networks: [], links: [{ machine: machine.name, index }] })} />
            </div>
            {(nic.mac || !machine.replicas) && (
              <div className="pr-8">
                <Cell label={t(($) => $.inspector.mac)} value={nic.mac ?? ""} placeholder={derived?.nics[index]?.mac ?? t(($) => $.inspector.derived)} onChange={(mac) => set({ mac: mac || null })} />
              </div>
            )}
            {error && <p className="text-small text-failed wrap-anywhere">{error}</p>}
          </div>
        );
      })}
    </Section>
  );
}

function AddButton({ label, onClick, disabled }: { label: string; onClick: () => void; disabled?: boolean }) {
  return (
    <Tip text={label}>
      <Button kind="quiet" className="h-5 w-6 justify-center !px-0" aria-label={label} disabled={disabled} onClick={onClick}>
        <Plus className="size-4" />
      </Button>
    </Tip>
  );
}

function Disks({ designer, machine }: { designer: Designer; machine: Machine }) {
  const { t } = useTranslation("designer");
  const disks = Object.entries(isFields(machine.raw.disks) ? machine.raw.disks : {});
  const path: Path = ["machines", machine.name, "disks"];
  const problems = designer.checked?.problems ?? [];
  const free = ["data", ...Array.from({ length: 20 }, (_, index) => `data-${index + 2}`)].find((name) => !disks.some(([other]) => other === name)) ?? "data";
  return (
    <Section title={t(($) => $.inspector.disks)} action={<AddButton label={t(($) => $.inspector.addDisk)} onClick={() => designer.apply({ do: "set", path: [...path, free], value: "10 GiB" })} />}>
      {disks.map(([name, size]) => (
        <div key={name} className="flex flex-col gap-1">
          <div className="flex items-center gap-1">
            <Cell
              label={t(($) => $.inspector.name)}
              value={name}
              onChange={(to) => to && !disks.some(([other]) => other === to) && designer.apply({ do: "set", path, value: Object.fromEntries(disks.map(([other, size]) => [other === name ? to : other, size])) })}
            />
            <Cell label={t(($) => $.inspector.size)} value={text(size)} onChange={(size) => size && designer.apply({ do: "set", path: [...path, name], value: size })} />
            <RemoveButton label={t(($) => $.inspector.removeDisk, { name })} onClick={() => designer.apply({ do: "set", path: [...path, name], value: undefined })} />
          </div>
          <Said text={saidBelow(problems, [...path, name])} />
        </div>
      ))}
      <Said text={saidOf(problems, path)} />
    </Section>
  );
}

const Said = ({ text }: { text: string | null }) => text && <p className="text-small text-failed wrap-anywhere">{text}</p>;

function Ports({ designer, machine }: { designer: Designer; machine: Machine }) {
  const { t } = useTranslation("designer");
  const ports = Object.entries(isFields(machine.raw.ports) ? machine.raw.ports : {});
  const path: Path = ["machines", machine.name, "ports"];
  const problems = designer.checked?.problems ?? [];
  const add = () => {
    const taken = new Set(designer.design.machines.flatMap(({ raw, replicas }) => Object.keys(isFields(raw.ports) ? raw.ports : {}).flatMap((port) => Array.from({ length: replicas ?? 1 }, (_, index) => Number(port) + index))));
    let port = 8080;
    while (taken.has(port)) port += 1;
    designer.apply({ do: "set", path: [...path, String(port)], value: 80 });
  };
  return (
    <Section title={t(($) => $.inspector.ports)} action={<AddButton label={t(($) => $.inspector.addPort)} onClick={add} />}>
      {ports.map(([local, guest]) => (
        <div key={local} className="flex flex-col gap-1">
          <div className="flex items-center gap-1">
            <Cell
              label={t(($) => $.inspector.local)}
              value={local}
              onChange={(to) => to && !ports.some(([other]) => other === to) && designer.apply({ do: "set", path, value: Object.fromEntries(ports.map(([other, guest]) => [other === local ? to : other, guest])) })}
            />
            <span aria-hidden className="text-dim">
              →
            </span>
            <Cell label={t(($) => $.inspector.guest)} value={text(guest)} onChange={(value) => value && designer.apply({ do: "set", path: [...path, local], value: number(value) })} />
            <RemoveButton label={t(($) => $.inspector.removePort, { name: local })} onClick={() => designer.apply({ do: "set", path: [...path, local], value: undefined })} />
          </div>
          <Said text={saidBelow(problems, [...path, local])} />
        </div>
      ))}
      <Said text={saidOf(problems, path)} />
    </Section>
  );
}

/** What is too large for a field: how much there is, and the way to it. */
function Written({ designer, onText, path, label, value, fresh }: Props & { path: Path; label: string; value: unknown; fresh: unknown }) {
  const { t } = useTranslation("designer");
  const said =
    typeof value === "string"
      ? value
      : Array.isArray(value)
        ? t(($) => $.inspector.tasks, { count: value.length })
        : isFields(value) && Array.isArray(value.roles)
          ? t(($) => $.inspector.roles, { count: value.roles.length })
          : isFields(value)
            ? t(($) => $.inspector.keys, { count: Object.keys(value).length })
            : t(($) => $.inspector.nothing);
  const error = saidBelow(designer.checked?.problems ?? [], path);
  return (
    <div className="grid grid-cols-[108px_minmax(0,1fr)] items-center gap-x-2">
      <span className="text-dim">{label}</span>
      <span className="flex min-w-0 items-center justify-between gap-2">
        <span className="min-w-0 truncate" title={said}>
          {said}
        </span>
        <Button
          kind="quiet"
          className="h-6 text-small"
          title={t(($) => $.actions.toText)}
          onClick={() => {
            if (value === undefined) designer.apply({ do: "set", path, value: fresh });
            onText(path);
          }}
        >
          {value === undefined ? t(($) => $.inspector.write) : t(($) => $.inspector.edit)}
        </Button>
      </span>
      {error && <p className="col-start-2 text-small text-failed wrap-anywhere">{error}</p>}
    </div>
  );
}

const SHOWN = 12;

function NetworkFields(props: Props & { networks: Network[] }) {
  const { t } = useTranslation("designer");
  const { designer, networks } = props;
  const { design } = designer;
  const fields = useFields(props, "networks", networks);
  const one = networks.length === 1 ? networks[0] : undefined;
  const on = one ? design.machines.filter(({ nics }) => nics.some(({ network }) => network === one.name)) : [];
  return (
    <>
      <Head title={one ? one.name : t(($) => $.inspector.networks, { count: networks.length })} kind={one && t(($) => $.inspector.network)} icon={one && modeIcon(one.mode)} />
      <div className="flex flex-col gap-1.5 px-3 pb-2.5">
        {one && <NameField designer={designer} kind="networks" name={one.name} />}
        {one && fields.field("description", t(($) => $.inspector.description), "")}
        {fields.pick("mode", t(($) => $.inspector.mode), built.mode, ["nat", "isolated", "routed", "bridge"], (mode) => t(($) => $.modes[mode as "nat"], { defaultValue: mode }))}
        {one && fields.field("cidr", t(($) => $.inspector.cidr), "10.77.1.0/24", { mono: true })}
        {(one?.mode === "bridge" || one?.raw.bridge !== undefined) && fields.field("bridge", t(($) => $.inspector.bridge), "br0", { mono: true })}
        {one?.mode !== "bridge" && fields.pick("dhcp", t(($) => $.inspector.dhcp), "true", ["true", "false"], (value) => (value === "true" ? t(($) => $.inspector.on) : t(($) => $.inspector.off)), (value) => value === "true")}
        {fields.field("domain", t(($) => $.inspector.domain), `${design.name || "lab"}.lab`, { mono: true })}
      </div>
      {one && on.length > 0 && (
        <Section title={t(($) => $.inspector.attached)}>
          <ul className="flex flex-col">
            {on.slice(0, SHOWN).map(({ name }) => (
              <li key={name}>
                <button type="button" className="flex h-6 w-full min-w-0 items-center rounded-ui px-1 text-left hover:bg-hover" onClick={() => designer.setSelection(new Set([machineId(name)]))}>
                  <span className="truncate">{name}</span>
                </button>
              </li>
            ))}
          </ul>
          {on.length > SHOWN && <p className="px-1 text-small text-dim">{t(($) => $.inspector.others, { count: on.length - SHOWN })}</p>}
        </Section>
      )}
    </>
  );
}

function LinkFields(props: Props & { machine: string; index: number }) {
  const { t } = useTranslation("designer");
  const { designer, machine: name, index } = props;
  const machine = designer.design.machines.find((machine) => machine.name === name)!;
  const nic = machine.nics[index]!;
  const problems = designer.checked?.problems ?? [];
  const derived = designer.checked?.machines.find(({ spec }) => spec === name)?.nics[index];
  const path = ["machines", name, "nics", index];
  const set = (change: Partial<typeof nic>) => designer.apply({ do: "nic", link: { machine: name, index }, nic: { ...nic, ...change } });
  return (
    <>
      <Head title={`${name} – ${nic.network}`} kind={t(($) => $.inspector.link)} />
      <div className="flex flex-col gap-1.5 px-3 pb-2.5">
        <Pick label={t(($) => $.inspector.network)} value={nic.network} options={designer.design.networks.map(({ name }) => ({ value: name, label: name }))} error={saidOf(problems, path)} onChange={(network) => set({ network })} />
        <Line label={t(($) => $.inspector.address)} mono late value={nic.address ?? ""} placeholder={derived?.address ?? t(($) => $.inspector.derived)} error={saidOf(problems, [...path, "address"])} onChange={(address) => set({ address: address || null })} />
        <Line label={t(($) => $.inspector.mac)} mono late value={nic.mac ?? ""} placeholder={derived?.mac ?? t(($) => $.inspector.derived)} error={saidOf(problems, [...path, "mac"])} onChange={(mac) => set({ mac: mac || null })} />
        {machine.implied && <p className="text-small text-dim">{t(($) => $.inspector.impliedNote)}</p>}
        <Button
          className="mt-1 self-start"
          onClick={() => {
            designer.apply({ do: "remove", machines: [], networks: [], links: [{ machine: name, index }] });
            designer.setSelection((before) => new Set([...before].filter((id) => id !== linkId(name, index))));
          }}
        >
          {t(($) => $.inspector.deleteThese)}
        </Button>
      </div>
    </>
  );
}

/** A note's or a frame's words. */
function Words({ designer }: Props) {
  const { t } = useTranslation("designer");
  const { notes, groups } = designer.picked;
  const { layout } = designer;
  const note = layout.notes.find(({ id }) => id === notes[0]);
  const group = layout.groups.find(({ id }) => id === groups[0]);
  if (note)
    return (
      <>
        <Head title={t(($) => $.inspector.note)} />
        <div className="px-3">
          <textarea
            aria-label={t(($) => $.inspector.note)}
            rows={6}
            className={`${input} selectable h-auto resize-y border-line-strong py-1`}
            value={note.text}
            onChange={(event) => designer.setLayout({ ...layout, notes: layout.notes.map((one) => (one === note ? { ...one, text: event.target.value } : one)) }, `note ${note.id}`)}
          />
        </div>
      </>
    );
  if (!group) return null;
  return (
    <>
      <Head title={t(($) => $.inspector.frame)} />
      <div className="px-3">
        <Line label={t(($) => $.inspector.title)} value={group.title} onChange={(title) => designer.setLayout({ ...layout, groups: layout.groups.map((one) => (one.id === group.id ? { ...one, title } : one)) }, `group ${group.id}`)} />
      </div>
    </>
  );
}
