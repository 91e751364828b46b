import { QueryClientProvider, useMutation, useQuery, type QueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { Button } from "./components/button";
import { Dialog } from "./components/dialog";
import { Dot } from "./components/state";
import { Toasts } from "./components/toasts";
import { ipc, onCloseAsked, onStale } from "./ipc";
import { labsQuery } from "./lib/queries";
import { href, type Route, useRoute } from "./lib/route";
import { type Theme, useTheme } from "./lib/theme";
import { labStates } from "./lib/words";
import { HostsRoute } from "./routes/hosts";
import { ImagesRoute } from "./routes/images";
import { LabRoute } from "./routes/lab";
import { AddRoute, LabsRoute } from "./routes/labs";
import { RunRoute } from "./routes/run";

export function App({ client }: { client: QueryClient }) {
  useEffect(() => onStale((resource) => void client.invalidateQueries({ queryKey: [resource] })), [client]);
  return (
    <QueryClientProvider client={client}>
      <div className="flex h-full">
        <Sidebar />
        <Current />
      </div>
      <CloseQuestion />
      <Toasts />
    </QueryClientProvider>
  );
}

function Current() {
  const route = useRoute();
  switch (route.page) {
    case "labs":
      return <LabsRoute />;
    case "add":
      return <AddRoute />;
    case "hosts":
      return <HostsRoute />;
    case "images":
      return <ImagesRoute />;
    case "lab":
      // A page of another lab is another page: nothing of the last one stays.
      return <LabRoute key={route.lab} lab={route.lab} tab={route.tab} />;
    case "run":
      return <RunRoute key={`${route.lab} ${route.run}`} lab={route.lab} id={route.run} />;
  }
}

function Sidebar() {
  const route = useRoute();
  const labs = useQuery(labsQuery);
  const current = route.page === "lab" || route.page === "run" ? route.lab : null;
  return (
    <nav aria-label="Main" className="flex w-[220px] shrink-0 flex-col border-r border-line bg-window">
      <div className="flex h-12 items-center gap-2 px-4 font-strong">Virtual Lab Manager</div>
      <Item to={{ page: "labs" }} current={route.page === "labs" || route.page === "add"}>
        Labs
        {labs.data && <span className="ml-auto text-small text-dim">{labs.data.length}</span>}
      </Item>
      <ul className="min-h-0 overflow-y-auto py-0.5" aria-label="Labs">
        {labs.data?.map((lab) => (
          <li key={lab.name}>
            <a
              href={href({ page: "lab", lab: lab.name, tab: "machines" })}
              aria-current={lab.name === current ? "page" : undefined}
              title={lab.name.length > 14 ? lab.name : undefined}
              className={`mx-2 flex h-7 items-center gap-2 rounded-ui pr-2 pl-4 ${lab.name === current ? "bg-selected" : "hover:bg-hover"}`}
            >
              <Dot tone={labStates[lab.state].tone} />
              <span className="min-w-0 flex-1 truncate">{lab.name}</span>
              <span className="text-small text-dim">{labStates[lab.state].word}</span>
            </a>
          </li>
        ))}
      </ul>
      <Item to={{ page: "hosts" }} current={route.page === "hosts"}>
        Hosts
      </Item>
      <Item to={{ page: "images" }} current={route.page === "images"}>
        Images
      </Item>
      <Themes />
    </nav>
  );
}

function Item({ to, current, children }: { to: Route; current: boolean; children: ReactNode }) {
  return (
    <a href={href(to)} aria-current={current ? "page" : undefined} className={`mx-2 flex h-7 shrink-0 items-center gap-2 rounded-ui px-2 ${current ? "bg-selected" : "hover:bg-hover"}`}>
      {children}
    </a>
  );
}

const themes: [Theme, string][] = [
  ["system", "System"],
  ["light", "Light"],
  ["dark", "Dark"],
];

function Themes() {
  const [theme, setTheme] = useTheme();
  return (
    <div role="radiogroup" aria-label="Theme" className="m-2 mt-auto flex rounded-ui border border-line p-0.5 text-small">
      {themes.map(([name, word]) => (
        <button
          key={name}
          type="button"
          role="radio"
          aria-checked={theme === name}
          onClick={() => setTheme(name)}
          className={`h-6 flex-1 rounded-[4px] ${theme === name ? "bg-selected" : "text-dim hover:text-text"}`}
        >
          {word}
        </button>
      ))}
    </div>
  );
}

/** Asked when the window is closed while runs of this process are at work. */
function CloseQuestion() {
  const [labs, setLabs] = useState<string[] | null>(null);
  const quit = useMutation({ mutationFn: () => ipc.quit(), meta: { failureTitle: "Could not close" } });
  useEffect(() => onCloseAsked(setLabs), []);
  if (!labs) return null;
  const names = labs.join(", ");
  return (
    <Dialog
      title={`Cancel the ${labs.length === 1 ? "run" : "runs"} of ${names}?`}
      onClose={() => setLabs(null)}
      actions={
        <>
          <Button autoFocus disabled={quit.isPending} onClick={() => setLabs(null)}>
            Keep open
          </Button>
          <Button kind="danger" disabled={quit.isPending} onClick={() => quit.mutate()}>
            {quit.isPending ? "Cancelling" : `Cancel ${labs.length === 1 ? "the run" : "the runs"} and close`}
          </Button>
        </>
      }
    >
      <p>The work on {names} is done by this application: closing cancels it. What is made by then stays, and a later deploy goes on from there.</p>
    </Dialog>
  );
}
