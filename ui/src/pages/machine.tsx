import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ChevronDown, ChevronUp, Ellipsis } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../bindings";
import { Button } from "../components/button";
import { activeTab, inactiveTab, Loading, Page, tab as tabClass, Tabs } from "../components/frame";
import { Menu } from "../components/menu";
import { Failed, Notice } from "../components/notice";
import { State } from "../components/state";
import { Tip } from "../components/tip";
import { Trail } from "../features/labs/frame";
import { can, useMachineDeeds, usePowerEntries } from "../features/machines/deeds";
import { MachineOverview } from "../features/machines/overview";
import { Configuration, Disks, Facts, Network, Xml } from "../features/machines/parts";
import { MachineLog } from "../features/runs/machine-log";
import { useActions } from "../lib/actions";
import { cn } from "../lib/cn";
import { copy } from "../lib/copy";
import { labQuery, machineQuery } from "../lib/queries";
import { machineState } from "../lib/words";

const tabs = ["overview", "hardware", "disks", "network", "config", "log", "xml"] as const;
type Tab = (typeof tabs)[number];

/** Tabs whose content fills the page and scrolls by itself. */
const bare = new Set<Tab>(["config", "log", "xml"]);

export function MachinePage() {
  const { lab, machine } = useParams({ from: "/labs/$lab/machines/$machine" });
  const search = useSearch({ from: "/labs/$lab/machines/$machine" });
  const { t } = useTranslation(["machines", "common"]);
  const navigate = useNavigate();
  const tab = tabs.find((one) => one === search.tab) ?? "overview";
  const details = useQuery(machineQuery(lab, machine));
  const status = useQuery(labQuery(lab));
  const deeds = useMachineDeeds(lab);
  const power = usePowerEntries(deeds);
  const names = status.data?.machines.map(({ name }) => name) ?? [];
  const at = names.indexOf(machine);
  // The list is asked more often than the details.
  const state = status.data?.machines[at]?.state ?? details.data?.state ?? null;
  const own = [{ name: machine, state }];
  const to = (name: string | undefined, part: Tab = tab) => name !== undefined && void navigate({ to: "/labs/$lab/machines/$machine", params: { lab, machine: name }, search: part === "overview" ? {} : { tab: part } });
  const ssh = details.data?.ssh_command ?? `vlm ssh ${lab}/${machine}`;
  const address = details.data?.address ?? null;
  const entries = [{ label: t(($) => $.copySsh), onSelect: () => void copy(ssh) }, { label: t(($) => $.copyAddress), disabled: !address, onSelect: () => void copy(address ?? "") }, "line" as const, ...power(own)];
  useActions([
    ...tabs.map((id, index) => ({ id: `tab ${id}`, title: t(($) => $.page.tabs[id]), group: machine, keys: String(index + 1), run: () => to(machine, id) })),
    ...(at >= 0 && names[at + 1] !== undefined ? [{ id: "machine-next", title: t(($) => $.page.next), group: machine, keys: "]", run: () => to(names[at + 1]) }] : []),
    ...(at > 0 ? [{ id: "machine-previous", title: t(($) => $.page.previous), group: machine, keys: "[", run: () => to(names[at - 1]) }] : []),
    ...entries.flatMap((entry) => (entry === "line" || entry.disabled ? [] : [{ id: `machine: ${entry.label}`, title: entry.label, group: machine, run: entry.onSelect }])),
  ]);
  const on = can("force_off", state);
  const step = "rounded-ui p-1 text-dim hover:bg-hover hover:text-text disabled:opacity-45";
  return (
    <Page
      bare={bare.has(tab) && details.data !== undefined}
      title={
        <Trail
          parts={[
            <Link key="labs" to="/labs" className="font-normal text-dim hover:text-text">
              {t(($) => $.labs, { ns: "common" })}
            </Link>,
            <Link key="lab" to="/labs/$lab" params={{ lab }} title={lab} className="max-w-60 truncate font-normal text-dim hover:text-text">
              {lab}
            </Link>,
            <span key="machine" className="selectable truncate" title={machine}>
              <bdi>{machine}</bdi>
            </span>,
          ]}
        />
      }
      state={
        <span className="flex min-w-0 items-center gap-3">
          {details.data && <State {...machineState({ state }, status.data?.state ?? "deployed", details.data.unknown === null)} />}
          {address && (
            <button type="button" className="shrink-0 rounded-ui px-1 font-mono hover:bg-hover" title={t(($) => $.copyAddress)} aria-label={t(($) => $.copyAddressOf, { address, name: machine })} onClick={() => void copy(address)}>
              {address}
            </button>
          )}
          {details.data && (
            <span className="truncate text-dim">
              {t(($) => $.page.on)}{" "}
              <Link to="/hosts/$host" params={{ host: details.data.host }} className="hover:text-text hover:underline">
                {details.data.host}
              </Link>
            </span>
          )}
        </span>
      }
      actions={
        <>
          {at >= 0 && (
            <span className="mr-1 flex">
              <Tip text={t(($) => $.page.previous)} keys="[">
                <button type="button" className={step} aria-label={t(($) => $.page.previous)} disabled={at <= 0} onClick={() => to(names[at - 1])}>
                  <ChevronUp className="size-4" />
                </button>
              </Tip>
              <Tip text={t(($) => $.page.next)} keys="]">
                <button type="button" className={step} aria-label={t(($) => $.page.next)} disabled={at === names.length - 1} onClick={() => to(names[at + 1])}>
                  <ChevronDown className="size-4" />
                </button>
              </Tip>
            </span>
          )}
          {on && <Button onClick={() => void copy(ssh)}>{t(($) => $.copySsh)}</Button>}
          {state === "paused" || state === "suspended" ? (
            <Button kind="primary" disabled={deeds.busy} onClick={() => deeds.power("resume", own)}>
              {t(($) => $.power.word.resume)}
            </Button>
          ) : on ? (
            <Button disabled={deeds.busy || !can("shut_down", state)} onClick={() => deeds.power("shut_down", own)}>
              {t(($) => $.power.word.shut_down)}
            </Button>
          ) : (
            state !== null && (
              <Button kind="primary" disabled={deeds.busy} onClick={() => deeds.power("start", own)}>
                {t(($) => $.power.word.start)}
              </Button>
            )
          )}
          <Menu entries={entries}>
            <Button kind="quiet" className="px-1.5" aria-label={t(($) => $.actionsOf, { ns: "common", name: machine })}>
              <Ellipsis className="size-4" />
            </Button>
          </Menu>
          {deeds.dialog}
        </>
      }
      tabs={
        <Tabs label={t(($) => $.page.parts, { machine })}>
          {tabs.map((id, index) => (
            <Tip key={id} text={t(($) => $.page.tabs[id])} keys={String(index + 1)}>
              <Link to="/labs/$lab/machines/$machine" params={{ lab, machine }} search={id === "overview" ? {} : { tab: id }} aria-current={id === tab ? "page" : undefined} className={cn(tabClass, (id === tab ? activeTab : inactiveTab).className)}>
                {t(($) => $.page.tabs[id])}
              </Link>
            </Tip>
          ))}
        </Tabs>
      }
    >
      {details.isPending && <Loading what={machine} rows={6} />}
      {details.isError && <Failed title={t(($) => $.page.failed, { machine })} error={details.error} onRetry={() => void details.refetch()} />}
      {details.data && (
        <>
          {details.data.unknown && !bare.has(tab) && <Notice tone="attention" title={t(($) => $.page.unknownTitle)} message={details.data.unknown} />}
          <Part key={machine} tab={tab} machine={{ ...details.data, state }} />
        </>
      )}
    </Page>
  );
}

function Part({ tab, machine }: { tab: Tab; machine: MachineDetails }) {
  switch (tab) {
    case "overview":
      return <MachineOverview machine={machine} facts={<Facts machine={machine} />} />;
    case "hardware":
      return <Facts machine={machine} all />;
    case "disks":
      return <Disks machine={machine} />;
    case "network":
      return <Network machine={machine} />;
    case "config":
      return <Configuration machine={machine} />;
    case "log":
      return <MachineLog lab={machine.lab} machine={machine.name} on={can("force_off", machine.state)} />;
    case "xml":
      return <Xml machine={machine} />;
  }
}
