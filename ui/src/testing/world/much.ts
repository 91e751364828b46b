import type { Answers } from "../fake";
import { muchHosts } from "./much-hosts";

export const much: Answers = { ...muchHosts };
