// What a run says, as it comes: the progress and the log, brought to the page ten times a second however much is said.

import { useEffect, useState, useSyncExternalStore } from "react";
import type { CommandError, RunEvent, RunId } from "../../bindings";
import { followRun, ipc } from "../../ipc";
import { linesOf, LogStore } from "./log-store";
import { advance, begin, looksSame, type Progress } from "./progress";

export type Heard = { run: Progress; over: boolean; error: CommandError | null };

/** How often a page is drawn at most, while much is said. */
const EVERY_MS = 100;

export class Feed {
  readonly log = new LogStore();
  private heard: Heard = { run: begin(), over: false, error: null };
  private drawing = false;
  private drawn = 0;
  private readonly flushes = new Set<() => void>();
  private readonly listeners = new Set<() => void>();
  private readonly serial = new Map<string, { next: number; rest: string }>();

  /** Follows a run; with `only`, what it says of that machine. Answers how to end that. */
  follow(id: RunId, { only, onOver }: { only?: string; onOver?: () => void } = {}): () => void {
    let run = begin();
    let waiting: RunEvent[] = [];
    let failure: string | null = null;
    const flush = () => {
      for (const event of waiting) {
        const { body, machine } = event;
        if (event.seq < run.next || (only !== undefined && machine !== only)) continue;
        // A run that failed ends with the words of its failure.
        if (body.kind === "failed" && machine === null) failure = body.message;
        if (body.kind === "ended" && body.sentence === failure) continue;
        for (const line of linesOf(event)) this.log.add(line);
      }
      run = advance(run, waiting);
      waiting = [];
      if (!looksSame(run, this.heard.run)) this.heard = { ...this.heard, run, over: this.heard.over || run.ended !== null };
    };
    const end = followRun(
      id,
      (events) => {
        for (const event of events) waiting.push(event);
        this.draw();
      },
      (error) => {
        flush();
        this.heard = { run, over: true, error };
        this.tell();
        onOver?.();
      },
    );
    this.flushes.add(flush);
    return () => {
      this.flushes.delete(flush);
      end();
    };
  }

  private draw() {
    if (this.drawing) return;
    const now = () => {
      this.drawing = false;
      this.drawn = performance.now();
      for (const flush of this.flushes) flush();
      this.tell();
    };
    this.drawing = true;
    // Nobody reads more than ten pages a second; the time between belongs to whoever uses the window.
    setTimeout(now, Math.max(0, this.drawn + EVERY_MS - performance.now()));
  }

  /** What a page that looks at nothing new is not told again. */
  private tell() {
    this.log.tell();
    for (const listener of this.listeners) listener();
  }

  /** Reads what is new on machines' serial consoles into the log. */
  async readSerial(lab: string, machines: string[]) {
    for (const machine of machines) {
      const known = this.serial.get(machine);
      let piece;
      try {
        piece = await ipc.serialLog(lab, machine, known?.next ?? -1);
      } catch {
        // It has no console yet, or its host is away: it is asked again.
        continue;
      }
      const lines = ((known?.rest ?? "") + clean(piece.text)).split("\n");
      const rest = lines.pop() ?? "";
      this.serial.set(machine, { next: piece.next, rest });
      for (const text of lines) this.log.add({ at: known ? Date.now() : Number.NaN, machine, source: "serial", text, tone: "dim" });
      if (lines.length > 0) this.draw();
    }
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };
  snapshot = () => this.heard;
}

/** A console's text without what moves cursors and paints. */
// biome-ignore lint: control characters are what this is about
const clean = (text: string) => text.replace(/\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1a\x1c-\x1f]/g, "").replace(/\r/g, "");

/** A run from its beginning, then as it goes on; nothing new where there is none. Who shows its log has the run's id as key. */
export function useFeed(id: RunId | null): { feed: Feed } & Heard {
  const [feed] = useState(() => new Feed());
  useEffect(() => (id === null ? undefined : feed.follow(id)), [feed, id]);
  return { feed, ...useSyncExternalStore(feed.subscribe, feed.snapshot) };
}

/** Reads machines' consoles into the log for as long as `every` says; once where it is null. */
export function useSerial(feed: Feed, lab: string, machines: string[], every: number | null) {
  const names = machines.join(" ");
  useEffect(() => {
    if (names === "") return;
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      await feed.readSerial(lab, names.split(" "));
      if (!over && every !== null) timer = setTimeout(() => void read(), every);
    };
    void read();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [feed, lab, names, every]);
}
