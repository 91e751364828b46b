import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Plan } from "../bindings";
import { Button } from "../components/button";
import { Empty, Loading } from "../components/frame";
import { Failed } from "../components/notice";
import { Resizable } from "../components/split";
import { TextView } from "../components/text-view";
import { Choice } from "../components/toggle";
import { FileTree } from "../features/labs/file-tree";
import { LabFrame } from "../features/labs/frame";
import { ConfirmByName } from "../features/runs/confirm";
import { MissingImages } from "../features/runs/missing-images";
import { HostChoice, PlanSide } from "../features/runs/plan-side";
import { PlanTree } from "../features/runs/plan-tree";
import { losing, touched } from "../features/runs/plan-words";
import { type PlanKind, usePlan } from "../features/runs/use-plan";
import { ipc } from "../ipc";
import { useActions } from "../lib/actions";
import { labQuery } from "../lib/queries";
import { machinesOf, theRun } from "../lib/words";

export function PlanPage() {
  const { lab } = useParams({ from: "/labs/$lab/plan" });
  const { what } = useSearch({ from: "/labs/$lab/plan" });
  return <PlanOf key={`${lab} ${what}`} lab={lab} kind={what ?? "deploy"} />;
}

type View = "tree" | "raw" | "files";

function PlanOf({ lab, kind }: { lab: string; kind: PlanKind }) {
  const { t } = useTranslation("runs");
  const navigate = useNavigate();
  const [hosts, setHosts] = useState<string[]>([]);
  const { plan, error, run, nothing, again, taken } = usePlan(lab, kind, hosts);
  const status = useQuery(labQuery(lab));
  const [view, setView] = useState<View>("tree");
  const [open, setOpen] = useState(new Set<string>());
  const [asked, setAsked] = useState(false);
  const destroys = plan?.kind === "destroy" || kind === "destroy";
  const begin = useMutation({
    mutationFn: (id: number) => (destroys ? ipc.startDestroy(lab, id) : ipc.startDeploy(lab, id)),
    meta: { failureTitle: destroys ? t(($) => $.plan.destroyFailed) : t(($) => $.plan.deployFailed) },
    onSuccess: (id) => {
      taken();
      void navigate({ to: "/labs/$lab/runs/$run", params: { lab, run: String(id) } });
    },
    // The engine has let go of a plan that it refused.
    onError: () => {
      taken();
      again();
    },
  });
  const lost = plan && !destroys ? losing(plan) : [];
  const go = () => {
    if (!plan || plan.empty || begin.isPending) return;
    if (destroys || lost.length > 0) setAsked(true);
    else begin.mutate(plan.id);
  };
  const words = plan && (destroys ? destroyWords(plan, t) : deployWords(plan, t));
  const all = plan ? new Set(plan.things.map(({ planned }) => `${["network", "machine"].includes(planned.noun) ? planned.noun : "other"} ${planned.name}`)) : new Set<string>();
  const group = t(($) => $.plan.tree, { lab });
  useActions([
    ...(plan && words && !plan.empty ? [{ id: "plan-go", title: words, group, keys: "Ctrl+Enter", everywhere: true, run: go }] : []),
    { id: "plan-again", title: t(($) => $.plan.again), group, keys: "r", run: again },
    ...(plan
      ? [
          { id: "plan-tree", title: t(($) => $.plan.tree_tab), group, keys: "v t", run: () => setView("tree") },
          { id: "plan-raw", title: t(($) => $.plan.raw), group, keys: "v r", run: () => setView("raw") },
          { id: "plan-files", title: t(($) => $.plan.files), group, keys: "v f", run: () => setView("files") },
          { id: "plan-open", title: open.size < all.size ? t(($) => $.plan.expand) : t(($) => $.plan.collapse), group, keys: "e", run: () => setOpen(open.size < all.size ? all : new Set()) },
        ]
      : []),
  ]);
  // Where every machine is somewhere already, there is nothing to choose.
  const mayChoose = kind === "deploy" && (status.data?.state === "designed" || status.data?.machines.some(({ state }) => state === null));
  const trail = kind === "destroy" ? t(($) => $.plan.destroyPage, { lab }) : kind === "resume" && run ? t(($) => $.plan.resumePage, { run: theRun(run.kind), id: run.id }) : undefined;
  const full = plan !== null && !plan.empty;
  return (
    <LabFrame
      lab={lab}
      tab="plan"
      trail={trail}
      bare={full}
      actions={
        <>
          {kind !== "deploy" && (
            <Link to="/labs/$lab/plan" params={{ lab }} search={{}} className="inline-flex h-7 items-center rounded-ui px-2.5 text-dim hover:bg-hover hover:text-text">
              {t(($) => $.plan.toDeploy)}
            </Link>
          )}
          {(plan || error || nothing) && <Button onClick={again}>{t(($) => $.plan.again)}</Button>}
          {full && (
            <Button kind={destroys ? "danger" : "primary"} disabled={begin.isPending} onClick={go}>
              {words}
            </Button>
          )}
        </>
      }
    >
      {!plan && !error && !nothing && (
        <>
          <p role="status" className="text-dim">
            {{ deploy: t(($) => $.plan.planning), destroy: t(($) => $.plan.planningDestroy), resume: t(($) => $.plan.planningResume) }[kind]}
          </p>
          <Loading what={t(($) => $.plan.what)} rows={6} />
        </>
      )}
      {error &&
        (error.code === "images_to_build" || error.code === "images_to_pull" ? (
          <MissingImages images={error.details} how={error.code === "images_to_build" ? "build" : "pull"} onDone={again} />
        ) : (
          <Failed title={t(($) => $.plan.failed, { lab })} error={error} onRetry={again} />
        ))}
      {(nothing || plan?.empty) && (
        <Empty title={t(($) => $.plan.nothingTitle)}>
          <p className="text-dim">{nothing ? t(($) => $.plan.nothingToResume) : destroys ? t(($) => $.plan.nothingThere, { lab }) : t(($) => $.plan.nothing)}</p>
          {plan && plan.warnings.length > 0 && <ul className="selectable text-dim">{plan.warnings.map((warning) => <li key={warning}>{warning}</li>)}</ul>}
        </Empty>
      )}
      {full && (
        <>
          <div className="flex min-h-0 min-w-0 flex-1 flex-col">
            <div className="flex h-10 shrink-0 items-center gap-2 border-b border-line bg-panel px-4">
              <Choice
                label={t(($) => $.plan.show)}
                value={view}
                onChange={setView}
                options={[
                  { value: "tree", label: t(($) => $.plan.tree_tab) },
                  { value: "raw", label: t(($) => $.plan.raw) },
                  { value: "files", label: t(($) => $.plan.files) },
                ]}
              />
              {view === "tree" && all.size > 0 && (
                <Button kind="quiet" onClick={() => setOpen(open.size < all.size ? all : new Set())}>
                  {open.size < all.size ? t(($) => $.plan.expand) : t(($) => $.plan.collapse)}
                </Button>
              )}
            </div>
            {view === "tree" && <PlanTree plan={plan} open={open} onOpen={setOpen} />}
            {view === "raw" && <TextView name={t(($) => $.plan.rawTitle)} text={plan.raw} title={<span className="selectable text-small text-dim" title={plan.terraform_dir}>{t(($) => $.plan.dir, { dir: plan.terraform_dir })}</span>} />}
            {view === "files" && <FileTree lab={lab} />}
          </div>
          <Resizable name="plan-side" label={t(($) => $.plan.capacity)} side="right" size={296} min={240} max={560} className="overflow-y-auto bg-panel">
            <PlanSide plan={plan} />
            {mayChoose && <HostChoice chosen={hosts} onPlan={setHosts} />}
          </Resizable>
        </>
      )}
      {asked && plan && words && (
        <ConfirmByName
          lab={lab}
          title={destroys ? t(($) => $.plan.destroyTitle, { lab }) : t(($) => $.plan.loseTitle, { lab })}
          keep={destroys ? t(($) => $.plan.destroyKeep, { lab }) : t(($) => $.plan.keep)}
          go={destroys ? words : t(($) => $.plan.lose)}
          onClose={() => setAsked(false)}
          onGo={() => (setAsked(false), begin.mutate(plan.id))}
        >
          {destroys ? (
            <p>{lossWords(plan, t)}</p>
          ) : (
            <ul className="selectable">
              {lost.map(({ planned }) => (
                <li key={`${planned.noun} ${planned.name}`} className="wrap-anywhere">
                  <span className="font-strong">{planned.name}</span> <span className="text-dim">{planned.sentence}</span>
                </li>
              ))}
            </ul>
          )}
        </ConfirmByName>
      )}
    </LabFrame>
  );
}

type T = ReturnType<typeof useTranslation<"runs">>["t"];

/** What the primary button does. */
function deployWords(plan: Plan, t: T): string {
  const machines = touched(plan).length;
  if (machines > 0) return t(($) => $.plan.deploy, { machines: machinesOf(machines) });
  return plan.things.length > 0 ? t(($) => $.plan.deployChanges, { count: plan.things.length }) : t(($) => $.plan.finish);
}

function destroyWords(plan: Plan, t: T): string {
  const machines = touched(plan).length;
  return machines > 0 ? t(($) => $.plan.destroy, { machines: machinesOf(machines) }) : t(($) => $.plan.destroyRest);
}

function lossWords(plan: Plan, t: T): string {
  const count = touched(plan).length;
  const machines = machinesOf(count);
  if (count === 0) return t(($) => $.plan.destroyLossNone);
  return plan.disks_lost ? t(($) => $.plan.destroyLoss, { machines, disks: plan.disks_lost }) : t(($) => $.plan.destroyLossPlain, { machines });
}
