import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { FilterField } from "../components/filter";
import { Page } from "../components/frame";
import { LoadingRows } from "../components/grid";
import { Failed } from "../components/notice";
import { EmptyLabs } from "../features/labs/empty";
import { LabTable, matching } from "../features/labs/lab-table";
import { ipc } from "../ipc";
import { useActions } from "../lib/actions";
import { useKept } from "../lib/kept";
import { labsQuery } from "../lib/queries";
import { mention } from "../lib/toasts";

export function LabsPage() {
  const { t } = useTranslation(["labs", "common"]);
  const navigate = useNavigate();
  const client = useQueryClient();
  const labs = useQuery(labsQuery);
  const [filter, setFilter] = useKept("labs filter", "");
  const field = useRef<HTMLInputElement>(null);
  const create = () => void navigate({ to: "/new" });
  const take = useMutation({
    mutationFn: () => ipc.importLab(),
    meta: { failureTitle: t(($) => $.failed.import) },
    onSuccess: async (saved) => {
      if (!saved) return;
      await client.invalidateQueries({ queryKey: labsQuery.queryKey });
      mention(t(($) => $.list.imported, { lab: saved.name, revision: saved.revision }));
      void navigate({ to: "/labs/$lab", params: { lab: saved.name } });
    },
  });
  const group = t(($) => $.labs, { ns: "common" });
  useActions([
    { id: "labs-filter", title: t(($) => $.list.filterAction), group, keys: "/", run: () => field.current?.focus() },
    { id: "labs-new", title: t(($) => $.list.new), group, keys: "n", run: create },
    { id: "labs-import", title: t(($) => $.list.importAction), group, keys: "i", run: () => take.mutate() },
  ]);
  const shown = matching(labs.data ?? [], filter);
  const some = labs.data && labs.data.length > 0;
  return (
    <Page
      bare={some || labs.isPending}
      title={group}
      state={some && <span className="text-dim">{filter ? t(($) => $.list.shown, { shown: shown.length, count: labs.data.length }) : labs.data.length}</span>}
      actions={
        <>
          {some && <FilterField ref={field} label={t(($) => $.list.filter)} value={filter} onChange={setFilter} keys="/" />}
          <Button disabled={take.isPending} onClick={() => take.mutate()}>
            {t(($) => $.list.import)}
          </Button>
          <Button kind="primary" onClick={create}>
            {t(($) => $.list.new)}
          </Button>
        </>
      }
    >
      {labs.isPending && <LoadingRows what={group} className="flex-1" />}
      {labs.isError && <Failed title={t(($) => $.failed.list)} error={labs.error} onRetry={() => void labs.refetch()} />}
      {labs.data?.length === 0 && (
        <EmptyLabs>
          <div className="mt-2 flex items-center gap-2">
            <Link to="/new" className="inline-flex h-7 items-center rounded-ui bg-ink px-2.5 font-strong text-on-ink hover:opacity-90">
              {t(($) => $.list.emptyNew)}
            </Link>
            <Button onClick={() => take.mutate()}>{t(($) => $.list.emptyImport)}</Button>
          </div>
        </EmptyLabs>
      )}
      {some && <LabTable labs={shown} />}
    </Page>
  );
}
