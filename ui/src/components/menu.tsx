// Menus of actions: behind a button, or at the pointer. Both show the same entries.

import { ContextMenu, DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { cn } from "../lib/cn";
import { Keys } from "./keys";

export type Entry = { label: string; onSelect: () => void; keys?: string; danger?: boolean; disabled?: boolean; icon?: ReactNode } | "line";

const surface = "z-50 min-w-48 rounded-ui border border-line-strong bg-raised p-1 text-text shadow-xl";
const row = (danger?: boolean) =>
  cn("flex h-7 items-center gap-2 rounded-[4px] px-2 outline-none data-[disabled]:opacity-45 data-[highlighted]:bg-hover", danger && "text-failed");

function content(entry: Entry & object) {
  return (
    <>
      {entry.icon && <span className="text-dim [&>svg]:size-3.5">{entry.icon}</span>}
      <span className="flex-1 pr-6">{entry.label}</span>
      {entry.keys && <Keys keys={entry.keys} />}
    </>
  );
}

/** A menu behind `children`, which is a button. */
export function Menu({ entries, children, align = "end" }: { entries: Entry[]; children: ReactNode; align?: "start" | "end" }) {
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>{children}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align={align} sideOffset={4} className={surface}>
          {entries.map((entry, index) =>
            entry === "line" ? (
              <DropdownMenu.Separator key={index} className="my-1 h-px bg-line" />
            ) : (
              <DropdownMenu.Item key={entry.label} disabled={entry.disabled} onSelect={entry.onSelect} className={row(entry.danger)}>
                {content(entry)}
              </DropdownMenu.Item>
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

/** The same at the pointer, by right click or the menu key, over `children`. */
export function PointerMenu({ entries, children }: { entries: Entry[]; children: ReactNode }) {
  return (
    <ContextMenu.Root>
      <ContextMenu.Trigger asChild>{children}</ContextMenu.Trigger>
      <ContextMenu.Portal>
        <ContextMenu.Content className={surface}>
          {entries.map((entry, index) =>
            entry === "line" ? (
              <ContextMenu.Separator key={index} className="my-1 h-px bg-line" />
            ) : (
              <ContextMenu.Item key={entry.label} disabled={entry.disabled} onSelect={entry.onSelect} className={row(entry.danger)}>
                {content(entry)}
              </ContextMenu.Item>
            ),
          )}
        </ContextMenu.Content>
      </ContextMenu.Portal>
    </ContextMenu.Root>
  );
}
