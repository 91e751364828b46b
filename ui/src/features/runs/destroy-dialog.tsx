import { useMutation } from "@tanstack/react-query";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { go } from "../../lib/route";
import { machinesOf } from "../../lib/words";
import { usePlan } from "./use-plan";

/** Names the lab and what is lost, then takes it away as it was shown. */
export function DestroyDialog({ lab, onClose }: { lab: string; onClose: () => void }) {
  const { plan, error, again, taken } = usePlan(lab, "destroy");
  const machines = plan?.things.filter(({ planned }) => planned.noun === "machine") ?? [];
  const networks = plan?.things.filter(({ planned }) => planned.noun === "network") ?? [];
  const destroy = useMutation({
    mutationFn: (id: number) => ipc.startDestroy(lab, id),
    meta: { failureTitle: `Could not destroy ${lab}` },
    onSuccess: (run) => {
      taken();
      go({ page: "run", lab, run });
      onClose();
    },
  });
  const what = machines.length > 0 ? machinesOf(machines.length) : "what is left";
  return (
    <Dialog
      title={`Destroy ${lab}?`}
      onClose={onClose}
      actions={
        <>
          <Button autoFocus onClick={onClose}>
            Keep {lab}
          </Button>
          <Button kind="danger" disabled={!plan || destroy.isPending} onClick={() => plan && destroy.mutate(plan.id)}>
            Destroy {what}
          </Button>
        </>
      }
    >
      {error && <Failed title="Could not plan it" error={error} onRetry={again} />}
      {!plan && !error && <p className="text-dim">Asking Terraform what there is to take away.</p>}
      {plan && (
        <>
          <p>{loss(machines.length, plan.disks_lost)} The design stays.</p>
          {plan.things.length > 0 && (
            <ul className="selectable max-h-56 overflow-auto rounded-ui border border-line bg-window px-3 py-1.5" aria-label="What goes">
              {[...machines, ...networks].map(({ planned }) => (
                <li key={`${planned.noun} ${planned.name}`} className="flex gap-2">
                  <span className="font-mono text-failed" aria-hidden>
                    −
                  </span>
                  <span>
                    {planned.noun} <span className="font-strong">{planned.name}</span> <span className="text-dim">{planned.sentence}</span>
                  </span>
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </Dialog>
  );
}

function loss(machines: number, disks: string | null): string {
  if (machines === 0) return "No machine of it is there: what is left on the host is looked for and removed.";
  return `${machinesOf(machines)}${disks ? ` and ${disks} of disks` : " and their disks"} go, with everything on them.`;
}
