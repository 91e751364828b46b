// The tools' own words for states and kinds, and the one meaning that each has in colour.

import type { ChangeKind, Disruption, DomainState, LabState, MachineStatus, Phase, RunKind, RunStatus } from "../bindings";

export type Tone = "running" | "changing" | "stopped" | "attention" | "failed" | "unknown";
export type Worded = { tone: Tone; word: string };

export const labStates: Record<LabState, Worded> = {
  designed: { tone: "unknown", word: "designed" },
  deployed: { tone: "running", word: "deployed" },
  changing: { tone: "changing", word: "changing" },
  incomplete: { tone: "attention", word: "incomplete" },
  stopped: { tone: "stopped", word: "stopped" },
};

export const domainStates: Record<DomainState, Worded> = {
  running: { tone: "running", word: "running" },
  paused: { tone: "attention", word: "paused" },
  shutting_down: { tone: "changing", word: "shutting down" },
  shut_off: { tone: "stopped", word: "shut off" },
  crashed: { tone: "failed", word: "crashed" },
  suspended: { tone: "attention", word: "suspended" },
};

export function machineState(machine: MachineStatus, lab: LabState, known: boolean): Worded {
  if (machine.state) return domainStates[machine.state];
  if (!known) return { tone: "unknown", word: "unknown" };
  return { tone: "unknown", word: lab === "designed" ? "not deployed" : "no domain" };
}

export const runStates: Record<RunStatus, Worded> = {
  running: { tone: "changing", word: "running" },
  done: { tone: "running", word: "done" },
  failed: { tone: "failed", word: "failed" },
  cancelled: { tone: "attention", word: "cancelled" },
  cut_off: { tone: "failed", word: "cut off" },
};

export const runKinds: Record<RunKind, string> = { deploy: "Deploy", start: "Start", stop: "Shut down", destroy: "Destroy" };

export const phases: Phase[] = ["defined", "booting", "address", "ssh", "cloud_init", "configured"];
export const phaseWords: Record<Phase, string> = {
  defined: "Defined",
  booting: "Booting",
  address: "Address",
  ssh: "SSH",
  cloud_init: "cloud-init",
  configured: "Configured",
};

export const disruptions: Record<Disruption, Worded | null> = {
  none: null,
  next_boot: { tone: "unknown", word: "at next boot" },
  power_cycle: { tone: "attention", word: "power cycle" },
  data_loss: { tone: "failed", word: "data loss" },
};

/** The mark of a change in a plan: + made, ~ changed, ! made anew or losing data, − taken away. */
export function mark(kind: ChangeKind, disruption: Disruption): { mark: string; word: string; tone: Tone } {
  if (kind === "delete") return { mark: "−", word: "taken away", tone: "failed" };
  if (disruption === "data_loss" || kind === "replace") return { mark: "!", word: "made anew", tone: "attention" };
  if (kind === "update") return { mark: "~", word: "changed", tone: "changing" };
  return { mark: "+", word: "created", tone: "running" };
}

/** The engine's words begin in lower case; on a page of their own they are a sentence. */
export const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

export const machinesOf = (count: number) => (count === 1 ? "1 machine" : `${count} machines`);

/** A size as designed: exact. */
export const memory = (mib: number) => (mib >= 1024 && mib % 256 === 0 ? `${mib / 1024} GiB` : `${mib} MiB`);
/** A size as measured. */
export const gib = (mib: number) => `${(mib / 1024).toFixed(1)} GiB`;

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
  if (at.toDateString() === now.toDateString()) return `today ${time}`;
  const day = `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
  return `${day} ${time}`;
}
