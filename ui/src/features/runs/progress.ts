// How far a run is, out of its events: a pure reducer, so that a reload and a second window come to the same.

import type { EventBody, Phase, ResourceState, RunEvent, RunStatus } from "../../bindings";
import { phases, phaseWords, sentence } from "../../lib/words";

export type Failure = { machine: string | null; message: string; hint: string; evidence: string | null };

export type MachineProgress = {
  name: string;
  /** When each phase was reached, in milliseconds since 1970. */
  reached: Partial<Record<Phase, number>>;
  /** How many phases in a row, from the first, are behind it. */
  done: number;
  address: string | null;
  /** What is done with it now, in words. */
  doing: string | null;
  waiting: { reason: string; remedy: string } | null;
  failed: Failure | null;
  since: number;
};

export type LogLine = { seq: number; at: number; machine: string | null; text: string; tone: "plain" | "dim" | "good" | "bad" };

export type Progress = {
  next: number;
  began: number | null;
  last: number | null;
  step: string | null;
  transfer: { what: string; done: number; total: number } | null;
  resources: Record<string, ResourceState>;
  machines: MachineProgress[];
  failures: Failure[];
  log: LogLine[];
  /** Lines that were left out at the beginning of the log. */
  dropped: number;
  ended: { status: RunStatus; sentence: string } | null;
};

/** What a page can show without becoming slow; `vlm logs` has it all. */
const LOG_LIMIT = 2_000;

export const begin = (machines: string[]): Progress => ({
  next: 1,
  began: null,
  last: null,
  step: null,
  transfer: null,
  resources: {},
  machines: machines.map(newMachine),
  failures: [],
  log: [],
  dropped: 0,
  ended: null,
});

const newMachine = (name: string): MachineProgress => ({
  name,
  reached: {},
  done: 0,
  address: null,
  doing: null,
  waiting: null,
  failed: null,
  since: 0,
});

/** Adds a batch of events. Events that were seen before change nothing. */
export function advance(before: Progress, events: RunEvent[]): Progress {
  const news = events.filter((event) => event.seq >= before.next);
  if (news.length === 0) return before;
  const after: Progress = { ...before, resources: { ...before.resources }, machines: [...before.machines], failures: [...before.failures] };
  const lines: LogLine[] = [];
  for (const event of news) {
    if (event.seq < after.next) continue;
    after.next = event.seq + 1;
    after.began ??= event.at_ms;
    after.last = event.at_ms;
    apply(after, event);
    const line = logLine(event);
    if (line && !isRepeated(event.body, after.failures)) lines.push({ ...line, seq: event.seq, at: event.at_ms, machine: event.machine });
  }
  const log = [...before.log, ...lines];
  const over = Math.max(0, log.length - LOG_LIMIT);
  after.log = over ? log.slice(over) : log;
  after.dropped = before.dropped + over;
  return after;
}

function apply(run: Progress, event: RunEvent) {
  const { body, machine } = event;
  switch (body.kind) {
    case "step":
      if (machine) change(run, machine, (m) => ({ ...m, doing: body.text, waiting: null, since: event.at_ms }));
      else {
        run.step = body.text;
        run.transfer = null;
      }
      break;
    case "transfer":
      run.transfer = body.done_mib < body.total_mib ? { what: body.what, done: body.done_mib, total: body.total_mib } : null;
      break;
    case "resource":
      run.resources[body.address] = body.state;
      break;
    case "phase":
      if (machine)
        change(run, machine, (m) => ({
          ...m,
          reached: { ...m.reached, [body.phase]: event.at_ms },
          done: Math.max(m.done, phases.indexOf(body.phase) + 1),
          address: body.address ?? m.address,
          doing: null,
          waiting: null,
          since: event.at_ms,
        }));
      break;
    case "waiting":
      if (machine) change(run, machine, (m) => ({ ...m, waiting: { reason: body.reason, remedy: body.remedy } }));
      break;
    case "task":
      if (machine) change(run, machine, (m) => ({ ...m, doing: `task: ${body.task}`, waiting: null }));
      break;
    case "failed": {
      const failure = { machine, message: body.message, hint: body.hint, evidence: body.evidence };
      // The run's own failure only counts the machines': theirs say more.
      run.failures.push(failure);
      if (machine) change(run, machine, (m) => ({ ...m, failed: failure, waiting: null, doing: null, since: event.at_ms }));
      break;
    }
    case "ended":
      run.ended = { status: body.status, sentence: body.sentence };
      run.transfer = null;
      run.machines = run.machines.map((m) => (m.doing || m.waiting ? { ...m, doing: null, waiting: null } : m));
      break;
    case "log":
      break;
  }
}

/** A run that failed ends with the words of its failure. */
const isRepeated = (body: EventBody, failures: Failure[]) =>
  body.kind === "ended" && failures.some((failure) => failure.machine === null && failure.message === body.sentence);

function change(run: Progress, name: string, to: (machine: MachineProgress) => MachineProgress) {
  const index = run.machines.findIndex((machine) => machine.name === name);
  const found = run.machines[index];
  if (found) run.machines[index] = to(found);
  else run.machines.push(to(newMachine(name)));
}

function logLine({ body }: RunEvent): Pick<LogLine, "text" | "tone"> | null {
  switch (body.kind) {
    case "step":
      return { text: body.text, tone: "plain" };
    case "transfer":
      return null;
    case "resource":
      switch (body.state) {
        case "started":
          return { text: `${body.action} ${body.address}`, tone: "dim" };
        case "going":
          return { text: `${body.action} ${body.address}: going on for ${body.seconds} s`, tone: "dim" };
        case "done":
          return { text: `${body.action} ${body.address}: done after ${body.seconds} s`, tone: "dim" };
        case "failed":
          return { text: `${body.action} ${body.address}: failed`, tone: "bad" };
      }
      break;
    case "phase":
      return { text: phaseWords[body.phase] + (body.address ? ` (${body.address})` : ""), tone: body.phase === "configured" ? "good" : "plain" };
    case "waiting":
      return { text: `waiting: ${body.reason}`, tone: "plain" };
    case "task":
      return body.outcome === "started"
        ? { text: `task: ${body.task}`, tone: "dim" }
        : { text: `task: ${body.task}: ${body.outcome}`, tone: body.outcome === "failed" ? "bad" : "plain" };
    case "log":
      return { text: `${body.source}: ${body.text}`, tone: /^error/i.test(body.text) ? "bad" : "dim" };
    case "failed":
      return { text: `failed: ${body.message}`, tone: "bad" };
    case "ended":
      return { text: `${body.status}: ${body.sentence}`, tone: body.status === "done" ? "good" : "bad" };
  }
}

/** What a machine waits for now: the step after the last one that is behind it. */
export function nextPhase(machine: MachineProgress): Phase | null {
  return phases[machine.done] ?? null;
}

/** Whether it was powered on in this run and is not done: one that is only defined waits for its turn. */
export function underWay(machine: MachineProgress): boolean {
  return !machine.failed && nextPhase(machine) !== null && (machine.done >= 2 || machine.doing !== null || machine.waiting !== null);
}

/** What the whole run is at, in words. */
export function doing(run: Progress): string {
  const ready = run.machines.filter((machine) => nextPhase(machine) === null).length;
  if (ready > 0 || run.machines.some((machine) => machine.done >= 2)) return `Bringing machines up: ${ready} of ${run.machines.length} ready`;
  return sentence(run.step ?? "waiting for its first word");
}
