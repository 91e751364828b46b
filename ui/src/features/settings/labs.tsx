import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { AppSettings } from "../../bindings";
import { Field } from "../../components/field";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { Select } from "../../components/select";
import { settingsQuery } from "../../lib/queries";
import { Part, SaveBar } from "./part";
import { formOf, type LabForm, labSlips, withForm } from "./settings-form";
import { useSave } from "./use-save";

const levels = ["off", "error", "warn", "info", "debug", "trace"] as const;

/** Where labs' disks lie, and how machines come up. */
export function Labs() {
  const { t } = useTranslation("settings");
  const settings = useQuery(settingsQuery);
  if (settings.isPending) return <Loading what={t(($) => $.parts.labs)} rows={5} />;
  if (settings.isError) return <Failed title={t(($) => $.readFailed)} error={settings.error} onRetry={() => void settings.refetch()} />;
  return <Form settings={settings.data} />;
}

function Form({ settings }: { settings: AppSettings }) {
  const { t } = useTranslation("settings");
  // What was not touched follows the file; null: nothing was touched.
  const [typed, setTyped] = useState<LabForm | null>(null);
  const save = useSave();
  const there = formOf(settings);
  const form = typed ?? there;
  const changed = JSON.stringify(form) !== JSON.stringify(there);
  const wrong = labSlips(form);
  const field = (part: keyof LabForm) => ({
    id: `settings-${part}`,
    value: form[part],
    error: wrong[part] ? t(($) => $.labs.errors[wrong[part]!]) : null,
    onChange: (event: { target: { value: string } }) => setTyped({ ...form, [part]: event.target.value }),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (Object.keys(wrong).length === 0) save.mutate(withForm(settings, form), { onSuccess: () => setTyped(null) });
      }}
    >
      <Part>
        <Field label={t(($) => $.labs.pool)} note={t(($) => $.labs.poolNote)} placeholder={t(($) => $.labs.default, { value: "vlm" })} {...field("pool")} />
        <Field label={t(($) => $.labs.poolPath)} note={t(($) => $.labs.poolPathNote)} placeholder={t(($) => $.labs.default, { value: "/var/lib/libvirt/images/vlm" })} {...field("pool_path")} />
        <div className="flex gap-4">
          <Field label={t(($) => $.labs.startsAtOnce)} note={t(($) => $.labs.startsNote)} inputMode="numeric" placeholder={t(($) => $.labs.startsPlaceholder)} {...field("starts_at_once")} />
          <Field label={t(($) => $.labs.readyLimit)} note={t(($) => $.labs.readyNote)} inputMode="numeric" placeholder={t(($) => $.labs.readyPlaceholder)} {...field("ready_limit_s")} />
        </div>
        <Select
          id="settings-log"
          label={t(($) => $.labs.log)}
          note={t(($) => $.labs.logNote)}
          value={form.log}
          onChange={(event) => setTyped({ ...form, log: event.target.value })}
          options={[{ value: "", label: t(($) => $.labs.default, { value: t(($) => $.labs.logs.info) }) }, ...levels.map((level) => ({ value: level, label: `${level}: ${t(($) => $.labs.logs[level])}` }))]}
        />
        <SaveBar changed={changed} saving={save.isPending} saved={save.isSuccess} error={save.error} note={`${t(($) => $.nextStart)} ${t(($) => $.file, { path: settings.path })}`} onDiscard={() => setTyped(null)} />
      </Part>
    </form>
  );
}
