import schema from "../../../../crates/vlm-lab/schemas/lab.schema.json?raw";
import type { CheckedText, DesignedMachine, LabDocument, Problem, SavedLab, Template } from "../../bindings";
import { type Machine, mib, parse, rangeOf } from "../../features/designer/model";
import type { Answers } from "../fake";

const shop = `# yaml-language-server: $schema=lab.schema.json
version: 1
name: shop
description: "Web shop: balancer, two application servers, cache and database"
defaults: { image: debian-12, memory: 512 MiB, ssh_keys: [ ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmfYzRkL1qk4o1d7oZ3pV2cXn8bQwErTyUiOpAsDfGh ada@desk ] }
networks:
  lan: { cidr: 10.77.1.0/24, domain: shop.lab, description: What users reach }
  back: { mode: isolated, cidr: 10.77.2.0/24, dhcp: false, description: Between the servers }
machines:
  db:
    description: PostgreSQL 15 with the shop's catalogue and orders
    vcpus: 2
    memory: 4 GiB
    disk: 20 GiB
    nics: [ { network: lan, address: 10.77.1.20 }, { network: back, address: 10.77.2.20 } ]
    packages: [ postgresql ]
    ports: { "5432": 5432 }
  cache:
    description: Redis, sessions only
    memory: 1 GiB
    disk: 8 GiB
    nics: [ { network: lan, address: 10.77.1.30 }, { network: back, address: 10.77.2.30 } ]
    packages: [ redis ]
  web:
    description: Application server
    replicas: 2                       # web-1 and web-2
    host: lab1
    vcpus: 2
    memory: 2 GiB
    disk: 8 GiB
    nics: [ { network: lan, address: 10.77.1.11+ }, { network: back, address: 10.77.2.11+ } ]
    depends_on: [ db, cache ]
    ansible:
      - name: nginx
        apt: { name: nginx, update_cache: true }
      - name: First page
        copy: { dest: /var/www/html/index.html, content: "Served by {{ inventory_hostname }}\\n" }
  lb:
    description: HAProxy in front of both application servers
    image: alpine-3.22
    disk: 2 GiB
    nics: [ { network: lan, address: 10.77.1.10 } ]
    depends_on: [ web ]
    ports: { "8080": 80, "8404": 8404 }
`;
const shopLayout = JSON.stringify({
  version: 1,
  networks: { lan: { x: 0, y: 112, w: 776 }, back: { x: 0, y: 368, w: 776 } },
  machines: { lb: { x: 32, y: 0 }, web: { x: 32, y: 232 }, db: { x: 304, y: 232 }, cache: { x: 536, y: 232 } },
  notes: [{ id: "n1", text: "The orders are copied to another place every night at two.", x: 496, y: 0, w: 248, h: 56 }],
  groups: [{ id: "g1", title: "Storage", x: 280, y: 184, w: 488, h: 128 }],
});
const hello = `# The smallest lab there is. It needs no internet.
version: 1
name: hello
description: One machine, to see whether everything is in place
defaults: { image: debian-12, memory: 512 MiB }
networks:
  lan: { cidr: 10.77.5.0/24 }
machines:
  hello:
    nics: [ { network: lan, address: 10.77.5.10 } ]
    ansible:
      - name: Greet
        copy: { dest: /etc/motd, content: "It works.\\n" }
`;
const soc = `version: 1
name: soc-training
description: Attack and defence for the course of week 48
host: lab1
defaults: { image: debian-12, memory: 1 GiB, disk: 12 GiB }
networks:
  lan: { cidr: 10.90.0.0/24, description: Everybody }
  dmz: { mode: isolated, cidr: 10.90.1.0/24, description: What is attacked }
  watch: { mode: isolated, cidr: 10.90.2.0/24, dhcp: false, description: Copies of what goes by }
machines:
  siem: { vcpus: 4, memory: 8 GiB, disk: 80 GiB, nics: [ lan, watch ] }
  collector: { nics: [ lan, watch ] }
  kali: { nics: [ lan ] }
  victim-web: { nics: [ lan, dmz ] }
  victim-mail: { nics: [ lan, dmz ] }
  victim-files: { nics: [ lan, dmz ] }
  dns: { nics: [ lan, dmz ] }
  proxy: { nics: [ lan, dmz ] }
  jump: { nics: [ lan ] }
  analyst: { replicas: 5, image: ubuntu-24.04, vcpus: 2, memory: 3 GiB, disk: 24 GiB, nics: [ lan ] }
`;
const adDomain = `version: 1
name: ad-domain
description: Samba as an Active-Directory-like domain, with a client to join it
defaults: { image: debian-12, vcpus: 2, memory: 2 GiB }
networks:
  lan: { cidr: 10.80.0.0/24 }
machines:
  dc: { replicas: 2, memory: 4 GiB, disk: 40 GiB, firmware: uefi, nics: [ { network: lan, address: 10.80.0.10+ } ] }
  files: { vcpus: 1, disk: 60 GiB, nics: [ { network: lan, address: 10.80.0.20 } ], depends_on: [ dc ] }
  client: { replicas: 1, image: ubuntu-24.04, disk: 30 GiB, nics: [ { network: lan, address: 10.80.0.101+ } ], depends_on: [ dc ] }
`;
const k8s = `version: 1
name: k8s
description: Three control planes, three nodes, kubeadm
defaults: { image: debian-13, disk: 32 GiB }
networks:
  lan: { cidr: 10.96.0.0/24 }
machines:
  control: { replicas: 3, vcpus: 2, memory: 4 GiB, nics: [ { network: lan, address: 10.96.0.10+ } ] }
  node: { replicas: 3, vcpus: 4, memory: 8 GiB, nics: [ { network: lan, address: 10.96.0.13+ } ], depends_on: [ control ] }
`;

const document = (name: string, text: string, layout: string | null = null, revision = 3): LabDocument => ({ name, revision, text, dir: `/home/ada/.local/share/vlm/designs/${name}`, layout });
const documents = [document("shop", shop, shopLayout, 7), document("hello", hello, null, 1), document("soc-training", soc), document("ad-domain", adDomain), document("k8s", k8s)];

const files = import.meta.glob<string>("../../../../examples/templates/*.yaml", { query: "?raw", import: "default", eager: true });
export const templates: Template[] = Object.entries(files).map(([path, text]) => {
  const { design } = parse(text);
  return {
    id: path.split("/").at(-1)!.replace(/\.yaml$/, ""),
    title: /^# Title: (.*)/.exec(text)?.[1] ?? path,
    description: String(design?.raw.description ?? ""),
    machines: design?.machines.reduce((sum, { replicas }) => sum + (replicas ?? 1), 0) ?? 0,
    networks: design?.networks.length ?? 0,
    text,
    own: false,
  };
});
const own: Template = { ...templates[0]!, id: "own-bench", title: "Bench for the storage team", description: "Three targets, one initiator, two switches' worth of networks", own: true };

export const designs: Answers = {
  readLab: ({ name }: { name: string }) => documents.find((document) => document.name === name) ?? document(name, hello.replace("name: hello", `name: ${name}`)),
  checkText: ({ text }: { text: string }) => check(text),
  saveLab: ({ text, expected }: { text: string; expected: number | null }): SavedLab => ({ name: parse(text).design?.name ?? "lab", revision: (expected ?? 0) + 1, problems: [] }),
  saveLayout: () => null,
  labSchema: () => schema,
  listTemplates: () => [...templates, own],
  saveTemplate: ({ title, text }: { title: string; text: string }) => ({ ...own, title, text }),
  removeTemplate: () => null,
  importLab: () => ({ name: "hello", revision: 2, problems: [] }),
  cloneLab: ({ newName }: { newName: string }) => ({ name: newName, revision: 1, problems: [] }),
};

/** A little of what the engine says of a text. */
export function check(text: string): CheckedText {
  const { design, mistake } = parse(text);
  if (!design) return { name: null, machines: [], problems: [{ path: "", place: { line: mistake.line, column: mistake.column }, severity: "error", message: mistake.message }] };
  const problems: Problem[] = [];
  const say = (path: string, steps: (string | number)[], message: string, severity: Problem["severity"] = "error") => {
    const [from] = rangeOf(text, steps) ?? [0];
    const before = text.slice(0, from).split("\n");
    problems.push({ path, place: { line: before.length, column: before.at(-1)!.length + 1 }, severity, message });
  };
  const networks = new Map(design.networks.map(({ name, cidr }) => [name, cidr]));
  for (const { name, mode, cidr } of design.networks) if (!cidr && mode !== "bridge") say(`networks.${name}`, ["networks", name], `network \`${name}\` has no \`cidr\`; write one, such as \`10.77.3.0/24\``);
  for (const machine of design.machines) {
    if (!machine.image) say(`machines.${machine.name}`, ["machines", machine.name], `machine \`${machine.name}\` has no image; write \`image: debian-12\` here or in \`defaults\``);
    if (machine.raw.memory !== undefined && mib(machine.memory) === null) say(`machines.${machine.name}.memory`, ["machines", machine.name, "memory"], `\`memory\` is \`${machine.memory}\`, which is no size; write a number and its unit, such as \`512 MiB\``);
    machine.nics.forEach(({ network }, index) => {
      if (!networks.has(network)) say(`machines.${machine.name}.nics[${index}]`, ["machines", machine.name, "nics", index], `machine \`${machine.name}\` is on the network \`${network}\`, which the lab does not have`);
    });
    for (const port of Object.keys((machine.raw.ports ?? {}) as object)) if (Number(port) < 1024) say(`machines.${machine.name}.ports.${port}`, ["machines", machine.name, "ports", port], `port ${port} of this computer takes a privilege that ordinary users lack; a port from 1024 up, such as 8080, takes none`, "warning");
  }
  return { name: design.name, problems, machines: design.machines.flatMap((machine, index) => derived(machine, index, networks)) };
}

function derived(machine: Machine, at: number, networks: Map<string, string | null>): DesignedMachine[] {
  const names = machine.replicas === null ? [machine.name] : Array.from({ length: machine.replicas }, (_, index) => `${machine.name}-${index + 1}`);
  return names.map((name, replica) => ({
    name,
    spec: machine.name,
    description: (machine.raw.description as string | undefined) ?? null,
    host: String(machine.raw.host ?? "local"),
    image: machine.image ?? "",
    vcpus: machine.vcpus,
    memory_mib: mib(machine.memory) ?? 512,
    disk: String(machine.raw.disk ?? "4 GiB"),
    firmware: "bios",
    user: "lab",
    depends_on: machine.dependsOn,
    ports: [],
    nics: machine.nics.map(({ network, address, mac }, index) => {
      const prefix = networks.get(network)?.split(".").slice(0, 3).join(".");
      const [base, last] = address ? [address.replace("+", "").split(".").slice(0, 3).join("."), Number(address.replace("+", "").split(".")[3])] : [prefix, 20 + ((at * 37) % 200)];
      return { network, mac: mac ?? `52:54:00:${[at & 255, replica & 255, index].map((byte) => byte.toString(16).padStart(2, "0")).join(":")}`, address: base ? `${base}.${last + replica}` : null };
    }),
  }));
}

/** A lab of a thousand machines on twenty networks. */
export function large(name: string): LabDocument {
  const lines = ["version: 1", `name: ${name}`, "defaults: { image: debian-12 }", "networks:"];
  for (let net = 0; net < 20; net += 1) lines.push(`  net-${net}: { cidr: 10.${90 + net}.0.0/22 }`);
  lines.push("machines:");
  for (let at = 0; at < 1000; at += 1) lines.push(`  m-${at}:`, `    nics: [ net-${Math.floor(at / 50)}${at % 50 === 0 ? `, net-${(Math.floor(at / 50) + 1) % 20}` : ""} ]`);
  return document(name, `${lines.join("\n")}\n`);
}

/** Words that break what is not careful. */
export const odd = (name: string): LabDocument =>
  document(
    name,
    `version: 1\nname: ${name}\ndescription: "<b onclick='x()'>bold</b> ${"long ".repeat(200)}"\ndefaults: { image: debian-12 }\nnetworks:\n  ${"n".repeat(40)}: { cidr: 10.77.1.0/24, description: "שלום עולם <i>markup</i>" }\nmachines:\n  ${"m".repeat(63)}: { description: "مرحبا بالعالم" }\n  "<img src=x>": { nics: [ nowhere ] }\n`,
  );
