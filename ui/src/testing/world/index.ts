// A shell with something in it: the fixed data of screenshots, and of tests that need a whole window. Each noun has its file.

import type { Answers } from "../fake";
import { activity } from "./activity";
import { designs } from "./designs";
import { hosts } from "./hosts";
import { images } from "./images";
import { labs } from "./labs";
import { machines } from "./machines";
import { runs } from "./runs";

/** When it is in the fixed data. */
export const NOW = "2026-11-25T14:00:00Z";

export const world: Answers = { ...activity, ...designs, ...hosts, ...images, ...labs, ...machines, ...runs };
