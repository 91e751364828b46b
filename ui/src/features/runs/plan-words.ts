// A plan in numbers and words.

import type { ChangeKind, Plan, PlannedThing } from "../../bindings";

/** Machines that a plan touches, each once. */
export function touched(plan: Plan): string[] {
  const changed = plan.things.flatMap(({ planned }) => (planned.noun === "machine" ? [planned.name] : []));
  return [...new Set([...changed, ...plan.starts, ...plan.configures])];
}

/** What loses data, as far as somebody could mind: what is made anew, and disks that are taken away. */
export const losing = (plan: Plan): PlannedThing[] => plan.things.filter(({ planned }) => planned.disruption === "data_loss");

/** How many things are made, changed, made anew and taken away. */
export function sums(plan: Plan): { kind: ChangeKind; count: number }[] {
  const kindOf = ({ planned }: PlannedThing): ChangeKind => (planned.kind === "update" && planned.disruption === "data_loss" ? "replace" : planned.kind);
  const kinds: ChangeKind[] = ["create", "update", "replace", "delete"];
  return kinds.map((kind) => ({ kind, count: plan.things.filter((thing) => kindOf(thing) === kind).length })).filter(({ count }) => count > 0);
}

export type Row = { name: string; thing: PlannedThing | null; starts: boolean; configures: boolean };
export type Group = { noun: "network" | "machine" | "other"; rows: Row[] };

/** Networks, machines and the rest; machines that are only powered on or configured stand among the machines. */
export function groups(plan: Plan): Group[] {
  const row = (name: string, thing: PlannedThing | null): Row => ({ name, thing, starts: plan.starts.includes(name), configures: plan.configures.includes(name) });
  const of = (noun: string) => plan.things.filter(({ planned }) => planned.noun === noun);
  const machines = of("machine").map((thing) => row(thing.planned.name, thing));
  const known = new Set(machines.map(({ name }) => name));
  const rest = touched(plan).filter((name) => !known.has(name));
  const all: Group[] = [
    { noun: "network", rows: of("network").map((thing) => ({ name: thing.planned.name, thing, starts: false, configures: false })) },
    { noun: "machine", rows: [...machines, ...rest.map((name) => row(name, null))] },
    { noun: "other", rows: plan.things.filter(({ planned }) => planned.noun !== "network" && planned.noun !== "machine").map((thing) => ({ name: thing.planned.name, thing, starts: false, configures: false })) },
  ];
  return all.filter(({ rows }) => rows.length > 0);
}
