// A line chart over time, in the colours of the theme. uPlot draws on a canvas: 300 points twice a second cost nothing.

import { useEffect, useRef, useState } from "react";
import type uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { cn } from "../lib/cn";
import { usePrefs } from "../lib/prefs";
import { useMedia } from "../lib/window";

export type Series = { label: string; values: (number | null)[]; tone: "accent" | "running" | "attention" };

type Props = {
  title: string;
  note?: string;
  /** In seconds since 1970. */
  at: number[];
  series: Series[];
  /** The top of the scale where it is known, such as 100 %. */
  max?: number;
  /** A value with its unit. */
  format: (value: number) => string;
  /** Seconds that are shown, until the last. */
  span: number;
};

/** uPlot, once somebody looks at a chart. It asks the browser's language for a number format, which fails for the locale C. */
async function load() {
  try {
    new Intl.Locale(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en", configurable: true });
  }
  return (await import("uplot")).default;
}

/** Where nothing is laid out. */
const HEIGHT = 108;
const fills: Record<Series["tone"], string> = { accent: "bg-accent", running: "bg-running", attention: "bg-attention" };

export function Chart({ title, note, at, series, max, format, span }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [hover, setHover] = useState<number | null>(null);
  const { theme } = usePrefs();
  const dark = useMedia("(prefers-color-scheme: dark)");
  const data = [at, ...series.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef({ data, format, max });
  latest.current = { data, format, max };
  const shape = series.map(({ label, tone }) => `${label} ${tone}`).join();

  useEffect(() => {
    const element = box.current;
    // Where nothing can be drawn, the values above say it.
    if (!element || typeof Path2D === "undefined") return;
    let made: uPlot | null = null;
    let over = false;
    const sized = new ResizeObserver(() => element.clientWidth > 0 && made?.setSize({ width: element.clientWidth, height: element.clientHeight }));
    void load().then((UPlot) => {
      if (over) return;
      made = new UPlot(options(element, series, span, latest, setHover), latest.current.data, element);
      plot.current = made;
      sized.observe(element);
    });
    return () => {
      over = true;
      sized.disconnect();
      made?.destroy();
      plot.current = null;
    };
    // Another theme has other colours.
  }, [shape, span, theme, dark]);
  useEffect(() => plot.current?.setData(latest.current.data), [at, series]);

  const index = hover ?? at.length - 1;
  const seconds = hover === null ? undefined : at[hover];
  return (
    <figure className="flex min-w-0 flex-col rounded-ui border border-line bg-panel" aria-label={title}>
      <figcaption className="flex h-8 items-center gap-3 px-3">
        <span className="font-strong">
          {title} {note && <span className="font-normal text-dim">{note}</span>}
        </span>
        <span className="ml-auto flex min-w-0 gap-3 text-dim">
          {seconds !== undefined && <span>{clock(seconds, true)}</span>}
          {series.map(({ label, values, tone }) => {
            const value = values[index];
            return (
              <span key={label} className="flex items-center gap-1.5 whitespace-nowrap">
                <span aria-hidden className={cn("h-0.5 w-2.5 rounded-full", fills[tone])} />
                {series.length > 1 && label}
                <span className="min-w-14 text-right text-text">{value === null || value === undefined ? "–" : format(value)}</span>
              </span>
            );
          })}
        </span>
      </figcaption>
      <div ref={box} aria-hidden className="mx-1 h-[108px] 2xl:h-[200px]" />
    </figure>
  );
}

type Latest = { current: { data: uPlot.AlignedData; format: (value: number) => string; max: number | undefined } };

function options(element: HTMLElement, series: Series[], span: number, latest: Latest, onHover: (index: number | null) => void): uPlot.Options {
  const colour = (name: string) => resolved(element, name);
  const end = () => latest.current.data[0].at(-1) ?? Date.now() / 1_000;
  const axis: uPlot.Axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px 'Inter Variable', system-ui, sans-serif" };
  return {
    width: element.clientWidth || 400,
    height: element.clientHeight || HEIGHT,
    legend: { show: false },
    padding: [8, 24, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      // Where nothing was measured yet, the axes are those of the first values to come.
      x: { time: true, range: () => [end() - span, end()] },
      y: { range: (_, _low, high) => [0, latest.current.max ?? Math.max(nice(high ?? 0), 1_000)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 20, space: 64, values: (_, marks) => marks.map((seconds) => clock(seconds)) },
      { ...axis, size: 64, space: 28, values: (_, marks) => marks.map((value) => latest.current.format(value)) },
    ],
    series: [{}, ...series.map(({ label, tone }) => ({ label, stroke: colour(tone === "accent" ? "--accent" : `--state-${tone}`), width: 1.5, points: { show: false } }))],
    hooks: { setCursor: [(self) => onHover(self.cursor.idx ?? null)] },
  };
}

/** The top of a scale that leaves room: 1, 2 or 5 times a power of ten. */
export function nice(high: number): number {
  if (!(high > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(high));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= high) ?? 10;
  return step * power;
}

function clock(seconds: number, exact = false): string {
  const at = new Date(seconds * 1_000);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}${exact || at.getSeconds() !== 0 ? `:${two(at.getSeconds())}` : ""}`;
}

/** A colour of the theme as a canvas takes it: light-dark() is worked out only where it is used. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
