import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { runsQuery } from "../../lib/queries";
import { Feed, useSerial } from "./feed";
import { type Filter, NO_FILTER } from "./log-store";
import { LogView } from "./log-view";

/** How many of a lab's runs are looked through for what they say of a machine. */
const RUNS = 3;

/** What the last runs said of a machine, and its console as it goes on. */
export function MachineLog({ lab, machine, on }: { lab: string; machine: string; on: boolean }) {
  const [feed] = useState(() => new Feed());
  const runs = useQuery(runsQuery(lab));
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  const [began, setBegan] = useState<number | null>(null);
  const ids = runs.data
    ?.slice(0, RUNS)
    .map(({ id }) => id)
    .reverse()
    .join(" ");
  const oldest = runs.data?.slice(0, RUNS).at(-1)?.started;
  useSyncExternalStore(feed.subscribe, feed.snapshot);
  useEffect(() => {
    if (ids === undefined || began !== null) return;
    setBegan(oldest ? Date.parse(oldest) : Date.now());
  }, [ids, oldest, began]);
  // The runs one after the other, from the oldest; a run that begins later is followed on its own page.
  const [first, setFirst] = useState<string | null>(null);
  useEffect(() => {
    if (first === null && ids !== undefined) setFirst(ids);
  }, [first, ids]);
  useEffect(() => {
    if (!first) return;
    let end = () => {};
    const next = ([id, ...rest]: string[]) => {
      if (id !== undefined) end = feed.follow(Number(id), { only: machine, onOver: () => (end(), next(rest)) });
    };
    next(first.split(" "));
    return () => end();
  }, [feed, first, machine]);
  useSerial(feed, lab, [machine], on ? 1_000 : null);
  return <LogView log={feed.log} began={began ?? 0} live={on} wall filter={filter} onFilter={(change) => setFilter({ ...filter, ...change })} machines={[]} sources={["serial"]} />;
}
