// What can be done with machines, one or many: the same entries in the table's menus, its bar and the machine's page.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DomainState, PowerAction } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import type { Entry } from "../../components/menu";
import { ipc } from "../../ipc";
import { mention, toast } from "../../lib/toasts";
import { machinesOf } from "../../lib/words";

export type Powered = { name: string; state: DomainState | null };

/** Whether an action makes sense for a machine in a state. */
export function can(action: PowerAction, state: DomainState | null): boolean {
  const on = state !== null && state !== "shut_off" && state !== "crashed";
  switch (action) {
    case "start":
      return state === "shut_off" || state === "crashed";
    case "shut_down":
    case "reboot":
    case "pause":
      return state === "running";
    case "resume":
      return state === "paused" || state === "suspended";
    case "force_off":
    case "reset":
      return on;
  }
}

export const actions: PowerAction[] = ["start", "shut_down", "reboot", "pause", "resume", "reset", "force_off"];
/** What a guest does not survive unharmed is asked first. */
const harsh = (action: PowerAction) => action === "force_off" || action === "reset";

export type MachineDeeds = {
  /** Does it with those of the machines for which it makes sense, after a question where it is harsh. */
  power: (action: PowerAction, machines: Powered[]) => void;
  busy: boolean;
  dialog: ReactNode;
};

export function useMachineDeeds(lab: string): MachineDeeds {
  const { t } = useTranslation("machines");
  const client = useQueryClient();
  const [asked, setAsked] = useState<{ action: PowerAction; names: string[] } | null>(null);
  const power = useMutation({
    mutationFn: ({ action, names }: { action: PowerAction; names: string[] }) => ipc.powerMachines(lab, names, action),
    meta: { failureTitle: t(($) => $.power.failed) },
    onSuccess: (results, { action }) => {
      const failed = results.flatMap(({ machine, error }) => (error === null ? [] : [`${machine}: ${error}`]));
      const done = results.length - failed.length;
      if (failed.length > 0) toast({ title: t(($) => $.power.someFailed, { count: failed.length }), message: "", hint: null, details: failed });
      if (done > 0) mention(t(($) => $.power.done[action], { machines: done === 1 ? (results.find(({ error }) => error === null)?.machine ?? "") : machinesOf(done) }));
      void client.invalidateQueries({ queryKey: ["labs", lab] });
    },
    onSettled: () => setAsked(null),
  });
  return {
    busy: power.isPending,
    power: (action, machines) => {
      const names = machines.filter(({ state }) => can(action, state)).map(({ name }) => name);
      if (names.length === 0) return;
      if (harsh(action)) setAsked({ action, names });
      else power.mutate({ action, names });
    },
    dialog: asked && (
      <Dialog
        title={t(($) => $.power.ask[asked.action === "reset" ? "reset" : "force_off"], { machines: named(asked.names) })}
        onClose={() => setAsked(null)}
        actions={
          <>
            <Button autoFocus onClick={() => setAsked(null)}>
              {t(($) => $.power.leave)}
            </Button>
            <Button kind="danger" disabled={power.isPending} onClick={() => power.mutate(asked)}>
              {t(($) => $.power.do[asked.action === "reset" ? "reset" : "force_off"], { machines: named(asked.names) })}
            </Button>
          </>
        }
      >
        <p>{t(($) => $.power.loss)}</p>
        {asked.names.length > 1 && <p className="selectable max-h-32 overflow-auto font-mono text-small wrap-anywhere">{asked.names.join(", ")}</p>}
      </Dialog>
    ),
  };
}

const named = (names: string[]) => (names.length === 1 ? (names[0] ?? "") : machinesOf(names.length));

/** Entries of a menu for these machines; what makes no sense for any of them is dim. */
export function usePowerEntries(deeds: MachineDeeds): (machines: Powered[]) => Entry[] {
  const { t } = useTranslation("machines");
  return (machines) =>
    actions
      .filter((action) => (action === "resume" || action === "pause" ? machines.some(({ state }) => can(action, state)) : true))
      .map((action) => ({
        label: harsh(action) ? `${t(($) => $.power.word[action])}…` : t(($) => $.power.word[action]),
        danger: harsh(action),
        disabled: deeds.busy || !machines.some(({ state }) => can(action, state)),
        onSelect: () => deeds.power(action, machines),
      }));
}
