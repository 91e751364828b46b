// A lab's design, of one that there is and of one that is still to be made.

import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { LabDocument } from "../bindings";
import { Loading, Page } from "../components/frame";
import { Failed } from "../components/notice";
import { Designer } from "../features/designer/designer";
import { draft, forget } from "../features/designer/draft";
import { freeName } from "../features/designer/edit";
import { Gallery } from "../features/designer/gallery";
import { DesignActions, DesignDialogs } from "../features/designer/save";
import { emptyLab, named } from "../features/designer/templates";
import { useLive } from "../features/designer/topology";
import { type Start, useDesigner } from "../features/designer/use-designer";
import { LabFrame } from "../features/labs/frame";
import { documentQuery, labsQuery, templatesQuery } from "../lib/queries";
import { mention } from "../lib/toasts";

export function DesignPage() {
  const { t } = useTranslation("designer");
  const { lab } = useParams({ from: "/labs/$lab/design" });
  const document = useQuery(documentQuery(lab));
  if (document.data) return <Design key={lab} document={document.data} />;
  return (
    <LabFrame lab={lab} tab="design">
      {document.isError ? <Failed title={t(($) => $.design.failed)} error={document.error} onRetry={() => void document.refetch()} /> : <Loading what={t(($) => $.design.what)} />}
    </LabFrame>
  );
}

function Design({ document }: { document: LabDocument }) {
  const { t } = useTranslation("designer");
  const navigate = useNavigate();
  const { name: lab } = document;
  const key = `lab ${lab}`;
  const saved = useMemo((): Start => ({ text: document.text, layout: document.layout, revision: document.revision }), [document]);
  const [start] = useState(() => draft(key) ?? saved);
  const designer = useDesigner({
    lab,
    saved,
    draft: start,
    draftKey: key,
    onSaved: ({ name, revision }) => {
      mention(t(($) => $.savedAs, { name, revision }));
      if (name !== lab) void navigate({ to: "/labs/$lab/design", params: { lab: name } });
    },
  });
  const live = useLive(lab);
  return (
    <LabFrame lab={lab} tab="design" actions={<DesignActions designer={designer} />} bare>
      <Designer designer={designer} live={live} onOpen={(machine) => void navigate({ to: "/labs/$lab/machines/$machine", params: { lab, machine } })} />
      <DesignDialogs designer={designer} />
    </LabFrame>
  );
}

export function NewLabPage() {
  const { template } = useSearch({ from: "/new" });
  if (template === undefined) return <Gallery />;
  return <NewLab key={template} id={template} />;
}

/** A template's text under a name that no lab has. */
function NewLab({ id }: { id: string }) {
  const { t } = useTranslation("designer");
  const templates = useQuery(templatesQuery);
  const labs = useQuery(labsQuery);
  const left = useMemo(() => draft(`new ${id}`), [id]);
  const text = id === "empty" ? emptyLab : templates.data?.find((template) => template.id === id)?.text;
  if (left) return <Fresh id={id} start={left} />;
  if (text !== undefined && (labs.data || labs.isError)) {
    const taken = new Set((labs.data ?? []).map(({ name }) => name));
    return <Fresh id={id} start={{ text: named(text, (name) => freeName(name, taken)), layout: null, revision: null }} />;
  }
  if (templates.isSuccess && text === undefined) return <Gallery />;
  return (
    <Page title={t(($) => $.newLab)}>
      {templates.isError ? <Failed title={t(($) => $.gallery.loadFailed)} error={templates.error} onRetry={() => void templates.refetch()} /> : <Loading what={t(($) => $.gallery.what)} />}
    </Page>
  );
}

function Fresh({ id, start }: { id: string; start: Start }) {
  const { t } = useTranslation("designer");
  const navigate = useNavigate();
  const key = `new ${id}`;
  const [first] = useState(start);
  const designer = useDesigner({
    lab: null,
    saved: null,
    draft: first,
    draftKey: key,
    onSaved: ({ name, revision }) => {
      forget(key);
      mention(t(($) => $.savedAs, { name, revision }));
      void navigate({ to: "/labs/$lab/design", params: { lab: name }, replace: true });
    },
  });
  return (
    <Page title={<span className="truncate">{designer.design.name || t(($) => $.newLab)}</span>} actions={<DesignActions designer={designer} />} bare>
      <Designer designer={designer} live={null} onOpen={null} />
      <DesignDialogs designer={designer} />
    </Page>
  );
}
