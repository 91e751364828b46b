import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { LockState } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { Select } from "../../components/select";
import { State } from "../../components/state";
import { ipc } from "../../ipc";
import { useActions } from "../../lib/actions";
import { lockQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";
import { Part } from "./part";

/** After how many minutes the window may lock by itself. */
const idleTimes = [1, 5, 10, 15, 30, 60, 240];
/** Shorter ones are guessed. */
const SHORTEST = 8;

export function Lock() {
  const { t } = useTranslation("settings");
  const lock = useQuery(lockQuery);
  if (lock.isPending) return <Loading what={t(($) => $.parts.lock)} />;
  if (lock.isError) return <Failed title={t(($) => $.lockPart.readFailed)} error={lock.error} onRetry={() => void lock.refetch()} />;
  return <Form lock={lock.data} />;
}

function Form({ lock: { set, idle_minutes } }: { lock: LockState }) {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const client = useQueryClient();
  const [current, setCurrent] = useState("");
  const [passphrase, setPassphrase] = useState("");
  const [again, setAgain] = useState("");
  const [idle, setIdle] = useState<number | null>(idle_minutes ?? (set ? null : 15));
  const [tried, setTried] = useState(false);
  const [removing, setRemoving] = useState(false);
  const wrong = {
    current: set && current === "" ? t(($) => $.lockPart.errors.current) : null,
    passphrase: (!set || passphrase !== "") && [...passphrase].length < SHORTEST ? t(($) => $.lockPart.errors.short) : null,
    again: again !== passphrase ? t(($) => $.lockPart.errors.differs) : null,
  };
  const change = useMutation({
    // With a lock there, an empty field keeps its passphrase: it is set anew to what it is.
    mutationFn: (to: string | null) => ipc.setLock(set ? current : null, to, to === null ? null : idle),
    onSuccess: (_, to) => {
      setCurrent("");
      setPassphrase("");
      setAgain("");
      setTried(false);
      setRemoving(false);
      void client.invalidateQueries({ queryKey: lockQuery.queryKey });
      mention(to === null ? t(($) => $.lockPart.removed) : set ? t(($) => $.lockPart.changed) : t(($) => $.lockPart.done));
    },
  });
  const now = useMutation({ mutationFn: () => ipc.lockNow(), onSuccess: () => void client.invalidateQueries({ queryKey: lockQuery.queryKey }), meta: { failureTitle: t(($) => $.lockPart.nowFailed) } });
  useActions(set ? [{ id: "lock-now", title: t(($) => $.lockPart.now), group: c(($) => $.settings), run: () => now.mutate() }] : []);
  const secret = (id: "current" | "passphrase" | "again", value: string, onText: (text: string) => void, note?: string) => (
    <Field id={`lock-${id}`} type="password" autoComplete={id === "current" ? "current-password" : "new-password"} label={t(($) => $.lockPart[id])} note={note} value={value} error={tried ? wrong[id] : null} onChange={(event) => onText(event.target.value)} />
  );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (!Object.values(wrong).some(Boolean)) change.mutate(passphrase || current);
      }}
    >
      <Part note={t(($) => $.lockPart.note)}>
        <div className="flex items-center gap-3">
          <State tone={set ? "running" : "unknown"} word={set ? t(($) => $.lockPart.isSet) : t(($) => $.lockPart.isNotSet)} />
          {set && (
            <Button className="ml-auto" disabled={now.isPending} onClick={() => now.mutate()}>
              {t(($) => $.lockPart.now)}
            </Button>
          )}
        </div>
        {set && secret("current", current, setCurrent)}
        {secret("passphrase", passphrase, setPassphrase, set ? t(($) => $.lockPart.keepNote) : t(($) => $.lockPart.passphraseNote))}
        {secret("again", again, setAgain)}
        <Select
          id="lock-idle"
          label={t(($) => $.lockPart.idle)}
          value={String(idle ?? "")}
          onChange={(event) => setIdle(event.target.value === "" ? null : Number(event.target.value))}
          options={[...new Set([...idleTimes, ...(idle ? [idle] : [])])].sort((a, b) => a - b).map((count) => ({ value: String(count), label: t(($) => $.lockPart.minutes, { count }) })).concat({ value: "", label: t(($) => $.lockPart.never) })}
        />
        {change.isError && <Failed title={t(($) => $.lockPart.failed)} error={change.error} />}
        <div className="flex gap-2 border-t border-line pt-3">
          <Button kind="primary" type="submit" disabled={change.isPending}>
            {set ? t(($) => $.lockPart.change) : t(($) => $.lockPart.set)}
          </Button>
          {set && (
            <Button
              disabled={change.isPending}
              onClick={() => {
                setTried(true);
                if (!wrong.current) setRemoving(true);
              }}
            >
              {t(($) => $.lockPart.remove)}
            </Button>
          )}
        </div>
      </Part>
      {removing && (
        <Dialog
          title={t(($) => $.lockPart.removeTitle)}
          onClose={() => setRemoving(false)}
          actions={
            <>
              <Button autoFocus onClick={() => setRemoving(false)}>
                {t(($) => $.lockPart.keep)}
              </Button>
              <Button kind="danger" disabled={change.isPending} onClick={() => change.mutate(null)}>
                {t(($) => $.lockPart.removeNow)}
              </Button>
            </>
          }
        >
          <p>{t(($) => $.lockPart.removeMessage)}</p>
          {change.isError && <Failed title={t(($) => $.lockPart.failed)} error={change.error} />}
        </Dialog>
      )}
    </form>
  );
}
