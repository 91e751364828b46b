import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { commandError } from "../ipc";
import { copy } from "../lib/copy";
import { sentence, type Tone } from "../lib/words";
import { Button } from "./button";
import { Dot, toneText } from "./state";

/** What happened, why, and what to do, in that order. */
export function Notice(props: {
  tone: Tone;
  title: string;
  message?: string | null;
  hint?: string | null;
  details?: string[];
  evidence?: string | null;
  actions?: ReactNode;
}) {
  const { t } = useTranslation();
  const { tone, title, message, hint, details = [], evidence, actions } = props;
  return (
    <section role={tone === "failed" ? "alert" : "status"} className="selectable rounded-ui border border-line bg-panel">
      <div className="flex items-start gap-2.5 px-3 py-2.5">
        <span className="pt-1.5 leading-none">
          <Dot tone={tone} />
        </span>
        <div className="min-w-0 flex-1">
          <h3 className={`font-strong ${toneText(tone)}`}>{title}</h3>
          {message && <p className="wrap-anywhere">{message}</p>}
          {details.length > 0 && (
            <ul className="my-1.5 max-h-56 overflow-auto rounded-ui border border-line bg-window px-2.5 py-1.5 font-mono text-small">
              {details.map((line) => (
                <li key={line} className="wrap-anywhere">
                  {line}
                </li>
              ))}
            </ul>
          )}
          {hint && <p className="text-dim wrap-anywhere">{sentence(hint)}</p>}
        </div>
        {actions && <div className="flex shrink-0 gap-1.5">{actions}</div>}
      </div>
      {evidence && (
        <div className="relative border-t border-line">
          <details open>
            <summary className="flex h-8 items-center px-3 text-small text-dim">{t(($) => $.evidence)}</summary>
            <pre className="max-h-64 overflow-auto border-t border-line bg-window px-3 py-2 font-mono text-small" tabIndex={0} aria-label={t(($) => $.evidence)}>
              {evidence}
            </pre>
          </details>
          <Button kind="quiet" className="absolute top-1 right-3 h-6 text-small" onClick={() => void copy(evidence, t(($) => $.evidence))}>
            {t(($) => $.copy)}
          </Button>
        </div>
      )}
    </section>
  );
}

/** The failed form of a screen. */
export function Failed({ title, error, onRetry }: { title: string; error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  const { code, message, hint, details } = commandError(error);
  return (
    <Notice
      tone={code === "failed" ? "failed" : "attention"}
      title={title}
      message={sentence(message)}
      hint={hint}
      details={details}
      actions={onRetry && <Button onClick={onRetry}>{t(($) => $.tryAgain)}</Button>}
    />
  );
}
