import type { AuditRow } from "../../bindings";
import type { Answers } from "../fake";

const rows = [
  ["13:52:10", "ada", "deploy", "k8s", "run 13"],
  ["13:21:44", "ada", "done", "run 12", "5 machines ready"],
  ["13:20:23", "ada", "set_state", "shop", "deployed"],
  ["13:19:02", "ada", "deploy", "shop", "run 12"],
  ["13:18:31", "ada", "save_lab", "shop", "revision 7"],
  ["13:05:09", "ada", "failed", "run 11", "db is not ready: cloud-init failed in `runcmd`"],
  ["13:01:40", "ada", "deploy", "shop", "run 11"],
  ["12:58:00", "ada", "add_image", "fw-appliance", "e9d2c4b6a8f01735924c6b8da0f2e4c690b8d7c6a5f4e3d2c1b0a99887766554 from /home/ada/images/fw.raw"],
  ["11:40:12", "ada", "doctor_fix", "lab1/forward", "iptables -A FORWARD -i vlm+ -j ACCEPT; back: iptables -D FORWARD -i vlm+ -j ACCEPT"],
  ["10:12:55", "ada", "power", "shop", "reboot web-1, web-2"],
  ["10:02:18", "ada", "add_host", "lab1", "root@lab1.example.net:22"],
  ["09:47:00", "ci", "stop", "ad-domain", "run 10"],
  ["09:46:58", "ci", "place_lab", "ad-domain", "dc1 on lab1, dc2 on lab1, client on lab1"],
  ["09:30:00", "ada", "cut_off", "run 9", "its process is gone"],
  ["09:12:37", "ada", "restore", "database", "from vlm-20261124-manual.sqlite3"],
  ["08:00:02", "ada", "migrate", "database", "version 6 to 7"],
].map(([time, who, action, object, detail], index): AuditRow => ({ line: 214 - index, at: `2026-11-25T${time}Z`, who: who!, action: action!, object: object!, detail: detail! }));

export const activity: Answers = {
  listLabs: () => [],
  recentRuns: () => [],
  audit: ({ lab, text, limit }) =>
    rows.filter((row) => (!lab || row.object === lab || row.detail.includes(lab)) && Object.values(row).join(" ").toLowerCase().includes(text.toLowerCase())).slice(0, limit),
  verifyAudit: () => null,
  exportAudit: () => "/home/ada/activity.csv",
  readSettings: () => ({ terraform: "/usr/local/bin/tofu", ansible_playbook: null, pool: null, pool_path: "/srv/vlm", starts_at_once: 4, ready_limit_s: null, log: null, path: "/home/ada/.config/vlm/settings.toml" }),
  saveSettings: () => null,
  pickFile: ({ what }) => (what === "terraform" ? "/opt/terraform/terraform" : "/opt/ansible/bin/ansible-playbook"),
  listTools: () => [
    { name: "terraform", path: null, version: null, digest: null, source: null, problem: "there is none", remedy: "`make run` or the package's `vlm-setup labs` brings OpenTofu, which does as well" },
    { name: "tofu", path: "/usr/local/bin/tofu", version: "1.10.6", digest: "4c1d7b9a3e5f60718293a4b5c6d7e8f90112233445566778899aabbccddeeff0", source: "settings", problem: null, remedy: null },
    { name: "libvirt provider", path: "/home/ada/.local/share/vlm/tools/terraform-provider-libvirt", version: "0.8.3", digest: "9e8d7c6b5a493827160514f3e2d1c0bfae9d8c7b6a5948372615049f8e7d6c5b", source: "ours", problem: null, remedy: null },
    { name: "ansible-playbook", path: "/usr/bin/ansible-playbook", version: "core 2.14.18", digest: "aa00bb11cc22dd33ee44ff5566778899aabbccddeeff00112233445566778899", source: "system", problem: "it is older than 2.15", remedy: "`make run` or the package's `vlm-setup labs` brings ansible-core" },
    { name: "ssh", path: "/usr/bin/ssh", version: "10.0p2", digest: null, source: "system", problem: null, remedy: null },
    { name: "qemu-img", path: "/usr/bin/qemu-img", version: "10.0.3", digest: null, source: "system", problem: null, remedy: null },
  ],
  listBackups: () => [
    { path: "/home/ada/.local/share/vlm/backups/vlm-1795593600-daily-v7-201-a1b2.sqlite3", made: "2026-11-25T08:00:00Z", reason: "daily", bytes_mib: 3 },
    { path: "/home/ada/.local/share/vlm/backups/vlm-1795507200-manual-v7-188-c3d4.sqlite3", made: "2026-11-24T17:12:00Z", reason: "manual", bytes_mib: 3 },
    { path: "/home/ada/.local/share/vlm/backups/vlm-1795420800-migration-v6-160-e5f6.sqlite3", made: "2026-11-20T09:05:00Z", reason: "migration", bytes_mib: 2 },
  ],
  makeBackup: () => ({ path: "/home/ada/.local/share/vlm/backups/vlm-1795615200-manual-v7-214-f7a8.sqlite3", made: "2026-11-25T14:00:00Z", reason: "manual", bytes_mib: 3 }),
  restoreBackup: () => "/home/ada/.local/share/vlm/vlm.before-restore.sqlite3",
  lockState: () => ({ set: false, locked: false, idle_minutes: null }),
  setLock: () => null,
  lockNow: () => null,
  unlock: ({ passphrase }) => passphrase === "right",
  setNotifications: () => null,
  appInfo: () => ({ version: "0.1.0", data_dir: "/home/ada/.local/share/vlm", first_start: false }),
  quit: () => null,
};
