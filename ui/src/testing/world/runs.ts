// Runs, and what they said. Run 12 of `shop` is done, run 11 failed, run 13 of `k8s` is at work.

import type { Channel } from "@tauri-apps/api/core";
import type { EventBody, Phase, Plan, RunEvent, RunSummary } from "../../bindings";
import type { Answers } from "../fake";

const run = (lab: string, id: number, more: Partial<RunSummary> = {}): RunSummary => ({ lab, id, kind: "deploy", status: "done", sentence: "", started: "2026-11-25T09:04:10Z", ended: null, revision: 1, ...more });

const all: RunSummary[] = [
  run("k8s", 13, { status: "running", started: "2026-11-25T13:58:41Z", revision: 4 }),
  run("shop", 12, { sentence: "5 machines ready after 142 s", ended: "2026-11-25T09:06:34Z", revision: 7 }),
  run("shop", 11, { status: "failed", sentence: "1 of 5 machines not ready: web-2", started: "2026-11-25T08:47:02Z", ended: "2026-11-25T08:58:20Z", revision: 6 }),
  run("soc-training", 10, { status: "failed", sentence: "3 of 14 machines not ready: analyst-4, analyst-5, victim-mail", started: "2026-11-24T16:31:12Z", ended: "2026-11-24T16:49:55Z", revision: 12 }),
  run("ad-domain", 9, { kind: "stop", sentence: "4 machines stopped", started: "2026-11-24T17:58:03Z", ended: "2026-11-24T17:58:31Z", revision: 3 }),
  run("shop", 8, { kind: "start", sentence: "5 machines started", started: "2026-11-24T08:01:00Z", ended: "2026-11-24T08:01:49Z", revision: 5 }),
  run("shop", 7, { kind: "stop", status: "cancelled", sentence: "cancelled; 2 machines are still on", started: "2026-11-23T18:20:00Z", ended: "2026-11-23T18:20:21Z", revision: 5 }),
  run("shop", 6, { kind: "destroy", sentence: "nothing is left on the host; the design stays", started: "2026-11-20T11:30:00Z", ended: "2026-11-20T11:30:38Z", revision: 4 }),
  run("ad-domain", 5, { sentence: "4 machines ready after 312 s", started: "2026-11-19T08:13:00Z", ended: "2026-11-19T08:18:12Z", revision: 3 }),
  run("shop", 2, { status: "cut_off", sentence: "its process was gone while bringing web-1 up", started: "2026-11-18T15:02:00Z", ended: "2026-11-18T15:03:10Z", revision: 2 }),
];

export const runsOf = (lab: string) => all.filter((one) => one.lab === lab);

/** Events in the order of their seconds. */
class Script {
  private readonly said: { s: number; machine: string | null; body: EventBody }[] = [];
  say(s: number, machine: string | null, body: EventBody) {
    this.said.push({ s, machine, body });
    return this;
  }
  step = (s: number, text: string, machine: string | null = null) => this.say(s, machine, { kind: "step", text });
  log = (s: number, source: string, text: string, machine: string | null = null) => this.say(s, machine, { kind: "log", source, text });
  phases(machine: string, address: string, times: Partial<Record<Phase, number>>) {
    for (const [phase, s] of Object.entries(times)) this.say(s, machine, { kind: "phase", phase: phase as Phase, address: ["defined", "booting"].includes(phase) ? null : address });
    return this;
  }
  tasks(machine: string, from: number, names: string[]) {
    names.forEach((task, n) => {
      this.say(from + n * 5, machine, { kind: "task", task, outcome: "started" });
      this.say(from + n * 5 + 4, machine, { kind: "task", task, outcome: n % 3 === 0 ? "ok" : "changed" });
    });
    return this;
  }
  events(id: number, began: string): RunEvent[] {
    return [...this.said].sort((a, b) => a.s - b.s).map(({ s, machine, body }, n) => ({ run: id, seq: n + 1, at_ms: Date.parse(began) + s * 1_000, machine, body }));
  }
}

const terraform = (script: Script, machines: string[], networks: string[]) => {
  script.step(0.2, "rendering the lab for hosts `local` and `lab1`").step(2, "sending images to host `lab1`");
  script.say(3, null, { kind: "transfer", what: "debian-12 to host `lab1`", done_mib: 120, total_mib: 412 }).say(8, null, { kind: "transfer", what: "debian-12 to host `lab1`", done_mib: 412, total_mib: 412 });
  script.step(9, `applying ${networks.length + machines.length * 3} changes with Terraform on host \`local\``);
  script.log(9.3, "terraform", "Initializing provider plugins from the mirror of this application");
  const resource = (s: number, address: string, took: number) => script.say(s, null, { kind: "resource", address, action: "create", state: "started", seconds: 0 }).say(s + took, null, { kind: "resource", address, action: "create", state: "done", seconds: Math.round(took) });
  networks.forEach((name, n) => resource(10 + n * 0.4, `libvirt_network.network["${name}"]`, 1));
  machines.forEach((name, n) => {
    resource(11 + n * 0.7, `libvirt_volume.system["${name}"]`, 3);
    resource(12 + n * 0.7, `libvirt_volume.seed["${name}"]`, 1);
    resource(15 + n * 0.7, `libvirt_domain.machine["${name}"]`, 1);
  });
  script.log(24, "terraform", `Apply complete! Resources: ${networks.length + machines.length * 3} added, 0 changed, 0 destroyed.`);
};

const packages = ["Gathering Facts", "Package cache", "Packages", "Configuration", "Service", "Firewall"];

function shop(failing: boolean): Script {
  const script = new Script();
  const names = ["db", "cache", "web-1", "web-2", "lb"];
  terraform(script, names, ["lan", "back"]);
  names.forEach((name, n) => script.phases(name, "", { defined: 16 + n * 0.7 }));
  script.phases("db", "10.77.1.20", { booting: 25, address: 36, ssh: 41, cloud_init: 58, configured: 88 }).tasks("db", 58.5, packages);
  script.phases("cache", "10.77.1.30", { booting: 25.4, address: 35, ssh: 39, cloud_init: 51, configured: 66 }).tasks("cache", 51.2, packages.slice(0, 3));
  script.phases("web-1", "10.77.1.11", { booting: 89, address: 97, ssh: 101, cloud_init: 112, configured: 126 }).tasks("web-1", 112.2, packages.slice(0, 3));
  script.log(60, "cloud-init", "Cloud-init v. 22.4.2 finished. Datasource DataSourceNoCloud [seed=/dev/sr0]. Up 31.2 seconds", "db");
  if (failing) {
    script.phases("web-2", "10.77.1.12", { booting: 89.5 });
    script.say(150, "web-2", { kind: "waiting", reason: "no DHCP lease and no ARP entry after 60 s; the console stands at `Cannot open root device`", remedy: "look at the console; `vlm console shop/web-2`" });
    script.log(151, "libvirt", "domain vlm-shop-web-2: virtio-disk0: 0 bytes read in 60 s", "web-2");
    script.say(670, "web-2", {
      kind: "failed",
      message: "web-2 is not ready: after 580 s it still has no address. Its kernel finds no root file system",
      hint: "the image of web-2 is damaged or not bootable with BIOS: verify it on the page of images, or set `firmware: uefi`",
      evidence: [
        "[    1.204113] virtio_blk virtio2: [vda] 16777216 512-byte logical blocks (8.59 GB/8.00 GiB)",
        "[    1.210882] VFS: Cannot open root device \"PARTUUID=5f3c-01\" or unknown-block(0,0): error -6",
        "[    1.212014] Please append a correct \"root=\" boot option; here are the available partitions:",
        "[    1.213310] fe00         8388608 vda",
        "[    1.214002] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
        "[    1.215119] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs ]---",
      ].join("\n"),
    });
    script.say(671, "lb", { kind: "failed", message: "not started, because `web-2`, which it depends on, failed", hint: "mend `web-2`, then deploy again", evidence: null });
    script.say(678, null, { kind: "failed", message: "1 of 5 machines not ready: web-2", hint: "see each machine", evidence: null });
    return script.say(678.2, null, { kind: "ended", status: "failed", sentence: "1 of 5 machines not ready: web-2" });
  }
  script.phases("web-2", "10.77.1.12", { booting: 89.5, address: 98, ssh: 103, cloud_init: 113, configured: 128 }).tasks("web-2", 113.2, packages.slice(0, 3));
  script.phases("lb", "10.77.1.10", { booting: 128.5, address: 132, ssh: 134, cloud_init: 138, configured: 142 });
  script.step(142.5, "publishing ports 8080, 8404 and 5432");
  return script.say(144, null, { kind: "ended", status: "done", sentence: "5 machines ready after 142 s" });
}

function k8s(): Script {
  const script = new Script();
  const names = ["control-1", "control-2", "control-3", "node-1", "node-2", "node-3"];
  terraform(script, names, ["cluster"]);
  names.forEach((name, n) => script.phases(name, "", { defined: 16 + n * 0.7 }));
  script.phases("control-1", "10.96.0.10", { booting: 25, address: 34, ssh: 38, cloud_init: 47, configured: 66 }).tasks("control-1", 47.2, packages.slice(0, 4));
  script.phases("control-2", "10.96.0.11", { booting: 26, address: 35, ssh: 40, cloud_init: 52, configured: 71 }).tasks("control-2", 52.2, packages.slice(0, 4));
  script.phases("control-3", "10.96.0.12", { booting: 27, address: 37, ssh: 43 });
  script.say(75, "control-3", { kind: "waiting", reason: "cloud-init has been running for 32 s: it installs packages, and deb.debian.org answers slowly", remedy: "wait, or set a mirror in the lab’s defaults" });
  script.phases("node-1", "10.96.0.13", { booting: 66.5, address: 74 });
  return script;
}

const scripts: Record<number, () => Script> = { 11: () => shop(true), 12: () => shop(false), 13: k8s };

const quick = (id: number): Script => {
  const script = new Script();
  const summary = all.find((one) => one.id === id);
  if (summary?.kind === "stop") ["lb", "web-1", "web-2", "cache", "db"].forEach((name, n) => script.step(1 + n * 3, "shutting down", name));
  else script.step(0.2, "comparing the lab with what is there");
  return script.say(21, null, { kind: "ended", status: summary?.status ?? "done", sentence: summary?.sentence ?? "" });
};

export const eventsOf = (id: number): RunEvent[] => (scripts[id]?.() ?? quick(id)).events(id, all.find((one) => one.id === id)?.started ?? "2026-11-25T13:00:00Z");

const consoles = (machine: string) =>
  [
    `Debian GNU/Linux 12 ${machine} ttyS0`,
    "",
    "[    0.000000] Linux version 6.1.0-28-cloud-amd64 (debian-kernel@lists.debian.org)",
    "[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.1.0-28-cloud-amd64 console=ttyS0",
    "[    0.412000] virtio_net virtio0 enp1s0: renamed from eth0",
    "[  OK  ] Reached target network-online.target - Network is Online.",
    "         Starting cloud-init.service - Initial cloud-init job…",
    `[   18.220431] cloud-init[512]: Cloud-init v. 22.4.2 running 'modules:final' on ${machine}`,
    "[  OK  ] Started ssh.service - OpenBSD Secure Shell server.",
    `${machine} login: `,
    "",
  ].join("\r\n");

const change = (address: string, kind: Plan["things"][number]["changes"][number]["kind"], attributes: string[] = []) => ({ address, resource_type: address.split(".")[0] ?? "", key: /\["(.+)"\]/.exec(address)?.[1] ?? "", kind, attributes });

/** What the next deploy of `shop` does: something of everything. */
export const shopPlan: Plan = {
  id: 41,
  kind: "deploy",
  lab: "shop",
  things: [
    { planned: { noun: "network", name: "lan", kind: "update", disruption: "none", sentence: "is changed in place (dns)" }, changes: [change('libvirt_network.network["lan"]', "update", ["dns"])] },
    { planned: { noun: "network", name: "monitoring", kind: "create", disruption: "none", sentence: "is created (host `local`)" }, changes: [change('libvirt_network.network["monitoring"]', "create")] },
    { planned: { noun: "machine", name: "cache", kind: "update", disruption: "power_cycle", sentence: "gets 2 GiB of memory instead of 1 GiB: it is switched off and on" }, changes: [change('libvirt_domain.machine["cache"]', "update", ["memory"])] },
    {
      planned: { noun: "machine", name: "db", kind: "replace", disruption: "data_loss", sentence: "is made anew from debian-13: its disks `system` (20 GiB) and `data` (10 GiB) are lost" },
      changes: [change('libvirt_volume.system["db"]', "replace", ["backing_store"]), change('libvirt_volume.disk["db/data"]', "replace", ["pool"]), change('libvirt_domain.machine["db"]', "replace", ["devices"])],
    },
    { planned: { noun: "machine", name: "lb", kind: "update", disruption: "next_boot", sentence: "has 2 vCPUs instead of 1 from its next boot on" }, changes: [change('libvirt_domain.machine["lb"]', "update", ["vcpu"])] },
    {
      planned: { noun: "machine", name: "metrics", kind: "create", disruption: "none", sentence: "is created (host `lab1`)" },
      changes: [change('libvirt_volume.system["metrics"]', "create"), change('libvirt_volume.seed["metrics"]', "create"), change('libvirt_domain.machine["metrics"]', "create")],
    },
    { planned: { noun: "machine", name: "web-3", kind: "delete", disruption: "data_loss", sentence: "is taken away, with its disk (8 GiB)" }, changes: [change('libvirt_domain.machine["web-3"]', "delete"), change('libvirt_volume.system["web-3"]', "delete")] },
  ],
  starts: ["cache", "db", "metrics"],
  configures: ["db", "metrics"],
  disruption: "data_loss",
  kvm: true,
  why: "/dev/kvm is there and may be used",
  needs_memory_mib: 8192,
  has_memory_mib: 17_000,
  disks_lost: "38 GiB",
  warnings: ["`cache` publishes no port and no machine depends on it: nothing says when it is needed", "host `lab1` would have 412 MiB of memory left"],
  terraform_dir: "/home/ada/.local/share/vlm/labs/shop/terraform",
  empty: false,
  hosts: [
    { host: "local", kvm: true, why: "/dev/kvm is there and may be used", needs_memory_mib: 6_144, has_memory_mib: 14_540 },
    { host: "lab1", kvm: false, why: "its processor offers no virtualisation to this virtual machine", needs_memory_mib: 2_048, has_memory_mib: 2_460 },
  ],
  raw: [
    "Terraform used the selected providers to generate the following execution plan. Resource actions are indicated with the following symbols:",
    "  + create",
    "  ~ update in-place",
    "-/+ destroy and then create replacement",
    "",
    "Terraform will perform the following actions:",
    "",
    '  # libvirt_domain.machine["cache"] will be updated in-place',
    '  ~ resource "libvirt_domain" "machine" {',
    '        id     = "0c6d9c60-4f6f-4f4e-9d59-6a6f1f0c9a51"',
    "      ~ memory = 1024 -> 2048",
    '        name   = "vlm-shop-cache"',
    "        # (9 unchanged attributes hidden)",
    "    }",
    "",
    '  # libvirt_volume.system["db"] must be replaced',
    '-/+ resource "libvirt_volume" "system" {',
    '      ~ backing_store = {',
    '          ~ path   = "/var/lib/vlm/base/debian-12-3f1c.qcow2" -> "/var/lib/vlm/base/debian-13-77ab.qcow2" # forces replacement',
    "        }",
    '        name          = "vlm-shop-db.qcow2"',
    "    }",
    "",
    "Plan: 7 to add, 3 to change, 5 to destroy.",
  ].join("\n"),
};

const destroyPlan = (lab: string): Plan => ({
  ...shopPlan,
  id: 42,
  kind: "destroy",
  lab,
  things: [
    ...["db", "cache", "web-1", "web-2", "lb"].map((name) => ({ planned: { noun: "machine", name, kind: "delete" as const, disruption: "data_loss" as const, sentence: "is taken away, with its disks" }, changes: [change(`libvirt_domain.machine["${name}"]`, "delete"), change(`libvirt_volume.system["${name}"]`, "delete")] })),
    ...["lan", "back"].map((name) => ({ planned: { noun: "network", name, kind: "delete" as const, disruption: "none" as const, sentence: "is taken away" }, changes: [change(`libvirt_network.network["${name}"]`, "delete")] })),
  ],
  starts: [],
  configures: [],
  warnings: [],
  disks_lost: "46 GiB",
  hosts: [],
});

const helloPlan: Plan = {
  ...shopPlan,
  id: 43,
  lab: "hello",
  things: [
    { planned: { noun: "network", name: "lan", kind: "create", disruption: "none", sentence: "is created" }, changes: [change('libvirt_network.network["lan"]', "create")] },
    { planned: { noun: "machine", name: "hello", kind: "create", disruption: "none", sentence: "is created" }, changes: [change('libvirt_volume.system["hello"]', "create"), change('libvirt_domain.machine["hello"]', "create")] },
  ],
  starts: ["hello"],
  configures: ["hello"],
  disruption: "none",
  warnings: [],
  disks_lost: null,
  hosts: [{ host: "local", kvm: true, why: "/dev/kvm is there and may be used", needs_memory_mib: 512, has_memory_mib: 14_540 }],
};

/** Sends what a run said; one that is at work is followed for ever. */
export const follow = (args: { run: number; onEvents: Channel<RunEvent[]> }, events: RunEvent[]): null | Promise<null> => {
  args.onEvents.onmessage(events);
  return events.at(-1)?.body.kind === "ended" ? null : new Promise(() => {});
};

export const runs: Answers = {
  recentRuns: () => all,
  listRuns: ({ lab }) => runsOf(lab),
  followRun: (args) => follow(args, eventsOf(args.run)),
  unfollowRun: () => null,
  cancelRun: () => true,
  startPlan: ({ lab }) => {
    if (lab === "k8s") throw { code: "images_to_pull", message: "1 image must be downloaded first", hint: null, details: ["debian-13"] };
    if (lab === "ad-domain") return { ...shopPlan, lab, things: [], starts: [], configures: [], warnings: [], empty: true };
    return lab === "hello" ? helloPlan : shopPlan;
  },
  planDestroy: ({ lab }) => destroyPlan(lab),
  planResume: ({ lab }) => ({ run: runsOf(lab)[0] ?? run(lab, 1), plan: { ...shopPlan, lab } }),
  discardPlan: () => null,
  startDeploy: () => 12,
  startDestroy: () => 6,
  serialLog: ({ machine, from }) => {
    const text = consoles(machine);
    return { text: from < 0 ? text : "", next: text.length, size: text.length };
  },
};
