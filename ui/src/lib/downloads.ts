// Images on their way here. They go on when the page changes, so they are kept beside the pages, not in one.

import { useSyncExternalStore } from "react";
import type { CommandError, PullProgress } from "../bindings";
import { i18next } from "../i18n";
import { buildImage, commandError, ipc, pullImage } from "../ipc";
import { mention } from "./toasts";

export type Source = { kind: "catalog" } | { kind: "address"; url: string; sha256: string | null } | { kind: "recipe" };

export type Download = {
  name: string;
  source: Source;
  /** Stopped and failed ones go on where they stopped. */
  state: "working" | "stopping" | "stopped" | "failed";
  /** What is done now, where it is no transfer. */
  step: string | null;
  done_mib: number;
  total_mib: number | null;
  /** MiB a second, over the last seconds; null while nobody knows. */
  speed: number | null;
  error: CommandError | null;
};

/** Over how long speed is measured. */
const WINDOW_MS = 5_000;

let downloads: Download[] = [];
const seen = new Map<string, { at: number; mib: number }[]>();
const listeners = new Set<() => void>();
const set = (next: Download[]) => {
  downloads = next;
  for (const listener of listeners) listener();
};
const change = (name: string, what: Partial<Download>) => set(downloads.map((one) => (one.name === name ? { ...one, ...what } : one)));

export const useDownloads = () =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => downloads,
  );

/** Begins a download, or goes on with one that stopped. One at a time of a name. */
export async function fetchImage(name: string, source: Source) {
  const old = downloads.find((one) => one.name === name);
  if (old && (old.state === "working" || old.state === "stopping")) return;
  const begun: Download = { name, source, state: "working", step: null, done_mib: old?.done_mib ?? 0, total_mib: old?.total_mib ?? null, speed: null, error: null };
  seen.delete(name);
  set([...downloads.filter((one) => one !== old), begun]);
  const progress = ({ step, done_mib, total_mib }: PullProgress) => change(name, { step, done_mib, total_mib, speed: speedOf(name, done_mib) });
  try {
    if (source.kind === "recipe") await buildImage(name, (step) => change(name, { step }));
    else if (source.kind === "address") await pullImage(name, source.url, source.sha256, progress);
    else await pullImage(name, null, null, progress);
    set(downloads.filter((one) => one.name !== name));
    mention(i18next.t(($) => $.arrived, { ns: "images", name }));
  } catch (error) {
    const said = commandError(error);
    change(name, said.code === "cancelled" ? { state: "stopped", speed: null } : { state: "failed", speed: null, error: said });
  }
}

export async function stopDownload(name: string) {
  const one = downloads.find((download) => download.name === name);
  if (one?.state !== "working") return;
  change(name, { state: "stopping" });
  try {
    if (one.source.kind === "recipe") await ipc.cancelBuild(name);
    else await ipc.cancelPull(name);
  } catch (error) {
    change(name, { state: "failed", error: commandError(error) });
  }
}

export const resumeDownload = ({ name, source }: Download) => fetchImage(name, source);
/** Takes one that stopped from the list. */
export const dismissDownload = (name: string) => set(downloads.filter((one) => one.name !== name || one.state === "working" || one.state === "stopping"));

function speedOf(name: string, mib: number): number | null {
  const now = Date.now();
  const marks = (seen.get(name) ?? []).filter(({ at }) => now - at <= WINDOW_MS);
  seen.set(name, [...marks, { at: now, mib }]);
  const first = marks[0];
  return first && now - first.at >= 1_000 ? Math.max(0, (mib - first.mib) / ((now - first.at) / 1_000)) : null;
}
