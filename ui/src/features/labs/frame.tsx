// The frame of all pages of a lab: where one is, how the lab stands, what can be done with it, and its parts as tabs.

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { Fragment, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { activeTab, inactiveTab, Page, tab as tabClass, Tabs } from "../../components/frame";
import { Menu } from "../../components/menu";
import { State } from "../../components/state";
import { Tip } from "../../components/tip";
import { commandError } from "../../ipc";
import { useActions } from "../../lib/actions";
import { cn } from "../../lib/cn";
import { labQuery, runsQuery } from "../../lib/queries";
import { labState, machinesOf, theRun } from "../../lib/words";
import { factsNow, isThere, type LabFacts, undone, useDeeds, useLabEntries, working } from "./deeds";

export type LabTab = "overview" | "design" | "plan" | "runs" | "files" | "activity";

const tabs = [
  { id: "overview", to: "/labs/$lab" },
  { id: "design", to: "/labs/$lab/design" },
  { id: "plan", to: "/labs/$lab/plan" },
  { id: "runs", to: "/labs/$lab/runs" },
  { id: "files", to: "/labs/$lab/files" },
  { id: "activity", to: "/labs/$lab/activity" },
] as const;

type Props = {
  lab: string;
  tab: LabTab;
  /** Instead of the lab's own state. */
  state?: ReactNode;
  /** The page's own actions, its primary one last; they stand in the place of the lab's. */
  actions?: ReactNode;
  /** Below the lab, such as a run of it. */
  trail?: ReactNode;
  bare?: boolean;
  children: ReactNode;
};

export function LabFrame({ lab, tab, state, actions, trail, bare, children }: Props) {
  const { t } = useTranslation(["labs", "common"]);
  const navigate = useNavigate();
  const status = useQuery(labQuery(lab));
  // What an earlier revision had does not count for one that cannot be read.
  const now = status.isError && commandError(status.error).code === "problems" ? undefined : status.data;
  const runs = useQuery(runsQuery(lab));
  const deeds = useDeeds();
  const entriesOf = useLabEntries(deeds);
  // One whose machines cannot be listed can still be opened, exported, forgotten.
  const facts: LabFacts = now ? factsNow(now) : { name: lab, state: "designed", machines: 0, on: 0, off: 0, last: null };
  const known = now !== undefined;
  const entries = entriesOf(facts);
  useActions([
    ...tabs.map(({ id, to }, index) => ({ id: `tab ${id}`, title: t(($) => $.tabs[id]), group: lab, keys: String(index + 1), run: () => void navigate({ to, params: { lab } }) })),
    ...entries.flatMap((entry) => (entry === "line" || entry.disabled ? [] : [{ id: `lab: ${entry.label}`, title: entry.label, group: lab, run: entry.onSelect }])),
  ]);
  const count: Partial<Record<LabTab, number>> = { overview: now?.machines.length, runs: runs.data?.length };
  return (
    <Page
      bare={bare}
      title={
        <Trail
          parts={[
            <Link key="labs" to="/labs" className="font-normal text-dim hover:text-text">
              {t(($) => $.labs, { ns: "common" })}
            </Link>,
            trail ? (
              <Link key="lab" to="/labs/$lab" params={{ lab }} className="truncate font-normal text-dim hover:text-text" title={lab}>
                {lab}
              </Link>
            ) : (
              <span key="lab" className="selectable truncate" title={lab}>
                <bdi>{lab}</bdi>
              </span>
            ),
            ...(trail ? [trail] : []),
          ]}
        />
      }
      state={state ?? (now && <State {...labState(now.state)} />)}
      actions={
        <>
          {actions ?? (known && <LabButtons lab={facts} deeds={deeds} />)}
          <Menu entries={entries}>
            <Button kind="quiet" className="px-1.5" aria-label={t(($) => $.actionsOf, { ns: "common", name: lab })}>
              <Ellipsis className="size-4" />
            </Button>
          </Menu>
          {deeds.dialog}
        </>
      }
      tabs={
        <Tabs label={t(($) => $.parts, { lab })}>
          {tabs.map(({ id, to }, index) => (
            <Tip key={id} text={t(($) => $.tabs[id])} keys={String(index + 1)}>
              <Link to={to} params={{ lab }} aria-current={id === tab ? "page" : undefined} className={cn(tabClass, (id === tab ? activeTab : inactiveTab).className)}>
                {t(($) => $.tabs[id])}
                {count[id] !== undefined && <span className="text-small text-dim">{count[id]}</span>}
              </Link>
            </Tip>
          ))}
        </Tabs>
      }
    >
      {children}
    </Page>
  );
}

/** Where one is, from the whole to the part. */
export function Trail({ parts }: { parts: ReactNode[] }) {
  return parts.map((part, index) => (
    <Fragment key={index}>
      {index > 0 && (
        <span aria-hidden className="font-normal text-dim">
          /
        </span>
      )}
      {part}
    </Fragment>
  ));
}

/** What one does most with a lab; the primary button keeps its place. */
function LabButtons({ lab, deeds }: { lab: LabFacts; deeds: ReturnType<typeof useDeeds> }) {
  const { t } = useTranslation("labs");
  const run = working(lab);
  const left = undone(lab);
  const resumes = left !== null && (left.kind === "deploy" || left.kind === "destroy");
  useActions([{ id: "lab-primary", title: t(($) => $.primary), group: lab.name, keys: "Ctrl+Enter", hidden: true, run: () => (run ? deeds.watch(run) : resumes ? deeds.resume(lab) : deeds.plan(lab.name)) }]);
  if (run) {
    return (
      <Button kind="primary" onClick={() => deeds.watch(run)}>
        {t(($) => $.watch, { run: theRun(run.kind), id: run.id })}
      </Button>
    );
  }
  const there = isThere(lab);
  if (lab.machines === 0 && !there) {
    return (
      <Link to="/labs/$lab/design" params={{ lab: lab.name }} className="inline-flex h-7 items-center rounded-ui bg-ink px-2.5 font-strong text-on-ink hover:opacity-90">
        {t(($) => $.overview.edit)}
      </Link>
    );
  }
  if (left && resumes) {
    return (
      <>
        <Button onClick={() => deeds.plan(lab.name)}>{t(($) => $.planChanges)}</Button>
        <Button kind="primary" onClick={() => deeds.resume(lab)}>
          {t(($) => $.resume, { run: theRun(left.kind), id: left.id })}
        </Button>
      </>
    );
  }
  return (
    <>
      {there && lab.on > 0 && <Button onClick={() => deeds.ask("stop", lab)}>{t(($) => $.shutDown)}</Button>}
      {there && lab.off > 0 && (
        <Button disabled={deeds.starting} onClick={() => deeds.start(lab)}>
          {deeds.starting ? t(($) => $.starting) : t(($) => $.startMachines, { machines: machinesOf(lab.off) })}
        </Button>
      )}
      <Button kind="primary" onClick={() => deeds.plan(lab.name)}>
        {there ? t(($) => $.planChanges) : t(($) => $.planMachines, { machines: machinesOf(lab.machines) })}
      </Button>
    </>
  );
}
