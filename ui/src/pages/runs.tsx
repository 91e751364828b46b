import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Empty } from "../components/frame";
import { LoadingRows } from "../components/grid";
import { Failed } from "../components/notice";
import { LabFrame } from "../features/labs/frame";
import { RunTable } from "../features/runs/run-table";
import { useActions } from "../lib/actions";
import { runsQuery } from "../lib/queries";

export function RunsPage() {
  const { lab } = useParams({ from: "/labs/$lab/runs" });
  const { t } = useTranslation("runs");
  const navigate = useNavigate();
  const runs = useQuery(runsQuery(lab));
  const last = runs.data?.[0];
  useActions(last ? [{ id: "last-run", title: t(($) => $.table.openLast), group: lab, run: () => void navigate({ to: "/labs/$lab/runs/$run", params: { lab, run: String(last.id) } }) }] : []);
  return (
    <LabFrame lab={lab} tab="runs" bare={last !== undefined || runs.isPending}>
      {runs.isPending && <LoadingRows what={t(($) => $.table.label, { lab })} className="flex-1" />}
      {runs.isError && <Failed title={t(($) => $.table.listFailed)} error={runs.error} onRetry={() => void runs.refetch()} />}
      {runs.data?.length === 0 && (
        <Empty title={t(($) => $.table.emptyTitle)}>
          <p className="text-dim">{t(($) => $.table.empty, { lab })}</p>
          <Link to="/labs/$lab/plan" params={{ lab }} className="mt-1 inline-flex h-7 items-center rounded-ui bg-ink px-2.5 font-strong text-on-ink hover:opacity-90">
            {t(($) => $.table.plan)}
          </Link>
        </Empty>
      )}
      {last && <RunTable lab={lab} runs={runs.data ?? []} />}
    </LabFrame>
  );
}
