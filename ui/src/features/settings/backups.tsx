import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Backup } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Loading, table } from "../../components/frame";
import { Failed, Notice } from "../../components/notice";
import { ipc } from "../../ipc";
import { useActions } from "../../lib/actions";
import { backupsQuery } from "../../lib/queries";
import { size } from "../../lib/sizes";
import { mention } from "../../lib/toasts";
import { moment } from "../../lib/words";
import { Part } from "./part";

/** Copies of the database: made by hand too, and put back. */
export function Backups() {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const client = useQueryClient();
  const backups = useQuery(backupsQuery);
  const [asked, setAsked] = useState<Backup | null>(null);
  const make = useMutation({
    mutationFn: () => ipc.makeBackup(),
    onSuccess: ({ bytes_mib }) => {
      void client.invalidateQueries({ queryKey: backupsQuery.queryKey });
      mention(t(($) => $.backups.made, { size: size(bytes_mib) }));
    },
    meta: { failureTitle: t(($) => $.backups.makeFailed) },
  });
  const restore = useMutation({ mutationFn: ({ path }: Backup) => ipc.restoreBackup(path), onSuccess: () => setAsked(null) });
  const quit = useMutation({ mutationFn: () => ipc.quit(), meta: { failureTitle: t(($) => $.backups.quitFailed) } });
  useActions([{ id: "backup", title: t(($) => $.backups.make), group: c(($) => $.settings), run: () => make.mutate() }]);
  const reason = (word: string | null) => t(($) => $.backups.reasons[(["daily", "manual", "migration"] as const).find((one) => one === word) ?? "other"]);
  return (
    <Part note={t(($) => $.backups.note)} wide>
      {restore.isSuccess && (
        <Notice
          tone="attention"
          title={t(($) => $.backups.restored, { made: moment(restore.variables.made) })}
          message={t(($) => $.backups.restoredMessage, { path: restore.data })}
          hint={t(($) => $.backups.restoredHint)}
          actions={
            <Button kind="primary" disabled={quit.isPending} onClick={() => quit.mutate()}>
              {t(($) => $.backups.quit)}
            </Button>
          }
        />
      )}
      <Button className="self-start" disabled={make.isPending} onClick={() => make.mutate()}>
        {make.isPending ? t(($) => $.backups.making) : t(($) => $.backups.make)}
      </Button>
      {backups.isPending ? (
        <Loading what={t(($) => $.parts.backups)} />
      ) : backups.isError ? (
        <Failed title={t(($) => $.backups.failed)} error={backups.error} onRetry={() => void backups.refetch()} />
      ) : backups.data.length === 0 ? (
        <p className="text-dim">{t(($) => $.backups.none)}</p>
      ) : (
        <div className={table.frame}>
          <table className={`${table.table} min-w-[640px] table-fixed`} aria-label={t(($) => $.parts.backups)}>
            <thead>
              <tr>
                <th className={`${table.head} w-36`}>{t(($) => $.backups.columns.made)}</th>
                <th className={`${table.head} w-40`}>{t(($) => $.backups.columns.why)}</th>
                <th className={`${table.head} w-24 text-right`}>{t(($) => $.backups.columns.size)}</th>
                <th className={table.head}>{t(($) => $.backups.columns.file)}</th>
                <td className={`${table.head} w-30`} />
              </tr>
            </thead>
            <tbody>
              {backups.data.map((backup) => (
                <tr key={backup.path} className={table.row}>
                  <td className={table.cell}>{moment(backup.made)}</td>
                  <td className={`${table.cell} truncate`}>{reason(backup.reason)}</td>
                  <td className={`${table.cell} text-right`}>{size(backup.bytes_mib)}</td>
                  <td className={`${table.cell} truncate font-mono text-dim`} title={backup.path}>
                    {backup.path.split("/").at(-1)}
                  </td>
                  <td className="px-1.5 text-right">
                    <Button className="h-6" aria-label={t(($) => $.backups.restoreOf, { made: moment(backup.made) })} onClick={() => setAsked(backup)}>
                      {t(($) => $.backups.restore)}
                    </Button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {asked && (
        <Dialog
          title={t(($) => $.backups.restoreTitle, { made: moment(asked.made) })}
          onClose={() => setAsked(null)}
          actions={
            <>
              <Button autoFocus onClick={() => setAsked(null)}>
                {t(($) => $.backups.keep)}
              </Button>
              <Button kind="danger" disabled={restore.isPending} onClick={() => restore.mutate(asked)}>
                {t(($) => $.backups.restoreNow)}
              </Button>
            </>
          }
        >
          <p>{t(($) => $.backups.restoreMessage, { made: moment(asked.made) })}</p>
          <p>{t(($) => $.backups.restoreHosts)}</p>
          {restore.isError && <Failed title={t(($) => $.backups.restoreFailed)} error={restore.error} />}
        </Dialog>
      )}
    </Part>
  );
}
