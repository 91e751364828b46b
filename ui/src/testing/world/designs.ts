import type { Answers } from "../fake";

export const designs: Answers = {};
