import type { Plan, PlannedThing } from "../../bindings";
import { Notice } from "../../components/notice";
import { State, toneText } from "../../components/state";
import { disruptions, gib, machinesOf, mark, memory } from "../../lib/words";

/** What a plan does, as a tree: networks, machines, and the resources behind each. */
export function PlanView({ plan }: { plan: Plan }) {
  const of = (noun: string) => plan.things.filter((thing) => thing.planned.noun === noun);
  const others = plan.things.filter((thing) => !["network", "machine"].includes(thing.planned.noun));
  // Machines that are only powered on or configured have no change of Terraform's.
  const untouched = (names: string[]) => names.filter((name) => !plan.things.some((thing) => thing.planned.name === name && thing.planned.noun === "machine"));
  return (
    <>
      {plan.warnings.length > 0 && <Notice tone="attention" title={plan.warnings.length === 1 ? "One thing to know first" : `${plan.warnings.length} things to know first`} details={plan.warnings} />}
      <div className="overflow-hidden rounded-ui border border-line bg-panel shrink-0" role="tree" aria-label={`Plan of ${plan.lab}`}>
        <Group title="Networks" things={of("network")} />
        <Group title="Machines" things={of("machine")} />
        <Group title="Other" things={others} />
        <Names title="Powered on" names={untouched(plan.starts)} sentence="is powered on" />
        <Names title="Configured" names={untouched(plan.configures)} sentence="is waited for, then configured with Ansible" />
      </div>
      {plan.starts.length > 0 && <Capacity plan={plan} />}
      <p className="text-small text-dim">
        Terraform's files and the saved plan: <span className="selectable font-mono">{plan.terraform_dir}</span>
      </p>
    </>
  );
}

function Group({ title, things }: { title: string; things: PlannedThing[] }) {
  if (things.length === 0) return null;
  return (
    <section role="group" aria-label={title} className="border-b border-line last:border-0">
      <h2 className="flex h-7 items-center gap-1.5 bg-window px-3 text-small text-dim">
        {title} <span>{things.length}</span>
      </h2>
      {things.map((thing) => (
        <Thing key={thing.planned.name} thing={thing} />
      ))}
    </section>
  );
}

function Thing({ thing: { planned, changes } }: { thing: PlannedThing }) {
  const { mark: sign, word, tone } = mark(planned.kind, planned.disruption);
  const disruption = disruptions[planned.disruption];
  return (
    <details role="treeitem" aria-label={`${planned.name} ${planned.sentence}`} className="group border-t border-line">
      <summary className="flex min-h-8 list-none items-baseline gap-2 px-3 py-1 hover:bg-hover [&::-webkit-details-marker]:hidden">
        <span aria-hidden className="w-2 text-small text-dim transition-transform duration-120 group-open:rotate-90">
          ›
        </span>
        <span className={`w-3 text-center font-mono font-strong ${toneText(tone)}`} title={word} role="img" aria-label={word}>
          {sign}
        </span>
        <span className="font-strong">{planned.name}</span>
        <span className="min-w-0 text-dim wrap-anywhere">{planned.sentence}</span>
        {disruption && (
          <span className="ml-auto pl-3">
            <State {...disruption} />
          </span>
        )}
      </summary>
      <ul className="selectable pb-1.5 pl-11 font-mono text-small text-dim">
        {changes.map((change) => {
          const { mark: sign, word } = mark(change.kind, "none");
          return (
            <li key={change.address} className="wrap-anywhere">
              <span aria-label={word}>{sign}</span> {change.address}
              {change.attributes.length > 0 && `  ${change.attributes.join(", ")}`}
            </li>
          );
        })}
      </ul>
    </details>
  );
}

function Names({ title, names, sentence }: { title: string; names: string[]; sentence: string }) {
  if (names.length === 0) return null;
  return (
    <section role="group" aria-label={title} className="border-b border-line last:border-0">
      <h2 className="flex h-7 items-center gap-1.5 bg-window px-3 text-small text-dim">
        {title} <span>{names.length}</span>
      </h2>
      {names.map((name) => (
        <div key={name} role="treeitem" className="flex min-h-8 items-baseline gap-2 border-t border-line px-3 py-1">
          <span className="ml-4 w-3" />
          <span className="font-strong">{name}</span>
          <span className="text-dim">{sentence}</span>
        </div>
      ))}
    </section>
  );
}

/** What the machines to start need of the host, against what it has, and how guests run there. */
function Capacity({ plan }: { plan: Plan }) {
  const { needs_memory_mib: needs, has_memory_mib: has } = plan;
  const over = needs > has;
  return (
    <dl className="grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-1.5 rounded-ui border border-line bg-panel px-3 py-2.5">
      <dt className="text-dim">Memory</dt>
      <dd className="flex items-center gap-3">
        <span
          className="h-2 w-56 overflow-hidden rounded-[2px] border border-line-strong bg-window"
          role="meter"
          aria-label="Memory needed of what the host has free"
          aria-valuemin={0}
          aria-valuemax={has}
          aria-valuenow={Math.min(needs, has)}
        >
          <span className={`block h-full ${over ? "bg-attention" : "bg-stopped"}`} style={{ width: `${Math.min(100, (needs / Math.max(1, has)) * 100)}%` }} />
        </span>
        <span className={over ? "text-attention" : ""}>
          {machinesOf(plan.starts.length)} need{plan.starts.length === 1 ? "s" : ""} {memory(needs)} of {gib(has)} free
        </span>
      </dd>
      <dt className="text-dim">Guests run on</dt>
      <dd className="selectable">
        <span className={plan.kvm ? "" : "text-attention"}>{plan.kvm ? "KVM" : "TCG (emulation, slow)"}</span>
        <span className="text-dim">: {plan.why}</span>
      </dd>
    </dl>
  );
}

/** Counts of a plan, in words: what the page says before one reads it. */
export function planSentence(plan: Plan): string {
  if (plan.empty) return "nothing to do, everything is as designed";
  const parts = ["created", "changed", "made anew", "taken away"].flatMap((word) => {
    const things = plan.things.filter(({ planned }) => mark(planned.kind, planned.disruption).word === word);
    const nouns = [...new Set(things.map(({ planned }) => planned.noun))].map((noun) => {
      const count = things.filter(({ planned }) => planned.noun === noun).length;
      return `${count} ${noun}${count === 1 ? "" : "s"}`;
    });
    return nouns.length > 0 ? [`${nouns.join(" and ")} ${word}`] : [];
  });
  if (parts.length === 0 && plan.starts.length > 0) parts.push(`${machinesOf(plan.starts.length)} powered on`);
  if (parts.length === 0 && plan.configures.length > 0) parts.push(`${machinesOf(plan.configures.length)} configured`);
  // What is left is no machine's: published ports, or our record of a run that did not end well.
  if (parts.length === 0) parts.push("no machine changes; the lab counts as deployed again, with its ports open");
  return parts.join(", ");
}

/** What the primary button does. */
export function deployWords(plan: Plan): string {
  const machines = new Set([...plan.starts, ...plan.configures, ...plan.things.flatMap(({ planned }) => (planned.noun === "machine" ? [planned.name] : []))]);
  if (machines.size === 0 && plan.things.length === 0) return "Finish the deploy";
  return machines.size === 0 ? `Deploy ${plan.things.length === 1 ? "1 change" : `${plan.things.length} changes`}` : `Deploy ${machinesOf(machines.size)}`;
}
