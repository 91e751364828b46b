// What somebody types of an image that is fetched from an address.

export type Slip = "url" | "plain" | "name" | "taken" | "sha256";

/** What is wrong with a name for an image. */
export function nameSlip(name: string, taken: string[]): Slip | null {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) return "name";
  return taken.includes(name) ? "taken" : null;
}

/** A name after the file at an address: `https://x/fw-2.1.qcow2.xz` is `fw-2.1`. */
export function nameForUrl(url: string): string {
  const file = /^[a-z]+:\/\/[^/]+\/(?:.*\/)?([^/?#]+)/i.exec(url.trim())?.[1] ?? "";
  return file
    .toLowerCase()
    .replace(/(\.(qcow2|img|raw|xz))+$/, "")
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 63);
}

export function addressSlips({ url, name, sha256 }: { url: string; name: string; sha256: string }, taken: string[]): { url?: Slip; name?: Slip; sha256?: Slip } {
  const [at, digest] = [url.trim(), sha256.trim()];
  const found: { url?: Slip; name?: Slip; sha256?: Slip } = {};
  if (!/^https?:\/\/[^\s/]+\/\S*$/i.test(at)) found.url = "url";
  else if (/^http:/i.test(at) && digest === "") found.url = "plain";
  if (digest !== "" && !/^[0-9a-f]{64}$/i.test(digest)) found.sha256 = "sha256";
  const slip = nameSlip(name, taken);
  if (slip) found.name = slip;
  return found;
}
