// What the doctor found on a host, with what helps.

import { ChevronRight, Copy } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Finding } from "../bindings";
import { copy } from "../lib/copy";
import { type Done, severityTones } from "../lib/doctor";
import { sentence } from "../lib/words";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { Dot } from "./state";

/** One finding. `onFix` does what can be done for the user; `actions` are more that can be done. */
export function FindingRow({ host, finding, doing, onFix, actions, open }: { host: string; finding: Finding; doing: boolean; onFix?: () => void; actions?: ReactNode; open?: boolean }) {
  const { t } = useTranslation("hosts");
  const [asking, setAsking] = useState(false);
  const { check, severity, message, evidence, fix } = finding;
  const more = evidence !== "" || fix !== null;
  return (
    <li className="selectable flex gap-2.5 border-b border-line px-3 py-1 last:border-0">
      <span className="pt-2.5 leading-none">
        <Dot tone={severityTones[severity]} label={t(($) => $.doctor.severities[severity])} />
      </span>
      <div className="min-w-0 flex-1 py-1">
        <p className={more && !open ? "line-clamp-3 wrap-anywhere" : "max-h-60 overflow-y-auto wrap-anywhere"} title={message.length > 200 ? message.slice(0, 2_000) : undefined}>
          {sentence(message)}
        </p>
        {more && (
          <details open={open} className="group">
            <summary className="inline-flex h-6 items-center gap-1 rounded-ui text-small text-dim hover:text-text">
              <ChevronRight aria-hidden className="-ml-0.5 size-3.5 group-open:rotate-90" />
              {fix ? t(($) => $.doctor.howToFix) : t(($) => $.doctor.evidence)}
            </summary>
            {evidence && <pre className="mb-2 max-h-40 overflow-auto border-l-2 border-line pl-2.5 font-mono text-small whitespace-pre-wrap text-dim wrap-anywhere">{evidence}</pre>}
            {fix && <Commands label={fix.root ? t(($) => $.doctor.asRoot, { host }) : t(($) => $.doctor.commands)} commands={fix.commands} />}
          </details>
        )}
      </div>
      <span className="pt-1 font-mono text-small leading-5 text-dim">{check}</span>
      {(actions || (fix?.can_be_done && onFix)) && (
        <div className="flex shrink-0 gap-1.5">
          {actions}
          {fix?.can_be_done && onFix && (
            <Button disabled={doing} onClick={() => setAsking(true)}>
              {doing ? t(($) => $.doctor.fixing) : t(($) => $.doctor.fix)}
            </Button>
          )}
        </div>
      )}
      {asking && fix && onFix && (
        <Dialog
          title={t(($) => $.doctor.fixTitle, { host })}
          onClose={() => setAsking(false)}
          onSubmit={() => (setAsking(false), onFix())}
          actions={
            <>
              <Button autoFocus onClick={() => setAsking(false)}>
                {t(($) => $.doctor.leave)}
              </Button>
              <Button kind="primary" type="submit">
                {t(($) => $.doctor.fixNow, { count: fix.commands.length })}
              </Button>
            </>
          }
        >
          <p className="wrap-anywhere">{sentence(message)}.</p>
          <Commands label={fix.root ? t(($) => $.doctor.runsAsRoot, { host }) : t(($) => $.doctor.runs, { host })} commands={fix.commands} />
          {fix.undo.length > 0 && <Commands label={t(($) => $.doctor.undo)} commands={fix.undo} />}
        </Dialog>
      )}
    </li>
  );
}

/** What was done, and the way back. */
export function FixDone({ done: { finding, helped } }: { done: Done }) {
  const { t } = useTranslation("hosts");
  return (
    <section role="status" className="selectable flex gap-2.5 rounded-ui border border-line bg-panel px-3 py-2.5">
      <span className="pt-1.5 leading-none">
        <Dot tone={helped ? "running" : "attention"} />
      </span>
      <div className="min-w-0 flex-1">
        <h3 className="font-strong">{helped ? t(($) => $.doctor.done, { check: finding.check }) : t(($) => $.doctor.doneInVain, { check: finding.check })}</h3>
        {finding.fix && finding.fix.undo.length > 0 && <Commands label={t(($) => $.doctor.undo)} commands={finding.fix.undo} />}
      </div>
    </section>
  );
}

function Commands({ label, commands }: { label: string; commands: string[] }) {
  const { t } = useTranslation();
  const text = commands.join("\n");
  return (
    <div className="mb-1.5">
      <p className="text-small text-dim">{label}</p>
      <div className="mt-0.5 flex items-start rounded-ui border border-line bg-window">
        <pre className="min-w-0 flex-1 overflow-x-auto px-2 py-1 font-mono text-small" tabIndex={0} aria-label={label}>
          {text}
        </pre>
        <button type="button" aria-label={t(($) => $.copy)} title={t(($) => $.copy)} className="rounded-ui p-1.5 text-dim hover:bg-hover hover:text-text" onClick={() => void copy(text)}>
          <Copy className="size-3.5" />
        </button>
      </div>
    </div>
  );
}
