// A typed fake of the shell: the generated bindings run for real, and what they call is answered here.

import type { Channel } from "@tauri-apps/api/core";
import { mockIPC } from "@tauri-apps/api/mocks";
import type { commands, LabStatus, MachineStatus, Plan, RunEvent, RunSummary } from "../bindings";

type Commands = typeof commands;
export type Answers = {
  [Name in keyof Commands]?: (args: any) => Awaited<ReturnType<Commands[Name]>> | Promise<Awaited<ReturnType<Commands[Name]>>>;
};

/** Answers the commands that are named; any other call fails its test. Returns the calls so far. */
export function fake(answers: Answers): string[] {
  const calls: string[] = [];
  mockIPC(
    (command, args) => {
      const name = command.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as keyof Commands;
      calls.push(name);
      const answer = answers[name];
      if (!answer) throw new Error(`the test's shell does not answer ${name}`);
      return answer(args as never);
    },
    { shouldMockEvents: true },
  );
  return calls;
}

/** What a followed run sends. */
export const send = (args: { onEvents: Channel<RunEvent[]> }, events: RunEvent[]) => args.onEvents.onmessage(events);

export const machine = (name: string, more: Partial<MachineStatus> = {}): MachineStatus => ({
  name,
  host: "local",
  state: null,
  configured: false,
  address: null,
  image: "debian-12",
  vcpus: 1,
  memory_mib: 512,
  spec: name,
  description: null,
  nics: [{ network: "lan", mac: "52:54:00:00:00:01", address: more.address ?? null }],
  disk: "4 GiB",
  firmware: "bios",
  ...more,
});

export const lab = (name: string, more: Partial<LabStatus> = {}): LabStatus => ({
  name,
  state: "designed",
  revision: 1,
  machines: [machine("web", { address: "10.77.1.10" }), machine("db")],
  last_run: null,
  unknown: null,
  ...more,
});

export const plan = (more: Partial<Plan> = {}): Plan => ({
  id: 7,
  kind: "deploy",
  lab: "hello",
  things: [
    {
      planned: { noun: "network", name: "lan", kind: "create", disruption: "none", sentence: "is created" },
      changes: [{ address: 'libvirt_network.network["lan"]', resource_type: "libvirt_network", key: "lan", kind: "create", attributes: [] }],
    },
    { planned: { noun: "machine", name: "web", kind: "create", disruption: "none", sentence: "is created" }, changes: [] },
    { planned: { noun: "machine", name: "db", kind: "create", disruption: "none", sentence: "is created" }, changes: [] },
  ],
  starts: ["web", "db"],
  configures: [],
  disruption: "none",
  kvm: false,
  why: "libvirt offers no KVM here",
  needs_memory_mib: 1024,
  has_memory_mib: 8192,
  disks_lost: null,
  warnings: [],
  terraform_dir: "/data/labs/hello/local/terraform",
  empty: false,
  hosts: [{ host: "local", kvm: false, why: "libvirt offers no KVM here", needs_memory_mib: 1024, has_memory_mib: 8192 }],
  raw: "",
  ...more,
});

export const run = (id: number, more: Partial<RunSummary> = {}): RunSummary => ({
  id,
  lab: "hello",
  kind: "deploy",
  status: "done",
  sentence: "2 machines ready",
  started: "2026-11-25T13:00:00Z",
  ended: "2026-11-25T13:01:21Z",
  revision: 1,
  ...more,
});

/** Events of run 3, numbered, a second apart. */
export const said = (...bodies: ([string | null, RunEvent["body"]])[]): RunEvent[] =>
  bodies.map(([machine, body], index) => ({ run: 3, seq: index + 1, at_ms: 1_000_000 + index * 1_000, machine, body }));
