import type { en } from "../en";
import type { Words } from "../words";
import { common } from "./common";
import { dashboard } from "./dashboard";
import { designer } from "./designer";
import { hosts } from "./hosts";
import { images } from "./images";
import { labs } from "./labs";
import { machines } from "./machines";
import { runs } from "./runs";
import { settings } from "./settings";

export const fr: Words<typeof en> = { common, dashboard, designer, hosts, images, labs, machines, runs, settings };
