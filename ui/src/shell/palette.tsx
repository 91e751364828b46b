// Everything that can be done from here, found by typing.

import { Command } from "cmdk";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Keys } from "../components/keys";
import { useActions, useAllActions } from "../lib/actions";

export function Palette() {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const actions = useAllActions().filter(({ hidden }) => !hidden);
  useActions([{ id: "palette", title: t(($) => $.search), group: t(($) => $.help), keys: "Ctrl+k", everywhere: true, hidden: true, run: () => setOpen((is) => !is) }]);
  const groups = [...new Set(actions.map(({ group }) => group))];
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/30" />
        <Dialog.Content aria-describedby={undefined} className="fixed top-[12vh] left-1/2 z-50 w-[560px] max-w-[calc(100vw-48px)] -translate-x-1/2 overflow-hidden rounded-ui border border-line-strong bg-raised shadow-xl">
          <Dialog.Title className="sr-only">{t(($) => $.search)}</Dialog.Title>
          <Command label={t(($) => $.search)} loop>
            <Command.Input autoFocus placeholder={t(($) => $.searchPlaceholder)} className="h-11 w-full border-b border-line bg-transparent px-4 text-base text-text placeholder:text-dim focus-visible:outline-none" />
            <Command.List className="max-h-[50vh] overflow-y-auto p-1">
              <Command.Empty className="px-3 py-4 text-dim">{t(($) => $.nothingFound)}</Command.Empty>
              {groups.map((group) => (
                <Command.Group key={group} heading={group} className="[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-small [&_[cmdk-group-heading]]:text-dim">
                  {actions
                    .filter((action) => action.group === group)
                    .map((action) => (
                      <Command.Item
                        key={action.id}
                        value={`${action.title} ${action.id}`}
                        keywords={[action.words ?? "", group]}
                        onSelect={() => {
                          setOpen(false);
                          action.run();
                        }}
                        className="flex h-8 items-center justify-between gap-3 rounded-[4px] px-3 data-[selected=true]:bg-selected"
                      >
                        <span className="truncate">{action.title}</span>
                        {action.keys && <Keys keys={action.keys} />}
                      </Command.Item>
                    ))}
                </Command.Group>
              ))}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Opens the palette from elsewhere. */
export const openPalette = () => window.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true }));
