import type { Answers } from "../fake";

export const runs: Answers = {};
