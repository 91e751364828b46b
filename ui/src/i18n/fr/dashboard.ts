import type { dashboard as en } from "../en/dashboard";
import type { Words } from "../words";

export const dashboard: Words<typeof en> = {};
