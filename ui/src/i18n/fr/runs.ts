import type { runs as en } from "../en/runs";
import type { Words } from "../words";

export const runs: Words<typeof en> = {};
