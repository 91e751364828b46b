// Many hosts, images and lines of the audit, with names that nobody wishes for.

import type { Answers } from "../fake";
import { activity } from "./activity";
import { hosts, hostStatus } from "./hosts";
import { images } from "./images";

/** Names as long as they may be, markup, and text from right to left: none of it may break a screen. */
const LONG = "a-name-of-sixty-three-characters-that-somebody-thought-was-good";
const MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>";
const RTL = "مختبر الشبكات للتدريب";
const count = <T>(n: number, make: (index: number) => T): T[] => Array.from({ length: n }, (_, index) => make(index));
const words = (index: number) => [LONG, MARKUP, RTL, "x".repeat(10_000)][index % 4]!;

const ofHosts: Answers = {
  listHosts: () => [
    { name: "local", address: null, user: null, port: null, is_local: true, labs: count(80, (index) => `lab-${index}`) },
    { name: "lab1", address: "lab1.example.net", user: "root", port: null, is_local: false, labs: count(30, (index) => `lab-${index}`) },
    ...count(40, (index) => ({ name: index === 0 ? LONG : `rack-${index}`, address: `${LONG}.${LONG}.example.net`, user: "administrator", port: 22_022, is_local: false, labs: index % 2 ? [] : [LONG, `lab-${index}`] })),
  ],
  checkHost: ({ name }) => {
    if (/[37]$/.test(name)) throw { code: "failed", message: words(3), hint: MARKUP, details: [] };
    return hostStatus(name, { why: MARKUP, cpus: 256, memory_mib: 4_194_304, free_memory_mib: 12, pool_mib: 104_857_600, load: 254.9 });
  },
  hostThings: () => ({
    domains: count(1_200, (index) => ({ name: index % 3 ? `${LONG}.machine-${index}` : `theirs ${words(index % 3)}`, state: index % 2 ? "running" : "shut_off", lab: index % 3 ? LONG : null, machine: index % 3 ? `machine-${index}` : null, vcpus: 2, memory_mib: 2_048 })),
    networks: count(150, (index) => ({ name: `${LONG}.net-${index}`, bridge: `vlm${index}`, subnets: [`10.${index}.0.0/16`, "fd00:1234:5678:9abc::/64"], active: true, lab: index % 2 ? LONG : null })),
    pools: count(6, (index) => ({ name: `pool-${index}`, path: `/srv/${LONG}/${LONG}/${index}`, capacity_mib: 104_857_600, available_mib: 1_024, active: true, is_ours: index === 0 })),
  }),
  sshConfigHosts: () => count(300, (index) => ({ alias: `${LONG}-${index}`, host_name: `h${index}.example.net`, user: "root", port: 22 })),
  doctor: async (args) => {
    const report = await hosts.doctor!(args);
    return { ...report, findings: [...report.findings, ...count(60, (index) => ({ check: "orphans", severity: "note" as const, message: words(index), evidence: words(index + 1), fix: null }))] };
  },
};

const ofImages: Answers = {
  listImages: async () => count(120, (index) => ({ name: index ? `image-${index}` : LONG, digest: "8f2c1d0b".repeat(8), source: words(index), virtual_size: "2 TiB", file_mib: 1_048_576, added: "2026-11-02T08:14:00Z", used_by: count(index % 30, (lab) => `lab-${lab}`) })),
  imageCatalog: async () => [...(await images.imageCatalog!({})), ...count(60, (index) => ({ name: `own-${index}`, title: words(index), url: `https://images.example.net/${words(index)}`, verified_by: "nothing", own: true, here: false, recipe: false, user: null }))],
};

const ofActivity: Answers = {
  audit: async (args) => {
    const rows = await activity.audit!({ ...args, limit: 99 });
    return count(args.limit, (index) => ({ ...(rows[index % rows.length] ?? rows[0]!), line: 90_000 - index, object: index % 5 ? "shop" : LONG, detail: words(index) })).filter((row) => JSON.stringify(row).includes(args.text));
  },
};

export const muchHosts: Answers = { ...ofHosts, ...ofImages, ...ofActivity };
