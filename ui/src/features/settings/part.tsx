// How a part of the settings is laid out: lines that can be read on their own, and one place where they are saved.

import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Failed } from "../../components/notice";
import { State } from "../../components/state";

/** Names above, controls below, in one column that stays readable. */
export function Part({ note, wide, children }: { note?: string; wide?: boolean; children: ReactNode }) {
  return (
    <div className={`flex flex-col gap-4 ${wide ? "max-w-[960px]" : "max-w-[520px]"}`}>
      {note && <p className="max-w-[640px] text-dim">{note}</p>}
      {children}
    </div>
  );
}

/** A control with its name on the left. */
export function Line({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[140px_minmax(0,1fr)] items-center gap-3">
      <span className="text-dim">{label}</span>
      <div>{children}</div>
    </div>
  );
}

/** Saves what was changed, and says when it counts. */
export function SaveBar({ changed, saving, saved, error, note, onDiscard }: { changed: boolean; saving: boolean; saved: boolean; error: unknown; note: string; onDiscard: () => void }) {
  const { t } = useTranslation("settings");
  return (
    <div className="flex flex-col gap-2 border-t border-line pt-3">
      {error !== null && <Failed title={t(($) => $.notSaved)} error={error} />}
      <div className="flex items-center gap-2">
        <Button kind="primary" type="submit" disabled={!changed || saving}>
          {t(($) => $.save)}
        </Button>
        {changed && (
          <Button kind="quiet" onClick={onDiscard}>
            {t(($) => $.discard)}
          </Button>
        )}
        <span role="status" className="min-w-0">
          {changed ? <State tone="attention" word={t(($) => $.unsaved)} /> : saved ? <State tone="running" word={t(($) => $.saved)} /> : null}
        </span>
      </div>
      <p className="text-small text-dim wrap-anywhere">{note}</p>
    </div>
  );
}
