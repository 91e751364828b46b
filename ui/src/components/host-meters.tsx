// What a host has, and what of it is taken: as bars with their numbers.

import { useTranslation } from "react-i18next";
import type { HostStatus } from "../bindings";
import { cn } from "../lib/cn";
import { share, size } from "../lib/sizes";
import { Meter } from "./meter";

/** Memory in three: reserved by labs, used otherwise, free. Less than a tenth free asks for attention. */
export function memoryOf({ memory_mib: whole, free_memory_mib: free, reserved_memory_mib: labs }: HostStatus) {
  const used = Math.max(0, whole - free);
  return { whole, labs: Math.min(labs, whole), other: Math.max(0, used - labs), taken: Math.min(whole, Math.max(used, labs)), free, isTight: free < whole / 10 };
}

export function MemoryMeter({ status, className }: { status: HostStatus; className?: string }) {
  const { t } = useTranslation("hosts");
  const { whole, labs, other, taken, isTight } = memoryOf(status);
  const [part, of] = share(taken, whole);
  const label = t(($) => $.memoryMeter, { labs: size(labs), used: size(taken), whole: size(whole) });
  return (
    <span className={cn("flex items-center gap-2", className)} title={label}>
      <Meter label={label} total={whole} parts={[{ amount: labs, tone: "running" }, { amount: other, tone: isTight ? "attention" : "stopped" }]} className="flex-1" />
      <span className={cn("w-26 shrink-0 text-right", isTight && "text-attention")}>{t(($) => $.amount, { part, whole: of })}</span>
    </span>
  );
}

export function LoadMeter({ status: { load, cpus }, className }: { status: HostStatus; className?: string }) {
  const { t } = useTranslation("hosts");
  if (load === null) return <span className="text-dim">{t(($) => $.cpus, { count: cpus })}</span>;
  const isHigh = load > cpus;
  return (
    <span className={cn("flex items-center gap-2", className)}>
      <Meter label={t(($) => $.loadMeter, { load: load.toFixed(1), cpus })} total={cpus} parts={[{ amount: load, tone: isHigh ? "attention" : "stopped" }]} className="min-w-3 flex-1" />
      <span className={cn("min-w-14 shrink-0 text-right", isHigh && "text-attention")}>{t(($) => $.loadOf, { load: load.toFixed(1), cpus })}</span>
    </span>
  );
}
