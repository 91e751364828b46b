import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { MachineDetails } from "../../bindings";
import { Chart } from "../../components/chart";
import { commandError, ipc } from "../../ipc";
import { gib, memory, rate } from "../../lib/words";
import { KEPT_MS, useSamples } from "./samples";

const SPAN = KEPT_MS / 1_000;

/** How a machine does now: its load, its screen, and what it is. */
export function MachineOverview({ machine, facts }: { machine: MachineDetails; facts: ReactNode }) {
  const { t } = useTranslation("machines");
  const { samples, error } = useSamples(machine.lab, machine.name);
  const vcpus = Math.max(1, machine.vcpus);
  const of = (part: "cpu") => samples[part].map((percent) => percent / vcpus);
  const known = samples.memory.some((used) => used !== null);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_320px] items-start gap-3">
      <div className="grid min-w-0 grid-cols-1 gap-3 2xl:grid-cols-2">
        {error && <p role="alert" className="text-attention wrap-anywhere 2xl:col-span-2">{t(($) => $.overview.statsFailed)}: {error.message}</p>}
        <Chart title={t(($) => $.overview.cpu)} note={t(($) => $.overview.cpuOf, { count: machine.vcpus })} at={samples.at} series={[{ label: t(($) => $.overview.cpu), values: of("cpu"), tone: "accent" }]} max={100} span={SPAN} format={(percent) => `${percent < 10 && percent > 0 ? percent.toFixed(1) : Math.round(percent)} %`} />
        <Chart title={t(($) => $.overview.memory)} note={known || samples.at.length === 0 ? t(($) => $.overview.memoryOf, { memory: memory(machine.memory_mib) }) : t(($) => $.overview.noMemory)} at={samples.at} series={[{ label: t(($) => $.overview.memory), values: samples.memory, tone: "accent" }]} max={machine.memory_mib} span={SPAN} format={(mib) => (mib === 0 ? "0" : machine.memory_mib >= 2_048 ? gib(mib) : `${Math.round(mib)} MiB`)} />
        <Chart
          title={t(($) => $.overview.disk)}
          at={samples.at}
          series={[
            { label: t(($) => $.overview.read), values: samples.read, tone: "accent" },
            { label: t(($) => $.overview.write), values: samples.write, tone: "attention" },
          ]}
          span={SPAN}
          format={rate}
        />
        <Chart
          title={t(($) => $.overview.network)}
          at={samples.at}
          series={[
            { label: t(($) => $.overview.rx), values: samples.rx, tone: "accent" },
            { label: t(($) => $.overview.tx), values: samples.tx, tone: "running" },
          ]}
          span={SPAN}
          format={rate}
        />
        {!error && samples.at.length === 0 && <p role="status" className="text-dim 2xl:col-span-2">{t(($) => $.overview.nothingYet)}</p>}
      </div>
      <div className="flex min-w-0 flex-col gap-3">
        <Screen machine={machine} />
        {facts}
      </div>
    </div>
  );
}

/** The machine's screen, small, looked at every five seconds while it is shown. */
function Screen({ machine: { lab, name, state } }: { machine: MachineDetails }) {
  const { t } = useTranslation("machines");
  const on = state !== null && state !== "shut_off" && state !== "crashed";
  // Not keyed by its lab: what is stale of a lab is no reason to look at its screens again.
  const screen = useQuery({ queryKey: ["screen", lab, name], queryFn: () => ipc.machineScreenshot(lab, name), refetchInterval: 5_000, enabled: on });
  const none = !on ? t(($) => $.overview.off) : screen.isError ? (commandError(screen.error).code === "not_found" ? t(($) => $.overview.noScreen) : commandError(screen.error).message) : "";
  return (
    <figure className="overflow-hidden rounded-ui border border-line bg-panel">
      <figcaption className="flex h-8 items-center px-3 font-strong">{t(($) => $.overview.console)}</figcaption>
      <div className="flex aspect-[4/3] items-center justify-center border-t border-line bg-black">
        {none || !screen.data ? <span className="px-6 text-center text-small text-[#98a3ae]">{none}</span> : <img src={screen.data} alt={t(($) => $.overview.screen, { machine: name })} className="max-h-full max-w-full" />}
      </div>
    </figure>
  );
}
