import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { runsQuery } from "../../lib/queries";
import { Feed, useSerial } from "./feed";
import { type Filter, NO_FILTER } from "./log-store";
import { LogView } from "./log-view";

/** How many of a lab's runs are looked through for what they say of a machine. */
const RUNS = 3;

const NONE: string[] = [];
const SERIAL = ["serial"];

/** What the last runs said of a machine, and its console as it goes on. */
export function MachineLog({ lab, machine, on }: { lab: string; machine: string; on: boolean }) {
  const [feed] = useState(() => new Feed());
  const [filter, setFilter] = useState<Filter>(NO_FILTER);
  const runs = useQuery(runsQuery(lab));
  // The runs that there are when the log is opened; one that begins later has its own page.
  const [ids, setIds] = useState<number[] | null>(null);
  const [heard, setHeard] = useState(false);
  const known = runs.data ?? (runs.isError ? [] : null);
  useEffect(() => {
    if (ids === null && known) setIds(known.slice(0, RUNS).map(({ id }) => id).reverse());
  }, [ids, known]);
  useEffect(() => {
    if (ids === null) return;
    let end = () => {};
    const next = ([id, ...rest]: number[]) => {
      if (id === undefined) return setHeard(true);
      const last = rest.length === 0;
      end = feed.follow(id, { only: machine, onOver: () => (end(), next(rest)) });
      // The last one may be at work for long: the console is not kept waiting.
      if (last) setTimeout(() => setHeard(true), 500);
    };
    next(ids);
    return () => end();
  }, [feed, ids, machine]);
  useSerial(feed, lab, heard ? [machine] : [], on ? 1_000 : null);
  const change = useCallback((next: Partial<Filter>) => setFilter((filter) => ({ ...filter, ...next })), []);
  return <LogView log={feed.log} began={0} live={on} wall filter={filter} onFilter={change} machines={NONE} sources={SERIAL} />;
}
