// What is wrong with the design, and how large it is.

import { ChevronDown, ChevronUp } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { CommandError, Place, Problem } from "../../bindings";
import { Failed } from "../../components/notice";
import { Dot } from "../../components/state";
import { memory, sentence } from "../../lib/words";
import { type Mistake, totals } from "./model";
import type { Designer } from "./use-designer";

const SHOWN = 500;

export function ProblemList({ problems, mistake, error, onGo }: { problems: Problem[]; mistake: Mistake | null; error: CommandError | null; onGo: (path: string, place: Place | null) => void }) {
  const { t } = useTranslation("designer");
  const all: Problem[] = mistake && !problems.some(({ severity }) => severity === "error") ? [{ path: "", place: { line: mistake.line, column: mistake.column }, severity: "error", message: mistake.message }, ...problems] : problems;
  if (error) return <div className="overflow-auto bg-panel p-2"><Failed title={t(($) => $.status.cannotCheck)} error={error} /></div>;
  if (all.length === 0) return <p className="flex-1 bg-panel px-3 py-2 text-dim">{t(($) => $.status.fine)}</p>;
  return (
    <ul aria-label={t(($) => $.status.errors, { count: all.length })} className="min-h-0 flex-1 overflow-y-auto bg-panel py-1">
      {all.slice(0, SHOWN).map((problem, index) => (
        <li key={index}>
          <button type="button" className="flex w-full items-start gap-2 px-3 py-1 text-left hover:bg-hover" onClick={() => onGo(problem.path, problem.place)}>
            <span className="pt-1.5 leading-none">
              <Dot tone={problem.severity === "error" ? "failed" : "attention"} label={t(($) => $.status[problem.severity])} />
            </span>
            <span className="w-14 shrink-0 font-mono text-small leading-5 text-dim">{problem.place && `${problem.place.line}:${problem.place.column}`}</span>
            <span className="min-w-0 wrap-anywhere">{sentence(problem.message)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function StatusLine({ designer, open, onProblems }: { designer: Designer; open: boolean; onProblems: () => void }) {
  const { t } = useTranslation("designer");
  const { design, checked, mistake, selection } = designer;
  const { count, vcpus, memory_mib } = totals(design);
  const errors = Math.max(checked?.problems.filter(({ severity }) => severity === "error").length ?? 0, mistake ? 1 : 0);
  const warnings = checked?.problems.filter(({ severity }) => severity === "warning").length ?? 0;
  const words = [errors > 0 && t(($) => $.status.errors, { count: errors }), warnings > 0 && t(($) => $.status.warnings, { count: warnings })].filter(Boolean).join(", ");
  const said = checked?.error ? t(($) => $.status.cannotCheck) : words || (checked ? t(($) => $.status.fine) : t(($) => $.status.checking));
  const tone = checked?.error || errors > 0 ? "failed" : warnings > 0 ? "attention" : checked ? "running" : "unknown";
  const Chevron = open ? ChevronDown : ChevronUp;
  return (
    <footer className="flex h-7 shrink-0 items-center gap-4 border-t border-line bg-panel px-3 text-small text-dim">
      <button type="button" aria-expanded={open} title={`${t(($) => $.actions.problems)} (Ctrl+J)`} className="-ml-1.5 flex h-6 items-center gap-1.5 rounded-[4px] px-1.5 hover:bg-hover hover:text-text" onClick={onProblems}>
        <Dot tone={tone} />
        {said}
        <Chevron className="size-3.5" aria-hidden />
      </button>
      <span className="ml-auto flex min-w-0 items-center gap-3 overflow-hidden whitespace-nowrap">
        {selection.size > 0 && <span className="text-text">{t(($) => $.status.selected, { count: selection.size })}</span>}
        <span>{t(($) => $.status.networks, { count: design.networks.length })}</span>
        <span>{t(($) => $.status.machines, { count })}</span>
        <span>{t(($) => $.status.vcpus, { count: vcpus })}</span>
        <span>{t(($) => $.status.memory, { size: memory(memory_mib) })}</span>
      </span>
    </footer>
  );
}
