import type { Answers } from "../fake";
import { large, odd } from "./designs";
import { muchHosts } from "./much-hosts";
import { muchLabs } from "./much-labs";

export const much: Answers = { ...muchLabs, readLab: ({ name }: { name: string }) => (name === "shop" ? odd(name) : large(name)), ...muchHosts };
