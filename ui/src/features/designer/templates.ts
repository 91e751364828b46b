// Labs to begin with.

import { edit } from "./edit";
import { parse } from "./model";

export const emptyLab = `version: 1
name: new-lab
defaults: { image: debian-12 }
networks:
  lan: { cidr: 10.77.1.0/24 }
`;

/** A template's text as a lab of its own: without the line that is about the template, under a name that is free. */
export function named(text: string, free: (name: string) => string): string {
  const own = text.replace(/^# Title:.*\n/, "");
  const name = parse(own).design?.name || "new-lab";
  const now = free(name);
  return now === name ? own : edit(own, { do: "set", path: ["name"], value: now });
}
