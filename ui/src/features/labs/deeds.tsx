// What can be done with a lab, from its own pages and from the list of labs: the same entries, questions and results.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { LabState, LabStatus, LabSummary, OpenWith, RunSummary } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import type { Entry } from "../../components/menu";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { labsQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";
import { machinesOf, theRun } from "../../lib/words";

/** A lab as far as its actions depend on it. */
export type LabFacts = { name: string; state: LabState; machines: number; on: number; off: number; last: RunSummary | null };

export const factsOf = (lab: LabSummary): LabFacts => ({ name: lab.name, state: lab.state, machines: lab.machines, on: lab.running, off: lab.machines - lab.running, last: lab.last_run });

export function factsNow(lab: LabStatus): LabFacts {
  const off = lab.machines.filter(({ state }) => state === "shut_off" || state === "crashed").length;
  const on = lab.machines.filter(({ state }) => state !== null).length - off;
  return { name: lab.name, state: lab.state, machines: lab.machines.length, on, off, last: lab.last_run };
}

/** The run that is at work on it. */
export const working = ({ state, last }: LabFacts): RunSummary | null => (state === "changing" && last?.status === "running" ? last : null);
/** The last run, where it was left undone. */
export const undone = ({ last }: LabFacts): RunSummary | null => (last && ["failed", "cancelled", "cut_off"].includes(last.status) ? last : null);
export const isThere = ({ state }: LabFacts) => state !== "designed";

type Asked = { what: "stop" | "force" | "clone" | "forget"; lab: LabFacts };

export type Deeds = {
  start: (lab: LabFacts) => void;
  starting: boolean;
  ask: (what: Asked["what"], lab: LabFacts) => void;
  plan: (lab: string, what?: "destroy" | "resume") => void;
  resume: (lab: LabFacts) => void;
  watch: (run: RunSummary) => void;
  open: (lab: string, program: OpenWith) => void;
  exportLab: (lab: string) => void;
  exportFile: (lab: string) => void;
  /** Its question, if one is asked; to be drawn somewhere. */
  dialog: ReactNode;
};

export function useDeeds(): Deeds {
  const { t } = useTranslation("labs");
  const navigate = useNavigate();
  const [asked, setAsked] = useState<Asked | null>(null);
  const watch = (lab: string, run: number) => void navigate({ to: "/labs/$lab/runs/$run", params: { lab, run: String(run) } });
  const plan: Deeds["plan"] = (lab, what) => void navigate({ to: "/labs/$lab/plan", params: { lab }, search: what ? { what } : {} });
  const start = useMutation({
    mutationFn: (lab: string) => ipc.startLab(lab),
    meta: { failureTitle: t(($) => $.failed.start) },
    onSuccess: (run, lab) => (run === null ? mention(t(($) => $.allOn, { lab })) : watch(lab, run)),
  });
  const stop = useMutation({
    mutationFn: ({ lab, force }: { lab: string; force: boolean }) => ipc.stopLab(lab, force),
    meta: { failureTitle: t(($) => $.failed.stop) },
    onSuccess: (run, { lab }) => (setAsked(null), watch(lab, run)),
  });
  const exportLab = useMutation({
    mutationFn: (lab: string) => ipc.exportLab(lab),
    meta: { failureTitle: t(($) => $.failed.export) },
    onSuccess: (path) => path !== null && mention(t(($) => $.exported, { path })),
  });
  const exportFile = useMutation({
    mutationFn: (lab: string) => ipc.exportLabFile(lab),
    meta: { failureTitle: t(($) => $.failed.export) },
    onSuccess: (path) => path !== null && mention(t(($) => $.exported, { path })),
  });
  const open = useMutation({
    mutationFn: ({ lab, program }: { lab: string; program: OpenWith }) => ipc.openLab(lab, program),
    meta: { failureTitle: t(($) => $.failed.open) },
  });
  const close = () => setAsked(null);
  return {
    start: (lab) => start.mutate(lab.name),
    starting: start.isPending,
    ask: (what, lab) => setAsked({ what, lab }),
    plan,
    resume: (lab) => {
      const kind = lab.last?.kind;
      if (kind === "start") start.mutate(lab.name);
      else if (kind === "stop") stop.mutate({ lab: lab.name, force: false });
      else plan(lab.name, "resume");
    },
    watch: (run) => watch(run.lab, run.id),
    open: (lab, program) => open.mutate({ lab, program }),
    exportLab: (lab) => exportLab.mutate(lab),
    exportFile: (lab) => exportFile.mutate(lab),
    dialog: asked && <Question asked={asked} onClose={close} onStop={(force) => stop.mutate({ lab: asked.lab.name, force })} stopping={stop.isPending} />,
  };
}

function Question({ asked: { what, lab }, onClose, onStop, stopping }: { asked: Asked; onClose: () => void; onStop: (force: boolean) => void; stopping: boolean }) {
  const { t } = useTranslation("labs");
  switch (what) {
    case "clone":
      return <Clone lab={lab.name} onClose={onClose} />;
    case "forget":
      return <Forget lab={lab.name} onClose={onClose} />;
    case "stop":
    case "force": {
      const machines = machinesOf(lab.on);
      const force = what === "force";
      return (
        <Dialog
          title={force ? t(($) => $.force.title, { lab: lab.name }) : t(($) => $.stop.title, { lab: lab.name })}
          onClose={onClose}
          actions={
            <>
              <Button onClick={onClose} autoFocus={force}>
                {t(($) => $.stop.leave)}
              </Button>
              <Button kind={force ? "danger" : "primary"} autoFocus={!force} disabled={stopping} onClick={() => onStop(force)}>
                {force ? t(($) => $.force.do, { machines }) : t(($) => $.stop.do, { machines })}
              </Button>
            </>
          }
        >
          <p>{force ? t(($) => $.force.message) : t(($) => $.stop.message)}</p>
        </Dialog>
      );
    }
  }
}

function Clone({ lab, onClose }: { lab: string; onClose: () => void }) {
  const { t } = useTranslation(["labs", "common"]);
  const navigate = useNavigate();
  const client = useQueryClient();
  const [name, setName] = useState(`${lab.slice(0, 35)}-copy`);
  const clone = useMutation({
    mutationFn: () => ipc.cloneLab(lab, name),
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: labsQuery.queryKey });
      onClose();
      void navigate({ to: "/labs/$lab/design", params: { lab: saved.name } });
    },
  });
  const bad = name !== "" && !/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name);
  return (
    <Dialog
      title={t(($) => $.clone.title, { lab })}
      onClose={onClose}
      onSubmit={() => !bad && name !== "" && clone.mutate()}
      actions={
        <>
          <Button onClick={onClose}>{t(($) => $.cancel, { ns: "common" })}</Button>
          <Button kind="primary" type="submit" disabled={bad || name === "" || clone.isPending}>
            {t(($) => $.clone.do)}
          </Button>
        </>
      }
    >
      <p className="text-dim">{t(($) => $.clone.message)}</p>
      <Field id="clone-name" label={t(($) => $.clone.name)} autoFocus value={name} error={bad ? t(($) => $.clone.bad) : null} onChange={(event) => setName(event.target.value)} />
      {clone.isError && <Failed title={t(($) => $.failed.clone)} error={clone.error} />}
    </Dialog>
  );
}

function Forget({ lab, onClose }: { lab: string; onClose: () => void }) {
  const { t } = useTranslation("labs");
  const navigate = useNavigate();
  const client = useQueryClient();
  const forget = useMutation({
    mutationFn: () => ipc.forgetLab(lab),
    onSuccess: async () => {
      onClose();
      await navigate({ to: "/labs" });
      await client.invalidateQueries({ queryKey: labsQuery.queryKey });
      mention(t(($) => $.forget.done, { lab }));
    },
  });
  return (
    <Dialog
      title={t(($) => $.forget.title, { lab })}
      onClose={onClose}
      actions={
        <>
          <Button autoFocus onClick={onClose}>
            {t(($) => $.forget.keep)}
          </Button>
          <Button kind="danger" disabled={forget.isPending} onClick={() => forget.mutate()}>
            {t(($) => $.forget.do, { lab })}
          </Button>
        </>
      }
    >
      <p>{t(($) => $.forget.message)}</p>
      {forget.isError && <Failed title={t(($) => $.failed.forget)} error={forget.error} />}
    </Dialog>
  );
}

/** All that can be done with a lab now, for menus and the palette. */
export function useLabEntries(deeds: Deeds): (lab: LabFacts) => Entry[] {
  const { t } = useTranslation("labs");
  return (lab) => {
    const run = working(lab);
    const left = undone(lab);
    const there = isThere(lab);
    const busy = run !== null;
    const name = lab.name;
    return [
      ...(run ? [{ label: t(($) => $.watch, { run: theRun(run.kind), id: run.id }), onSelect: () => deeds.watch(run) }] : []),
      { label: there ? t(($) => $.planChanges) : t(($) => $.planDeploy), disabled: busy, onSelect: () => deeds.plan(name) },
      ...(left && !busy ? [{ label: t(($) => $.resume, { run: theRun(left.kind), id: left.id }), onSelect: () => deeds.resume(lab) }] : []),
      "line",
      { label: t(($) => $.start), disabled: busy || !there || lab.off === 0, onSelect: () => deeds.start(lab) },
      { label: t(($) => $.shutDown), disabled: busy || !there || lab.on === 0, onSelect: () => deeds.ask("stop", lab) },
      { label: t(($) => $.forceOff), disabled: busy || !there || lab.on === 0, danger: true, onSelect: () => deeds.ask("force", lab) },
      "line",
      { label: t(($) => $.openFiles), onSelect: () => deeds.open(name, "files") },
      { label: t(($) => $.openEditor), onSelect: () => deeds.open(name, "editor") },
      { label: t(($) => $.openTerminal), onSelect: () => deeds.open(name, "terminal") },
      "line",
      { label: t(($) => $.cloneLab), onSelect: () => deeds.ask("clone", lab) },
      { label: t(($) => $.exportLab), onSelect: () => deeds.exportLab(name) },
      { label: t(($) => $.exportFile), onSelect: () => deeds.exportFile(name) },
      "line",
      there
        ? { label: t(($) => $.destroyLab), disabled: busy, danger: true, onSelect: () => deeds.plan(name, "destroy") }
        : { label: t(($) => $.forgetLab), danger: true, onSelect: () => deeds.ask("forget", lab) },
    ];
  };
}
