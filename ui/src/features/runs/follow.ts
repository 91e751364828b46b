import { useEffect, useReducer, useState } from "react";
import type { CommandError, RunEvent, RunId } from "../../bindings";
import { followRun } from "../../ipc";
import { advance, begin, type Progress } from "./progress";

export type Followed = { run: Progress; over: boolean; error: CommandError | null };

/** A run from its beginning, then as it goes on. `machines` gives the order of the lines. */
export function useRun(id: RunId, machines: string[]): Followed {
  const [run, add] = useReducer<Progress, [RunEvent[]]>(advance, begin([]));
  const [end, setEnd] = useState<{ error: CommandError | null } | null>(null);
  useEffect(() => followRun(id, add, (error) => setEnd({ error })), [id]);
  return { run: ordered(run, machines), over: end !== null || run.ended !== null, error: end?.error ?? null };
}

/** Machines in the order of the lab, of which the run spoke. */
function ordered(run: Progress, names: string[]): Progress {
  const place = (name: string) => (names.includes(name) ? names.indexOf(name) : names.length);
  return { ...run, machines: [...run.machines].sort((a, b) => place(a.name) - place(b.name)) };
}
