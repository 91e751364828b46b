// How far a run is, from its events: what it does now, and how many machines are ready.

import { useEffect, useReducer } from "react";
import type { CommandError, RunEvent, RunId } from "../../bindings";
import { followRun } from "../../ipc";

export type Progress = { step: string | null; ready: ReadonlySet<string>; error: CommandError | null };

export const start: Progress = { step: null, ready: new Set(), error: null };

export function advance(progress: Progress, events: RunEvent[]): Progress {
  let { step, ready } = progress;
  for (const { machine, body } of events) {
    if (body.kind === "step" && machine === null) step = body.text;
    if (body.kind === "phase" && body.phase === "configured" && machine !== null) ready = new Set([...ready, machine]);
  }
  return { ...progress, step, ready };
}

export function useProgress(run: RunId): Progress {
  const [progress, tell] = useReducer((now: Progress, what: RunEvent[] | CommandError) => (Array.isArray(what) ? advance(now, what) : { ...now, error: what }), start);
  useEffect(() => followRun(run, tell, (error) => error && tell(error)), [run]);
  return progress;
}
