// Where a new lab begins: templates, an empty one, a file, or what was left unsaved.

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { FileInput, Plus, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Template } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Loading, Page } from "../../components/frame";
import { Failed } from "../../components/notice";
import { Tip } from "../../components/tip";
import { ipc } from "../../ipc";
import { useActions } from "../../lib/actions";
import { labsQuery, templatesQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";
import { draft, drafts, forget } from "./draft";
import { parse } from "./model";
import { Preview } from "./preview";
import { emptyLab } from "./templates";

export function Gallery() {
  const { t } = useTranslation("designer");
  const navigate = useNavigate();
  const client = useQueryClient();
  const templates = useQuery(templatesQuery);
  const [words, setWords] = useState("");
  const [removing, setRemoving] = useState<Template | null>(null);
  const [left, setLeft] = useState(() => drafts("new "));
  const load = useMutation({
    mutationFn: () => ipc.importLab(),
    onSuccess: (saved) => {
      if (!saved) return;
      void client.invalidateQueries({ queryKey: labsQuery.queryKey });
      mention(t(($) => $.savedAs, { name: saved.name, revision: saved.revision }));
      void navigate({ to: "/labs/$lab/design", params: { lab: saved.name } });
    },
    meta: { failureTitle: t(($) => $.gallery.importFailed) },
  });
  useActions([
    { id: "gallery-empty", title: t(($) => $.gallery.empty), group: t(($) => $.gallery.title), keys: "n", run: () => void navigate({ to: "/new", search: { template: "empty" } }) },
    { id: "gallery-import", title: t(($) => $.gallery.import), group: t(($) => $.gallery.title), keys: "i", run: () => load.mutate() },
  ]);
  const matches = (templates.data ?? []).filter(({ title, description }) => `${title} ${description}`.toLowerCase().includes(words.trim().toLowerCase()));
  const own = matches.filter((template) => template.own);
  const ours = matches.filter((template) => !template.own);
  return (
    <Page
      title={t(($) => $.gallery.title)}
      actions={
        <>
          <input type="search" aria-label={t(($) => $.gallery.filter)} placeholder={t(($) => $.gallery.filter)} className="h-7 w-52 rounded-ui border border-line-strong bg-window px-2 placeholder:text-dim" value={words} onChange={(event) => setWords(event.target.value)} />
          <Button disabled={load.isPending} onClick={() => load.mutate()}>
            <FileInput className="size-4 text-dim" aria-hidden />
            {t(($) => $.gallery.import)}
          </Button>
          <Button kind="primary" onClick={() => void navigate({ to: "/new", search: { template: "empty" } })}>
            <Plus className="size-4" aria-hidden />
            {t(($) => $.gallery.empty)}
          </Button>
        </>
      }
    >
      {left.length > 0 && (
        <Group title={t(($) => $.gallery.drafts)}>
          {left.map((key) => {
            const text = draft(key)?.text ?? "";
            const name = parse(text).design?.name || t(($) => $.newLab);
            return (
              <Card
                key={key}
                id={key.slice("new ".length)}
                label={t(($) => $.gallery.continue, { name })}
                title={name}
                text={text}
                action={
                  <Discard
                    label={t(($) => $.gallery.discard, { name })}
                    onClick={() => {
                      forget(key);
                      setLeft(drafts("new "));
                    }}
                  />
                }
              />
            );
          })}
        </Group>
      )}
      {own.length > 0 && (
        <Group title={t(($) => $.gallery.own)}>
          {own.map((template) => (
            <Card key={template.id} {...template} label={t(($) => $.gallery.use, { title: template.title })} action={<Discard label={t(($) => $.gallery.remove)} onClick={() => setRemoving(template)} />} />
          ))}
        </Group>
      )}
      {templates.isError ? (
        <Failed title={t(($) => $.gallery.loadFailed)} error={templates.error} onRetry={() => void templates.refetch()} />
      ) : templates.isPending ? (
        <Loading what={t(($) => $.gallery.what)} />
      ) : (
        <Group title={t(($) => $.gallery.ours)}>
          {words.trim() === "" && <Card id="empty" label={t(($) => $.gallery.empty)} title={t(($) => $.gallery.empty)} description={t(($) => $.gallery.emptyNote)} text={emptyLab} />}
          {ours.map((template) => (
            <Card key={template.id} {...template} label={t(($) => $.gallery.use, { title: template.title })} />
          ))}
          {matches.length === 0 && words.trim() !== "" && <p className="text-dim">{t(($) => $.gallery.nothing)}</p>}
        </Group>
      )}
      {removing && <RemoveTemplate template={removing} onClose={() => setRemoving(null)} />}
    </Page>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-2">
      <h2 className="text-small text-dim">{title}</h2>
      <div className="grid grid-cols-[repeat(auto-fill,minmax(248px,1fr))] gap-3">{children}</div>
    </section>
  );
}

function Card({ id, label, title, description, machines, networks, text, action }: { id: string; label: string; title: string; description?: string; machines?: number; networks?: number; text: string; action?: ReactNode }) {
  const { t } = useTranslation("designer");
  return (
    <div className="relative flex min-w-0">
      <Link to="/new" search={{ template: id }} aria-label={label} className="flex min-w-0 flex-1 flex-col overflow-hidden rounded-ui border border-line bg-panel hover:border-line-strong">
        <span className="border-b border-line bg-window p-2">
          <Preview text={text} />
        </span>
        <span className="flex min-h-24 min-w-0 flex-col gap-0.5 px-3 py-2">
          <span className="truncate pr-8 font-strong" title={title}>
            {title}
          </span>
          {description && (
            <span className="line-clamp-2 text-dim wrap-anywhere" title={description}>
              {description}
            </span>
          )}
          {machines !== undefined && networks !== undefined && (
            <span className="mt-auto pt-1 text-small text-dim">
              {t(($) => $.status.machines, { count: machines })}, {t(($) => $.status.networks, { count: networks })}
            </span>
          )}
        </span>
      </Link>
      {action && <span className="absolute right-1.5 bottom-1.5">{action}</span>}
    </div>
  );
}

function Discard({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <Tip text={label}>
      <Button kind="quiet" className="w-7 justify-center !px-0" aria-label={label} onClick={onClick}>
        <Trash2 className="size-4" />
      </Button>
    </Tip>
  );
}

function RemoveTemplate({ template, onClose }: { template: Template; onClose: () => void }) {
  const { t } = useTranslation(["designer", "common"]);
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => ipc.removeTemplate(template.id),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: templatesQuery.queryKey });
      onClose();
    },
  });
  return (
    <Dialog
      title={t(($) => $.gallery.removeTitle, { title: template.title })}
      onClose={onClose}
      actions={
        <>
          <Button autoFocus onClick={onClose}>
            {t(($) => $.cancel, { ns: "common" })}
          </Button>
          <Button kind="danger" disabled={remove.isPending} onClick={() => remove.mutate()}>
            {t(($) => $.gallery.remove)}
          </Button>
        </>
      }
    >
      <p>{t(($) => $.gallery.removeMessage)}</p>
      {remove.isError && <Failed title={t(($) => $.gallery.removeFailed)} error={remove.error} />}
    </Dialog>
  );
}
