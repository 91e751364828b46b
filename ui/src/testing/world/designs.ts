import schema from "../../../../crates/vlm-lab/schemas/lab.schema.json?raw";
import type { CheckedText, DesignedMachine, LabDocument, Problem, SavedLab, Template } from "../../bindings";
import { type Machine, mib, parse, rangeOf } from "../../features/designer/model";
import type { Answers } from "../fake";

const shop = `# yaml-language-server: $schema=lab.schema.json
version: 1
name: shop
description: A web shop with its database
defaults: { image: debian-12, memory: 512 MiB, ssh_keys: [ ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmfYzRkL1qk4o1d7oZ3pV2cXn8bQwErTyUiOpAsDfGh ada@desk ] }
networks:
  lan: { cidr: 10.77.1.0/24, domain: shop.lab, description: What users reach }
  back: { mode: isolated, cidr: 10.77.2.0/24, dhcp: false, description: Between the servers }
machines:
  lb:
    description: Takes what comes from outside
    nics: [ lan ]
    packages: [ haproxy ]
    depends_on: [ web ]
    ports: { "8443": 443 }
  web:
    description: Serves the shop
    replicas: 2                       # web-1 and web-2
    vcpus: 2
    memory: 1 GiB
    nics: [ lan, { network: back, address: 10.77.2.10+ } ]
    ports: { "8080": 80 }             # 8080 leads to web-1, 8081 to web-2
    depends_on: [ db, cache ]
    ansible:
      - name: nginx
        apt: { name: nginx, update_cache: true }
      - name: First page
        copy: { dest: /var/www/html/index.html, content: "Served by {{ inventory_hostname }}\\n" }
  db:
    description: Keeps the orders
    host: lab1
    memory: 2 GiB
    disks: { data: 20 GiB }
    nics: [ { network: back, address: 10.77.2.5 } ]
    packages: [ postgresql ]
  cache:
    image: alpine
    memory: 256 MiB
    nics: [ back ]
    packages: [ redis ]
`;
const shopLayout = JSON.stringify({
  version: 1,
  networks: { lan: { x: 0, y: 96, w: 616 }, back: { x: 0, y: 336, w: 616 } },
  machines: { lb: { x: 24, y: -24 }, web: { x: 208, y: 208 }, db: { x: 88, y: 432 }, cache: { x: 320, y: 432 } },
  notes: [{ id: "n1", text: "The orders are backed up at night.", x: 416, y: -16, w: 200, h: 48 }],
  groups: [{ id: "g1", title: "Storage", x: 64, y: 392, w: 488, h: 120 }],
});
const hello = `# Two machines on one network: the smallest lab that shows everything. It needs no internet.
version: 1
name: hello
description: Two machines that greet whoever logs in
defaults: { image: debian-12, memory: 512 MiB }
networks:
  lan: { cidr: 10.77.1.0/24 }
machines:
  web:
    ansible:
      - name: Greet
        copy: { dest: /etc/motd, content: "This is web. Its neighbour is db.\\n" }
  db:
    ansible:
      - name: Make a place for data
        file: { path: /srv/data, state: directory, mode: "0755" }
`;
const soc = `version: 1
name: soc-training
description: A small company, somebody who attacks it, and those who watch
defaults: { image: debian-12, memory: 1 GiB }
networks:
  internet: { cidr: 10.80.1.0/24, description: What is outside }
  dmz: { mode: isolated, cidr: 10.80.2.0/24 }
  office: { mode: isolated, cidr: 10.80.3.0/24 }
  soc: { mode: isolated, cidr: 10.80.4.0/24, dhcp: false }
machines:
  kali: { nics: [ internet ], memory: 2 GiB }
  firewall: { nics: [ internet, dmz, office, soc ] }
  web: { nics: [ dmz ], packages: [ apache2 ] }
  mail: { nics: [ dmz ], packages: [ postfix ] }
  dns: { nics: [ dmz ], packages: [ bind9 ] }
  dc: { nics: [ office ], memory: 2 GiB }
  files: { nics: [ office ], disks: { shares: 40 GiB } }
  desk: { replicas: 4, nics: [ office ] }
  siem: { nics: [ soc ], memory: 4 GiB, vcpus: 4, packages: [ elasticsearch ] }
  sensor: { nics: [ soc, dmz, office ] }
  analyst: { nics: [ soc ] }
`;
const adDomain = `version: 1
name: ad-domain
description: A directory, a file server and desks
defaults: { image: debian-12, memory: 1 GiB }
networks:
  office: { cidr: 10.77.40.0/24 }
machines:
  dc: { nics: [ { network: office, address: 10.77.40.10 } ] }
  files: { depends_on: [ dc ] }
  desk: { replicas: 2, depends_on: [ dc ] }
`;
const k8s = `version: 1
name: k8s
description: A control plane and its workers
defaults: { image: debian-12, memory: 2 GiB, vcpus: 2 }
networks:
  nodes: { cidr: 10.77.30.0/24 }
machines:
  control: { nics: [ { network: nodes, address: 10.77.30.10 } ], ports: { "6443": 6443 } }
  worker: { replicas: 3, nics: [ { network: nodes, address: 10.77.30.20+ } ], depends_on: [ control ] }
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
