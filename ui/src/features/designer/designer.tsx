// The designer of a lab: canvas, lab.yaml and inspector beside each other, over one text.

import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { PointerMenu, type Entry } from "../../components/menu";
import { Button } from "../../components/button";
import { Resizable } from "../../components/split";
import { useActions } from "../../lib/actions";
import { catalogQuery, hostsQuery, imagesQuery, schemaQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";
import { Canvas, type CanvasHandle } from "./canvas";
import type { Live } from "./graph";
import { useClipboard } from "./clipboard";
import { copied, extentAt, freeCidr, freeName, namesOf, pasted } from "./edit";
import { TextEditor, type EditorHandle } from "./editor";
import { FindBar } from "./find";
import { Inspector } from "./inspector";
import { aligned, type Align, arrange, bounds, type Box, boxOf, free, GRID, groupId, LANE, type Layout, MACHINE, machineId, networkId, noteId, placed, type Point, snap, sorted, type ThingId, touch } from "./layout";
import { pathAt, type Path, rangeOf, readPath } from "./model";
import { Palette, type Fresh } from "./palette";
import { ProblemList, StatusLine } from "./problems";
import { Toolbar } from "./toolbar";
import type { Designer as State } from "./use-designer";
import { TemplateDialog } from "./template-dialog";

const NOTHING: ReadonlySet<ThingId> = new Set();
const NONE: never[] = [];
const CURSOR_MS = 150;

/** Whether the window has room for three columns. */
function useWide() {
  const media = useMemo(() => window.matchMedia("(min-width: 1500px)"), []);
  return useSyncExternalStore(
    (listener) => {
      media.addEventListener("change", listener);
      return () => media.removeEventListener("change", listener);
    },
    () => media.matches,
  );
}

export function Designer({ designer, live, onOpen }: { designer: State; live: Map<string, Live> | null; onOpen: ((machine: string) => void) | null }) {
  const { t } = useTranslation("designer");
  const { design, layout, selection, picked, now } = designer;
  const canvas = useRef<CanvasHandle>(null);
  const editor = useRef<EditorHandle>(null);
  const [showText, setShowText] = useState(true);
  const [showInspector, setShowInspector] = useState(true);
  const [showProblems, setShowProblems] = useState(false);
  const [snaps, setSnaps] = useState(true);
  const [find, setFind] = useState<string | null>(null);
  const [template, setTemplate] = useState(false);
  const [target, setTarget] = useState<ThingId | null>(null);
  const wide = useWide();

  const images = useQuery(imagesQuery).data;
  const catalog = useQuery(catalogQuery).data;
  const hosts = useQuery(hostsQuery).data;
  const schema = useQuery(schemaQuery).data;
  const known = useMemo(
    () => ({
      design,
      images: [...new Set([...(images ?? []).map(({ name }) => name), ...(catalog ?? []).map(({ name }) => name)])],
      hosts: (hosts ?? []).map(({ name }) => name),
    }),
    [design, images, catalog, hosts],
  );
  const schemaTree = useMemo(() => {
    try {
      return JSON.parse(schema ?? "null") as object | null;
    } catch {
      return null;
    }
  }, [schema]);
  const problems = designer.checked?.problems ?? NONE;

  // ---------------------------------------------------------- text and canvas point at each other
  const fromText = useRef(false);
  const only = selection.size === 1 ? [...selection][0]! : null;
  const markPath = useMemo((): Path | null => {
    if (only === null) return null;
    const { machines, networks, links } = sorted([only]);
    if (machines[0] !== undefined) return ["machines", machines[0]];
    if (networks[0] !== undefined) return ["networks", networks[0]];
    if (links[0]) return ["machines", links[0].machine, "nics", links[0].index];
    return null;
  }, [only]);
  useEffect(() => {
    if (fromText.current) {
      fromText.current = false;
      return;
    }
    // What was just made is not parsed yet when it is selected: its place is looked for a moment later.
    const timer = setTimeout(() => editor.current?.mark(markPath && extentAt(now.current.text, markPath)), 0);
    return () => clearTimeout(timer);
  }, [markPath, now, showText]);

  const cursorTimer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const onCursor = useCallback(
    (offset: number) => {
      clearTimeout(cursorTimer.current);
      cursorTimer.current = setTimeout(() => {
        const [section, name] = pathAt(now.current.text, offset);
        const id = name === undefined ? null : section === "machines" ? machineId(String(name)) : section === "networks" ? networkId(String(name)) : null;
        designer.setSelection((before) => {
          if (id === null || (before.size === 1 && before.has(id)) || !boxOf(now.current.layout, id)) return before;
          fromText.current = true;
          editor.current?.mark(null);
          return new Set([id]);
        });
      }, CURSOR_MS);
    },
    [designer.setSelection, now],
  );
  useEffect(() => () => clearTimeout(cursorTimer.current), []);

  const goToText = (path: Path) => {
    setShowText(true);
    // The editor may only now come up.
    setTimeout(() => {
      const range = rangeOf(now.current.text, path);
      if (range) editor.current?.go(range[0]);
    }, 60);
  };
  const goToProblem = (path: string, place: { line: number; column: number } | null) => {
    const [section, name] = readPath(path);
    const id = name === undefined ? null : section === "machines" ? machineId(String(name)) : section === "networks" ? networkId(String(name)) : null;
    if (id && boxOf(layout, id)) {
      designer.setSelection(new Set([id]));
      canvas.current?.show([id]);
    }
    if (!place) return goToText(readPath(path));
    setShowText(true);
    setTimeout(() => editor.current?.go(offsetOf(now.current.text, place)), 60);
  };

  // ---------------------------------------------------------- what can be done
  const made = useRef<ThingId | null>(null);
  useEffect(() => {
    if (!made.current || !boxOf(layout, made.current)) return;
    canvas.current?.reveal([made.current]);
    made.current = null;
  }, [layout]);
  const select = (ids: Iterable<ThingId>) => designer.setSelection(new Set(ids));
  /** Chooses what was just made, and brings it into sight once it is drawn. */
  const selectNew = (id: ThingId) => {
    select([id]);
    made.current = id;
  };
  const taken = () => new Set([...design.machines.flatMap(namesOf), ...design.networks.map(({ name }) => name)]);
  const fresh = (): string => `${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;

  const addMachine = (at?: Point) => {
    const name = freeName("machine", taken());
    const under = picked.networks[0];
    // Below the network that it will be on.
    const above = layout.networks[under ?? design.networks[0]?.name ?? ""];
    const near = above ? { x: above.x + GRID, y: above.y + LANE.h + 56 } : middle(MACHINE);
    const place = at ? { x: snap(at.x - MACHINE.w / 2), y: snap(at.y - MACHINE.h / 2) } : free(near, layout);
    // A machine that is dropped on a lane, or made while one is selected, is on it; another one is on the first network anyway.
    const dropped = at && Object.entries(layout.networks).find(([, lane]) => touch({ ...place, ...MACHINE }, { ...lane, h: LANE.h }));
    const lane = dropped ? dropped[0] : under;
    const isFirst = lane === undefined || lane === design.networks[0]?.name;
    const image = design.defaults.image === undefined ? (design.machines.at(-1)?.image ?? known.images[0]) : undefined;
    designer.apply(
      { do: "add", kind: "machines", name, fields: { ...(image && { image }), ...(!isFirst && { nics: [lane] }) } },
      { layout: { ...layout, machines: { ...layout.machines, [name]: dropped ? free({ x: place.x, y: dropped[1].y + LANE.h + 56 }, layout) : place } } },
    );
    selectNew(machineId(name));
  };
  const addNetwork = (mode: "nat" | "isolated" | "bridge", at?: Point) => {
    const name = freeName(mode === "isolated" ? "back" : mode === "bridge" ? "office" : "lan", taken());
    const box = bounds([...Object.values(layout.machines).map((at) => ({ ...at, ...MACHINE })), ...Object.values(layout.networks).map((at) => ({ ...at, h: LANE.h }))]);
    const place = at ? { x: snap(at.x - LANE.w / 2), y: snap(at.y - LANE.h / 2) } : box ? { x: snap(box.x), y: snap(box.y + box.h + 56) } : middle({ w: LANE.w, h: LANE.h });
    const fields = mode === "bridge" ? { mode, bridge: "br0" } : { ...(mode !== "nat" && { mode }), cidr: freeCidr(design) };
    designer.apply({ do: "add", kind: "networks", name, fields }, { layout: { ...layout, networks: { ...layout.networks, [name]: { ...place, w: LANE.w } } } });
    selectNew(networkId(name));
  };
  const middle = ({ w, h }: { w: number; h: number }): Point => {
    const at = canvas.current?.at() ?? { x: 0, y: 0 };
    return { x: snap(at.x - w / 2), y: snap(at.y - h / 2) };
  };
  const addNote = (at?: Point) => {
    const id = fresh();
    const size = { w: 200, h: 72 };
    const place = at ? { x: snap(at.x - size.w / 2), y: snap(at.y - size.h / 2) } : middle(size);
    designer.setLayout({ ...layout, notes: [...layout.notes, { id, text: "", ...place, ...size }] });
    selectNew(noteId(id));
  };
  const addFrame = (at?: Point) => {
    const id = fresh();
    const around = at ? null : bounds([...selection].flatMap((id) => boxOf(layout, id) ?? []));
    const size = { w: 320, h: 200 };
    const box: Box = around ? { x: snap(around.x - 24), y: snap(around.y - 48), w: snap(around.w + 48), h: snap(around.h + 72) } : { ...(at ? { x: snap(at.x - size.w / 2), y: snap(at.y - 14) } : middle(size)), ...size };
    designer.setLayout({ ...layout, groups: [...layout.groups, { id, title: "", ...box }] });
    selectNew(groupId(id));
  };
  const add = (what: Fresh, at?: Point) => {
    if (what === "machine") addMachine(at);
    else if (what === "note") addNote(at);
    else if (what === "frame") addFrame(at);
    else addNetwork(what === "network" ? "nat" : what, at);
  };
  const link = (network: string) => designer.apply({ do: "link", machines: picked.machines, network });
  const remove = () => {
    if (selection.size === 0) return;
    const { machines, networks, links, notes, groups } = picked;
    const next: Layout = { ...layout, notes: layout.notes.filter(({ id }) => !notes.includes(id)), groups: layout.groups.filter(({ id }) => !groups.includes(id)) };
    designer.apply({ do: "remove", machines, networks, links }, { layout: next });
    select([]);
  };
  const copyText = () => copied(now.current.text, picked.machines, picked.networks);
  const clip = useClipboard({
    onCopy: () => {
      const text = copyText();
      if (text) mention(t(($) => $.copied, { count: picked.machines.length + picked.networks.length }));
      return text;
    },
    onCut: () => {
      const text = copyText();
      if (text) remove();
      return text;
    },
    onPaste: (text) => paste(text, true),
  });
  const paste = (text: string, says: boolean) => {
    const done = designer.mistake ? null : pasted(now.current.text, text);
    if (!done) return void (says && mention(t(($) => $.pasteNothing)));
    let next = layout;
    // Beside what it was copied from, where that is here; else where there is room.
    for (const [from, to] of done.networks) {
      const at = layout.networks[from];
      next = { ...next, networks: { ...next.networks, [to]: at ? { ...at, y: snap(at.y + LANE.h + 24), x: snap(at.x + 24) } : { ...middle({ w: LANE.w, h: LANE.h }), w: LANE.w } } };
    }
    for (const [from, to] of done.machines) {
      const at = layout.machines[from];
      next = { ...next, machines: { ...next.machines, [to]: free(at ?? middle(MACHINE), next) } };
    }
    designer.change({ text: done.text, layout: next });
    select([...[...done.networks.values()].map(networkId), ...[...done.machines.values()].map(machineId)]);
  };
  const duplicate = () => {
    const notes = layout.notes.filter(({ id }) => picked.notes.includes(id)).map((note) => ({ ...note, id: fresh(), x: note.x + 24, y: note.y + 24 }));
    const text = copyText();
    if (text) paste(text, false);
    else if (notes.length > 0) {
      designer.setLayout({ ...layout, notes: [...layout.notes, ...notes] });
      select(notes.map(({ id }) => noteId(id)));
    }
  };
  const selectAll = () => select([...design.machines.map(({ name }) => machineId(name)), ...design.networks.map(({ name }) => networkId(name)), ...layout.notes.map(({ id }) => noteId(id)), ...layout.groups.map(({ id }) => groupId(id))]);
  const align = (how: Align) => designer.setLayout(aligned(layout, [...selection], how));
  const tidy = () => {
    designer.setLayout(arrange(design, layout));
    setTimeout(() => canvas.current?.fit(), 0);
  };
  const nudge = (dx: number, dy: number) => {
    const places = new Map([...selection].flatMap((id): [ThingId, Point][] => {
      const box = boxOf(layout, id);
      return box ? [[id, { x: box.x + dx, y: box.y + dy }]] : [];
    }));
    if (places.size > 0) designer.setLayout(placed(layout, places), "nudge");
  };
  const any = selection.size > 0;
  const things = picked.machines.length + picked.networks.length;

  const nothing = () => {
    designer.setSelection(NOTHING);
    setFind(null);
  };
  // A dialog or menu that is open takes Escape first.
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isElsewhere = event.defaultPrevented || document.querySelector("dialog[open], [role=menu]") !== null || (event.target as Element | null)?.matches?.("input, textarea, select, [contenteditable=true]");
      if (event.key === "Escape" && !isElsewhere) nothing();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);

  const group = t(($) => $.group);
  const arrows = [["ArrowLeft", -1, 0], ["ArrowRight", 1, 0], ["ArrowUp", 0, -1], ["ArrowDown", 0, 1]] as const;
  useActions([
    { id: "design-save", title: designer.isNew ? t(($) => $.saveAs) : t(($) => $.actions.save), group, keys: "Ctrl+s", everywhere: true, run: () => void designer.save() },
    { id: "design-undo", title: t(($) => $.actions.undo), group, keys: "Ctrl+z", run: designer.undo },
    { id: "design-redo", title: t(($) => $.actions.redo), group, keys: "Ctrl+Shift+z", run: designer.redo },
    { id: "design-redo-y", title: t(($) => $.actions.redo), group, keys: "Ctrl+y", hidden: true, run: designer.redo },
    { id: "design-machine", title: t(($) => $.actions.machine), group, keys: "n", run: () => addMachine() },
    { id: "design-network", title: t(($) => $.actions.network), group, keys: "w", run: () => addNetwork("nat") },
    { id: "design-note", title: t(($) => $.actions.note), group, keys: "o", run: () => addNote() },
    { id: "design-frame", title: any ? t(($) => $.actions.frame) : t(($) => $.actions.frameEmpty), group, keys: "r", run: () => addFrame() },
    ...(picked.machines.length > 0 ? [{ id: "design-link", title: t(($) => $.actions.link), group, keys: "l", run: () => setLinking(true) }] : []),
    { id: "design-arrange", title: t(($) => $.actions.arrange), group, keys: "a", run: tidy },
    { id: "design-fit", title: t(($) => $.actions.fit), group, keys: "f", run: () => canvas.current?.fit() },
    { id: "design-find", title: t(($) => $.actions.find), group, keys: "Ctrl+f", run: () => setFind("") },
    { id: "design-in", title: t(($) => $.actions.zoomIn), group, keys: "+", run: () => canvas.current?.zoom(1.25) },
    { id: "design-out", title: t(($) => $.actions.zoomOut), group, keys: "-", run: () => canvas.current?.zoom(0.8) },
    { id: "design-snap", title: t(($) => $.actions.snap), group, keys: "s", run: () => setSnaps(!snaps) },
    { id: "design-text", title: t(($) => $.actions.showText), group, keys: "t", run: () => setShowText(!showText) },
    { id: "design-inspector", title: t(($) => $.actions.showInspector), group, keys: "i", run: () => setShowInspector(!showInspector) },
    { id: "design-problems", title: t(($) => $.actions.problems), group, keys: "Ctrl+j", everywhere: true, run: () => setShowProblems(!showProblems) },
    { id: "design-all", title: t(($) => $.actions.all), group, keys: "Ctrl+a", run: selectAll },
    { id: "design-none", title: t(($) => $.actions.none), group, keys: "Escape", native: true, run: nothing },
    { id: "design-template", title: t(($) => $.actions.saveTemplate), group, run: () => setTemplate(true) },
    ...(any
      ? [
          { id: "design-delete", title: t(($) => $.actions.delete), group, keys: "Delete", run: remove },
          { id: "design-delete-back", title: t(($) => $.actions.delete), group, keys: "Backspace", hidden: true, run: remove },
          { id: "design-duplicate", title: t(($) => $.actions.duplicate), group, keys: "Ctrl+d", run: duplicate },
          ...arrows.flatMap(([key, x, y], index) => [
            { id: `design-${key}`, title: t(($) => $.actions.moveBy), group, keys: key, hidden: index > 0, run: () => nudge(8 * x, 8 * y) },
            { id: `design-far-${key}`, title: t(($) => $.actions.moveBy), group, keys: `Shift+${key}`, hidden: true, run: () => nudge(64 * x, 64 * y) },
          ]),
        ]
      : []),
    ...(things > 0
      ? [
          { id: "design-copy", title: t(($) => $.actions.copy), group, keys: "Ctrl+c", native: true, run: clip.copy },
          { id: "design-cut", title: t(($) => $.actions.cut), group, keys: "Ctrl+x", native: true, run: clip.cut },
        ]
      : []),
    { id: "design-paste", title: t(($) => $.actions.paste), group, keys: "Ctrl+v", native: true, run: clip.paste },
    ...(selection.size > 1 ? aligns.map((how) => ({ id: `design-${how}`, title: t(($) => $.actions[how]), group: t(($) => $.actions.align), run: () => align(how) })) : []),
  ]);

  // ---------------------------------------------------------- menus
  const [linking, setLinking] = useState(false);
  const line = "line" as const;
  const entries: Entry[] = target
    ? [
        ...(picked.machines.length > 0 && design.networks.length > 0 ? [...design.networks.slice(0, 8).map(({ name }): Entry => ({ label: t(($) => $.actions.linkTo, { name }), onSelect: () => link(name) })), line] : []),
        ...(selection.size > 1 ? [...aligns.map((how): Entry => ({ label: t(($) => $.actions[how]), onSelect: () => align(how) })), line] : []),
        ...(only && markPath ? [{ label: t(($) => $.actions.toText), onSelect: () => goToText(markPath) }] : []),
        { label: t(($) => $.actions.frame), keys: "R", onSelect: () => addFrame() },
        ...(things > 0 ? [{ label: t(($) => $.actions.copy), keys: "Ctrl+C", onSelect: clip.copy }, { label: t(($) => $.actions.cut), keys: "Ctrl+X", onSelect: clip.cut }] : []),
        { label: t(($) => $.actions.duplicate), keys: "Ctrl+D", onSelect: duplicate },
        line,
        { label: t(($) => $.actions.delete), keys: "Delete", danger: true, onSelect: remove },
      ]
    : [
        { label: t(($) => $.actions.machine), keys: "N", onSelect: () => addMachine() },
        { label: t(($) => $.actions.network), keys: "W", onSelect: () => addNetwork("nat") },
        { label: t(($) => $.actions.note), keys: "O", onSelect: () => addNote() },
        { label: t(($) => $.actions.frameEmpty), keys: "R", onSelect: () => addFrame() },
        line,
        { label: t(($) => $.actions.paste), keys: "Ctrl+V", onSelect: clip.paste },
        { label: t(($) => $.actions.all), keys: "Ctrl+A", onSelect: selectAll },
        { label: t(($) => $.actions.arrange), keys: "A", onSelect: tidy },
        { label: t(($) => $.actions.fit), keys: "F", onSelect: () => canvas.current?.fit() },
      ];

  const found = useMemo(() => {
    const words = find?.trim().toLowerCase();
    if (!words) return [];
    const derived = new Map((designer.checked?.machines ?? []).map((machine) => [machine.spec, machine]));
    const has = (...texts: unknown[]) => texts.some((text) => typeof text === "string" && text.toLowerCase().includes(words));
    return [
      ...design.networks.filter(({ name, cidr, raw }) => has(name, cidr, raw.description)).map(({ name }) => networkId(name)),
      ...design.machines.filter(({ name, image, raw, nics }) => has(name, image, raw.description, ...nics.map(({ address }) => address), ...(derived.get(name)?.nics.map(({ address }) => address) ?? []))).map(({ name }) => machineId(name)),
      ...layout.notes.filter(({ text }) => has(text)).map(({ id }) => noteId(id)),
      ...layout.groups.filter(({ title }) => has(title)).map(({ id }) => groupId(id)),
    ];
  }, [find, design, layout, designer.checked]);
  const foundSet = useMemo(() => (found.length > 0 ? new Set(found) : NOTHING), [found]);
  const rewrite = useCallback(
    (kind: "note" | "group", id: string, words: string) => {
      const { layout } = now.current;
      const next = kind === "note" ? { ...layout, notes: layout.notes.map((note) => (note.id === id ? { ...note, text: words } : note)) } : { ...layout, groups: layout.groups.map((group) => (group.id === id ? { ...group, title: words } : group)) };
      designer.setLayout(next, `${kind} ${id}`);
    },
    [designer.setLayout, now],
  );
  const place = useCallback((places: Map<ThingId, Partial<Box>>) => designer.setLayout(placed(now.current.layout, places)), [designer.setLayout, now]);

  const inspector = <Inspector designer={designer} images={known.images} hosts={known.hosts} onText={goToText} onOpen={onOpen} />;
  const text = (
    <section aria-label={t(($) => $.text.label)} className="flex min-h-0 min-w-0 flex-1 flex-col bg-panel">
      <TextEditor ref={editor} text={designer.text} onText={designer.setText} onUndo={designer.undo} onRedo={designer.redo} onCursor={onCursor} problems={problems} mistake={designer.mistake} schema={schemaTree} known={known} />
    </section>
  );
  return (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      <Toolbar
        designer={designer}
        snaps={snaps}
        onSnap={() => setSnaps(!snaps)}
        onAlign={align}
        onArrange={tidy}
        onFit={() => canvas.current?.fit()}
        onZoom={(by) => canvas.current?.zoom(by)}
        onFind={() => setFind("")}
        showText={showText}
        onText={() => setShowText(!showText)}
        showInspector={showInspector}
        onInspector={() => setShowInspector(!showInspector)}
      />
      <div className="flex min-h-0 flex-1">
        <div className="relative flex min-w-0 flex-1 flex-col">
          <PointerMenu entries={entries}>
            <div className="flex min-h-0 flex-1">
              <Canvas
                ref={canvas}
                label={t(($) => $.canvas.label, { name: design.name })}
                design={design}
                layout={layout}
                selection={selection}
                onSelect={designer.setSelection}
                derived={designer.checked?.machines}
                problems={problems}
                live={live}
                found={foundSet}
                snaps={snaps}
                view={designer.view}
                onView={designer.setView}
                onPlace={place}
                onLink={(machine, network) => designer.apply({ do: "link", machines: [machine], network })}
                onRewrite={rewrite}
                onOpen={(id) => {
                  const name = sorted([id]).machines[0];
                  if (name !== undefined) goToText(["machines", name]);
                }}
                onPoint={(id) => {
                  setTarget(id);
                  if (id && !selection.has(id)) select([id]);
                }}
                map={design.machines.length > 12}
              >
                <Palette onAdd={(what, client) => add(what, client && canvas.current?.at(client))} />
              </Canvas>
            </div>
          </PointerMenu>
          {design.machines.length + design.networks.length + layout.notes.length === 0 && !designer.mistake && (
            <div className="pointer-events-none absolute inset-0 flex items-center justify-center">
              <div className="flex max-w-[360px] flex-col items-center gap-1 text-center">
                <h2 className="text-title font-strong">{t(($) => $.canvas.empty)}</h2>
                <p className="text-dim">{t(($) => $.canvas.emptyHint)}</p>
              </div>
            </div>
          )}
          {designer.mistake && (
            <div role="alert" className="absolute top-2 right-2 left-20 z-10 flex items-center gap-2 rounded-ui border border-line-strong bg-panel px-3 py-1.5">
              <span className="min-w-0 flex-1">
                <span className="font-strong text-failed">{t(($) => $.canvas.stale)}</span> <span className="text-dim wrap-anywhere">{t(($) => $.canvas.mistake, { line: designer.mistake.line, message: designer.mistake.message })}</span>
              </span>
              <Button onClick={() => goToProblem("", designer.mistake)}>{t(($) => $.canvas.goThere)}</Button>
            </div>
          )}
          {find !== null && <FindBar words={find} found={found} onWords={setFind} onShow={(id) => (select([id]), canvas.current?.show([id]))} onClose={() => setFind(null)} />}
          {linking && <LinkChoice designer={designer} onLink={link} onClose={() => setLinking(false)} />}
          {showProblems && (
            <Resizable name="design-problems" label={t(($) => $.canvas.resizeProblems)} size={140} min={80} max={400} side="bottom">
              <ProblemList problems={problems} mistake={designer.mistake} error={designer.checked?.error ?? null} onGo={goToProblem} />
            </Resizable>
          )}
        </div>
        {wide ? (
          <>
            {showText && (
              <Resizable name="design-text" label={t(($) => $.canvas.resizeText)} size={440} min={260} max={900} side="right">
                {text}
              </Resizable>
            )}
            {showInspector && (
              <Resizable name="design-inspector" label={t(($) => $.canvas.resizeInspector)} size={320} min={260} max={520} side="right">
                {inspector}
              </Resizable>
            )}
          </>
        ) : (
          (showText || showInspector) && (
            <Resizable name="design-both" label={t(($) => $.canvas.resizeBoth)} size={372} min={280} max={700} side="right">
              {showInspector && inspector}
              {showText && (showInspector ? (
                <Resizable name="design-lower" label={t(($) => $.canvas.resizeLower)} size={300} min={120} max={700} side="bottom">
                  {text}
                </Resizable>
              ) : text)}
            </Resizable>
          )
        )}
      </div>
      <StatusLine designer={designer} open={showProblems} onProblems={() => setShowProblems(!showProblems)} />
      {template && <TemplateDialog text={designer.text} name={design.raw.description ? String(design.raw.description) : design.name} onClose={() => setTemplate(false)} />}
    </div>
  );
}

const aligns: Align[] = ["left", "centre", "right", "top", "middle", "bottom", "across", "down"];

function offsetOf(text: string, { line, column }: { line: number; column: number }): number {
  let at = 0;
  for (let number = 1; number < line; number += 1) {
    const end = text.indexOf("\n", at);
    if (end < 0) return text.length;
    at = end + 1;
  }
  return Math.min(text.length, at + column - 1);
}

/** By the key `l`: the network that the selected machines are linked to, chosen by typing. */
function LinkChoice({ designer, onLink, onClose }: { designer: State; onLink: (network: string) => void; onClose: () => void }) {
  const { t } = useTranslation("designer");
  const [words, setWords] = useState("");
  const networks = designer.design.networks.filter(({ name, cidr }) => `${name} ${cidr ?? ""}`.includes(words.trim()));
  const [at, setAt] = useState(0);
  const pick = (name: string | undefined) => {
    if (name !== undefined && designer.picked.machines.length > 0) onLink(name);
    onClose();
  };
  return (
    <div className="absolute top-2 left-1/2 z-20 w-72 -translate-x-1/2 rounded-ui border border-line-strong bg-raised p-1 shadow-xl">
      <input
        autoFocus
        aria-label={t(($) => $.actions.link)}
        placeholder={t(($) => $.actions.link)}
        className="h-7 w-full rounded-ui bg-transparent px-2 outline-none placeholder:text-dim"
        value={words}
        onBlur={onClose}
        onChange={(event) => (setWords(event.target.value), setAt(0))}
        onKeyDown={(event) => {
          if (event.key === "Escape") onClose();
          if (event.key === "Enter") pick(networks[at]?.name);
          if (event.key === "ArrowDown") (event.preventDefault(), setAt(Math.min(networks.length - 1, at + 1)));
          if (event.key === "ArrowUp") (event.preventDefault(), setAt(Math.max(0, at - 1)));
        }}
      />
      <ul className="max-h-56 overflow-y-auto border-t border-line pt-1">
        {networks.map(({ name, cidr }, index) => (
          <li key={name}>
            <button type="button" tabIndex={-1} className={`flex h-7 w-full items-center justify-between gap-2 rounded-[4px] px-2 text-left ${index === at ? "bg-hover" : ""}`} onPointerDown={(event) => (event.preventDefault(), pick(name))}>
              <span className="min-w-0 truncate">{name}</span>
              <span className="font-mono text-small text-dim">{cidr}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
