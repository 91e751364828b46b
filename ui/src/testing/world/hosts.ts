import type { Finding, HostStatus, HostThings, Report } from "../../bindings";
import type { Answers } from "../fake";

export const hostStatus = (name: string, more: Partial<HostStatus> = {}): HostStatus => ({
  name,
  libvirt: "11.3.0",
  cpus: 16,
  memory_mib: 64_180,
  free_memory_mib: 37_912,
  kvm: true,
  why: "a probe guest ran on it in 0.4 s",
  reserved_memory_mib: 6_656,
  domains_running: 7,
  domains: 9,
  pool_mib: 468_992,
  pool_free_mib: 219_136,
  load: 2.31,
  ...more,
});

const noRoute = {
  code: "failed",
  message: "could not connect to root@rack4.example.net:22: no route to host",
  hint: "is it switched on, and its address right? `vlm host check rack4` in a terminal tells the same",
  details: [],
};

const statuses: Record<string, () => HostStatus> = {
  local: () => hostStatus("local"),
  lab1: () =>
    hostStatus("lab1", {
      libvirt: "9.0.0",
      cpus: 8,
      memory_mib: 32_094,
      free_memory_mib: 3_410,
      kvm: false,
      why: "QEMU may not open /dev/kvm, so guests are emulated",
      reserved_memory_mib: 18_432,
      domains_running: 12,
      domains: 17,
      pool_mib: 1_887_436,
      pool_free_mib: 38_912,
      load: 7.8,
    }),
};

const things: HostThings = {
  domains: [
    { name: "shop.db", state: "running", lab: "shop", machine: "db", vcpus: 4, memory_mib: 4_096 },
    { name: "shop.cache", state: "running", lab: "shop", machine: "cache", vcpus: 1, memory_mib: 1_024 },
    { name: "soc-training.siem", state: "shut_off", lab: "soc-training", machine: "siem", vcpus: 8, memory_mib: 12_288 },
    { name: "soc-training.attacker", state: "running", lab: "soc-training", machine: "attacker", vcpus: 2, memory_mib: 2_048 },
    { name: "build-runner-debian12", state: "running", lab: null, machine: null, vcpus: 4, memory_mib: 8_192 },
    { name: "gitlab", state: "running", lab: null, machine: null, vcpus: 4, memory_mib: 6_144 },
    { name: "win2022-licences", state: "paused", lab: null, machine: null, vcpus: 2, memory_mib: 4_096 },
    { name: "old-router", state: "shut_off", lab: null, machine: null, vcpus: 1, memory_mib: 512 },
  ],
  networks: [
    { name: "shop.back", bridge: "vlm3f21c0", subnets: ["10.77.2.0/24"], active: true, lab: "shop" },
    { name: "soc-training.dmz", bridge: "vlm90aa12", subnets: ["10.80.1.0/24", "fd00:80:1::/64"], active: true, lab: "soc-training" },
    { name: "soc-training.inside", bridge: "vlm90aa13", subnets: ["10.80.2.0/24"], active: false, lab: "soc-training" },
    { name: "default", bridge: "virbr0", subnets: ["192.168.122.0/24"], active: true, lab: null },
    { name: "host-bridge", bridge: "br0", subnets: [], active: true, lab: null },
  ],
  pools: [
    { name: "vlm", path: "/srv/vlm", capacity_mib: 1_887_436, available_mib: 38_912, active: true, is_ours: true },
    { name: "default", path: "/var/lib/libvirt/images", capacity_mib: 468_992, available_mib: 219_136, active: true, is_ours: false },
    { name: "iso", path: "/srv/iso", capacity_mib: 0, available_mib: 0, active: false, is_ours: false },
  ],
};

const found = (check: string, severity: Finding["severity"], message: string, more: Partial<Finding> = {}): Finding => ({ check, severity, message, evidence: "", fix: null, ...more });
const byHand = (...commands: string[]) => ({ commands, undo: [], root: true, can_be_done: false });
const ours = (command: string) => ({ ...byHand(command), root: false });

const fine = [
  found("access", "ok", "`root` may use the system's libvirt"),
  found("memory", "ok", "14210 of 32094 MiB of memory can be had"),
  found("pool", "ok", "the pool `vlm` is active, at /srv/vlm"),
  found("pool-path", "ok", "QEMU (user libvirt-qemu) gets into /srv/vlm"),
  found("subnets", "ok", "the subnets of 4 networks of labs are free"),
  found("ip-forward", "ok", "the host forwards packets"),
];

export const forwardFinding = found("forward", "problem", "docker drops forwarded packets that no rule accepts, and libvirt's rules lie in a table of their own that cannot accept them: guests do not get out", {
  evidence: "-P FORWARD DROP; no `-A FORWARD -i vlm+ -j ACCEPT`",
  fix: {
    commands: ["iptables -A FORWARD -i vlm+ -j ACCEPT", "iptables -A FORWARD -o vlm+ -j ACCEPT"],
    undo: ["iptables -D FORWARD -i vlm+ -j ACCEPT", "iptables -D FORWARD -o vlm+ -j ACCEPT"],
    root: true,
    can_be_done: true,
  },
});

const labOne: Report = {
  host: "lab1",
  address: "root@lab1.example.net",
  os: "Debian GNU/Linux 12 (bookworm)",
  findings: [
    found("libvirt", "ok", "libvirt 9.0.0 answers, with QEMU 7.2.15"),
    found("kvm", "warning", "QEMU may not open /dev/kvm: guests are emulated, some ten times slower", {
      evidence: "/dev/kvm: crw------- root root",
      fix: { commands: ["chmod 660 /dev/kvm", "chgrp kvm /dev/kvm"], undo: ["chmod 600 /dev/kvm", "chgrp root /dev/kvm"], root: true, can_be_done: true },
    }),
    found("nested", "note", "guests cannot run guests on KVM", {
      evidence: "kvm_intel: nested=N",
      fix: byHand("echo 'options kvm_intel nested=1' > /etc/modprobe.d/vlm-nested.conf", "modprobe -r kvm_intel && modprobe kvm_intel   # with no guest running"),
    }),
    found("room", "warning", "38912 MiB are free for the pool's folder /srv/vlm (file system /srv): not much, as machines' disks grow there"),
    forwardFinding,
    ...fine,
    found("orphans", "warning", "domain `ad-domain.dc2` is left of the lab `ad-domain`, which is not deployed: `vlm adopt ad-domain` takes it in again", {
      evidence: "its disk is /srv/vlm/ad-domain.dc2.system.qcow2",
      fix: ours("vlm doctor lab1 --remove-orphan ad-domain.dc2"),
    }),
    found("orphans", "note", "network `thesis.lan` is of a lab `thesis` that you do not have: another person's, or left of one that was forgotten", {
      evidence: "its device is vlm77e001",
      fix: ours("vlm doctor lab1 --remove-orphan thesis.lan"),
    }),
  ],
};

const local: Report = {
  host: "local",
  address: null,
  os: "Debian GNU/Linux 13 (trixie)",
  findings: [
    found("tools", "ok", "found tofu (1.10.6), ansible-playbook (core 2.19.2), ssh (10.0p2), qemu-img (10.0.3)"),
    found("libvirt", "ok", "libvirt 11.3.0 answers, with QEMU 10.0.3"),
    found("kvm", "ok", "guests run on KVM: a probe guest ran on it in 0.4 s"),
    ...fine,
    found("packets", "note", "whether a network passes packets was not tried: it takes root, and a deep look"),
    found("leftovers", "note", "the run 9 of `soc-training` was cut off", { fix: ours("vlm resume soc-training") }),
  ],
};

const rackFour: Report = {
  host: "rack4",
  address: "root@rack4.example.net",
  os: null,
  findings: [found("reach", "problem", "could not connect to root@rack4.example.net:22: no route to host", { evidence: "ssh: connect: no route to host (os error 113)" })],
};

const reports: Record<string, Report> = { local, lab1: labOne, rack4: rackFour };

export const hosts: Answers = {
  listHosts: () => [
    { name: "local", address: null, user: null, port: null, is_local: true, labs: ["shop", "hello", "k8s"] },
    { name: "lab1", address: "lab1.example.net", user: "root", port: null, is_local: false, labs: ["shop", "soc-training", "ad-domain"] },
    { name: "rack4", address: "rack4.example.net", user: "root", port: 2222, is_local: false, labs: [] },
  ],
  checkHost: ({ name }) => {
    const status = statuses[name];
    if (!status) throw noRoute;
    return status();
  },
  hostThings: ({ name }) => {
    if (name === "rack4") throw noRoute;
    return things;
  },
  addHost: ({ name }) => hostStatus(name),
  removeHost: () => null,
  sshConfigHosts: () => [
    { alias: "lab1", host_name: "lab1.example.net", user: "root", port: null },
    { alias: "lab2", host_name: "lab2.example.net", user: "root", port: 2222 },
    { alias: "rack4", host_name: "rack4.example.net", user: "root", port: null },
    { alias: "build", host_name: "build.example.net", user: "ci", port: null },
    { alias: "bastion", host_name: "198.51.100.7", user: null, port: null },
    { alias: "nas.home", host_name: null, user: "ada", port: null },
  ],
  sshIdentities: () => ["~/.ssh/id_ed25519", "~/.ssh/id_rsa", "~/.ssh/lab"],
  answerQuestion: () => null,
  doctor: ({ host }) => reports[host] ?? { ...local, host },
  doctorFix: ({ host, check }) => {
    const report = reports[host] ?? local;
    return { ...report, findings: report.findings.map((one) => (one.check === check ? found(check, "ok", "forwarded packets of labs' networks are accepted") : one)) };
  },
  removeOrphan: () => null,
  adoptLab: ({ lab }) => ({ things: [{ host: "lab1", what: `domain \`${lab}.dc2\`` }, { host: "lab1", what: `volume \`${lab}.dc2.system.qcow2\` in pool \`vlm\`` }], stays: [{ host: "lab1", what: `network \`${lab}.old\`` }], is_known: true }),
};
