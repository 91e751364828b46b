import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { HostSummary } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { mention } from "../../lib/toasts";

/** Asks before a host is taken from the list; names the labs that stand in the way. */
export function RemoveHost({ host: { name, labs }, onClose, onRemoved }: { host: HostSummary; onClose: () => void; onRemoved: () => void }) {
  const { t } = useTranslation("hosts");
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => ipc.removeHost(name),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["hosts"] });
      mention(t(($) => $.remove.done, { name }));
      onRemoved();
    },
  });
  return (
    <Dialog
      title={t(($) => $.remove.title, { name })}
      onClose={onClose}
      actions={
        <>
          <Button autoFocus onClick={onClose}>
            {t(($) => $.remove.keep)}
          </Button>
          {labs.length === 0 && (
            <Button kind="danger" disabled={remove.isPending} className="min-w-0 shrink" onClick={() => remove.mutate()}>
              <span className="truncate">{t(($) => $.remove.submit, { name })}</span>
            </Button>
          )}
        </>
      }
    >
      {labs.length === 0 ? (
        <p>{t(($) => $.remove.message)}</p>
      ) : (
        <>
          <p>{t(($) => $.remove.inTheWay, { count: labs.length })}</p>
          <ul className="max-h-48 overflow-auto rounded-ui border border-line">
            {labs.map((lab) => (
              <li key={lab} className="border-b border-line last:border-0">
                <Link to="/labs/$lab" params={{ lab }} className="block truncate px-2 py-1 hover:bg-hover">
                  {lab}
                </Link>
              </li>
            ))}
          </ul>
        </>
      )}
      {remove.isError && <Failed title={t(($) => $.remove.failed, { name })} error={remove.error} />}
    </Dialog>
  );
}
