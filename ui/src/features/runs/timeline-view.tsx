import { memo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Dot, toneText } from "../../components/state";
import { cn } from "../../lib/cn";
import { copy } from "../../lib/copy";
import { duration, phaseWord, sentence, type Tone } from "../../lib/words";
import { useRowHeight, useSight } from "../../lib/window";
import { type MachineProgress, nextPhase, type Progress, underWay } from "./progress";
import { type Bar, barsOf, lines, ticks } from "./timeline";

export type Pick = { machine: string | null; from: number; to: number; words: string };

/** A line per machine, a bar per phase. A bar that is clicked narrows the log down to it. */
export const TimelineView = memo(function TimelineView({ run, now, picked, onPick }: { run: Progress; now: number | null; picked: Pick | null; onPick: (pick: Pick | null) => void }) {
  const { t } = useTranslation("runs");
  const box = useRef<HTMLDivElement>(null);
  const height = useRowHeight();
  const began = run.began ?? now ?? 0;
  const end = Math.max(now ?? run.last ?? began, began + 1_000);
  const span = end - began;
  const all = lines(run);
  const sight = useSight(box, height, all.length);
  const marks = ticks(span);
  const pickBar = (machine: string | null, bar: Bar) => {
    const words = `${machine ?? t(($) => $.timeline.run)} · ${bar.phase ? phaseWord(bar.phase) : bar.text}`;
    onPick(picked?.words === words ? null : { machine, from: bar.from, to: bar.to, words });
  };
  return (
    <section className="flex min-h-0 flex-1 flex-col bg-panel" aria-label={t(($) => $.timeline.title)}>
      <div className={cn(grid, "h-7 shrink-0 border-b border-line text-small text-dim")}>
        <span className="pl-4">{t(($) => $.timeline.machine)}</span>
        <span className="relative h-full">
          {marks.map((ms) => (
            <span key={ms} className="absolute top-0 flex h-full items-center border-l border-line pl-1" style={{ left: `${(ms / span) * 100}%` }}>
              {ms / span < 0.94 && axis(ms)}
            </span>
          ))}
        </span>
        <span className="pl-3">{t(($) => $.timeline.now)}</span>
      </div>
      <div ref={box} className="min-h-0 flex-1 overflow-y-auto" tabIndex={0} role="group" aria-label={t(($) => $.timeline.title)}>
        <div className="relative" style={{ height: all.length * height }}>
          {all.slice(sight.first, sight.end).map((machine, index) => {
            const name = machine?.name ?? null;
            return (
              <div key={name ?? ""} className={cn(grid, "absolute inset-x-0 border-b border-line hover:bg-hover", picked && picked.machine === name && "bg-selected")} style={{ top: (sight.first + index) * height, height }}>
                <button type="button" className="truncate py-1 pr-2 pl-4 text-left hover:underline" title={name ?? undefined} onClick={() => onPick(name === null ? null : { machine: name, from: 0, to: Number.MAX_SAFE_INTEGER, words: name })}>
                  {name === null ? <span className="text-dim">{t(($) => $.timeline.run)}</span> : <bdi className="font-strong">{name}</bdi>}
                </button>
                <div className="relative h-full">
                  {marks.map((ms) => (
                    <span key={ms} aria-hidden className="absolute inset-y-0 border-l border-line" style={{ left: `${(ms / span) * 100}%` }} />
                  ))}
                  {barsOf(run, machine, now).map((bar) => (
                    <BarButton key={`${bar.phase} ${bar.from}`} bar={bar} began={began} span={span} onClick={() => pickBar(name, bar)} />
                  ))}
                </div>
                <div className="min-w-0 truncate pr-4 pl-3">{machine ? <Now machine={machine} now={now} /> : <OwnNow run={run} live={now !== null} />}</div>
              </div>
            );
          })}
        </div>
      </div>
    </section>
  );
});

const grid = "grid grid-cols-[minmax(96px,168px)_minmax(0,1fr)_minmax(180px,300px)] items-center";

/** Phases of one machine are told apart by their places and words; what colour says is how each went. */
const fills: Record<Bar["state"], string> = {
  done: "bg-running/30 text-text",
  going: "bg-changing text-on-ink",
  stuck: "bg-attention text-on-ink",
  failed: "bg-failed text-on-ink",
  left: "border border-dashed border-unknown text-dim",
};

function BarButton({ bar, began, span, onClick }: { bar: Bar; began: number; span: number; onClick: () => void }) {
  const { t } = useTranslation("runs");
  const what = bar.phase ? phaseWord(bar.phase) : sentence(bar.text);
  const said = t(($) => $.timeline.bar, { what, took: duration(bar.to - bar.from), state: t(($) => $.timeline.states[bar.state]) });
  const left = ((bar.from - began) / span) * 100;
  const width = ((bar.to - bar.from) / span) * 100;
  return (
    <button type="button" aria-label={said} title={bar.text && bar.phase ? `${said}\n${bar.text}` : said} onClick={onClick} className="group absolute inset-y-0 flex items-center" style={{ left: `${left}%`, width: `max(${width}%, 3px)` }}>
      <span className={cn("mr-px h-4 w-full truncate rounded-[2px] text-left text-small leading-4 group-hover:opacity-80", width > 6 && "px-1", fills[bar.state])}>{width > 6 ? what : ""}</span>
    </button>
  );
}

function OwnNow({ run, live }: { run: Progress; live: boolean }) {
  const { t } = useTranslation("runs");
  const step = run.steps.at(-1);
  if (!live || !step || step.to !== null) return <span className="text-dim">{t(($) => $.timeline.steps, { count: run.steps.length })}</span>;
  return <span title={step.text}>{sentence(step.text)}</span>;
}

/** How a machine stands, in words. */
function Now({ machine, now }: { machine: MachineProgress; now: number | null }) {
  const { t } = useTranslation("runs");
  const next = nextPhase(machine);
  const say = (tone: Tone, text: string, title = text) => (
    <span className={cn("inline-flex max-w-full items-center gap-1.5", toneText(tone))} title={title}>
      <Dot tone={tone} />
      <span className="truncate">{text}</span>
    </span>
  );
  if (machine.failed) return say("failed", machine.failed.message);
  if (next === null)
    return (
      <span className="flex items-center gap-2">
        {say("running", phaseWord("configured").toLowerCase())}
        {machine.address && (
          <button type="button" className="truncate rounded-ui px-1 font-mono hover:bg-selected" title={t(($) => $.copyAddress)} onClick={() => void copy(machine.address ?? "")}>
            {machine.address}
          </button>
        )}
      </span>
    );
  if (machine.waiting) return say("attention", machine.waiting.reason, `${machine.waiting.reason}\n${machine.waiting.remedy}`);
  const step = machine.steps.at(-1);
  if (now !== null && machine.task) return say("changing", machine.task);
  if (now !== null && step?.to === null) return say("changing", step.text);
  if (!underWay(machine)) return <span className="text-dim">{step ? step.text : now !== null ? t(($) => $.timeline.turn) : t(($) => $.timeline.notStarted)}</span>;
  return now !== null ? say("changing", t(($) => $.timeline.until, { phase: phaseWord(next) })) : <span className="text-dim">{t(($) => $.timeline.didNotReach, { phase: phaseWord(next) })}</span>;
}

function axis(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  return seconds < 3_600 ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}` : `${Math.floor(seconds / 3_600)}:${two(Math.floor(seconds / 60) % 60)} h`;
}
