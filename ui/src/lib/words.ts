// The one meaning that each state and kind has in colour; its word is in the language of the interface.

import type { ChangeKind, Disruption, DomainState, LabState, MachineStatus, Phase, RunKind, RunStatus } from "../bindings";
import { i18next } from "../i18n";

export type Tone = "running" | "changing" | "stopped" | "attention" | "failed" | "unknown";
export type Worded = { tone: Tone; word: string };

const t = i18next.t;

const labTones: Record<LabState, Tone> = { designed: "unknown", deployed: "running", changing: "changing", incomplete: "attention", stopped: "stopped" };
export const labState = (state: LabState): Worded => ({ tone: labTones[state], word: t(($) => $.states[state]) });

const domainTones: Record<DomainState, Tone> = {
  running: "running",
  paused: "attention",
  shutting_down: "changing",
  shut_off: "stopped",
  crashed: "failed",
  suspended: "attention",
};
export const domainState = (state: DomainState): Worded => ({ tone: domainTones[state], word: t(($) => $.states[state]) });

export function machineState(machine: Pick<MachineStatus, "state">, lab: LabState, known: boolean): Worded {
  if (machine.state) return domainState(machine.state);
  if (!known) return { tone: "unknown", word: t(($) => $.states.unknown) };
  return { tone: "unknown", word: lab === "designed" ? t(($) => $.states.notDeployed) : t(($) => $.states.noDomain) };
}

const runTones: Record<RunStatus, Tone> = { running: "changing", done: "running", failed: "failed", cancelled: "attention", cut_off: "failed" };
export const runState = (status: RunStatus): Worded => ({ tone: runTones[status], word: status === "running" ? t(($) => $.states.atWork) : t(($) => $.states[status]) });
export const runKind = (kind: RunKind): string => t(($) => $.runKinds[kind]);
/** A run as the object of a sentence. */
export const theRun = (kind: RunKind): string => t(($) => $.theRuns[kind]);

export const phases: Phase[] = ["defined", "booting", "address", "ssh", "cloud_init", "configured"];
export const phaseWord = (phase: Phase): string => t(($) => $.phases[phase]);

const disruptionTones: Record<Exclude<Disruption, "none">, Tone> = { next_boot: "unknown", power_cycle: "attention", data_loss: "failed" };
export const disruption = (what: Disruption): Worded | null => (what === "none" ? null : { tone: disruptionTones[what], word: t(($) => $.disruptions[what]) });

/** The mark of a change in a plan: + made, ~ changed, ! made anew or losing data, − taken away. */
export function mark(kind: ChangeKind, cost: Disruption): { mark: string; word: string; tone: Tone } {
  if (kind === "delete") return { mark: "−", word: t(($) => $.marks.delete), tone: "failed" };
  if (cost === "data_loss" || kind === "replace") return { mark: "!", word: t(($) => $.marks.replace), tone: "attention" };
  if (kind === "update") return { mark: "~", word: t(($) => $.marks.update), tone: "changing" };
  return { mark: "+", word: t(($) => $.marks.create), tone: "running" };
}

/** The engine's words begin in lower case; on a page of their own they are a sentence. */
export const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export const machinesOf = (count: number): string => t(($) => $.machines, { count });

/** A size as designed: exact. */
export const memory = (mib: number) => (mib >= 1024 && mib % 256 === 0 ? `${mib / 1024} GiB` : `${mib} MiB`);
/** A size as measured. */
export const gib = (mib: number) => `${(mib / 1024).toFixed(1)} GiB`;
/** Bytes a second. */
export function rate(bps: number): string {
  const [n, unit] = bps < 1_000 ? [bps, "B/s"] : bps < 1e6 ? [bps / 1e3, "kB/s"] : bps < 1e9 ? [bps / 1e6, "MB/s"] : [bps / 1e9, "GB/s"];
  return `${n < 10 && unit !== "B/s" ? n.toFixed(1) : Math.round(n)} ${unit}`;
}

export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${rest} min` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
}

/** A moment as a list shows it: the time today, else the day and time. */
export function moment(rfc3339: string, now = new Date()): string {
  const at = new Date(rfc3339);
  const time = `${String(at.getHours()).padStart(2, "0")}:${String(at.getMinutes()).padStart(2, "0")}`;
  if (at.toDateString() === now.toDateString()) return t(($) => $.today, { time });
  const day = `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
  return `${day} ${time}`;
}
