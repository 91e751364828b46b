// Where the window is: what the URL can hold is in the URL.

import { useSyncExternalStore } from "react";

export type Route =
  | { page: "labs" }
  | { page: "add" }
  | { page: "hosts" }
  | { page: "images" }
  | { page: "lab"; lab: string; tab: "machines" | "plan" | "runs" }
  | { page: "run"; lab: string; run: number };

export function parse(hash: string): Route {
  const [page, lab, tab, run] = hash.replace(/^#?\/?/, "").split("/").map(decodeURIComponent);
  if (page === "hosts" || page === "images" || page === "add") return { page };
  if (page === "labs" && lab) {
    if (tab === "runs" && run) return { page: "run", lab, run: Number(run) };
    return { page: "lab", lab, tab: tab === "plan" || tab === "runs" ? tab : "machines" };
  }
  return { page: "labs" };
}

export function href(route: Route): string {
  switch (route.page) {
    case "labs":
    case "add":
    case "hosts":
    case "images":
      return `#/${route.page}`;
    case "lab": {
      const lab = `#/labs/${encodeURIComponent(route.lab)}`;
      return route.tab === "machines" ? lab : `${lab}/${route.tab}`;
    }
    case "run":
      return `#/labs/${encodeURIComponent(route.lab)}/runs/${route.run}`;
  }
}

export function go(route: Route) {
  window.location.hash = href(route);
}

const subscribe = (changed: () => void) => {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
};

export function useRoute(): Route {
  return parse(useSyncExternalStore(subscribe, () => window.location.hash));
}
