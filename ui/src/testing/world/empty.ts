import type { Answers } from "../fake";

export const empty: Answers = {};
