import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { LabStatus } from "../bindings";
import { Button } from "../components/button";
import { Dialog } from "../components/dialog";
import { Empty, Loading, Page, Tabs } from "../components/frame";
import { Failed, Notice } from "../components/notice";
import { State } from "../components/state";
import { problemLine } from "../features/labs/add-lab";
import { MachineTable } from "../features/labs/machine-table";
import { DestroyDialog } from "../features/runs/destroy-dialog";
import { deployWords, PlanView, planSentence } from "../features/runs/plan-view";
import { RunTable } from "../features/runs/run-table";
import { usePlan } from "../features/runs/use-plan";
import { commandError, ipc } from "../ipc";
import { labQuery, labsQuery, problemsQuery, runsQuery } from "../lib/queries";
import { go, href } from "../lib/route";
import { mention } from "../lib/toasts";
import { labStates, machinesOf, runKinds } from "../lib/words";
import { BuildImages } from "./build-images";

type Tab = "machines" | "plan" | "runs";

export function LabRoute({ lab, tab }: { lab: string; tab: Tab }) {
  switch (tab) {
    case "machines":
      return <Machines lab={lab} />;
    case "plan":
      return <PlanTab lab={lab} />;
    case "runs":
      return <Runs lab={lab} />;
  }
}

export function LabTitle({ lab }: { lab: string }) {
  return (
    <>
      <a href={href({ page: "labs" })} className="font-normal text-dim hover:text-text">
        Labs
      </a>
      <span aria-hidden className="font-normal text-dim">
        /
      </span>
      <span className="selectable truncate" title={lab}>
        {lab}
      </span>
    </>
  );
}

export function LabTabs({ lab, tab }: { lab: string; tab: Tab }) {
  const status = useQuery(labQuery(lab));
  const item = (label: string, name: Tab, count?: number) => ({ label, href: href({ page: "lab", lab, tab: name }), current: tab === name, count });
  return <Tabs items={[item("Machines", "machines", status.data?.machines.length), item("Plan", "plan"), item("Runs", "runs")]} />;
}

export function LabState({ lab }: { lab: string }) {
  const status = useQuery(labQuery(lab));
  return status.data ? <State {...labStates[status.data.state]} /> : null;
}

function Machines({ lab }: { lab: string }) {
  const status = useQuery(labQuery(lab));
  const problems = useQuery(problemsQuery(lab));
  const errors = problems.data?.filter((problem) => problem.severity === "error") ?? [];
  // A design that cannot be read has no machines to show; its problems say so.
  const unreadable = status.isError && commandError(status.error).code === "problems" && errors.length > 0;
  const run = status.data?.last_run;
  return (
    <Page title={<LabTitle lab={lab} />} state={<LabState lab={lab} />} tabs={<LabTabs lab={lab} tab="machines" />} actions={status.data ? <Actions lab={status.data} /> : unreadable && <Forget lab={lab} />}>
      {status.isPending && <Loading what={`machines of ${lab}`} />}
      {status.isError && !unreadable && <Failed title={`Could not show ${lab}`} error={status.error} onRetry={() => void status.refetch()} />}
      {errors.length > 0 && (
        <Notice
          tone="attention"
          title={errors.length === 1 ? "One problem stands in the way of a deploy" : `${errors.length} problems stand in the way of a deploy`}
          details={errors.map(problemLine)}
          hint="Mend the lab file, then save it as a lab again."
          actions={<Button onClick={() => go({ page: "add" })}>Save the file again</Button>}
        />
      )}
      {status.data?.unknown && <Notice tone="attention" title="The machines' states are not known" message={status.data.unknown} hint="The host is asked again every two seconds." />}
      {status.data &&
        (status.data.machines.length === 0 ? (
          <Empty title={`${lab} has no machines`}>
            <p className="text-dim">Write some below `machines:` in its lab file, then save the file as a lab again.</p>
          </Empty>
        ) : (
          <MachineTable lab={status.data} />
        ))}
      {status.data && run && (
        <p className="flex flex-wrap items-center gap-1.5 text-dim">
          Last run:
          <a href={href({ page: "run", lab, run: run.id })} className="text-text underline decoration-line-strong underline-offset-2">
            {runKinds[run.kind]} {run.id}
          </a>
          <span className="selectable">{run.sentence || run.status}</span>
        </p>
      )}
    </Page>
  );
}

/** What can be done with a lab now. The primary button keeps its place. */
function Actions({ lab }: { lab: LabStatus }) {
  const [asked, setAsked] = useState<"stop" | "destroy" | null>(null);
  const name = lab.name;
  const start = useMutation({
    mutationFn: () => ipc.startLab(name),
    meta: { failureTitle: `Could not start ${name}` },
    onSuccess: (run) => (run === null ? mention("Every machine is on") : go({ page: "run", lab: name, run })),
  });
  const stop = useMutation({
    mutationFn: (force: boolean) => ipc.stopLab(name, force),
    meta: { failureTitle: `Could not shut ${name} down` },
    onSuccess: (run) => go({ page: "run", lab: name, run }),
  });
  const close = () => setAsked(null);
  const there = lab.state !== "designed";
  const on = lab.machines.filter((machine) => machine.state !== null && machine.state !== "shut_off" && machine.state !== "crashed").length;
  const off = lab.machines.filter((machine) => machine.state === "shut_off" || machine.state === "crashed").length;
  const working = lab.state === "changing" && lab.last_run?.status === "running" ? lab.last_run : null;
  if (working) {
    return (
      <Button kind="primary" onClick={() => go({ page: "run", lab: name, run: working.id })}>
        Watch {runKinds[working.kind].toLowerCase()} {working.id}
      </Button>
    );
  }
  return (
    <>
      {there ? (
        <Button kind="quiet" onClick={() => setAsked("destroy")}>
          Destroy…
        </Button>
      ) : (
        <Forget lab={name} />
      )}
      {there && on > 0 && <Button onClick={() => setAsked("stop")}>Shut down…</Button>}
      {there && off > 0 && (
        <Button disabled={start.isPending} onClick={() => start.mutate()}>
          {start.isPending ? "Starting" : `Start ${machinesOf(off)}`}
        </Button>
      )}
      <Button kind="primary" onClick={() => go({ page: "lab", lab: name, tab: "plan" })}>
        {there ? "Plan changes" : `Plan ${machinesOf(lab.machines.length)}`}
      </Button>
      {asked === "destroy" && <DestroyDialog lab={name} onClose={close} />}
      {asked === "stop" && (
        <Dialog
          title={`Shut ${name} down?`}
          onClose={close}
          actions={
            <>
              <Button onClick={close}>Leave {on === 1 ? "it" : "them"} on</Button>
              <Button kind="danger" disabled={stop.isPending} onClick={() => stop.mutate(true)}>
                Force off
              </Button>
              <Button kind="primary" autoFocus disabled={stop.isPending} onClick={() => stop.mutate(false)}>
                Shut down {machinesOf(on)}
              </Button>
            </>
          }
        >
          <p>
            {machinesOf(on)} {on === 1 ? "is" : "are"} asked to power off, those that others need last. Disks stay. Forcing off takes the power at once: what a
            guest has not written yet is lost.
          </p>
        </Dialog>
      )}
    </>
  );
}

/** Forgets a design that is on no host, once it was asked. */
function Forget({ lab: name }: { lab: string }) {
  const [asked, setAsked] = useState(false);
  const client = useQueryClient();
  const forget = useMutation({
    mutationFn: () => ipc.forgetLab(name),
    meta: { failureTitle: `Could not forget ${name}` },
    onSuccess: async () => {
      go({ page: "labs" });
      await client.invalidateQueries({ queryKey: labsQuery.queryKey });
      mention(`Forgot ${name}`);
    },
  });
  return (
    <>
      <Button kind="quiet" onClick={() => setAsked(true)}>
        Forget…
      </Button>
      {asked && (
        <Dialog
          title={`Forget ${name}?`}
          onClose={() => setAsked(false)}
          actions={
            <>
              <Button autoFocus onClick={() => setAsked(false)}>
                Keep {name}
              </Button>
              <Button kind="danger" disabled={forget.isPending} onClick={() => forget.mutate()}>
                Forget {name}
              </Button>
            </>
          }
        >
          <p>Its design and the list of its runs go from this computer's store. Its lab file stays where it is.</p>
        </Dialog>
      )}
    </>
  );
}

function PlanTab({ lab }: { lab: string }) {
  const { plan, error, again, taken } = usePlan(lab, "deploy");
  const [asked, setAsked] = useState(false);
  const deploy = useMutation({
    mutationFn: (id: number) => ipc.startDeploy(lab, id),
    meta: { failureTitle: `Could not deploy ${lab}` },
    onSuccess: (run) => {
      taken();
      go({ page: "run", lab, run });
    },
    onError: again,
  });
  const losing = plan?.things.filter(({ planned }) => planned.disruption === "data_loss") ?? [];
  return (
    <Page
      title={<LabTitle lab={lab} />}
      state={<LabState lab={lab} />}
      tabs={<LabTabs lab={lab} tab="plan" />}
      actions={
        <>
          {(plan || error) && <Button onClick={again}>Plan again</Button>}
          {plan && !plan.empty && (
            <Button kind="primary" disabled={deploy.isPending} onClick={() => (losing.length > 0 ? setAsked(true) : deploy.mutate(plan.id))}>
              {deployWords(plan)}
            </Button>
          )}
        </>
      }
    >
      {!plan && !error && (
        <>
          <p role="status" className="text-dim">
            Planning: the lab is rendered, Terraform compares it with what is there.
          </p>
          <Loading what="the plan" rows={5} />
        </>
      )}
      {error?.code === "images_to_build" ? (
        <BuildImages images={error.details} onDone={again} />
      ) : (
        error && <Failed title={`Could not plan ${lab}`} error={error} onRetry={again} />
      )}
      {plan?.empty && (
        <Empty title="Nothing to do">
          <p className="text-dim">Everything is as designed.</p>
        </Empty>
      )}
      {plan && !plan.empty && (
        <>
          <p>
            {planSentence(plan)}
            {plan.disruption === "none" && plan.things.some(({ planned }) => planned.kind !== "create") && ". Nobody notices."}
          </p>
          <PlanView plan={plan} />
        </>
      )}
      {asked && plan && (
        <Dialog
          title={`Deploy ${lab}, and lose data?`}
          onClose={() => setAsked(false)}
          actions={
            <>
              <Button autoFocus onClick={() => setAsked(false)}>
                Keep the data
              </Button>
              <Button
                kind="danger"
                onClick={() => {
                  setAsked(false);
                  deploy.mutate(plan.id);
                }}
              >
                {deployWords(plan)}
              </Button>
            </>
          }
        >
          <ul>
            {losing.map(({ planned }) => (
              <li key={planned.name}>
                <span className="font-strong">{planned.name}</span> {planned.sentence}
              </li>
            ))}
          </ul>
        </Dialog>
      )}
    </Page>
  );
}

function Runs({ lab }: { lab: string }) {
  const runs = useQuery(runsQuery(lab));
  return (
    <Page title={<LabTitle lab={lab} />} state={<LabState lab={lab} />} tabs={<LabTabs lab={lab} tab="runs" />}>
      {runs.isPending && <Loading what="runs" />}
      {runs.isError && <Failed title="Could not list the runs" error={runs.error} onRetry={() => void runs.refetch()} />}
      {runs.data?.length === 0 && (
        <Empty title="No run yet">
          <p className="text-dim">Deploys, starts, shut-downs and destroys of {lab} are kept here, with everything that was said.</p>
          <Button kind="primary" onClick={() => go({ page: "lab", lab, tab: "plan" })}>
            Plan a deploy
          </Button>
        </Empty>
      )}
      {runs.data && runs.data.length > 0 && <RunTable lab={lab} runs={runs.data} />}
    </Page>
  );
}
