import { useQuery } from "@tanstack/react-query";
import { ChevronRight, FileText, Folder } from "lucide-react";
import { type KeyboardEvent, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { LabFile } from "../../bindings";
import { Empty, Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { Resizable } from "../../components/split";
import { TextView } from "../../components/text-view";
import { useActions } from "../../lib/actions";
import { cn } from "../../lib/cn";
import { filesQuery } from "../../lib/queries";
import { useRowHeight, useSight } from "../../lib/window";

export type Node = { path: string; name: string; depth: number; file: LabFile | null };

/** Files as the lines of a tree, folders first, without what is in closed ones. */
export function nodes(files: LabFile[], closed: ReadonlySet<string>): Node[] {
  const list: Node[] = [];
  const walk = (prefix: string, depth: number, inside: LabFile[]) => {
    const folders = new Map<string, LabFile[]>();
    const here: LabFile[] = [];
    for (const file of inside) {
      const rest = file.path.slice(prefix.length);
      const slash = rest.indexOf("/");
      if (slash < 0) here.push(file);
      else folders.set(rest.slice(0, slash), [...(folders.get(rest.slice(0, slash)) ?? []), file]);
    }
    for (const [name, below] of [...folders].sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }))) {
      const path = `${prefix}${name}`;
      list.push({ path, name, depth, file: null });
      if (!closed.has(path)) walk(`${path}/`, depth + 1, below);
    }
    for (const file of here.sort((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }))) list.push({ path: file.path, name: file.path.slice(prefix.length), depth, file });
  };
  walk("", 0, files);
  return list;
}

/** All folders, where there are too many files to look through. */
function foldersBelow(files: LabFile[]): ReadonlySet<string> {
  if (files.length <= 60) return new Set();
  return new Set(files.flatMap(({ path }) => path.split("/").slice(0, -1).map((_, depth, parts) => parts.slice(0, depth + 1).join("/"))));
}

/** A lab's rendered files: a tree, and the one that is chosen. Without `onChoose` it remembers that itself. */
export function FileTree({ lab, chosen, onChoose }: { lab: string; chosen?: string; onChoose?: (path: string) => void }) {
  const { t } = useTranslation("labs");
  const files = useQuery(filesQuery(lab));
  const box = useRef<HTMLDivElement>(null);
  const height = useRowHeight();
  const [own, setOwn] = useState<string | undefined>(chosen);
  const [turned, setClosed] = useState<ReadonlySet<string> | null>(null);
  // A lab of many machines begins with its folders closed.
  const closed = useMemo(() => turned ?? foldersBelow(files.data ?? []), [turned, files.data]);
  const list = useMemo(() => nodes(files.data ?? [], closed), [files.data, closed]);
  const [cursorPath, setCursor] = useState<string | null>(null);
  const sight = useSight(box, height, list.length);
  const wanted = onChoose ? chosen : own;
  const file = files.data?.find(({ path }) => path === wanted) ?? files.data?.find(({ path }) => path === "lab.yaml") ?? list.find((node) => node.file)?.file ?? null;
  const choose = onChoose ?? setOwn;
  const cursor = list.findIndex(({ path }) => path === (cursorPath ?? file?.path));
  const toggle = (path: string) => {
    const next = new Set(closed);
    if (!next.delete(path)) next.add(path);
    setClosed(next);
  };
  const take = (node: Node) => {
    setCursor(node.path);
    if (node.file) choose(node.path);
  };
  const step = (by: number) => {
    const paths = list.filter((node) => node.file);
    const next = paths[paths.findIndex(({ path }) => path === file?.path) + by];
    if (next) take(next);
  };
  useActions([
    { id: "file-next", title: t(($) => $.files.next), group: t(($) => $.tabs.files), keys: "j", run: () => step(1) },
    { id: "file-previous", title: t(($) => $.files.previous), group: t(($) => $.tabs.files), keys: "k", run: () => step(-1) },
  ]);
  if (files.isPending) return <div className="flex-1 p-4"><Loading what={t(($) => $.files.tree, { lab })} rows={6} /></div>;
  if (files.isError) return <div className="flex-1 p-4"><Failed title={t(($) => $.failed.files, { lab })} error={files.error} onRetry={() => void files.refetch()} /></div>;
  if (!file)
    return (
      <Empty title={t(($) => $.files.emptyTitle)}>
        <p className="text-dim">{t(($) => $.files.empty)}</p>
      </Empty>
    );
  const onKeyDown = (event: KeyboardEvent) => {
    const node = list[cursor];
    const to = { ArrowDown: cursor + 1, ArrowUp: cursor - 1, Home: 0, End: list.length - 1 }[event.key];
    if (to !== undefined && list[to]) take(list[to]);
    else if (node && !node.file && (event.key === "Enter" || event.key === " " || (event.key === "ArrowLeft" && !closed.has(node.path)) || (event.key === "ArrowRight" && closed.has(node.path)))) toggle(node.path);
    else return;
    event.preventDefault();
  };
  return (
    <div className="flex min-h-0 min-w-0 flex-1">
      <Resizable name="files-tree" label={t(($) => $.files.size)} side="left" size={248} min={160} max={520} className="bg-panel">
        <div ref={box} role="tree" aria-label={t(($) => $.files.tree, { lab })} tabIndex={0} aria-activedescendant={cursor >= sight.first && cursor < sight.end ? `file-${cursor}` : undefined} onKeyDown={onKeyDown} className="min-h-0 flex-1 overflow-auto focus-visible:outline-none">
          <div role="presentation" className="relative" style={{ height: list.length * height }}>
            {list.slice(sight.first, sight.end).map((node, index) => {
              const at = sight.first + index;
              const is = node.file !== null && node.path === file.path;
              return (
                <div
                  key={node.path}
                  id={`file-${at}`}
                  role="treeitem"
                  aria-level={node.depth + 1}
                  aria-selected={is}
                  aria-expanded={node.file ? undefined : !closed.has(node.path)}
                  onClick={() => (node.file ? take(node) : (setCursor(node.path), toggle(node.path)))}
                  style={{ top: at * height, height, paddingLeft: 10 + node.depth * 14 }}
                  className={cn("absolute inset-x-0 flex items-center gap-1.5 pr-2", is ? "bg-selected" : at === cursor ? "bg-hover" : "hover:bg-hover")}
                >
                  {node.file ? <FileText aria-hidden className="ml-[18px] size-3.5 shrink-0 text-dim" /> : (
                    <>
                      <ChevronRight aria-hidden className={cn("size-3 shrink-0 text-dim", !closed.has(node.path) && "rotate-90")} />
                      <Folder aria-hidden className="size-3.5 shrink-0 text-dim" />
                    </>
                  )}
                  <span className="min-w-0 truncate font-mono text-small" title={node.path}>
                    {node.name}
                  </span>
                </div>
              );
            })}
          </div>
        </div>
        <p className="shrink-0 border-t border-line px-3 py-2 text-small text-dim">{t(($) => $.files.note)}</p>
      </Resizable>
      <TextView
        name={file.path}
        text={file.text}
        title={
          <span className="selectable font-mono text-small" title={file.path}>
            {file.path}
          </span>
        }
        tools={<span className="shrink-0 text-small text-dim">{t(($) => $.files.lines, { count: file.text.replace(/\n$/, "").split("\n").length })}</span>}
      />
    </div>
  );
}
