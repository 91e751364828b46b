import type { designer as en } from "../en/designer";
import type { Words } from "../words";

export const designer: Words<typeof en> = {};
