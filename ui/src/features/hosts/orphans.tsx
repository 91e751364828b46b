// What is left on a host of labs: taken in again, or removed for good.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { doctorQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";

export function RemoveOrphan({ host, name, onClose }: { host: string; name: string; onClose: () => void }) {
  const { t } = useTranslation("hosts");
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => ipc.removeOrphan(host, name),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: doctorQuery(host).queryKey });
      void client.invalidateQueries({ queryKey: ["hosts"] });
      mention(t(($) => $.orphans.removed, { name, host }));
      onClose();
    },
  });
  return (
    <Dialog
      title={t(($) => $.orphans.removeTitle, { name, host })}
      onClose={onClose}
      actions={
        <>
          <Button autoFocus onClick={onClose}>
            {t(($) => $.orphans.keep)}
          </Button>
          <Button kind="danger" className="min-w-0 shrink" disabled={remove.isPending} onClick={() => remove.mutate()}>
            <span className="truncate">{t(($) => $.orphans.removeNow, { name })}</span>
          </Button>
        </>
      }
    >
      <p>{t(($) => $.orphans.removeMessage)}</p>
      <p>{t(($) => $.orphans.removeRunning)}</p>
      {remove.isError && <Failed title={t(($) => $.orphans.removeFailed, { name })} error={remove.error} />}
    </Dialog>
  );
}

export function AdoptLab({ host, lab, onClose }: { host: string; lab: string; onClose: () => void }) {
  const { t } = useTranslation("hosts");
  const { t: c } = useTranslation();
  const client = useQueryClient();
  const found = useQuery({ queryKey: ["labs", lab, "adoption", host], queryFn: () => ipc.adoptLab(lab, [host], false), gcTime: 0, staleTime: 0 });
  const adopt = useMutation({
    mutationFn: () => ipc.adoptLab(lab, [host], true),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: doctorQuery(host).queryKey });
      mention(t(($) => $.orphans.adopted, { lab }));
      onClose();
    },
  });
  const things = found.data?.things ?? [];
  const stays = found.data?.stays ?? [];
  const list = (title: string, all: { host: string; what: string }[]) =>
    all.length > 0 && (
      <div>
        <h3 className="text-small text-dim">{title}</h3>
        <ul className="mt-0.5 max-h-40 overflow-auto rounded-ui border border-line bg-window px-2 py-1 font-mono text-small">
          {all.map(({ host, what }) => (
            <li key={`${host} ${what}`} className="wrap-anywhere">
              {host}: {what}
            </li>
          ))}
        </ul>
      </div>
    );
  return (
    <Dialog
      title={t(($) => $.orphans.adoptTitle, { lab })}
      onClose={onClose}
      onSubmit={() => adopt.mutate()}
      actions={
        <>
          <Button autoFocus onClick={onClose}>
            {c(($) => $.cancel)}
          </Button>
          {things.length > 0 && (
            <Button kind="primary" type="submit" disabled={adopt.isPending}>
              {t(($) => $.orphans.adoptNow, { count: things.length })}
            </Button>
          )}
        </>
      }
    >
      <p>{t(($) => $.orphans.adoptMessage)}</p>
      {found.isPending && (
        <p role="status" className="text-changing">
          {t(($) => $.orphans.adoptLooking)}
        </p>
      )}
      {found.isError && <Failed title={t(($) => $.orphans.adoptFailed, { lab })} error={found.error} onRetry={() => void found.refetch()} />}
      {found.data && things.length === 0 && <p>{t(($) => $.orphans.adoptNothing, { lab })}</p>}
      {list(t(($) => $.orphans.adoptThings), things)}
      {list(t(($) => $.orphans.adoptStays), stays)}
      {adopt.isError && <Failed title={t(($) => $.orphans.adoptFailed, { lab })} error={adopt.error} />}
    </Dialog>
  );
}
