// Machines one by one: what they are, what they do, what their screens show.

import type { Channel } from "@tauri-apps/api/core";
import type { MachineDetails, MachineSample } from "../../bindings";
import type { Answers } from "../fake";
import { labs, statuses } from "./labs";

const xml = (lab: string, name: string, memory: number, vcpus: number) => `<domain type='kvm' id='14'>
  <name>vlm-${lab}-${name}</name>
  <uuid>0c6d9c60-4f6f-4f4e-9d59-6a6f1f0c9a51</uuid>
  <metadata>
    <vlm:machine xmlns:vlm="https://vlm.invalid/1" lab="${lab}" name="${name}"/>
  </metadata>
  <memory unit='KiB'>${memory * 1024}</memory>
  <currentMemory unit='KiB'>${memory * 1024}</currentMemory>
  <vcpu placement='static'>${vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-8.2'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <cpu mode='host-passthrough' check='none' migratable='on'/>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='volume' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/>
      <source pool='vlm' volume='vlm-${lab}-${name}.qcow2' index='1'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <source network='vlm-${lab}-lan' bridge='virbr7'/>
      <target dev='vnet3'/>
      <model type='virtio'/>
    </interface>
    <console type='pty' tty='/dev/pts/4'>
      <log file='/var/lib/vlm/serial/${name}.log' append='on'/>
      <target type='serial' port='0'/>
    </console>
  </devices>
</domain>
`;

function details(lab: string, name: string): MachineDetails {
  const status = statuses[lab];
  const machine = status?.machines.find((one) => one.name === name);
  if (!status || !machine) throw { code: "not_found", message: `lab ${lab} has no machine ${name}`, hint: "it may have another name in the present design", details: [] };
  const there = machine.state !== null;
  const files = labs.labFiles!({ name: "shop" }) as { path: string; text: string }[];
  const text = (path: string) => files.find((file) => file.path === path)?.text ?? null;
  return {
    name,
    lab,
    host: machine.host,
    state: machine.state,
    configured: machine.configured,
    address: machine.address,
    image: machine.image,
    vcpus: machine.vcpus,
    memory_mib: machine.memory_mib,
    firmware: machine.firmware,
    user: "lab",
    description: machine.description,
    disks: [
      { name: "system", size: machine.disk, path: there ? `/var/lib/libvirt/images/vlm/vlm-${lab}-${name}.qcow2` : null, allocated_mib: there ? 2_871 : null, capacity_mib: there ? Number.parseInt(machine.disk, 10) * 1_024 : null },
      ...(name === "db" ? [{ name: "data", size: "10 GiB", path: `/var/lib/libvirt/images/vlm/vlm-${lab}-${name}-data.qcow2`, allocated_mib: 412, capacity_mib: 10_240 }] : []),
    ],
    nics: machine.nics.map((nic, index) => ({ ...nic, device: machine.state === "running" ? `vnet${index + 3}` : null })),
    ports: (labs.labPorts!({ name: lab }) as MachineDetails["ports"]).filter((port) => port.machine === name),
    depends_on: name.startsWith("web") ? ["db", "cache"] : name === "lb" ? ["web-1", "web-2"] : [],
    ssh_command: `vlm ssh ${lab}/${name}`,
    cloud_init: text(`cloud-init/${name}/user-data`),
    ansible: text(`ansible/plays/${name}.yaml`),
    xml: there ? xml(lab, name, machine.memory_mib, machine.vcpus) : null,
    started: status.last_run?.started ?? null,
    unknown: null,
  };
}

/** Ten minutes of load, the same each time. */
export function samples(lab: string, until: number): MachineSample[] {
  const machines = statuses[lab]?.machines.filter(({ state }) => state === "running") ?? [];
  return machines.flatMap(({ name, memory_mib, vcpus }) => {
    const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
    return Array.from({ length: 300 }, (_, n): MachineSample => {
      const wave = (period: number, shift: number) => (Math.sin((n + seed + shift) / period) + 1) / 2;
      const noise = ((n * 7_919 + seed * 104_729) % 1_000) / 1_000;
      const busy = n > 190 && n < 230 ? 1 : 0;
      return {
        machine: name,
        at_ms: until - (299 - n) * 2_000,
        cpu_percent: vcpus * (6 + wave(14, 0) * 18 + noise * 8 + busy * 46),
        memory_used_mib: memory_mib * (0.36 + wave(60, 9) * 0.06 + busy * 0.07),
        memory_mib,
        disk_read_bps: noise > 0.86 ? noise * 4e6 : busy * 6e6 * noise,
        disk_write_bps: 120_000 * wave(9, 3) + busy * 22e6 * (0.5 + noise / 2),
        net_rx_bps: 340_000 * wave(11, 2) + noise * 90_000 + busy * 3e6,
        net_tx_bps: 210_000 * wave(13, 5) + noise * 40_000 + busy * 900_000,
      };
    });
  });
}

const screen = (name: string) =>
  `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"><rect width="320" height="240" fill="#000"/><g font-family="monospace" font-size="9" fill="#bbb"><text x="8" y="20">Debian GNU/Linux 12 ${name} tty1</text><text x="8" y="44">${name} login: _</text></g></svg>`)}`;

export const machines: Answers = {
  machineDetails: ({ lab, machine }) => details(lab, machine),
  powerMachines: ({ machines }: { machines: string[] }) => machines.map((machine) => ({ machine, error: machine === "victim-mail" ? "its kernel crashed: force it off first" : null })),
  followStats: ({ lab, onSamples }: { lab: string; onSamples: Channel<MachineSample[]> }) => {
    onSamples.onmessage(samples(lab, Date.now()));
    return new Promise<null>(() => {});
  },
  unfollowStats: () => null,
  machineScreenshot: ({ machine }) => screen(machine),
};
