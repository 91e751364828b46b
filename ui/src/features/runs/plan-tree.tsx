import { ChevronRight } from "lucide-react";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Plan } from "../../bindings";
import { Dot, toneText } from "../../components/state";
import { cn } from "../../lib/cn";
import { disruption, mark } from "../../lib/words";
import { useRowHeight, useSight } from "../../lib/window";
import { type Group, groups, type Row } from "./plan-words";

type Item = { kind: "group"; group: Group } | { kind: "thing"; row: Row; group: Group; id: string } | { kind: "change"; text: string; sign: string; word: string; id: string };

/** What a plan does, as a tree: networks, machines, and the resources behind each. */
export function PlanTree({ plan, open, onOpen }: { plan: Plan; open: Set<string>; onOpen: (open: Set<string>) => void }) {
  const { t } = useTranslation("runs");
  const box = useRef<HTMLDivElement>(null);
  const height = useRowHeight();
  const [cursor, setCursor] = useState(-1);
  const items = useMemo(() => {
    const list: Item[] = [];
    for (const group of groups(plan)) {
      list.push({ kind: "group", group });
      for (const row of group.rows) {
        const id = `${group.noun} ${row.name}`;
        list.push({ kind: "thing", row, group, id });
        if (!open.has(id)) continue;
        for (const change of row.thing?.changes ?? []) {
          const { mark: sign, word } = mark(change.kind, "none");
          list.push({ kind: "change", id: `${id} ${change.address}`, sign, word, text: change.address + (change.attributes.length > 0 ? `  (${change.attributes.join(", ")})` : "") });
        }
      }
    }
    return list;
  }, [plan, open]);
  const sight = useSight(box, height, items.length);
  const toggle = (id: string) => {
    const next = new Set(open);
    if (!next.delete(id)) next.add(id);
    onOpen(next);
  };
  const walk = (by: number) => {
    let at = cursor;
    do at += by;
    while (items[at]?.kind === "group");
    const found = items[at];
    if (!found) return;
    setCursor(at);
    const element = box.current;
    if (!element) return;
    if (at * height < element.scrollTop) element.scrollTop = at * height - height;
    else if ((at + 1) * height > element.scrollTop + element.clientHeight) element.scrollTop = (at + 1) * height - element.clientHeight;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const item = items[cursor];
    const id = item?.kind === "thing" ? item.id : null;
    if (event.key === "ArrowDown" || event.key === "j") walk(1);
    else if (event.key === "ArrowUp" || event.key === "k") walk(-1);
    else if (id && (event.key === "Enter" || event.key === " " || (event.key === "ArrowRight" && !open.has(id)) || (event.key === "ArrowLeft" && open.has(id)))) toggle(id);
    else return;
    event.preventDefault();
  };
  const titles = { network: t(($) => $.plan.networks), machine: t(($) => $.plan.machines), other: t(($) => $.plan.others) };
  return (
    <div
      ref={box}
      role="tree"
      aria-label={t(($) => $.plan.tree, { lab: plan.lab })}
      aria-activedescendant={cursor >= sight.first && cursor < sight.end ? `plan-${cursor}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onFocus={() => cursor < 0 && walk(1)}
      className="group/tree min-h-0 flex-1 overflow-auto bg-panel focus-visible:outline-none"
    >
      <div role="presentation" className="relative" style={{ height: items.length * height }}>
        {items.slice(sight.first, sight.end).map((item, index) => {
          const at = sight.first + index;
          const place = { top: at * height, height };
          const line = cn("absolute inset-x-0 flex items-center border-b border-line px-4", at === cursor && "group-focus-visible/tree:outline-2 group-focus-visible/tree:-outline-offset-2 group-focus-visible/tree:outline-accent");
          if (item.kind === "group")
            return (
              <div key={item.group.noun} role="presentation" style={place} className={cn(line, "gap-1.5 bg-window text-small text-dim")}>
                {titles[item.group.noun]} <span>{item.group.rows.length}</span>
              </div>
            );
          if (item.kind === "change")
            return (
              <div key={item.id} id={`plan-${at}`} role="treeitem" aria-level={2} style={place} className={cn(line, "selectable gap-2 pl-16 font-mono text-small text-dim")}>
                <span className="w-3 text-center" role="img" aria-label={item.word}>
                  {item.sign}
                </span>
                <span className="truncate" title={item.text}>
                  {item.text}
                </span>
              </div>
            );
          return <ThingRow key={item.id} id={`plan-${at}`} row={item.row} open={open.has(item.id)} onToggle={() => (setCursor(at), toggle(item.id))} style={place} className={line} />;
        })}
      </div>
    </div>
  );
}

function ThingRow({ id, row: { name, thing, starts, configures }, open, onToggle, style, className }: { id: string; row: Row; open: boolean; onToggle: () => void; style: { top: number; height: number }; className: string }) {
  const { t } = useTranslation("runs");
  const kind = thing?.planned.kind ?? null;
  const cost = thing?.planned.disruption ?? "none";
  const sign = kind ? mark(kind, cost) : null;
  const worded = kind === "create" ? null : disruption(cost);
  const can = (thing?.changes.length ?? 0) > 0;
  const also = [starts && kind !== "delete" && t(($) => $.plan.poweredOn), configures && t(($) => $.plan.configured)].filter(Boolean);
  const said = [thing?.planned.sentence, also.join(", ")].filter(Boolean).join(" · ");
  return (
    <div id={id} role="treeitem" aria-level={1} aria-expanded={can ? open : undefined} aria-label={`${sign?.word ?? ""} ${name} ${said} ${worded?.word ?? ""}`} style={style} className={cn(className, "gap-2 hover:bg-hover")} onClick={can ? onToggle : undefined}>
      <ChevronRight aria-hidden className={cn("size-3.5 shrink-0 text-dim transition-transform duration-120", open && "rotate-90", !can && "invisible")} />
      <span className={cn("w-3 shrink-0 text-center font-mono font-strong", sign && toneText(sign.tone))} title={sign?.word}>
        {sign?.mark}
      </span>
      <span className="max-w-64 min-w-24 shrink-0 truncate font-strong" title={name}>
        <bdi>{name}</bdi>
      </span>
      <span className="min-w-0 flex-1 truncate text-dim" title={said}>
        {said}
      </span>
      <span className={cn("inline-flex w-40 shrink-0 items-center gap-1.5", worded ? toneText(worded.tone) : "text-dim")}>
        {worded && <Dot tone={worded.tone} />}
        {worded?.word ?? (kind === "update" ? t(($) => $.plan.cost.none) : "")}
      </span>
    </div>
  );
}
