import type { Answers } from "../fake";

export const images: Answers = {};
