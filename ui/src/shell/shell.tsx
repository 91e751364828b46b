// The frame around all pages: sidebar, palette, questions of the engine, and what is true everywhere.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useLocation, useNavigate, useRouter } from "@tanstack/react-router";
import { Tooltip } from "radix-ui";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Toasts } from "../components/toasts";
import { useIdleLock } from "../features/settings/idle-lock";
import { ipc, onLockChanged, onNote, onStale } from "../ipc";
import { language } from "../i18n";
import { listenForKeys, useActions } from "../lib/actions";
import { setPrefs, usePrefs } from "../lib/prefs";
import { labsQuery, lockQuery } from "../lib/queries";
import { mention } from "../lib/toasts";
import { CloseQuestion } from "./close-question";
import { LockScreen } from "./lock-screen";
import { Palette } from "./palette";
import { Questions } from "./questions";
import { Shortcuts } from "./shortcuts";
import { Sidebar } from "./sidebar";

export function Shell() {
  const client = useQueryClient();
  const page = useLocation({ select: (location) => location.href });
  const lock = useQuery(lockQuery);
  const { notifications } = usePrefs();
  const told = notifications ? language() : null;
  useEffect(() => onStale((resource) => void client.invalidateQueries({ queryKey: [resource] })), [client]);
  useEffect(() => onLockChanged(() => void client.invalidateQueries()), [client]);
  useEffect(() => onNote(mention), []);
  useEffect(listenForKeys, []);
  useEffect(() => setPrefs({ page }), [page]);
  const locked = lock.data?.locked ?? true;
  useEffect(() => {
    // While it is locked nothing is taken from the page.
    if (!locked) void ipc.setNotifications(told);
  }, [told, locked]);
  if (lock.data?.locked) return <LockScreen />;
  return (
    <Tooltip.Provider delayDuration={500}>
      <Everywhere />
      <div className="flex h-full">
        <Sidebar />
        <Outlet />
      </div>
      <Palette />
      <Shortcuts />
      <Questions />
      <CloseQuestion />
      <Toasts />
    </Tooltip.Provider>
  );
}

/** Actions that are there on every page. */
function Everywhere() {
  useIdleLock();
  const { t } = useTranslation();
  const navigate = useNavigate();
  const router = useRouter();
  const { theme, sidebar } = usePrefs();
  const labs = useQuery(labsQuery);
  const go = t(($) => $.go);
  const view = t(($) => $.view);
  const next = theme === "system" ? "light" : theme === "light" ? "dark" : "system";
  useActions([
    { id: "go-dashboard", title: t(($) => $.dashboard), group: go, keys: "g d", run: () => void navigate({ to: "/" }) },
    { id: "go-labs", title: t(($) => $.labs), group: go, keys: "g l", run: () => void navigate({ to: "/labs" }) },
    { id: "go-hosts", title: t(($) => $.hosts), group: go, keys: "g h", run: () => void navigate({ to: "/hosts" }) },
    { id: "go-images", title: t(($) => $.images), group: go, keys: "g i", run: () => void navigate({ to: "/images" }) },
    { id: "go-activity", title: t(($) => $.activity), group: go, keys: "g a", run: () => void navigate({ to: "/activity" }) },
    { id: "go-settings", title: t(($) => $.settings), group: go, keys: "Ctrl+,", everywhere: true, run: () => void navigate({ to: "/settings" }) },
    { id: "back", title: t(($) => $.back), group: go, keys: "Alt+ArrowLeft", hidden: true, run: () => router.history.back() },
    { id: "forward", title: t(($) => $.forward), group: go, keys: "Alt+ArrowRight", hidden: true, run: () => router.history.forward() },
    { id: "theme", title: t(($) => $.theme.next, { theme: t(($) => $.theme[next]) }), group: view, words: "dark light theme", run: () => setPrefs({ theme: next }) },
    {
      id: "sidebar",
      title: sidebar === "open" ? t(($) => $.collapse) : t(($) => $.expand),
      group: view,
      keys: "Ctrl+b",
      everywhere: true,
      run: () => setPrefs({ sidebar: sidebar === "open" ? "icons" : "open" }),
    },
    ...(labs.data ?? []).map(({ name, description }) => ({
      id: `lab ${name}`,
      title: name,
      words: description ?? "",
      group: t(($) => $.labs),
      run: () => void navigate({ to: "/labs/$lab", params: { lab: name } }),
    })),
  ]);
  return null;
}
