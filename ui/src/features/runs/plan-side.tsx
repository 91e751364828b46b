import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { HostShare, Plan } from "../../bindings";
import { Button } from "../../components/button";
import { Checkbox } from "../../components/checkbox";
import { Meter } from "../../components/meter";
import { Dot, toneText } from "../../components/state";
import { cn } from "../../lib/cn";
import { hostsQuery } from "../../lib/queries";
import { gib, machinesOf, mark, memory } from "../../lib/words";
import { sums } from "./plan-words";

/** What one reads of a plan before its tree: how much, at what cost, on what. */
export function PlanSide({ plan }: { plan: Plan }) {
  const { t } = useTranslation("runs");
  const worst = plan.disruption;
  const tone = ({ none: "running", next_boot: "running", power_cycle: "attention", data_loss: "failed" } as const)[worst];
  const counted = sums(plan);
  return (
    <>
      <section className="flex flex-col gap-1 border-b border-line px-4 py-3">
        <ul>
          {counted.map(({ kind, count }) => {
            const { mark: sign, tone } = mark(kind, "none");
            return (
              <li key={kind} className="flex items-baseline gap-2">
                <span aria-hidden className={cn("w-3 text-center font-mono font-strong", toneText(tone))}>
                  {sign}
                </span>
                <span className="min-w-5 text-right font-strong">{count}</span>
                <span>{t(($) => $.plan.sums[kind])}</span>
              </li>
            );
          })}
        </ul>
        {plan.starts.length > 0 && <p className="pl-5 text-dim">{t(($) => $.plan.starts, { machines: machinesOf(plan.starts.length) })}</p>}
        {plan.configures.length > 0 && <p className="pl-5 text-dim">{t(($) => $.plan.configures, { machines: machinesOf(plan.configures.length) })}</p>}
        {counted.length === 0 && plan.starts.length === 0 && plan.configures.length === 0 && <p>{t(($) => $.plan.noMachine)}</p>}
        {plan.things.some(({ planned }) => planned.kind !== "create" || planned.disruption !== "none") && (
          <p className="flex items-start gap-2 pt-1">
            <span className="flex h-5 w-3 shrink-0 items-center justify-center">
              <Dot tone={tone} />
            </span>
            <span className={worst === "data_loss" || worst === "power_cycle" ? toneText(tone) : "text-dim"}>
              {worst === "data_loss" && plan.disks_lost ? t(($) => $.plan.lost, { disks: plan.disks_lost }) : t(($) => $.plan.worst[worst])}
            </span>
          </p>
        )}
      </section>
      {plan.hosts.length > 0 && (
        <section className="flex flex-col gap-3 border-b border-line px-4 py-3" aria-label={t(($) => $.plan.capacity)}>
          <h2 className="text-small text-dim">{t(($) => $.plan.capacity)}</h2>
          {plan.hosts.map((share) => (
            <Share key={share.host} share={share} />
          ))}
        </section>
      )}
      {plan.warnings.length > 0 && (
        <section className="flex flex-col gap-1.5 border-b border-line px-4 py-3">
          <h2 className="text-small text-dim">{t(($) => $.plan.warnings, { count: plan.warnings.length })}</h2>
          <ul className="selectable flex flex-col gap-1.5">
            {plan.warnings.map((warning) => (
              <li key={warning} className="flex items-start gap-2">
                <span className="flex h-5 w-3 shrink-0 items-center justify-center">
                  <Dot tone="attention" />
                </span>
                <span className="min-w-0 wrap-anywhere">{warning}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** What machines to start need of a host, against what it has, and how guests run there. */
function Share({ share: { host, kvm, why, needs_memory_mib: needs, has_memory_mib: has } }: { share: HostShare }) {
  const { t } = useTranslation("runs");
  const over = needs > has;
  const words = { needs: memory(needs), has: gib(has) };
  return (
    <div className="flex flex-col gap-1">
      <p className="flex items-baseline justify-between gap-3">
        <span className="truncate font-strong" title={host}>
          {host}
        </span>
        <span className={cn("shrink-0", over ? "text-failed" : "text-dim")}>{over ? t(($) => $.plan.over, words) : t(($) => $.plan.needs, words)}</span>
      </p>
      <Meter label={t(($) => $.plan.meter, { host })} parts={[{ amount: Math.min(needs, has), tone: over ? "failed" : needs > has * 0.8 ? "attention" : "changing" }]} total={has} className="w-full" />
      <p className="truncate text-small text-dim" title={why}>
        <span className={kvm ? "" : "text-attention"}>{kvm ? t(($) => $.plan.kvm) : t(($) => $.plan.tcg)}</span>: {why}
      </p>
    </div>
  );
}

/** On which hosts machines go that are placed nowhere yet; said once, for where there are several. */
export function HostChoice({ chosen, onPlan }: { chosen: string[]; onPlan: (hosts: string[]) => void }) {
  const { t } = useTranslation("runs");
  const hosts = useQuery(hostsQuery);
  const [wish, setWish] = useState<string[]>(chosen);
  if (!hosts.data || hosts.data.length < 2) return null;
  const same = wish.join(" ") === chosen.join(" ");
  return (
    <section role="group" aria-label={t(($) => $.plan.hosts)} className="flex flex-col gap-1.5 border-b border-line px-4 py-3">
      <h2 className="text-small text-dim">{t(($) => $.plan.hosts)}</h2>
      {hosts.data.map(({ name, address, user }) => (
        <label key={name} className="flex items-center gap-2">
          <Checkbox checked={wish.includes(name)} onChange={(event) => setWish(hosts.data.map((host) => host.name).filter((other) => (other === name ? event.target.checked : wish.includes(other))))} />
          <span className="truncate">{name}</span>
          {address && (
            <span className="truncate text-small text-dim" title={address}>
              {user ? `${user}@${address}` : address}
            </span>
          )}
        </label>
      ))}
      <p className="text-small text-dim">{t(($) => $.plan.hostsNote)}</p>
      {!same && (
        <Button className="self-start" onClick={() => onPlan(wish)}>
          {t(($) => $.plan.hostsChange)}
        </Button>
      )}
    </section>
  );
}
