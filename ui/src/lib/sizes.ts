import { gib } from "./words";

/** A measured size in the unit that reads best. */
export function size(mib: number): string {
  if (mib < 1024) return `${Math.round(mib)} MiB`;
  return mib < 1024 * 1024 ? gib(mib) : `${(mib / 1024 / 1024).toFixed(1)} TiB`;
}

/** A part of a whole, in the unit of the whole: `12.4 of 62.7 GiB` without the word between. */
export function share(part: number, whole: number): [string, string] {
  const [divide, unit] = whole < 1024 ? [1, "MiB"] : whole < 1024 * 1024 ? [1024, "GiB"] : [1024 * 1024, "TiB"];
  const digits = divide === 1 ? 0 : 1;
  return [(part / divide).toFixed(digits), `${(whole / divide).toFixed(digits)} ${unit}`];
}
