// The canvas: machines below and above the networks that they are on.

import "@xyflow/react/dist/base.css";
import { Background, BackgroundVariant, MiniMap, type NodeChange, ReactFlow, ReactFlowProvider, SelectionMode, useOnViewportChange, useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { type ReactNode, type Ref, useCallback, useEffect, useImperativeHandle, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DesignedMachine, Problem } from "../../bindings";
import { graphs, type Live, type Thing } from "./graph";
import { type Box, bounds, boxes, boxOf, GRID, inside, type Layout, type Point, sorted, type ThingId } from "./layout";
import type { Design } from "./model";
import { Links } from "./links";
import { Drawn, Editable, nodeTypes, Rewrite, Zoom } from "./nodes";
import type { View } from "./use-designer";

export type CanvasHandle = {
  fit: () => void;
  zoom: (by: number) => void;
  /** Brings things to the middle. */
  show: (ids: ThingId[]) => void;
  /** Shows the whole, unless these are in sight already. */
  reveal: (ids: ThingId[]) => void;
  /** Where on the canvas a place in the window is; of the middle without one. */
  at: (client?: Point) => Point;
};

type Props = {
  ref?: Ref<CanvasHandle>;
  label: string;
  design: Design;
  layout: Layout;
  selection: ReadonlySet<ThingId>;
  onSelect: (change: (before: ReadonlySet<ThingId>) => ReadonlySet<ThingId>) => void;
  derived?: DesignedMachine[];
  problems?: Problem[];
  live?: Map<string, Live> | null;
  found?: ReadonlySet<ThingId>;
  snaps?: boolean;
  view?: View | null;
  onView?: (view: View) => void;
  /** Without these, things are only looked at. */
  onPlace?: (places: Map<ThingId, Partial<Box>>) => void;
  onLink?: (machine: string, network: string) => void;
  onRewrite?: (kind: "note" | "group", id: string, words: string) => void;
  onOpen?: (id: ThingId) => void;
  onPoint?: (id: ThingId | null) => void;
  map?: boolean;
  children?: ReactNode;
};

const NONE: never[] = [];
const NOTHING: ReadonlySet<ThingId> = new Set();
/** From this many things on, those that are far away are drawn as plain boxes. */
const MANY = 80;

export const Canvas = (props: Props) => (
  <ReactFlowProvider>
    <Flow {...props} />
  </ReactFlowProvider>
);

function Flow({ ref, label, design, layout, selection, onSelect, derived = NONE, problems = NONE, live = null, found = NOTHING, snaps = true, view, onView, onPlace, onLink, onRewrite, onOpen, onPoint, map, children }: Props) {
  const { t } = useTranslation("designer");
  const flow = useReactFlow();
  const store = useStoreApi();
  const editable = onPlace !== undefined;
  const build = useRef(graphs()).current;
  const [moving, setMoving] = useState<Map<ThingId, Partial<Box>>>(new Map());
  const moved = useRef(moving);
  const { nodes, links } = useMemo(
    () => build({ design, layout, moving, selection, derived, problems, live, found }),
    [build, design, layout, moving, selection, derived, problems, live, found],
  );
  const many = nodes.length > MANY;
  const zoom = useStore(({ transform: [, , zoom] }) => (zoom < 0.5 && many ? "far" : zoom > 1.05 ? "near" : "middle"));

  const move = (next: Map<ThingId, Partial<Box>>) => {
    moved.current = next;
    setMoving(next);
  };
  const settle = () => {
    if (moved.current.size === 0) return;
    onPlace?.(moved.current);
    move(new Map());
  };

  // What stands in a frame when it is taken goes where it goes.
  const carried = useRef(new Map<ThingId, { start: Point; with: { id: ThingId; start: Point }[] }>());
  const onDragStart = (things: Thing[]) => {
    const taken = new Set(things.map(({ id }) => id));
    carried.current = new Map();
    for (const { id, position } of things) {
      const frame = layout.groups.find((group) => `group ${group.id}` === id);
      if (!frame) continue;
      const ids = inside(layout, frame).filter((id) => !taken.has(id));
      for (const id of ids) taken.add(id);
      carried.current.set(id, { start: { ...position }, with: ids.map((id) => ({ id, start: boxOf(layout, id)! })) });
    }
  };

  const onNodesChange = (changes: NodeChange<Thing>[]) => {
    const places = new Map(moved.current);
    let ends = false;
    const selects: [ThingId, boolean][] = [];
    for (const change of changes) {
      if (change.type === "position" && change.position && editable) {
        places.set(change.id, { ...places.get(change.id), ...change.position });
        const frame = carried.current.get(change.id);
        for (const { id, start } of frame?.with ?? []) places.set(id, { x: start.x + change.position.x - frame!.start.x, y: start.y + change.position.y - frame!.start.y });
      } else if (change.type === "dimensions" && change.dimensions && change.resizing !== undefined && editable) {
        const lane = change.id.startsWith("n ");
        places.set(change.id, { ...places.get(change.id), w: Math.round(change.dimensions.width), ...(!lane && { h: Math.round(change.dimensions.height) }) });
        ends ||= !change.resizing;
      } else if (change.type === "select") selects.push([change.id, change.selected]);
    }
    if (places.size > 0) move(places);
    if (ends) settle();
    select(selects);
  };
  const select = (changes: [ThingId, boolean][]) => {
    if (changes.length === 0) return;
    onSelect((before) => {
      const next = new Set(before);
      for (const [id, on] of changes) on ? next.add(id) : next.delete(id);
      return next.size === before.size && [...next].every((id) => before.has(id)) ? before : next;
    });
  };

  const latest = useRef({ onSelect, onPoint });
  latest.current = { onSelect, onPoint };
  const pickLink = useCallback((id: ThingId, more: boolean) => latest.current.onSelect((before) => (more ? new Set(before.has(id) ? [...before].filter((one) => one !== id) : [...before, id]) : new Set([id]))), []);
  const pointLink = useCallback((id: ThingId) => latest.current.onPoint?.(id), []);

  const fit = useCallback(
    (duration = 120) =>
      // What is to be added stands at the left, over the canvas.
      void flow.fitView({ padding: editable ? { left: "96px", top: "32px", right: "32px", bottom: "32px" } : 0.08, maxZoom: 1, duration }),
    [flow, editable],
  );
  useImperativeHandle(ref, (): CanvasHandle => {
    const middle = () => {
      const { width, height, domNode } = store.getState();
      const { left = 0, top = 0 } = domNode?.getBoundingClientRect() ?? {};
      return { x: left + width / 2, y: top + height / 2 };
    };
    return {
      fit: () => fit(),
      zoom: (by) => void flow.zoomTo(flow.getZoom() * by, { duration: 120 }),
      show: (ids) => {
        const box = bounds(ids.flatMap((id) => boxOf(layout, id) ?? []));
        if (!box) return;
        const { width, height } = store.getState();
        const zoom = Math.min(Math.max(flow.getZoom(), 0.8), Math.max(0.1, Math.min(width / (box.w + 80), height / (box.h + 80))));
        void flow.setCenter(box.x + box.w / 2, box.y + box.h / 2, { zoom, duration: 120 });
      },
      // By the layout: React Flow does not know the size of what it has not drawn yet.
      reveal: (ids) => {
        const box = bounds(ids.flatMap((id) => boxOf(layout, id) ?? []));
        const all = bounds(boxes(layout));
        if (!box || !all) return;
        const { width, height, transform } = store.getState();
        const [x, y, zoom] = transform;
        const isSeen = box.x * zoom + x >= 0 && box.y * zoom + y >= 0 && (box.x + box.w) * zoom + x <= width && (box.y + box.h) * zoom + y <= height;
        if (isSeen) return;
        const next = Math.max(0.1, Math.min(1, (width - 128) / all.w, (height - 64) / all.h));
        // What is to be added stands at the left, over the canvas.
        void flow.setCenter(all.x + all.w / 2 - 32 / next, all.y + all.h / 2, { zoom: next, duration: 120 });
      },
      at: (client) => flow.screenToFlowPosition(client ?? middle(), { snapToGrid: false }),
    };
  }, [flow, store, layout, fit]);

  // The view is that of the last time, or the whole where that would show nothing; a canvas without a size yet waits for one.
  const sized = useStore(({ width, height }) => width > 0 && height > 0);
  const began = useRef(false);
  useEffect(() => {
    if (began.current || !sized || nodes.length === 0) return;
    began.current = true;
    const { width, height } = store.getState();
    const shows = ({ x, y, zoom }: View) =>
      nodes.some(({ position, width: w = 0, height: h = 0 }) => position.x * zoom + x < width && (position.x + w) * zoom + x > 0 && position.y * zoom + y < height && (position.y + h) * zoom + y > 0);
    if (view && shows(view)) void flow.setViewport(view);
    else fit(0);
  }, [sized, nodes, view, flow, fit, store]);
  useOnViewportChange({ onEnd: (viewport) => onView?.(viewport) });

  const thingOf = (event: { target: EventTarget | null }): ThingId | null => (event.target as Element | null)?.closest?.("[data-id]")?.getAttribute("data-id") ?? null;
  return (
    <Zoom value={zoom}>
      <Editable value={editable}>
        <Rewrite value={onRewrite ?? ignore}>
          <ReactFlow
            aria-label={label}
            nodes={nodes}
            nodeTypes={nodeTypes}
            onNodesChange={onNodesChange as (changes: NodeChange[]) => void}
            onNodeDragStart={(_, __, things) => onDragStart(things as Thing[])}
            onSelectionDragStart={(_, things) => onDragStart(things as Thing[])}
            onNodeDragStop={settle}
            onSelectionDragStop={settle}
            onConnect={({ source, target }) => {
              const { machines, networks } = sorted([source, target]);
              if (machines[0] !== undefined && networks[0] !== undefined) onLink?.(machines[0], networks[0]);
            }}
            onNodeDoubleClick={(_, { id }) => onOpen?.(id)}
            onNodeContextMenu={(_, { id }) => onPoint?.(id)}
            onPaneContextMenu={(event) => (event.target as Element).closest("[data-link]") || onPoint?.(null)}
            // By the Tab key, what has the focus is what is selected.
            onFocus={(event) => {
              const id = thingOf(event);
              if (id && (event.target as Element).matches(":focus-visible") && (event.target as Element).matches("[data-id]")) onSelect(() => new Set([id]));
            }}
            connectionLineComponent={Drawn}
            connectionRadius={12}
            nodesDraggable={editable}
            nodesConnectable={editable}
            elementsSelectable
            disableKeyboardA11y
            onlyRenderVisibleElements
            snapToGrid={snaps}
            snapGrid={[GRID, GRID]}
            selectionOnDrag={editable}
            selectionMode={SelectionMode.Full}
            panOnDrag={editable ? [1] : true}
            panOnScroll={editable}
            panActivationKeyCode={editable ? "Space" : null}
            zoomActivationKeyCode="Control"
            multiSelectionKeyCode={["Control", "Shift", "Meta"]}
            selectionKeyCode={editable ? "Shift" : null}
            deleteKeyCode={null}
            zoomOnDoubleClick={false}
            minZoom={0.05}
            maxZoom={2}
            elevateNodesOnSelect={false}
            proOptions={{ hideAttribution: true }}
            className="bg-window"
          >
            <Links links={links} onSelect={pickLink} onPoint={pointLink} />
            {editable && zoom !== "far" && <Background variant={BackgroundVariant.Dots} gap={GRID * 3} size={1} color="var(--line)" />}
            {map && zoom !== "far" && (
              <MiniMap
                ariaLabel={t(($) => $.canvas.map)}
                pannable
                zoomable
                style={{ width: 132, height: 84 }}
                className="!m-2 overflow-hidden rounded-ui border border-line !bg-panel"
                bgColor="var(--panel)"
                maskColor="color-mix(in srgb, var(--hover) 70%, transparent)"
                nodeColor={({ type }) => (type === "lane" ? "var(--line-strong)" : type === "machine" ? "var(--state-unknown)" : "var(--line)")}
                nodeBorderRadius={8}
              />
            )}
            {children}
          </ReactFlow>
        </Rewrite>
      </Editable>
    </Zoom>
  );
}

const ignore = () => {};

