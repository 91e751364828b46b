import { useEffect, useRef, useState } from "react";
import { Button } from "../../components/button";
import { Notice } from "../../components/notice";
import { toneText } from "../../components/state";
import { copy } from "../../lib/copy";
import { duration, phaseWords, phases } from "../../lib/words";
import { type LogLine, type MachineProgress, nextPhase, type Progress, underWay } from "./progress";

/** A run as it happens, or as it went. */
export function RunView({ run, live }: { run: Progress; live: boolean }) {
  const now = useNow(live);
  const failures = run.failures.filter((failure) => failure.machine !== null || run.failures.length === 1);
  return (
    <>
      {run.transfer && <Transfer {...run.transfer} />}
      {failures.map((failure, index) => (
        <Notice
          key={index}
          tone="failed"
          title={failure.machine ? `${failure.machine} failed` : "The run failed"}
          message={failure.message}
          hint={failure.hint}
          evidence={failure.evidence}
        />
      ))}
      {run.machines.length > 0 && <Timeline machines={run.machines} live={live} now={now} />}
      <Log lines={run.log} dropped={run.dropped} began={run.began ?? 0} live={live} />
    </>
  );
}

function useNow(live: boolean): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    if (!live) return;
    const timer = setInterval(() => set(Date.now()), 500);
    return () => clearInterval(timer);
  }, [live]);
  return now;
}

function Transfer({ what, done, total }: { what: string; done: number; total: number }) {
  return (
    <div className="flex items-center gap-3 rounded-ui border border-line bg-panel px-3 py-2">
      <span className="truncate">Sending {what}</span>
      <progress className="sr-only" value={done} max={total} />
      <span aria-hidden className="h-2 w-56 overflow-hidden rounded-[2px] border border-line-strong bg-window">
        <span className="block h-full bg-changing" style={{ width: `${(done / Math.max(1, total)) * 100}%` }} />
      </span>
      <span className="text-dim">
        {done} of {total} MiB
      </span>
    </div>
  );
}

/** A line per machine, a step per phase: what is behind it, where it is, and what keeps it. */
function Timeline({ machines, live, now }: { machines: MachineProgress[]; live: boolean; now: number }) {
  return (
    <div className="shrink-0 overflow-x-auto rounded-ui border border-line bg-panel">
      <table className="w-full border-collapse whitespace-nowrap" aria-label="Machines of this run">
        <thead>
          <tr className="border-b border-line">
            <th className="h-7 px-3 text-small text-dim">Machine</th>
            {phases.map((phase) => (
              <th key={phase} className="h-7 w-[10%] min-w-18 pr-1 text-small text-dim">
                {phaseWords[phase]}
              </th>
            ))}
            <th className="h-7 w-full px-3 text-small text-dim">Now</th>
          </tr>
        </thead>
        <tbody>
          {machines.map((machine) => (
            <tr key={machine.name} className="border-b border-line last:border-0">
              <td className="h-9 max-w-[200px] min-w-24 truncate px-3 font-strong" title={machine.name}>
                {machine.name}
              </td>
              {phases.map((phase, index) => (
                <Step key={phase} machine={machine} index={index} live={live} />
              ))}
              <td className="min-w-56 px-3 py-1 whitespace-normal wrap-anywhere">
                <Now machine={machine} live={live} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Step({ machine, index, live }: { machine: MachineProgress; index: number; live: boolean }) {
  const phase = phases[index];
  if (!phase) return null;
  const at = machine.reached[phase];
  const before = phases.slice(0, index).flatMap((earlier) => machine.reached[earlier] ?? []);
  const took = at !== undefined && before.length > 0 ? duration(at - Math.max(...before)) : "";
  const [word, bar] =
    index < machine.done
      ? ["reached", "bg-running"]
      : machine.failed && index === machine.done
        ? ["failed", "bg-failed"]
        : live && index === machine.done && underWay(machine)
          ? machine.waiting
            ? ["stuck", "bg-attention"]
            : ["under way", "bg-changing animate-work"]
          : ["not reached", "border border-line-strong"];
  return (
    <td className="relative pr-1 align-middle">
      <span role="img" aria-label={`${phaseWords[phase]}: ${word}`} title={`${phaseWords[phase]}: ${word}`} className={`block h-1.5 rounded-[2px] ${bar}`} />
      <span className="absolute bottom-0.5 text-[10.5px] leading-3 text-dim">{took}</span>
    </td>
  );
}

function Now({ machine, live, now }: { machine: MachineProgress; live: boolean; now: number }) {
  if (machine.failed) return <span className={toneText("failed")}>{machine.failed.message}</span>;
  const next = nextPhase(machine);
  if (next === null)
    return (
      <span className={toneText("running")}>
        configured
        {machine.address && (
          <button type="button" className="ml-2 rounded-ui px-1 font-mono text-text hover:bg-selected" title="Copy address" onClick={() => void copy(machine.address ?? "")}>
            {machine.address}
          </button>
        )}
      </span>
    );
  const since = live && machine.since > 0 ? <span className="text-dim"> {duration(now - machine.since)}</span> : null;
  if (machine.waiting)
    return (
      <>
        <span className={toneText("attention")}>{machine.waiting.reason}</span>
        <span className="block text-small text-dim">{machine.waiting.remedy}</span>
      </>
    );
  if (machine.doing)
    return (
      <span>
        {machine.doing}
        {since}
      </span>
    );
  if (!underWay(machine)) return <span className="text-dim">{live ? "waits for its turn" : "not started"}</span>;
  return (
    <span className="text-dim">
      {live ? "until " : "did not reach "}
      {phaseWords[next]}
      {since}
    </span>
  );
}

const tones: Record<LogLine["tone"], string> = { plain: "", dim: "text-dim", good: "text-running", bad: "text-failed" };

/** What was said, in order. It stays at its end while its reader does. */
function Log({ lines, dropped, began, live }: { lines: LogLine[]; dropped: number; began: number; live: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const text = () => lines.map((line) => `${seconds(line.at, began)}  ${line.machine ?? ""}\t${line.text}`).join("\n");
  return (
    <section className="flex min-h-40 flex-1 flex-col rounded-ui border border-line bg-panel" aria-label="Log">
      <div className="flex h-8 shrink-0 items-center justify-between border-b border-line pr-1 pl-3 text-small text-dim">
        <span>Log, {lines.length === 1 ? "1 line" : `${lines.length} lines`}{dropped > 0 && ` (the first ${dropped} left out; \`vlm logs\` has them)`}</span>
        <Button kind="quiet" className="h-6 text-small" disabled={lines.length === 0} onClick={() => void copy(text())}>
          Copy
        </Button>
      </div>
      <div
        ref={box}
        role="log"
        aria-live={live ? "polite" : "off"}
        tabIndex={0}
        className="selectable min-h-0 flex-1 overflow-auto py-1 font-mono text-small"
        onScroll={({ currentTarget: at }) => {
          atEnd.current = at.scrollHeight - at.scrollTop - at.clientHeight < 24;
        }}
      >
        {lines.map((line) => (
          <div key={line.seq} className="flex gap-3 px-3 hover:bg-hover [contain-intrinsic-height:16px] [content-visibility:auto]">
            <span className="w-14 shrink-0 text-right text-dim">{seconds(line.at, began)}</span>
            <span className="w-32 shrink-0 truncate" title={line.machine ?? undefined}>
              {line.machine}
            </span>
            <span className={`min-w-0 wrap-anywhere whitespace-pre-wrap ${tones[line.tone]}`}>{line.text}</span>
          </div>
        ))}
        {lines.length === 0 && <p className="px-3 font-sans text-base text-dim">Nothing was said yet.</p>}
      </div>
    </section>
  );
}

const seconds = (at: number, began: number) => `${((at - began) / 1000).toFixed(1)}s`;
