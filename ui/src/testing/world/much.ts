import type { Answers } from "../fake";
import { designs, large, odd } from "./designs";

export const much: Answers = { ...designs, readLab: ({ name }: { name: string }) => (name === "shop" ? odd(name) : large(name)) };
