import type { Answers } from "../fake";
import { designs } from "./designs";

export const empty: Answers = { ...designs, listTemplates: () => [] };
