import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Boxes, HardDrive, LayoutDashboard, PanelLeft, ScrollText, Search, Server, Settings2 } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Keys } from "../components/keys";
import { Dot } from "../components/state";
import { Tip } from "../components/tip";
import { Downloads } from "../features/images/downloads";
import { cn } from "../lib/cn";
import { setPrefs, usePrefs } from "../lib/prefs";
import { hostsQuery, labsQuery, recentRunsQuery } from "../lib/queries";
import { labState, runKind } from "../lib/words";
import { openPalette } from "./palette";

/** How many labs are listed; the others are on the page of labs. */
const LISTED = 40;

export function Sidebar() {
  const { t } = useTranslation();
  const { sidebar } = usePrefs();
  const small = sidebar === "icons";
  const labs = useQuery(labsQuery);
  const hosts = useQuery(hostsQuery);
  const runs = useQuery(recentRunsQuery);
  const { lab: current } = useParams({ strict: false });
  const atWork = runs.data?.filter(({ status }) => status === "running") ?? [];
  return (
    <nav aria-label={t(($) => $.main)} className={cn("flex shrink-0 flex-col border-r border-line bg-window", small ? "w-12" : "w-[220px]")}>
      <div className={cn("flex h-12 shrink-0 items-center gap-2", small ? "justify-center" : "pr-2 pl-4")}>
        {!small && <span className="min-w-0 flex-1 truncate font-strong">{t(($) => $.app)}</span>}
        <Tip text={small ? t(($) => $.expand) : t(($) => $.collapse)} keys="Ctrl+B">
          <button
            type="button"
            aria-label={small ? t(($) => $.expand) : t(($) => $.collapse)}
            className="rounded-ui p-1.5 text-dim hover:bg-hover hover:text-text"
            onClick={() => setPrefs({ sidebar: small ? "open" : "icons" })}
          >
            <PanelLeft className="size-4" />
          </button>
        </Tip>
      </div>
      <button type="button" onClick={openPalette} aria-label={t(($) => $.search)} className={cn("mx-2 mb-2 flex h-7 shrink-0 items-center gap-2 rounded-ui border border-line text-dim hover:bg-hover", small ? "justify-center" : "px-2")}>
        <Search className="size-3.5 shrink-0" />
        {!small && (
          <>
            <span className="flex-1 truncate text-left">{t(($) => $.search)}</span>
            <Keys keys="Ctrl+K" />
          </>
        )}
      </button>
      <Item to="/" icon={<LayoutDashboard />} label={t(($) => $.dashboard)} small={small} exact />
      <Item to="/labs" icon={<Boxes />} label={t(($) => $.labs)} count={labs.data?.length} small={small} exact />
      {!small && (
        <ul className="min-h-0 shrink overflow-y-auto py-0.5" aria-label={t(($) => $.labs)}>
          {labs.data?.slice(0, LISTED).map(({ name, state }) => (
            <li key={name}>
              <Link
                to="/labs/$lab"
                params={{ lab: name }}
                aria-current={name === current ? "page" : undefined}
                className={cn("mx-2 flex h-7 items-center gap-2 rounded-ui pr-2 pl-8", name === current ? "bg-selected" : "hover:bg-hover")}
              >
                <span className="min-w-0 flex-1 truncate" title={name}>
                  {name}
                </span>
                <Dot tone={labState(state).tone} label={labState(state).word} />
              </Link>
            </li>
          ))}
        </ul>
      )}
      <Item to="/hosts" icon={<Server />} label={t(($) => $.hosts)} count={hosts.data?.length} small={small} />
      <Item to="/images" icon={<HardDrive />} label={t(($) => $.images)} small={small} />
      <Item to="/activity" icon={<ScrollText />} label={t(($) => $.activity)} small={small} />
      <div className="flex-1" />
      {!small && <Downloads />}
      {atWork.length > 0 && (
        <section aria-label={t(($) => $.running)} className="border-t border-line py-1.5">
          {!small && <h2 className="px-4 pb-0.5 text-small text-dim">{t(($) => $.running)}</h2>}
          {atWork.map(({ id, lab, kind }) => (
            <Link
              key={id}
              to="/labs/$lab/runs/$run"
              params={{ lab, run: String(id) }}
              title={`${runKind(kind)} ${lab}`}
              className={cn("mx-2 flex h-7 items-center gap-2 rounded-ui hover:bg-hover", small ? "justify-center" : "px-2")}
            >
              <Dot tone="changing" label={small ? `${runKind(kind)} ${lab}` : undefined} />
              {!small && (
                <span className="min-w-0 flex-1 truncate">
                  {runKind(kind)} <span className="text-dim">{lab}</span>
                </span>
              )}
            </Link>
          ))}
        </section>
      )}
      <div className="border-t border-line py-1.5">
        <Item to="/settings" icon={<Settings2 />} label={t(($) => $.settings)} small={small} />
      </div>
    </nav>
  );
}

function Item({ to, icon, label, count, small, exact }: { to: "/" | "/labs" | "/hosts" | "/images" | "/activity" | "/settings"; icon: ReactNode; label: string; count?: number; small: boolean; exact?: boolean }) {
  const link = (
    <Link
      to={to}
      activeOptions={{ exact: exact ?? false, includeSearch: false }}
      aria-label={small ? label : undefined}
      className={cn("mx-2 flex h-7 shrink-0 items-center gap-2 rounded-ui [&>svg]:size-4 [&>svg]:shrink-0 [&>svg]:text-dim", small ? "justify-center" : "px-2")}
      activeProps={{ className: "bg-selected" }}
      inactiveProps={{ className: "hover:bg-hover" }}
    >
      {icon}
      {!small && <span className="min-w-0 flex-1 truncate">{label}</span>}
      {!small && count !== undefined && <span className="text-small text-dim">{count}</span>}
    </Link>
  );
  return small ? <Tip text={label}>{link}</Tip> : link;
}
