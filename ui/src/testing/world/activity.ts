import type { Answers } from "../fake";

export const activity: Answers = {
  lockState: () => ({ set: false, locked: false, idle_minutes: null }),
  appInfo: () => ({ version: "0.1.0", data_dir: "/home/ada/.local/share/vlm", first_start: false }),
  listLabs: () => [],
  listHosts: () => [],
  recentRuns: () => [],
};
