import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { Field } from "../components/field";
import { commandError, ipc } from "../ipc";

/** Nothing is shown and nothing is done by hand until the passphrase is given; what is at work goes on. */
export function LockScreen() {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const [passphrase, setPassphrase] = useState("");
  const unlock = useMutation({
    mutationFn: () => ipc.unlock(passphrase),
    onSuccess: (right) => {
      setPassphrase("");
      if (right) void client.invalidateQueries();
    },
  });
  const wrong = unlock.data === false ? t(($) => $.lock.wrong) : unlock.error ? commandError(unlock.error).message : null;
  return (
    <main className="flex h-full items-center justify-center bg-window">
      <form
        className="flex w-80 flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          unlock.mutate();
        }}
      >
        <h1 className="text-title font-strong">{t(($) => $.lock.locked)}</h1>
        <p className="text-dim">{t(($) => $.lock.goesOn)}</p>
        <Field id="passphrase" type="password" autoFocus label={t(($) => $.lock.passphrase)} error={wrong} value={passphrase} onChange={(event) => setPassphrase(event.target.value)} />
        <Button kind="primary" type="submit" className="self-start" disabled={unlock.isPending || passphrase === ""}>
          {t(($) => $.lock.unlock)}
        </Button>
      </form>
    </main>
  );
}
