import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Empty } from "../components/frame";
import { LoadingRows } from "../components/grid";
import { Failed, Notice } from "../components/notice";
import { Resizable } from "../components/split";
import { LabFrame } from "../features/labs/frame";
import { LabSide, where } from "../features/labs/lab-side";
import { MachineTable } from "../features/machines/machine-table";
import { commandError } from "../ipc";
import { useKept } from "../lib/kept";
import { labQuery, problemsQuery } from "../lib/queries";

// The canvas is large, and the table does not wait for it.
const Topology = lazy(async () => ({ default: (await import("../features/designer/topology")).Topology }));

export function LabPage() {
  const { lab } = useParams({ from: "/labs/$lab" });
  const { t } = useTranslation("labs");
  const navigate = useNavigate();
  const status = useQuery(labQuery(lab));
  // The topology and the table show the same choice.
  const [chosen, setChosen] = useKept<Set<string>>(`machines of ${lab} chosen`, new Set());
  const [pointed, setPointed] = useState<string | null>(null);
  const choose = (next: Set<string>) => {
    setPointed([...next].find((name) => !chosen.has(name)) ?? null);
    setChosen(next);
  };
  const problems = useQuery({ ...problemsQuery(lab), enabled: status.isError });
  const errors = problems.data?.filter(({ severity }) => severity === "error") ?? [];
  // A design that cannot be read has no machines to show; its problems say so.
  const unreadable = status.isError && commandError(status.error).code === "problems" && errors.length > 0;
  // Those of an earlier revision may still be at hand.
  const some = !unreadable && status.data !== undefined && status.data.machines.length > 0;
  const edit = (
    <Link to="/labs/$lab/design" params={{ lab }} className="inline-flex h-7 items-center rounded-ui border border-line-strong bg-raised px-2.5 hover:bg-hover">
      {t(($) => $.overview.edit)}
    </Link>
  );
  return (
    <LabFrame lab={lab} tab="overview" bare={some || status.isPending}>
      {unreadable && <Notice tone="attention" title={t(($) => $.overview.problems)} details={errors.map((problem) => `${where(problem)}: ${problem.message}`)} actions={edit} />}
      {status.isError && !unreadable && <Failed title={t(($) => $.failed.show, { lab })} error={status.error} onRetry={() => void status.refetch()} />}
      {!unreadable && status.data?.machines.length === 0 && (
        <Empty title={t(($) => $.overview.emptyTitle, { lab })}>
          <p className="mb-1 text-dim">{t(($) => $.overview.empty)}</p>
          {edit}
        </Empty>
      )}
      {(some || status.isPending) && (
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          {status.data?.unknown && (
            <div className="shrink-0 border-b border-line p-3">
              <Notice tone="attention" title={t(($) => $.overview.unknownTitle)} message={status.data.unknown} hint={t(($) => $.overview.unknownHint)} />
            </div>
          )}
          <div className="flex min-h-0 flex-1">
            <section className="flex min-h-0 min-w-0 flex-1 flex-col" aria-label={t(($) => $.overview.topology)}>
              <Suspense fallback={null}>
                <Topology lab={lab} chosen={chosen} onChoose={choose} onOpen={(machine) => void navigate({ to: "/labs/$lab/machines/$machine", params: { lab, machine } })} />
              </Suspense>
            </section>
            <Resizable name="lab-side" label={t(($) => $.overview.sideSize)} side="right" size={300} min={220} max={560} className="overflow-y-auto bg-panel">
              {status.data && <LabSide lab={status.data} />}
            </Resizable>
          </div>
          <Resizable name="lab-machines" label={t(($) => $.overview.topologySize)} side="bottom" size={Math.round(window.innerHeight * 0.42)} min={120} max={1_400}>
            {status.data ? (
              <MachineTable lab={status.data} chosen={chosen} onChoose={setChosen} shown={pointed} />
            ) : (
              <>
                <div className="h-10 shrink-0 border-b border-line bg-panel" />
                <LoadingRows what={lab} className="flex-1" />
              </>
            )}
          </Resizable>
        </div>
      )}
    </LabFrame>
  );
}
