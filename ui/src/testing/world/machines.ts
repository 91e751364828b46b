import type { Answers } from "../fake";

export const machines: Answers = {};
