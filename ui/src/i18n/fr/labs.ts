import type { labs as en } from "../en/labs";
import type { Words } from "../words";

export const labs: Words<typeof en> = {};
