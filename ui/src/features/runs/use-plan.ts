import { useEffect, useRef, useState } from "react";
import type { CommandError, Plan, RunSummary } from "../../bindings";
import { commandError, ipc } from "../../ipc";

export type PlanKind = "deploy" | "destroy" | "resume";
/** `nothing`: the last run left nothing that wants a plan. */
export type Planning = { plan: Plan | null; error: CommandError | null; run: RunSummary | null; nothing: boolean; again: () => void; taken: () => void };

type State = Pick<Planning, "plan" | "error" | "run" | "nothing">;
const BEGUN: State = { plan: null, error: null, run: null, nothing: false };

async function ask(lab: string, kind: PlanKind, hosts: string[]): Promise<State> {
  switch (kind) {
    case "deploy":
      return { ...BEGUN, plan: await ipc.startPlan(lab, hosts) };
    case "destroy":
      return { ...BEGUN, plan: await ipc.planDestroy(lab) };
    case "resume": {
      const { run, plan } = await ipc.planResume(lab);
      return { ...BEGUN, run, plan, nothing: plan === null };
    }
  }
}

/** Plans when it is first shown, and gives the lab free when it is no longer. A plan that was begun is `taken`. */
export function usePlan(lab: string, kind: PlanKind, hosts: string[]): Planning {
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<State>(BEGUN);
  const held = useRef<Plan | null>(null);
  const on = hosts.join(" ");
  useEffect(() => {
    let gone = false;
    setState(BEGUN);
    ask(lab, kind, on === "" ? [] : on.split(" ")).then(
      (next) => {
        if (gone) {
          if (next.plan) void ipc.discardPlan(lab, next.plan.id);
          return;
        }
        held.current = next.plan;
        setState(next);
      },
      (error: unknown) => gone || setState({ ...BEGUN, error: commandError(error) }),
    );
    return () => {
      gone = true;
      if (held.current) void ipc.discardPlan(lab, held.current.id);
      held.current = null;
    };
  }, [lab, kind, on, attempt]);
  return {
    ...state,
    again: () => setAttempt(attempt + 1),
    taken: () => {
      held.current = null;
    },
  };
}
