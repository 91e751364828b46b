import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Page } from "../components/frame";
import { About } from "../features/settings/about";
import { Backups } from "../features/settings/backups";
import { General } from "../features/settings/general";
import { Labs } from "../features/settings/labs";
import { Lock } from "../features/settings/lock";
import { Tools } from "../features/settings/tools";
import { useActions } from "../lib/actions";
import { cn } from "../lib/cn";

const parts = { general: General, tools: Tools, labs: Labs, backups: Backups, lock: Lock, about: About };
type PartName = keyof typeof parts;
const names = Object.keys(parts) as PartName[];

export function SettingsPage() {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const navigate = useNavigate();
  const search = useSearch({ from: "/settings" });
  const part = names.find((name) => name === search.part) ?? "general";
  const Part = parts[part];
  useActions(names.map((name, index) => ({ id: `settings ${name}`, title: `${c(($) => $.settings)}: ${t(($) => $.parts[name])}`, group: c(($) => $.settings), keys: String(index + 1), run: () => void navigate({ to: "/settings", search: { part: name } }) })));
  return (
    <Page title={c(($) => $.settings)} bare>
      <nav aria-label={t(($) => $.parts.label)} className="flex w-44 shrink-0 flex-col gap-px border-r border-line p-2">
        {names.map((name) => (
          <Link
            key={name}
            to="/settings"
            search={{ part: name }}
            aria-current={name === part ? "page" : undefined}
            className={cn("flex h-7 items-center rounded-ui px-2", name === part ? "bg-selected" : "hover:bg-hover")}
          >
            {t(($) => $.parts[name])}
          </Link>
        ))}
      </nav>
      <div className="min-w-0 flex-1 overflow-auto p-4">
        <Part />
      </div>
    </Page>
  );
}
