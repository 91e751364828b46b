// What a machine did in the last ten minutes, as columns that a chart takes as they are.

import { useEffect, useReducer, useState } from "react";
import type { CommandError, MachineSample } from "../../bindings";
import { followStats } from "../../ipc";

export const KEPT_MS = 10 * 60_000;

/** `at` is in seconds since 1970, as charts count. */
export type Samples = { at: number[]; cpu: number[]; memory: (number | null)[]; read: number[]; write: number[]; rx: number[]; tx: number[] };

export const NO_SAMPLES: Samples = { at: [], cpu: [], memory: [], read: [], write: [], rx: [], tx: [] };

/** Adds samples of a machine, in order; each moment once, and none that is older than ten minutes. */
export function addSamples(before: Samples, samples: MachineSample[], machine: string): Samples {
  let last = before.at.at(-1) ?? Number.NEGATIVE_INFINITY;
  const news = samples.filter((sample) => {
    if (sample.machine !== machine || sample.at_ms / 1_000 <= last) return false;
    last = sample.at_ms / 1_000;
    return true;
  });
  if (news.length === 0) return before;
  const from = before.at.findIndex((at) => at >= last - KEPT_MS / 1_000);
  const start = from < 0 ? before.at.length : from;
  const column = <Key extends keyof Samples>(key: Key, value: (sample: MachineSample) => Samples[Key][number]) =>
    [...before[key].slice(start), ...news.filter(({ at_ms }) => at_ms / 1_000 >= last - KEPT_MS / 1_000).map(value)] as Samples[Key];
  return {
    at: column("at", ({ at_ms }) => at_ms / 1_000),
    cpu: column("cpu", ({ cpu_percent }) => cpu_percent),
    memory: column("memory", ({ memory_used_mib }) => memory_used_mib),
    read: column("read", ({ disk_read_bps }) => disk_read_bps),
    write: column("write", ({ disk_write_bps }) => disk_write_bps),
    rx: column("rx", ({ net_rx_bps }) => net_rx_bps),
    tx: column("tx", ({ net_tx_bps }) => net_tx_bps),
  };
}

/** Follows a machine's load while its page is open. */
export function useSamples(lab: string, machine: string): { samples: Samples; error: CommandError | null } {
  const [samples, add] = useReducer((before: Samples, news: MachineSample[]) => addSamples(before, news, machine), NO_SAMPLES);
  const [error, setError] = useState<CommandError | null>(null);
  useEffect(() => followStats(lab, add, setError), [lab]);
  return { samples, error };
}
