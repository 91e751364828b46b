import type { Answers } from "../fake";

export const hosts: Answers = {};
