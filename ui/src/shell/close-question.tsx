import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { Dialog } from "../components/dialog";
import { ipc, onCloseAsked } from "../ipc";

/** Asks before runs that are at work are cancelled by closing the window. */
export function CloseQuestion() {
  const { t } = useTranslation();
  const [labs, setLabs] = useState<string[]>([]);
  const quit = useMutation({ mutationFn: () => ipc.quit() });
  useEffect(() => onCloseAsked(setLabs), []);
  if (labs.length === 0) return null;
  return (
    <Dialog
      title={t(($) => $.quit.title)}
      onClose={() => setLabs([])}
      actions={
        <>
          <Button autoFocus onClick={() => setLabs([])}>
            {t(($) => $.quit.stay)}
          </Button>
          <Button kind="danger" disabled={quit.isPending} onClick={() => quit.mutate()}>
            {t(($) => $.quit.leave, { count: labs.length })}
          </Button>
        </>
      }
    >
      <p className="font-mono wrap-anywhere">{labs.join(", ")}</p>
      <p>{t(($) => $.quit.message)}</p>
    </Dialog>
  );
}
