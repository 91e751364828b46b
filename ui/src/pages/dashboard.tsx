import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { Empty, Loading, Page } from "../components/frame";
import { Failed } from "../components/notice";
import { FirstStart } from "../features/dashboard/first-start";
import { LabRows } from "../features/dashboard/labs";
import { Side } from "../features/dashboard/side";
import { useActions } from "../lib/actions";
import { setPrefs, usePrefs } from "../lib/prefs";
import { infoQuery, labsQuery, recentRunsQuery } from "../lib/queries";

export function DashboardPage() {
  const { t } = useTranslation("dashboard");
  const { t: c } = useTranslation();
  const navigate = useNavigate();
  const labs = useQuery(labsQuery);
  const runs = useQuery(recentRunsQuery);
  const info = useQuery(infoQuery);
  const { welcomed } = usePrefs();
  const isThere = labs.data !== undefined;
  // What `make bench` takes for the end of a start.
  useEffect(() => {
    if (isThere) requestAnimationFrame(() => setTimeout(() => performance.mark("usable")));
  }, [isThere]);
  // A newcomer sees how it goes on until a lab has run, or until the steps are put away.
  const isFirst = isThere && (labs.data.length === 0 || (info.data?.first_start === true && labs.data.length === 1)) && !welcomed;
  const newLab = () => void navigate({ to: "/new" });
  useActions([{ id: "new-lab", title: t(($) => $.newLab), group: c(($) => $.labs), keys: "n", run: newLab }]);
  return (
    <Page
      title={isFirst ? t(($) => $.first.title) : c(($) => $.dashboard)}
      actions={
        isFirst ? (
          <Button onClick={() => setPrefs({ welcomed: true })}>{t(($) => $.first.skip)}</Button>
        ) : (
          <Button kind="primary" onClick={newLab}>
            {t(($) => $.newLab)}
          </Button>
        )
      }
    >
      {isFirst && labs.data ? (
        <FirstStart labs={labs.data} />
      ) : (
        <div className="flex items-start gap-4">
          <div className="min-w-0 flex-1">
            {labs.isPending ? (
              <Loading what={c(($) => $.labs)} rows={8} />
            ) : labs.isError ? (
              <Failed title={t(($) => $.labsFailed)} error={labs.error} onRetry={() => void labs.refetch()} />
            ) : labs.data.length === 0 ? (
              <Empty title={t(($) => $.noLabs.title)}>
                <p className="text-dim">{t(($) => $.noLabs.message)}</p>
                <Button onClick={() => setPrefs({ welcomed: false })}>{t(($) => $.noLabs.steps)}</Button>
              </Empty>
            ) : (
              <LabRows labs={labs.data} />
            )}
          </div>
          <Side labs={labs} runs={runs.isError ? [] : runs.data} />
        </div>
      )}
    </Page>
  );
}
