import type { machines as en } from "../en/machines";
import type { Words } from "../words";

export const machines: Words<typeof en> = {};
