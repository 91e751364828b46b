import type { Tone } from "../lib/words";

const fills: Record<Tone, string> = {
  running: "bg-running",
  changing: "bg-changing animate-work",
  stopped: "bg-stopped",
  attention: "bg-attention",
  failed: "bg-failed",
  unknown: "border-[1.5px] border-unknown",
};

const shapes: Record<Tone, string> = {
  running: "rounded-full",
  changing: "rounded-full",
  stopped: "rounded-[2px]",
  attention: "rotate-45 rounded-[1px]",
  failed: "rotate-45 rounded-[1px]",
  unknown: "rounded-full",
};

const texts: Record<Tone, string> = {
  running: "text-running",
  changing: "text-changing",
  stopped: "text-dim",
  attention: "text-attention",
  failed: "text-failed",
  unknown: "text-dim",
};

/** A state's shape and colour. Beside it stands its word, or `label` says it. */
export function Dot({ tone, label }: { tone: Tone; label?: string }) {
  return (
    <span role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : true} title={label} className={`inline-block size-2 shrink-0 ${fills[tone]} ${shapes[tone]}`} />
  );
}

export function State({ tone, word }: { tone: Tone; word: string }) {
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${texts[tone]}`}>
      <Dot tone={tone} />
      {word}
    </span>
  );
}

export const toneText = (tone: Tone) => texts[tone];
