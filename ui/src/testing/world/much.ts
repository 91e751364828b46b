import type { Answers } from "../fake";
import { muchLabs } from "./much-labs";

export const much: Answers = { ...muchLabs };
