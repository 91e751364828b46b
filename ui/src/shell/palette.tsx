// Everything that can be done from here, found by typing.

import { Command, defaultFilter } from "cmdk";
import { Dialog } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Keys } from "../components/keys";
import { type Action, useActions, useAllActions } from "../lib/actions";

export function Palette() {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const actions = useAllActions().filter(({ hidden }) => !hidden);
  useActions([{ id: "palette", title: t(($) => $.search), group: t(($) => $.help), keys: "Ctrl+k", everywhere: true, hidden: true, run: () => (setOpen((is) => !is), setTyped("")) }]);
  const [typed, setTyped] = useState("");
  const found = typed.trim() === "" ? actions : actions.map((action) => ({ action, rank: rank(action, typed) })).filter(({ rank }) => rank > 0).sort((a, b) => b.rank - a.rank).map(({ action }) => action);
  const groups = [...new Set(found.map(({ group }) => group))];
  return (
    <Dialog.Root open={open} onOpenChange={(next) => (setOpen(next), setTyped(""))}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/30" />
        <Dialog.Content aria-describedby={undefined} className="fixed top-[12vh] left-1/2 z-50 w-[560px] max-w-[calc(100vw-48px)] -translate-x-1/2 overflow-hidden rounded-ui border border-line-strong bg-raised shadow-xl">
          <Dialog.Title className="sr-only">{t(($) => $.search)}</Dialog.Title>
          <Command label={t(($) => $.search)} loop shouldFilter={false}>
            <Command.Input autoFocus value={typed} onValueChange={setTyped} placeholder={t(($) => $.searchPlaceholder)} className="h-11 w-full border-b border-line bg-transparent px-4 text-base text-text placeholder:text-dim focus-visible:outline-none" />
            <Command.List className="max-h-[50vh] overflow-y-auto p-1">
              <Command.Empty className="px-3 py-4 text-dim">{t(($) => $.nothingFound)}</Command.Empty>
              {groups.map((group) => (
                <Command.Group key={group} heading={group} className="[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-small [&_[cmdk-group-heading]]:text-dim">
                  {found
                    .filter((action) => action.group === group)
                    .map((action) => (
                      <Command.Item
                        key={action.id}
                        value={action.id}
                        onSelect={() => {
                          setOpen(false);
                          setTyped("");
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

/** What begins with what was typed stands before what has it further in, and that before what only has its letters somewhere. */
function rank({ title, words, group }: Action, typed: string): number {
  const [said, search] = [title.toLowerCase(), typed.trim().toLowerCase()];
  if (said.startsWith(search)) return 1;
  if (said.includes(` ${search}`)) return 0.9;
  if (said.includes(search)) return 0.8;
  return 0.7 * defaultFilter(title, search, [words ?? "", group]);
}

/** Opens the palette from elsewhere. */
export const openPalette = () => window.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true }));
