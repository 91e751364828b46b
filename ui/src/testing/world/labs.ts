// Labs, their machines, ports, problems and files. `shop` is deployed on two hosts; the others stand as their names say.

import type { DomainState, LabFile, LabPort, LabStatus, LabSummary, MachineStatus, Problem } from "../../bindings";
import type { Answers } from "../fake";
import { runsOf } from "./runs";

const GB = 1024;
const mac = (n: number) => `52:54:00:7a:${(n >> 8).toString(16).padStart(2, "0")}:${(n & 255).toString(16).padStart(2, "0")}`;

type Some = Partial<MachineStatus> & { lan?: string; back?: string };
let macs = 0;
function machine(name: string, { lan, back, ...more }: Some): MachineStatus {
  const nic = (network: string, address: string) => ({ network, mac: mac(++macs), address });
  return {
    name,
    spec: name.replace(/-\d+$/, ""),
    description: null,
    host: "local",
    state: null,
    configured: false,
    address: lan ?? null,
    image: "debian-12",
    vcpus: 1,
    memory_mib: 512,
    disk: "8 GiB",
    firmware: "bios",
    nics: [...(lan ? [nic("lan", lan)] : []), ...(back ? [nic("back", back)] : [])],
    ...more,
  };
}

const on = { state: "running" as DomainState, configured: true };
const off = { state: "shut_off" as DomainState, configured: true };

const shop = [
  machine("db", { ...on, lan: "10.77.1.20", back: "10.77.2.20", vcpus: 2, memory_mib: 4 * GB, disk: "20 GiB", description: "PostgreSQL 15 with the shop's catalogue and orders" }),
  machine("cache", { ...on, lan: "10.77.1.30", back: "10.77.2.30", memory_mib: 1 * GB, description: "Redis, sessions only" }),
  machine("web-1", { ...on, lan: "10.77.1.11", back: "10.77.2.11", host: "lab1", vcpus: 2, memory_mib: 2 * GB, description: "Application server" }),
  machine("web-2", { ...on, lan: "10.77.1.12", back: "10.77.2.12", host: "lab1", vcpus: 2, memory_mib: 2 * GB, description: "Application server" }),
  machine("lb", { ...on, lan: "10.77.1.10", image: "alpine-3.22", disk: "2 GiB", description: "HAProxy in front of both application servers" }),
];
const hello = [machine("hello", { lan: "10.77.5.10", memory_mib: 512, disk: "4 GiB" })];
const domain = [
  machine("dc-1", { ...off, lan: "10.80.0.10", vcpus: 2, memory_mib: 4 * GB, disk: "40 GiB", firmware: "uefi", description: "First domain controller, Samba 4" }),
  machine("dc-2", { ...off, lan: "10.80.0.11", vcpus: 2, memory_mib: 4 * GB, disk: "40 GiB", firmware: "uefi" }),
  machine("files", { ...off, lan: "10.80.0.20", memory_mib: 2 * GB, disk: "60 GiB" }),
  machine("client-1", { ...off, lan: "10.80.0.101", image: "ubuntu-24.04", vcpus: 2, memory_mib: 2 * GB, disk: "30 GiB" }),
];
const soc = [
  ...["siem", "collector", "kali", "victim-web", "victim-mail", "victim-files", "dns", "proxy", "jump"].map((name, n) =>
    machine(name, { ...(n === 4 ? { state: "crashed" as DomainState } : n === 5 ? { state: "paused" as DomainState, configured: true } : on), lan: `10.90.0.${10 + n}`, host: "lab1", vcpus: n === 0 ? 4 : 1, memory_mib: n === 0 ? 8 * GB : 1 * GB, disk: n === 0 ? "80 GiB" : "12 GiB" }),
  ),
  ...[1, 2, 3, 4, 5].map((n) => machine(`analyst-${n}`, { ...(n > 3 ? {} : on), lan: `10.90.0.${100 + n}`, image: "ubuntu-24.04", host: "lab1", vcpus: 2, memory_mib: 3 * GB, disk: "24 GiB" })),
];
const k8s = ["control-1", "control-2", "control-3", "node-1", "node-2", "node-3"].map((name, n) =>
  machine(name, { state: n < 4 ? "running" : "shut_off", configured: n < 2, lan: `10.96.0.${10 + n}`, image: "debian-13", vcpus: n < 3 ? 2 : 4, memory_mib: n < 3 ? 4 * GB : 8 * GB, disk: "32 GiB" }),
);

const last = (lab: string) => runsOf(lab)[0] ?? null;
const status = (name: string, state: LabStatus["state"], revision: number, machines: MachineStatus[]): LabStatus => ({ name, state, revision, machines, last_run: last(name), unknown: null });

export const statuses: Record<string, LabStatus> = {
  shop: status("shop", "deployed", 7, shop),
  hello: status("hello", "designed", 1, hello),
  "ad-domain": status("ad-domain", "stopped", 3, domain),
  "soc-training": status("soc-training", "incomplete", 12, soc),
  k8s: status("k8s", "changing", 4, k8s),
};

const summary = (name: string, description: string | null, updated: string): LabSummary => {
  const { state, revision, machines, last_run } = statuses[name]!;
  const hosts = [...new Set(machines.map(({ host }) => host))].join(", ");
  return { name, state, revision, description, updated, machines: machines.length, hosts, running: machines.filter((one) => one.state === "running").length, last_run };
};

export const summaries: LabSummary[] = [
  summary("ad-domain", "Samba as an Active-Directory-like domain, with a client to join it", "2026-11-19T08:12:00Z"),
  summary("hello", "One machine, to see whether everything is in place", "2026-11-25T13:20:00Z"),
  summary("k8s", "Three control planes, three nodes, kubeadm", "2026-11-25T13:41:00Z"),
  summary("shop", "Web shop: balancer, two application servers, cache and database", "2026-11-25T09:02:00Z"),
  summary("soc-training", "Attack and defence for the course of week 48", "2026-11-24T16:30:00Z"),
];

const ports: Record<string, LabPort[]> = {
  shop: [
    { local: 8080, machine: "lb", host: "local", guest: 80, address: "10.77.1.10", published: true, open: true },
    { local: 8404, machine: "lb", host: "local", guest: 8404, address: "10.77.1.10", published: true, open: true },
    { local: 5432, machine: "db", host: "local", guest: 5432, address: "10.77.1.20", published: true, open: false },
  ],
  "ad-domain": [{ local: 4450, machine: "files", host: "local", guest: 445, address: "10.80.0.20", published: false, open: false }],
};

const problems: Record<string, Problem[]> = {
  shop: [{ path: "machines.cache", place: { line: 31, column: 3 }, severity: "warning", message: "`cache` publishes no port and no machine depends on it: nothing says when it is needed" }],
  "soc-training": [
    { path: "machines.analyst.memory", place: { line: 74, column: 13 }, severity: "error", message: "5 machines of 3 GiB ask for more than host `lab1` has left (9.4 GiB): take some away, or place some on another host" },
    { path: "networks.dmz.cidr", place: { line: 12, column: 11 }, severity: "warning", message: "10.90.0.0/24 is used by lab `red-team` too: both cannot be deployed on one host" },
  ],
};

const userData = (name: string) => `#cloud-config
# Rendered for ${name}. Keys are put in when it is sent.
hostname: ${name}
fqdn: ${name}.shop.lab
manage_etc_hosts: true
ssh_pwauth: false
users:
  - name: lab
    sudo: ALL=(ALL) NOPASSWD:ALL
    shell: /bin/bash
package_update: true
packages:
  - qemu-guest-agent
runcmd:
  - systemctl enable --now qemu-guest-agent
`;
const play = (name: string) => `- name: ${name}
  hosts: ${name}
  become: true
  tasks:
    - name: nginx
      ansible.builtin.apt:
        name: nginx
        update_cache: true
    - name: First page
      ansible.builtin.copy:
        dest: /var/www/html/index.html
        content: "Served by {{ inventory_hostname }}\\n"
`;
const mainTf = `terraform {
  required_version = ">= 1.6"
  required_providers {
    libvirt = {
      source  = "dmacvicar/libvirt"
      version = "0.9.0"
    }
  }
}

provider "libvirt" {
  uri = var.uri
}

resource "libvirt_network" "network" {
  for_each = var.networks
  name     = each.value.name
  bridge   = { name = each.value.bridge }
  ips      = each.value.ips
}

resource "libvirt_volume" "system" {
  for_each = var.machines
  name     = "\${each.value.domain}.qcow2"
  pool     = var.pool
  capacity = each.value.disk_bytes
  backing_store = {
    path   = var.images[each.value.image]
    format = { type = "qcow2" }
  }
}

resource "libvirt_domain" "machine" {
  for_each    = var.machines
  name        = each.value.domain
  memory      = each.value.memory_mib
  memory_unit = "MiB"
  vcpu        = each.value.vcpus
  running     = false
}
`;
const names = ["db", "cache", "web-1", "web-2", "lb"];
const files: LabFile[] = [
  { path: "ansible/inventory.yaml", text: `all:\n  vars:\n    ansible_user: lab\n  hosts:\n${shop.map(({ name, address }) => `    ${name}:\n      ansible_host: ${address}`).join("\n")}\n` },
  ...names.map((name) => ({ path: `ansible/plays/${name}.yaml`, text: play(name) })),
  ...names.map((name) => ({ path: `cloud-init/${name}/user-data`, text: userData(name) })),
  ...names.map((name) => ({ path: `cloud-init/${name}/network-config`, text: `version: 2\nethernets:\n  lan:\n    match: { macaddress: "${mac(1)}" }\n    dhcp4: true\n` })),
  { path: "lab.yaml", text: `version: 1\nname: shop\ndescription: "Web shop: balancer, two application servers, cache and database"\nnetworks:\n  lan: { cidr: 10.77.1.0/24 }\n  back: { mode: isolated, cidr: 10.77.2.0/24, dhcp: false }\n` },
  { path: "terraform/local/main.tf", text: mainTf },
  { path: "terraform/local/terraform.tfvars.json", text: JSON.stringify({ uri: "qemu:///system", pool: "vlm", machines: Object.fromEntries(names.map((name) => [name, { domain: `vlm-shop-${name}`, memory_mib: 2048, vcpus: 2 }])) }, null, 2) },
  { path: "terraform/lab1/main.tf", text: mainTf },
  { path: "terraform/lab1/terraform.tfvars.json", text: JSON.stringify({ uri: "qemu+ssh://root@lab1.example.net/system", pool: "vlm" }, null, 2) },
];

const missing = (name: string) => {
  throw { code: "not_found", message: `there is no lab ${name}`, hint: "it may have been forgotten, or its name has another spelling", details: [] };
};

export const labs: Answers = {
  listLabs: () => summaries,
  labStatus: ({ name }) => statuses[name] ?? missing(name),
  checkLab: ({ name }) => problems[name] ?? [],
  labPorts: ({ name }) => ports[name] ?? [],
  labFiles: ({ name }) => (name === "shop" ? files : [{ path: "lab.yaml", text: `version: 1\nname: ${name}\n` }]),
  startLab: () => 13,
  stopLab: () => 14,
  forgetLab: () => null,
  exportLab: ({ name }) => `/home/ada/exports/${name}`,
  exportLabFile: () => "/home/ada/lab.yaml",
  openLab: () => null,
};
