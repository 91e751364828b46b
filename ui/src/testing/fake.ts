// A typed fake of the shell: the generated bindings run for real, and what they call is answered here.

import { mockIPC } from "@tauri-apps/api/mocks";
import type { Channel } from "@tauri-apps/api/core";
import type { commands, LabStatus, MachineStatus, Plan, RunEvent } from "../bindings";

type Commands = typeof commands;
type Answers = {
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
  ...more,
});

/** Events of run 3, numbered, a second apart. */
export const said = (...bodies: ([string | null, RunEvent["body"]])[]): RunEvent[] =>
  bodies.map(([machine, body], index) => ({ run: 3, seq: index + 1, at_ms: 1_000_000 + index * 1_000, machine, body }));
