import type { Answers } from "../fake";

export const much: Answers = {};
