// What somebody types of a host that is to be added: what of ~/.ssh/config fits, what it is called, what is wrong with it.

import type { HostSummary, SshConfigHost } from "../../bindings";

export type HostForm = { address: string; user: string; port: string; identity: string; /** null: derived from the address. */ name: string | null };
export type Slip = "addressEmpty" | "addressForm" | "nameForm" | "nameTaken" | "nameReserved" | "portForm" | "userForm";

export const emptyForm: HostForm = { address: "", user: "", port: "", identity: "", name: null };

/** Hosts of ~/.ssh/config with all that was typed in alias or host name; those that begin with it come first. */
export function offered(hosts: SshConfigHost[], typed: string): SshConfigHost[] {
  const text = typed.trim().toLowerCase();
  const rank = ({ alias, host_name }: SshConfigHost) => {
    const at = [alias, host_name ?? ""].map((name) => name.toLowerCase().indexOf(text));
    return at.includes(0) ? 0 : at.some((index) => index > 0) ? 1 : 2;
  };
  return hosts.filter((host) => rank(host) < 2).sort((a, b) => rank(a) - rank(b));
}

/** A name for a host at `address`: its first label, or the numbers of an address with hyphens. */
export function nameFor(address: string): string {
  const text = address.trim().toLowerCase();
  const label = /^[0-9.]+$/.test(text) || text.includes(":") ? text : (text.split(".")[0] ?? "");
  return label.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
}

export const nameOf = (form: HostForm) => form.name ?? nameFor(form.address);

export function slips(form: HostForm, hosts: HostSummary[]): Partial<Record<keyof HostForm, Slip>> {
  const found: Partial<Record<keyof HostForm, Slip>> = {};
  const address = form.address.trim();
  if (address === "") found.address = "addressEmpty";
  else if (/[\s@/]/.test(address) || address.startsWith("-")) found.address = "addressForm";
  if (/[\s@:/]/.test(form.user.trim())) found.user = "userForm";
  const port = form.port.trim();
  if (port !== "" && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) found.port = "portForm";
  const name = nameOf(form);
  if (name === "local" || name === "session") found.name = "nameReserved";
  else if (hosts.some((host) => host.name === name)) found.name = "nameTaken";
  else if (address !== "" && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) found.name = "nameForm";
  return found;
}
