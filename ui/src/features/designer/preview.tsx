import { memo, useMemo } from "react";
import { arrange, boxes, bounds, boxOf, LANE, MACHINE, machineId, networkId } from "./layout";
import { parse } from "./model";

/** A lab as a small picture: lanes, machines, and what links them. */
export const Preview = memo(function Preview({ text }: { text: string }) {
  const picture = useMemo(() => {
    const { design } = parse(text);
    if (!design) return null;
    const layout = arrange(design);
    const box = bounds(boxes(layout));
    if (!box) return null;
    const lanes = new Map(design.networks.map(({ name }) => [name, boxOf(layout, networkId(name))!]));
    const machines = design.machines.slice(0, 120).map((machine) => ({ machine, at: boxOf(layout, machineId(machine.name))! }));
    const links = machines.flatMap(({ machine, at }) =>
      machine.nics.flatMap(({ network }, index) => {
        const lane = lanes.get(network);
        if (!lane) return [];
        const x = at.x + (MACHINE.w * (index + 1)) / (machine.nics.length + 1);
        return [`M${x} ${at.y + MACHINE.h / 2}L${Math.min(lane.x + lane.w, Math.max(lane.x, x))} ${lane.y + LANE.h / 2}`];
      }),
    );
    return { box, lanes: [...lanes.values()], machines, links };
  }, [text]);
  if (!picture) return <svg className="h-28 w-full" aria-hidden="true" />;
  const { box, lanes, machines, links } = picture;
  const margin = 24;
  return (
    <svg className="h-28 w-full" viewBox={`${box.x - margin} ${box.y - margin} ${Math.max(700, box.w) + 2 * margin} ${Math.max(240, box.h) + 2 * margin}`} aria-hidden="true">
      <path d={links.join("")} stroke="var(--line-strong)" strokeWidth={5} fill="none" />
      {lanes.map(({ x, y, w, h }, index) => (
        <rect key={index} x={x} y={y + h / 4} width={w} height={h / 2} rx={h / 4} fill="var(--line-strong)" />
      ))}
      {machines.map(({ at, machine }, index) => (
        <g key={index}>
          {(machine.replicas ?? 1) > 1 && <rect x={at.x + 12} y={at.y - 12} width={at.w} height={at.h} rx={10} fill="var(--raised)" stroke="var(--state-unknown)" strokeWidth={5} />}
          <rect x={at.x} y={at.y} width={at.w} height={at.h} rx={10} fill="var(--raised)" stroke="var(--state-unknown)" strokeWidth={5} />
        </g>
      ))}
    </svg>
  );
});
