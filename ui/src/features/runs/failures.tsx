import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { sentence } from "../../lib/words";
import { causes, type Progress } from "./progress";

const SHOWN = 2;

/** Every failure as a card: what happened, what to do, and what shows it. */
export function Failures({ run, onShow }: { run: Progress; onShow: (machine: string) => void }) {
  const { t } = useTranslation("runs");
  const [all, setAll] = useState(false);
  const failures = causes(run);
  return (
    <>
      {(all ? failures : failures.slice(0, SHOWN)).map(({ machine, message, hint, evidence }, index) => (
        <Notice
          key={index}
          tone="failed"
          title={machine ? t(($) => $.page.machineFailed, { machine }) : t(($) => $.page.runFailed)}
          message={machine !== null && message.startsWith(machine) ? message : sentence(message)}
          hint={hint}
          evidence={evidence}
          actions={machine && <Button onClick={() => onShow(machine)}>{t(($) => $.log.title)}</Button>}
        />
      ))}
      {!all && failures.length > SHOWN && (
        <Button kind="quiet" className="self-start" onClick={() => setAll(true)}>
          {t(($) => $.page.allFailures, { count: failures.length })}
        </Button>
      )}
    </>
  );
}

/** What keeps machines that make no progress, and what to try: each reason once. */
export function Stuck({ run }: { run: Progress }) {
  const { t } = useTranslation("runs");
  const stuck = run.machines.filter(({ waiting }) => waiting !== null);
  if (stuck.length === 0) return null;
  const reasons = new Map<string, { remedy: string; machines: string[] }>();
  for (const { name, waiting } of stuck) {
    const same = reasons.get(waiting?.reason ?? "") ?? { remedy: waiting?.remedy ?? "", machines: [] };
    same.machines.push(name);
    reasons.set(waiting?.reason ?? "", same);
  }
  const lines = [...reasons].slice(0, 5).map(([reason, { machines }]) => `${machines.slice(0, 6).join(", ")}${machines.length > 6 ? " …" : ""}: ${reason}`);
  return <Notice tone="attention" title={t(($) => $.page.stuck, { count: stuck.length })} details={lines} hint={[...reasons.values()][0]?.remedy} />;
}
