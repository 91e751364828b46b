import type { Answers } from "../fake";
import { hosts } from "./hosts";
import { images } from "./images";

const nothing = { state: "designed", revision: 1, machines: [], last_run: null, unknown: null } as const;

/** A first start: nothing there but this computer. */
export const empty: Answers = {
  appInfo: () => ({ version: "0.1.0", data_dir: "/home/ada/.local/share/vlm", first_start: true }),
  listHosts: () => [{ name: "local", address: null, user: null, port: null, is_local: true, labs: [] }],
  hostThings: () => ({ domains: [], networks: [], pools: [] }),
  sshConfigHosts: () => [],
  sshIdentities: () => [],
  doctor: async (args) => {
    const report = await hosts.doctor!(args);
    return { ...report, findings: report.findings.filter(({ check }) => check !== "leftovers") };
  },
  listImages: () => [],
  imageCatalog: async () => (await images.imageCatalog!({})).filter(({ own }) => !own).map((entry) => ({ ...entry, here: false })),
  imagePlaces: () => [],
  audit: () => [],
  listBackups: () => [],
  listRuns: () => [],
  labStatus: ({ name }) => ({ ...nothing, machines: [], name }),
  checkLab: () => [],
  labPorts: () => [],
  labFiles: () => [],
  followRun: () => null,
};
