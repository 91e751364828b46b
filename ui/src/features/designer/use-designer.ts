// The state of a lab that is being designed: its text, where things stand, what is selected, what the engine says of it.

import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useDeferredValue, useEffect, useMemo, useReducer, useRef, useState } from "react";
import type { CheckedText, CommandError, SavedLab } from "../../bindings";
import { commandError, ipc } from "../../ipc";
import { documentQuery, labsQuery } from "../../lib/queries";
import { forget, keep } from "./draft";
import { type Edit, edit } from "./edit";
import { begin, history } from "./history";
import { complete, type Layout, readLayout, sorted, type ThingId } from "./layout";
import { type Design, emptyDesign, type Mistake, parse } from "./model";

export type Start = { text: string; layout: string | null; revision: number | null };
export type View = { x: number; y: number; zoom: number };
export type Saving = { state: "idle" } | { state: "saving" } | { state: "conflict" } | { state: "failed"; error: CommandError };

const CHECK_MS = 250;
const KEEP_MS = 400;
const LAYOUT_MS = 900;

/** `saved` is what is stored, none for a new lab; `draft` is what was left unsaved, and counts where there is one. */
export function useDesigner({ lab, saved, draft, draftKey, onSaved }: { lab: string | null; saved: Start | null; draft: Start; draftKey: string; onSaved: (saved: SavedLab) => void }) {
  const client = useQueryClient();
  const [state, dispatch] = useReducer(history, null, () => begin({ text: draft.text, layout: readLayout(draft.layout) }));
  const { text, layout: kept } = state.now;
  const [stored, setStored] = useState({ text: saved?.text ?? null, revision: draft.revision });
  const isDirty = text !== stored.text;

  // What somebody else saved is shown at once where nothing of ours would be lost.
  useEffect(() => {
    // Right after a save of ours, what was read is still the revision before it.
    if (!saved || (saved.revision ?? 0) <= (stored.revision ?? 0) || isDirty) return;
    setStored({ text: saved.text, revision: saved.revision });
    dispatch({ do: "change", change: { text: saved.text, ...(saved.layout !== null && { layout: readLayout(saved.layout) }), at: performance.now() } });
  }, [saved, stored.revision, isDirty]);

  // Parsing a large lab takes longer than a frame: what is typed is shown first.
  const deferred = useDeferredValue(text);
  const good = useRef<Design | null>(null);
  const parsed = useMemo(() => parse(deferred), [deferred]);
  const before = good.current;
  const design = parsed.design ?? before ?? emptyDesign;
  const mistake: Mistake | null = parsed.mistake;
  // While the text is ahead of what was parsed, a new thing's place would look like that of one that is gone.
  const isBehind = deferred !== text || mistake !== null;
  const layout = useMemo(() => (isBehind ? kept : complete(kept, design, before)), [kept, design, isBehind]);
  useEffect(() => {
    good.current = design;
  }, [design]);
  useEffect(() => {
    if (layout !== kept) dispatch({ do: "settle", layout });
  }, [layout, kept]);

  const now = useRef({ text, layout });
  now.current = { text, layout };

  const [selection, setSelection] = useState<ReadonlySet<ThingId>>(new Set());
  const picked = useMemo(() => sorted(selection), [selection]);

  const change = useCallback((change: { text?: string; layout?: Layout; kind?: string }) => dispatch({ do: "change", change: { ...change, at: performance.now() } }), []);
  const setText = useCallback((text: string) => change({ text, kind: "typing" }), [change]);
  const setLayout = useCallback((layout: Layout, kind?: string) => change({ layout, ...(kind && { kind }) }), [change]);
  const apply = useCallback(
    (what: Edit, more: { layout?: Layout; kind?: string } = {}) => {
      const text = edit(now.current.text, what);
      // What could not be done, as the text does not parse or the name is taken, leaves no trace on the canvas either.
      if (text === now.current.text && (what.do === "add" || what.do === "rename")) return;
      change({ text, layout: more.layout ?? now.current.layout, ...(more.kind && { kind: more.kind }) });
    },
    [change],
  );
  const undo = useCallback(() => dispatch({ do: "undo" }), []);
  const redo = useCallback(() => dispatch({ do: "redo" }), []);

  const checked = useCheck(text, lab);

  const view = useRef<View | null>(readView(draft.layout));
  const written = useCallback(() => JSON.stringify({ ...now.current.layout, ...(view.current && { view: view.current }) }), []);

  // What is not saved outlives the page.
  const isUntouched = useRef(true);
  isUntouched.current &&= lab === null && text === draft.text;
  useEffect(() => {
    // A new lab that nobody has touched is no draft.
    const write = () => (isDirty && !isUntouched.current ? keep(draftKey, { text: now.current.text, layout: written(), revision: stored.revision }) : isDirty || forget(draftKey));
    const timer = setTimeout(write, KEEP_MS);
    window.addEventListener("pagehide", write);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("pagehide", write);
    };
  }, [text, layout, isDirty, draftKey, stored.revision, written]);
  useEffect(
    () => () => {
      if (dirty.current && !isUntouched.current) keep(draftKey, { text: now.current.text, layout: written(), revision: revision.current });
    },
    [draftKey, written],
  );
  const dirty = useRef(isDirty);
  dirty.current = isDirty;
  const revision = useRef(stored.revision);
  revision.current = stored.revision;

  // Places are no part of the design: they are stored as they change.
  const storedLayout = useRef(draft.layout);
  const storeLayout = useCallback(() => {
    const json = written();
    if (lab === null || json === storedLayout.current) return;
    storedLayout.current = json;
    // The next change tries again, and saving the lab says what is wrong.
    ipc.saveLayout(lab, json).catch(() => (storedLayout.current = null));
  }, [lab, written]);
  const layoutTimer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const later = useCallback(() => {
    clearTimeout(layoutTimer.current);
    layoutTimer.current = setTimeout(storeLayout, LAYOUT_MS);
  }, [storeLayout]);
  useEffect(later, [layout, later]);
  useEffect(
    () => () => {
      clearTimeout(layoutTimer.current);
      if (layoutTimer.current !== undefined) storeLayout();
    },
    [storeLayout],
  );
  const setView = useCallback(
    (next: View) => {
      view.current = next;
      later();
    },
    [later],
  );

  const [saving, setSaving] = useState<Saving>({ state: "idle" });
  const busy = useRef<"no" | "yes" | "again">("no");
  const save = async (over = false) => {
    // Asked for while one is under way: what was changed meanwhile is saved after it.
    if (busy.current !== "no") return void (busy.current = "again");
    if (lab !== null && !over && !dirty.current) return;
    busy.current = "yes";
    const { text } = now.current;
    setSaving({ state: "saving" });
    try {
      const expected = over || lab === null ? null : revision.current;
      const json = written();
      const done = await ipc.saveLab(text, lab, expected, json);
      storedLayout.current = json;
      setStored({ text, revision: done.revision });
      dirty.current = now.current.text !== text;
      revision.current = done.revision;
      if (!dirty.current) forget(draftKey);
      setSaving({ state: "idle" });
      if (lab !== null) client.setQueryData(documentQuery(lab).queryKey, (document) => document && { ...document, text, revision: done.revision, layout: json });
      void client.invalidateQueries({ queryKey: labsQuery.queryKey, refetchType: "active", predicate: ({ queryKey }) => queryKey[2] !== "document" });
      onSaved(done);
    } catch (error) {
      const said = commandError(error);
      setSaving(said.code === "conflict" ? { state: "conflict" } : { state: "failed", error: said });
      busy.current = "no";
      return;
    }
    const isAsked = (busy.current as string) === "again";
    busy.current = "no";
    if (isAsked && lab !== null) await save();
  };
  /** Takes what somebody else saved; undo brings back what was here. */
  const reload = async () => {
    if (lab === null) return;
    try {
      const document = await ipc.readLab(lab);
      client.setQueryData(documentQuery(lab).queryKey, document);
      setStored({ text: document.text, revision: document.revision });
      change({ text: document.text, layout: document.layout === null ? now.current.layout : readLayout(document.layout) });
      setSaving({ state: "idle" });
    } catch (error) {
      setSaving({ state: "failed", error: commandError(error) });
    }
  };
  const revert = () => stored.text !== null && change({ text: stored.text });

  return {
    lab,
    text,
    design,
    mistake,
    layout,
    view: view.current,
    setView,
    selection,
    setSelection,
    picked,
    setText,
    setLayout,
    change,
    apply,
    undo,
    redo,
    canUndo: state.past.length > 0,
    canRedo: state.future.length > 0,
    checked,
    isDirty,
    isNew: lab === null,
    saving,
    save,
    reload,
    revert: stored.text !== null && isDirty ? revert : null,
    dismiss: () => setSaving({ state: "idle" }),
    /** What counts now, for what happens between two renderings. */
    now,
  };
}

export type Designer = ReturnType<typeof useDesigner>;

function readView(json: string | null): View | null {
  try {
    const { view } = JSON.parse(json ?? "{}");
    return [view.x, view.y, view.zoom].every(Number.isFinite) ? view : null;
  } catch {
    return null;
  }
}

export type Checked = CheckedText & { error: CommandError | null };

/** What the engine says of the text, a moment after it was last changed. */
function useCheck(text: string, lab: string | null): Checked | null {
  const [checked, setChecked] = useState<Checked | null>(null);
  const first = useRef(true);
  useEffect(() => {
    let over = false;
    const timer = setTimeout(
      () =>
        ipc.checkText(text, lab).then(
          (checked) => over || setChecked({ ...checked, error: null }),
          (error: unknown) => over || setChecked((before) => ({ name: null, machines: before?.machines ?? [], problems: [], error: commandError(error) })),
        ),
      first.current ? 0 : CHECK_MS,
    );
    first.current = false;
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [text, lab]);
  return checked;
}
