import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { Dialog } from "../components/dialog";
import { Keys } from "../components/keys";
import { useActions, useAllActions } from "../lib/actions";

/** All keys that do something here, by `?`. */
export function Shortcuts() {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const actions = useAllActions().filter(({ keys }) => keys);
  useActions([{ id: "shortcuts", title: t(($) => $.shortcuts), group: t(($) => $.help), keys: "?", run: () => setOpen(true) }]);
  if (!open) return null;
  const groups = [...new Set(actions.map(({ group }) => group))];
  return (
    <Dialog title={t(($) => $.shortcuts)} onClose={() => setOpen(false)} actions={<Button onClick={() => setOpen(false)}>{t(($) => $.close)}</Button>} wide>
      <div className="columns-2 gap-8">
        {groups.map((group) => (
          <section key={group} className="mb-4 break-inside-avoid">
            <h3 className="mb-1 text-small text-dim">{group}</h3>
            <dl>
              {actions
                .filter((action) => action.group === group)
                .map(({ id, title, keys }) => (
                  <div key={id} className="flex min-h-7 items-center justify-between gap-3">
                    <dt className="min-w-0 truncate" title={title}>
                      {title}
                    </dt>
                    <dd className="shrink-0">{keys && <Keys keys={keys} />}</dd>
                  </div>
                ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
