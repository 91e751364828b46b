import { useEffect, useState } from "react";
import type { CommandError, Plan } from "../../bindings";
import { commandError, ipc } from "../../ipc";

export type Planning = { plan: Plan | null; error: CommandError | null; again: () => void; taken: () => void };

/** Plans when it is first shown, and gives the lab free when it is no longer. A plan that was begun is `taken`. */
export function usePlan(lab: string, kind: "deploy" | "destroy"): Planning {
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<{ plan: Plan | null; error: CommandError | null }>({ plan: null, error: null });
  const [held] = useState<{ plan: Plan | null }>({ plan: null });
  useEffect(() => {
    let gone = false;
    setState({ plan: null, error: null });
    const planning = kind === "deploy" ? ipc.startPlan(lab) : ipc.planDestroy(lab);
    planning.then(
      (plan) => {
        if (gone) void ipc.discardPlan(lab, plan.id);
        else {
          held.plan = plan;
          setState({ plan, error: null });
        }
      },
      (error: unknown) => gone || setState({ plan: null, error: commandError(error) }),
    );
    return () => {
      gone = true;
      if (held.plan) void ipc.discardPlan(lab, held.plan.id);
      held.plan = null;
    };
  }, [lab, kind, attempt, held]);
  return {
    ...state,
    again: () => setAttempt(attempt + 1),
    taken: () => {
      held.plan = null;
    },
  };
}
