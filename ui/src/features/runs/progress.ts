// How far a run is, out of its events: a pure reducer, so that a reload and a second window come to the same.

import type { Phase, RunEvent, RunStatus } from "../../bindings";
import { phases } from "../../lib/words";

export type Failure = { machine: string | null; message: string; hint: string; evidence: string | null; at: number };
/** Something that is done for a while; it goes on where `to` is null. */
export type Step = { text: string; from: number; to: number | null };

export type MachineProgress = {
  name: string;
  /** When each phase was reached, in milliseconds since 1970. */
  reached: Partial<Record<Phase, number>>;
  /** How many phases in a row, from the first, are behind it. */
  done: number;
  address: string | null;
  /** What was done with it, in words. */
  steps: Step[];
  /** The task that Ansible is at. */
  task: string | null;
  waiting: { reason: string; remedy: string } | null;
  failed: Failure | null;
};

export type Progress = {
  next: number;
  began: number | null;
  last: number | null;
  /** What the run itself did, before and beside its machines. */
  steps: Step[];
  transfer: { what: string; done: number; total: number } | null;
  machines: MachineProgress[];
  failures: Failure[];
  ended: { status: RunStatus; sentence: string } | null;
};

export const begin = (): Progress => ({ next: 1, began: null, last: null, steps: [], transfer: null, machines: [], failures: [], ended: null });

const newMachine = (name: string): MachineProgress => ({ name, reached: {}, done: 0, address: null, steps: [], task: null, waiting: null, failed: null });

/** Adds a batch of events. Events that were seen before change nothing. */
export function advance(before: Progress, events: RunEvent[]): Progress {
  if (!events.some(({ seq }) => seq >= before.next)) return before;
  const after: Progress = { ...before };
  let places: Map<string, number> | null = null;
  const change = (name: string, to: (machine: MachineProgress) => MachineProgress) => {
    if (!places) {
      after.machines = [...after.machines];
      places = new Map(after.machines.map(({ name }, index) => [name, index]));
    }
    const index = places.get(name) ?? after.machines.length;
    places.set(name, index);
    after.machines[index] = to(after.machines[index] ?? newMachine(name));
  };
  for (const event of events) {
    if (event.seq < after.next) continue;
    after.next = event.seq + 1;
    after.began ??= event.at_ms;
    after.last = event.at_ms;
    apply(after, event, change);
  }
  return after;
}

function apply(run: Progress, { body, machine, at_ms: at }: RunEvent, change: (name: string, to: (machine: MachineProgress) => MachineProgress) => void) {
  switch (body.kind) {
    case "step": {
      const step = { text: body.text, from: at, to: null };
      if (machine) change(machine, (m) => ({ ...m, steps: [...over(m.steps, at), step], task: null, waiting: null }));
      else {
        run.steps = [...over(run.steps, at), step];
        run.transfer = null;
      }
      break;
    }
    case "transfer":
      run.transfer = body.done_mib < body.total_mib ? { what: body.what, done: body.done_mib, total: body.total_mib } : null;
      break;
    case "phase":
      // From the first machine that is powered on, they say what goes on.
      if (body.phase === "booting") {
        run.steps = over(run.steps, at);
        run.transfer = null;
      }
      if (machine)
        change(machine, (m) => ({
          ...m,
          reached: { ...m.reached, [body.phase]: at },
          done: Math.max(m.done, phases.indexOf(body.phase) + 1),
          address: body.address ?? m.address,
          steps: over(m.steps, at),
          task: null,
          waiting: null,
        }));
      break;
    case "waiting":
      if (machine) change(machine, (m) => ({ ...m, waiting: { reason: body.reason, remedy: body.remedy } }));
      break;
    case "task":
      if (machine) change(machine, (m) => ({ ...m, task: body.task, waiting: null }));
      break;
    case "failed": {
      const failure = { machine, message: body.message, hint: body.hint, evidence: body.evidence, at };
      run.failures = [...run.failures, failure];
      if (machine) change(machine, (m) => ({ ...m, failed: failure, steps: over(m.steps, at), waiting: null, task: null }));
      break;
    }
    case "ended":
      run.ended = { status: body.status, sentence: body.sentence };
      run.transfer = null;
      run.steps = over(run.steps, at);
      run.machines = run.machines.map((m) => ({ ...m, steps: over(m.steps, at), task: null, waiting: null }));
      break;
    case "resource":
    case "log":
      break;
  }
}

/** Whether a page would look the same: only lines of the log came. */
export const looksSame = (a: Progress, b: Progress) =>
  a.machines === b.machines && a.steps === b.steps && a.failures === b.failures && a.transfer === b.transfer && a.ended === b.ended && a.began === b.began;

/** The same steps, the last of them over. */
function over(steps: Step[], at: number): Step[] {
  const last = steps.at(-1);
  return last && last.to === null ? [...steps.slice(0, -1), { ...last, to: at }] : steps;
}

/** What a machine waits for now: the phase after the last one that is behind it. */
export const nextPhase = (machine: MachineProgress): Phase | null => phases[machine.done] ?? null;

/** When it reached the last phase that is behind it. */
export function lastReached({ reached }: MachineProgress): number | null {
  const times = Object.values(reached);
  return times.length > 0 ? Math.max(...times) : null;
}

/** Whether it was powered on in this run and is not done: one that is only defined waits for its turn. */
export function underWay(machine: MachineProgress): boolean {
  return !machine.failed && nextPhase(machine) !== null && (machine.done >= 2 || machine.waiting !== null || machine.task !== null || machine.steps.at(-1)?.to === null);
}

export const ready = (run: Progress): number => run.machines.filter((machine) => nextPhase(machine) === null).length;

/** The failures to show: where machines failed, the run's own only counts them. */
export function causes({ failures }: Progress): Failure[] {
  const ofMachines = failures.filter(({ machine }) => machine !== null);
  return ofMachines.length > 0 ? ofMachines : failures;
}
