// The settings of labs as somebody types them: text in, and out what the file holds; an empty field is the default.

import type { AppSettings } from "../../bindings";

export type LabForm = { pool: string; pool_path: string; starts_at_once: string; ready_limit_s: string; log: string };
export type Slip = "pool" | "path" | "count" | "seconds";

export const formOf = ({ pool, pool_path, starts_at_once, ready_limit_s, log }: AppSettings): LabForm => ({
  pool: pool ?? "",
  pool_path: pool_path ?? "",
  starts_at_once: starts_at_once?.toString() ?? "",
  ready_limit_s: ready_limit_s?.toString() ?? "",
  log: log ?? "",
});

export function labSlips(form: LabForm): Partial<Record<keyof LabForm, Slip>> {
  const found: Partial<Record<keyof LabForm, Slip>> = {};
  const isCount = (text: string) => text.trim() === "" || /^[1-9]\d{0,6}$/.test(text.trim());
  if (!/^[A-Za-z0-9._-]*$/.test(form.pool.trim())) found.pool = "pool";
  if (form.pool_path.trim() !== "" && !form.pool_path.trim().startsWith("/")) found.pool_path = "path";
  if (!isCount(form.starts_at_once)) found.starts_at_once = "count";
  if (!isCount(form.ready_limit_s)) found.ready_limit_s = "seconds";
  return found;
}

/** `settings` with what the form says. */
export function withForm(settings: AppSettings, form: LabForm): AppSettings {
  const number = (text: string) => (text.trim() === "" ? null : Number(text));
  return {
    ...settings,
    pool: form.pool.trim() || null,
    pool_path: form.pool_path.trim() || null,
    starts_at_once: number(form.starts_at_once),
    ready_limit_s: number(form.ready_limit_s),
    log: form.log || null,
  };
}
