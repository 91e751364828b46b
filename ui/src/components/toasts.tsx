import { useTranslation } from "react-i18next";
import { closeToast, useToasts } from "../lib/toasts";
import { sentence } from "../lib/words";
import { Button } from "./button";
import { Dot } from "./state";

export function Toasts() {
  const { t } = useTranslation();
  return (
    <div className="pointer-events-none fixed right-4 bottom-4 z-10 flex w-[380px] flex-col gap-2" aria-live="polite">
      {useToasts().map(({ id, title, message, hint, details, calm }) => (
        <div key={id} role={calm ? "status" : "alert"} className="selectable pointer-events-auto flex items-start gap-2.5 rounded-ui border border-line-strong bg-raised py-2 pr-2 pl-3 shadow-lg">
          {!calm && (
            <span className="pt-1.5 leading-none">
              <Dot tone="failed" />
            </span>
          )}
          <div className="min-w-0 flex-1 wrap-anywhere">
            <p className={calm ? "" : "font-strong"}>{title}</p>
            {message && <p>{sentence(message)}</p>}
            {details.slice(0, 5).map((line) => (
              <p key={line} className="font-mono text-small">
                {line}
              </p>
            ))}
            {hint && <p className="text-dim">{sentence(hint)}</p>}
          </div>
          {!calm && (
            <Button kind="quiet" className="h-6 px-1.5" aria-label={t(($) => $.closeMessage)} onClick={() => closeToast(id)}>
              ×
            </Button>
          )}
        </div>
      ))}
    </div>
  );
}
