import type { LabStatus, LabSummary, MachineStatus, RunEvent, RunSummary } from "../../bindings";
import type { Answers } from "../fake";
import { statuses } from "./labs";
import { eventsOf, follow, shopPlan } from "./runs";

const MARKUP = '<img src=x onerror="alert(1)"><b>bold</b> & {{interpolated}} $t(nested)';
const ARABIC = "مختبر الشبكات \u202eتجربة\u202c مع خوادم الويب";
const LONG = "a-very-long-name-that-goes-on-and-on-until-its-sixty-third-char";
const WORDS = `${MARKUP} ${"ten thousand characters ".repeat(400)}`;

const state = (n: number) => (["deployed", "stopped", "designed", "incomplete", "changing"] as const)[n % 5]!;
const name = (n: number) => (n === 0 ? "shop" : n % 17 === 0 ? `${LONG.slice(0, 36)}-${n}` : `${["course", "research", "customer", "regression", "demo"][n % 5]}-${String(n).padStart(3, "0")}`);

const run = (lab: string, id: number): RunSummary => ({
  lab,
  id,
  kind: (["deploy", "start", "stop", "destroy"] as const)[id % 4]!,
  status: (["done", "done", "failed", "cancelled", "cut_off"] as const)[id % 5]!,
  sentence: id % 3 === 0 ? MARKUP : `${(id % 40) + 1} machines ready after ${id * 3} s`,
  started: `2026-11-${String((id % 24) + 1).padStart(2, "0")}T${String(id % 24).padStart(2, "0")}:12:00Z`,
  ended: `2026-11-${String((id % 24) + 1).padStart(2, "0")}T${String(id % 24).padStart(2, "0")}:15:07Z`,
  revision: id,
});

const labs: LabSummary[] = Array.from({ length: 200 }, (_, n) => ({
  name: name(n),
  state: state(n),
  machines: n === 0 ? 1_000 : (n * 7) % 60,
  hosts: n % 3 === 0 ? "local, lab1, a-host-with-a-long-name.rack-14.example.net" : "local",
  revision: n + 1,
  updated: "2026-11-24T10:00:00Z",
  description: n % 7 === 0 ? ARABIC : n % 5 === 0 ? WORDS : `Number ${n} of many`,
  running: n === 0 ? 804 : (n * 5) % 40,
  last_run: n % 4 === 2 ? null : run(name(n), n + 1),
}));

const machines: MachineStatus[] = Array.from({ length: 1_000 }, (_, n) => ({
  ...statuses.shop!.machines[0]!,
  name: n === 1 ? LONG : n === 2 ? "<b>bold</b>" : n === 3 ? "خادم-قاعدة-البيانات" : `node-${n}`,
  spec: "node",
  state: n % 5 === 4 ? "shut_off" : n % 97 === 0 ? "crashed" : "running",
  configured: n % 6 !== 0,
  address: `10.${80 + (n >> 8)}.${n & 255}.10`,
  host: n % 2 === 0 ? "local" : "a-host-with-a-long-name.rack-14.example.net",
  description: n % 9 === 0 ? WORDS : null,
}));

const status: LabStatus = { ...statuses.shop!, machines, last_run: { ...run("shop", 12), sentence: MARKUP } };

/** A run of 1,000 machines that said 60,000 lines. */
function events(): RunEvent[] {
  const first = eventsOf(12);
  const began = first[0]?.at_ms ?? 0;
  const list: RunEvent[] = first.slice(0, 3);
  machines.forEach((machine, n) => {
    const at = began + 10_000 + n * 90;
    (["defined", "booting", "address", "ssh", "cloud_init", "configured"] as const).slice(0, n % 11 === 10 ? 3 : 6).forEach((phase, index) => list.push({ run: 12, seq: 0, at_ms: at + index * 4_000, machine: machine.name, body: { kind: "phase", phase, address: index > 1 ? machine.address : null } }));
    for (let line = 0; line < 60; line++) list.push({ run: 12, seq: 0, at_ms: at + line * 300, machine: machine.name, body: { kind: "log", source: line % 3 === 0 ? "ansible" : "cloud-init", text: line === 7 ? WORDS : `step ${line} of ${machine.name}` } });
  });
  return list.sort((a, b) => a.at_ms - b.at_ms).map((event, index) => ({ ...event, seq: index + 1 }));
}

export const muchLabs: Answers = {
  listLabs: () => labs,
  labStatus: ({ name }) => ({ ...status, name }),
  checkLab: () => Array.from({ length: 60 }, (_, n) => ({ path: `machines.node-${n}`, place: { line: n * 3 + 1, column: 5 }, severity: n % 4 === 0 ? ("error" as const) : ("warning" as const), message: n === 0 ? WORDS : `${MARKUP} ${n}` })),
  labPorts: () => Array.from({ length: 40 }, (_, n) => ({ local: 20_000 + n, machine: n === 1 ? LONG : `node-${n}`, host: "local", guest: 80, address: "10.80.0.10", published: true, open: n % 3 !== 0 })),
  labFiles: () => [...machines.slice(0, 1_000).map(({ name }) => ({ path: `cloud-init/${name}/user-data`, text: "#cloud-config\n" })), { path: "lab.yaml", text: `# ${WORDS}\n${"line\n".repeat(20_000)}` }],
  recentRuns: () => Array.from({ length: 50 }, (_, n) => run(name(n), 200 - n)),
  listRuns: ({ lab }) => Array.from({ length: 400 }, (_, n) => run(lab, 400 - n)),
  followRun: (args) => follow(args, events()),
  startPlan: () => ({
    ...shopPlan,
    things: machines.map(({ name }, n) => ({ planned: { noun: "machine", name, kind: n % 3 === 0 ? ("update" as const) : ("create" as const), disruption: n % 3 === 0 ? ("power_cycle" as const) : ("none" as const), sentence: n === 4 ? WORDS : "is created" }, changes: shopPlan.things[0]!.changes })),
    starts: machines.map(({ name }) => name),
    warnings: [MARKUP, WORDS, ARABIC],
    disruption: "power_cycle",
  }),
};
