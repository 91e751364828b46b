import type { Answers } from "../fake";

const nothing = { state: "designed", revision: 1, machines: [], last_run: null, unknown: null } as const;

export const empty: Answers = {
  // Labs, runs.
  listLabs: () => [],
  labStatus: ({ name }) => ({ ...nothing, machines: [], name }),
  checkLab: () => [],
  labPorts: () => [],
  labFiles: () => [],
  recentRuns: () => [],
  listRuns: () => [],
  followRun: () => null,
};
