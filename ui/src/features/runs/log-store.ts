// All that was said in a run, outside of the page's state: a ring of lines that takes 10,000 more a second, and views of it that
// look at each line once.

import type { EventBody, RunEvent } from "../../bindings";
import { i18next } from "../../i18n";
import { phaseWord, runState } from "../../lib/words";

export type LineTone = "plain" | "dim" | "good" | "warn" | "bad";
export type Line = { at: number; machine: string | null; source: string; text: string; tone: LineTone };

const tones: LineTone[] = ["plain", "dim", "good", "warn", "bad"];
export const CAPACITY = 200_000;

export class LogStore {
  /** Lines are numbered from 0; those from `first` up to, and without, `end` are kept. */
  first = 0;
  end = 0;
  readonly capacity: number;
  private readonly at: Float64Array;
  private readonly machine: Uint32Array;
  private readonly source: Uint8Array;
  private readonly tone: Uint8Array;
  private readonly texts: string[] = [];
  private readonly machines = new Names();
  private readonly sources = new Names();
  private readonly listeners = new Set<() => void>();

  constructor(capacity = CAPACITY) {
    this.capacity = capacity;
    this.at = new Float64Array(capacity);
    this.machine = new Uint32Array(capacity);
    this.source = new Uint8Array(capacity);
    this.tone = new Uint8Array(capacity);
  }

  add(line: Line) {
    const slot = this.end % this.capacity;
    this.at[slot] = line.at;
    this.machine[slot] = line.machine === null ? 0 : this.machines.of(line.machine) + 1;
    this.source[slot] = this.sources.of(line.source);
    this.tone[slot] = tones.indexOf(line.tone);
    this.texts[slot] = line.text;
    this.end += 1;
    if (this.end - this.first > this.capacity) this.first = this.end - this.capacity;
  }

  line(number: number): Line {
    const slot = number % this.capacity;
    const machine = this.machine[slot] ?? 0;
    return {
      at: this.at[slot] ?? Number.NaN,
      machine: machine === 0 ? null : (this.machines.all[machine - 1] ?? null),
      source: this.sources.all[this.source[slot] ?? 0] ?? "",
      text: this.texts[slot] ?? "",
      tone: tones[this.tone[slot] ?? 0] ?? "plain",
    };
  }

  /** Tells those who look that there are more lines. */
  tell() {
    for (const listener of this.listeners) listener();
  }
  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };
  /** What changes with each line. */
  version = () => this.end;

  get sourceNames(): readonly string[] {
    return this.sources.all;
  }
}

/** Names as small numbers. */
class Names {
  readonly all: string[] = [];
  private readonly places = new Map<string, number>();
  of(name: string): number {
    let place = this.places.get(name);
    if (place === undefined) {
      place = this.all.length;
      this.all.push(name);
      this.places.set(name, place);
    }
    return place;
  }
}

export type Filter = {
  /** Sources that are left out. */
  without: readonly string[];
  machine: string | null;
  /** Words, or `/pattern/`. */
  text: string;
  /** From when and until when, in milliseconds since 1970. */
  from: number | null;
  to: number | null;
};

export const NO_FILTER: Filter = { without: [], machine: null, text: "", from: null, to: null };

/** A pattern of words or of `/an expression/`; null where it is none. */
export function pattern(text: string): RegExp | null {
  const expression = /^\/(.*)\/$/.exec(text)?.[1];
  try {
    return new RegExp(expression ?? text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  } catch {
    return null;
  }
}

/** Whether a line passes; a pattern that is none holds nothing back. */
export function passes(filter: Filter): (line: Line) => boolean {
  const without = new Set(filter.without);
  const matches = filter.text ? pattern(filter.text) : null;
  return (line) => {
    if (without.has(line.source)) return false;
    if (filter.machine !== null && line.machine !== filter.machine) return false;
    // A line without a time, such as of a console from before, belongs to no time.
    if (filter.from !== null && !(line.at >= filter.from)) return false;
    if (filter.to !== null && !(line.at <= filter.to)) return false;
    if (!matches) return true;
    matches.lastIndex = 0;
    return matches.test(line.text);
  };
}

/** The lines that pass, by their numbers, in order. It looks only at what is new. */
export class View {
  private numbers: number[] = [];
  private start = 0;
  private seen: number;

  constructor(
    private readonly store: LogStore,
    private readonly test: (line: Line) => boolean,
  ) {
    this.seen = store.first;
    this.update();
  }

  /** Takes in what was said since. Answers how many lines went at the beginning. */
  update(): number {
    for (let number = Math.max(this.seen, this.store.first); number < this.store.end; number++) {
      if (this.test(this.store.line(number))) this.numbers.push(number);
    }
    this.seen = this.store.end;
    const before = this.start;
    while (this.start < this.numbers.length && (this.numbers[this.start] ?? 0) < this.store.first) this.start++;
    const gone = this.start - before;
    if (this.start > 65_536) {
      this.numbers = this.numbers.slice(this.start);
      this.start = 0;
    }
    return gone;
  }

  get length() {
    return this.numbers.length - this.start;
  }
  number(row: number): number {
    return this.numbers[this.start + row] ?? -1;
  }
  /** The row of a line, or of the next one that is in this view. */
  row(number: number): number {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.number(middle) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  has(number: number): boolean {
    return this.number(this.row(number)) === number;
  }
}

/** The end is followed until somebody scrolls up, and again when they are back there. */
export function follows(was: boolean, before: number, now: number, end: number): boolean {
  if (now >= end - 4) return true;
  return now < before - 1 ? false : was;
}

/** What an event says in the log, in lines; nothing where others say it better. */
export function linesOf({ body, machine, at_ms: at }: RunEvent): Line[] {
  const said = words(body);
  if (!said) return [];
  return said.text.split("\n").map((text) => ({ at, machine, source: said.source, tone: said.tone, text }));
}

const t = i18next.t;

function words(body: EventBody): Pick<Line, "source" | "text" | "tone"> | null {
  const run = (text: string, tone: LineTone = "plain") => ({ source: "run", text, tone });
  switch (body.kind) {
    case "step":
      return run(body.text);
    case "transfer":
      return null;
    case "resource": {
      const what = `${body.action} ${body.address}`;
      const text = {
        started: what,
        going: t(($) => $.log.going, { ns: "runs", what, seconds: body.seconds }),
        done: t(($) => $.log.done, { ns: "runs", what, seconds: body.seconds }),
        failed: t(($) => $.log.failed, { ns: "runs", what }),
      }[body.state];
      return { source: "terraform", text, tone: body.state === "failed" ? "bad" : "dim" };
    }
    case "phase":
      return run(phaseWord(body.phase) + (body.address ? ` (${body.address})` : ""), body.phase === "configured" ? "good" : "plain");
    case "waiting":
      return run(t(($) => $.log.waiting, { ns: "runs", reason: body.reason }), "warn");
    case "task":
      return body.outcome === "started"
        ? { source: "ansible", text: body.task, tone: "dim" }
        : { source: "ansible", text: `${body.task}: ${body.outcome}`, tone: body.outcome === "failed" ? "bad" : body.outcome === "changed" ? "good" : "plain" };
    case "log":
      return { source: body.source, text: body.text, tone: /^\W*(error|fatal|failed)\b/i.test(body.text) ? "bad" : /^\W*warn/i.test(body.text) ? "warn" : "dim" };
    case "failed":
      return run(t(($) => $.log.failed, { ns: "runs", what: body.message }), "bad");
    case "ended":
      return run(`${runState(body.status).word}: ${body.sentence}`, body.status === "done" ? "good" : "bad");
  }
}
