import type { Answers } from "../fake";

export const labs: Answers = {};
