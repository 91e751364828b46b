import type { hosts as en } from "../en/hosts";
import type { Words } from "../words";

export const hosts: Words<typeof en> = {};
