// The parts that pages are made of: a header that keeps its place, and lines that wait for data without jumping.

import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

/** A page. With `bare`, what is below the header fills all that is there, without padding, and scrolls by itself. */
export function Page({ title, state, actions, tabs, bare, children }: { title: ReactNode; state?: ReactNode; actions?: ReactNode; tabs?: ReactNode; bare?: boolean; children: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-1 flex-col">
      <header className={`border-b border-line bg-panel px-4 ${tabs ? "" : "pb-0"}`}>
        <div className="flex h-12 items-center gap-3">
          <h1 className="flex min-w-0 items-center gap-1.5 truncate text-title font-strong">{title}</h1>
          {state}
          <div className="ml-auto flex items-center gap-1.5">{actions}</div>
        </div>
        {tabs}
      </header>
      <main className={bare ? "flex min-h-0 flex-1" : "flex min-h-0 flex-1 flex-col gap-3 overflow-auto p-4"}>{children}</main>
    </div>
  );
}

/** Parts of one thing, an address each: give it `Link`s through [`Tab`]. */
export function Tabs({ label, children }: { label: string; children: ReactNode }) {
  return (
    <nav className="-mb-px flex gap-1" aria-label={label}>
      {children}
    </nav>
  );
}

/** For the `className` of a link that is a tab; its `activeProps` are [`activeTab`]. */
export const tab = "flex h-8 items-center gap-1.5 border-b-2 px-2";
export const activeTab = { className: "border-ink text-text" };
export const inactiveTab = { className: "border-transparent text-dim hover:text-text" };

/** Lines where data will be. */
export function Loading({ what, rows = 4 }: { what: string; rows?: number }) {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t(($) => $.loading, { what })} className="rounded-ui border border-line bg-panel">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="flex h-8 items-center border-b border-line px-3 last:border-0">
          <span className="h-2 animate-work rounded-full bg-hover" style={{ width: `${34 - row * 5}%` }} />
        </div>
      ))}
    </div>
  );
}

/** The empty form of a screen: what will be here, and the one thing to do. */
export function Empty({ picture, title, children }: { picture?: ReactNode; title: string; children?: ReactNode }) {
  return (
    <div className="m-auto flex max-w-[520px] flex-col items-center gap-2 py-8 text-center">
      {picture}
      <h2 className="text-title font-strong">{title}</h2>
      {children}
    </div>
  );
}

export const table = {
  frame: "overflow-x-auto rounded-ui border border-line bg-panel",
  table: "w-full border-collapse whitespace-nowrap",
  head: "h-7 border-b border-line px-3 text-small text-dim",
  cell: "h-(--row) px-3",
  row: "border-b border-line last:border-0 hover:bg-hover",
};
