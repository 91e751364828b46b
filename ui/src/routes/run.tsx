import { useMutation, useQuery } from "@tanstack/react-query";
import { Button } from "../components/button";
import { Page } from "../components/frame";
import { Failed, Notice } from "../components/notice";
import { State } from "../components/state";
import { useRun } from "../features/runs/follow";
import { doing } from "../features/runs/progress";
import { RunView } from "../features/runs/run-view";
import { ipc } from "../ipc";
import { labQuery, runsQuery } from "../lib/queries";
import { go, href } from "../lib/route";
import { toast } from "../lib/toasts";
import { runKinds, runStates } from "../lib/words";
import { LabTabs, LabTitle } from "./lab";

export function RunRoute({ lab, id }: { lab: string; id: number }) {
  const status = useQuery(labQuery(lab));
  const runs = useQuery(runsQuery(lab));
  const summary = runs.data?.find((run) => run.id === id);
  const { run, over, error } = useRun(id, status.data?.machines.map((machine) => machine.name) ?? []);
  const cancel = useMutation({
    mutationFn: () => ipc.cancelRun(id),
    meta: { failureTitle: "Could not cancel the run" },
    onSuccess: (known) =>
      known ||
      toast({
        title: "This run belongs to another process",
        message: "It was begun by `vlm` or by another window's process.",
        hint: "Cancel it there, with Ctrl+C in its terminal.",
        details: [],
      }),
  });
  // A run whose process died has no end of its own.
  const cutOff = over && run.ended === null && error === null;
  const kind = summary ? runKinds[summary.kind] : "Run";
  const state = run.ended ? runStates[run.ended.status] : cutOff ? { tone: "attention" as const, word: "cut off" } : runStates.running;
  return (
    <Page
      title={
        <>
          <LabTitle lab={lab} />
          <span aria-hidden className="font-normal text-dim">
            /
          </span>
          <a href={href({ page: "lab", lab, tab: "runs" })} className="hover:underline">
            {kind} {id}
          </a>
        </>
      }
      state={<State {...state} />}
      tabs={<LabTabs lab={lab} tab="runs" />}
      actions={
        over ? (
          <Button kind="primary" onClick={() => go({ page: "lab", lab, tab: "machines" })}>
            Show machines
          </Button>
        ) : (
          <Button disabled={cancel.isPending || cancel.data === true} onClick={() => cancel.mutate()}>
            {cancel.data === true ? "Cancelling" : `Cancel ${kind.toLowerCase()}`}
          </Button>
        )
      }
    >
      {error && <Failed title="Could not follow the run" error={error} />}
      {!over && (
        <p role="status" className="min-h-5">
          {cancel.data === true ? "Cancelling: what is under way is waited for." : doing(run)}
        </p>
      )}
      {run.ended && run.ended.status === "done" && <Notice tone="running" title={`${kind} done`} message={run.ended.sentence} />}
      {run.ended && run.ended.status !== "done" && (run.failures.length === 0 || run.failures.some((failure) => failure.machine !== null)) && (
        <Notice tone={run.ended.status === "failed" ? "failed" : "attention"} title={`${kind} ${run.ended.status}`} message={run.ended.sentence} />
      )}
      {cutOff && (
        <Notice
          tone="attention"
          title="Cut off"
          message="The process that was at it is gone; what it had begun may be half done."
          hint="Plan again: that compares the lab with what is really there."
        />
      )}
      <RunView run={run} live={!over} />
    </Page>
  );
}
