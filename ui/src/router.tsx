// Where the window is: what an address can hold is in the address. Pages come when they are first opened.

import { createHashHistory, createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { CrashedPage, NotFoundPage } from "./pages/astray";
import { Shell } from "./shell/shell";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFoundPage, errorComponent: CrashedPage });
const at = <Path extends string>(path: Path) => ({ getParentRoute: () => root, path }) as const;

const dashboard = createRoute({ ...at("/"), component: lazyRouteComponent(() => import("./pages/dashboard"), "DashboardPage") });
const labs = createRoute({ ...at("/labs"), component: lazyRouteComponent(() => import("./pages/labs"), "LabsPage") });
const newLab = createRoute({
  ...at("/new"),
  validateSearch: (search: Record<string, unknown>): { template?: string } => (typeof search.template === "string" ? { template: search.template } : {}),
  component: lazyRouteComponent(() => import("./pages/design"), "NewLabPage"),
});
const lab = createRoute({ ...at("/labs/$lab"), component: lazyRouteComponent(() => import("./pages/lab"), "LabPage") });
const design = createRoute({ ...at("/labs/$lab/design"), component: lazyRouteComponent(() => import("./pages/design"), "DesignPage") });
const plan = createRoute({
  ...at("/labs/$lab/plan"),
  validateSearch: (search: Record<string, unknown>): { what?: "destroy" | "resume" } => ({ what: search.what === "destroy" || search.what === "resume" ? search.what : undefined }),
  component: lazyRouteComponent(() => import("./pages/plan"), "PlanPage"),
});
const runs = createRoute({ ...at("/labs/$lab/runs"), component: lazyRouteComponent(() => import("./pages/runs"), "RunsPage") });
const run = createRoute({
  ...at("/labs/$lab/runs/$run"),
  beforeLoad: ({ params }) => {
    if (!/^[0-9]{1,9}$/.test(params.run)) throw redirect({ to: "/labs/$lab/runs", params });
  },
  component: lazyRouteComponent(() => import("./pages/run"), "RunPage"),
});
const files = createRoute({
  ...at("/labs/$lab/files"),
  validateSearch: (search: Record<string, unknown>): { file?: string } => ({ file: typeof search.file === "string" ? search.file : undefined }),
  component: lazyRouteComponent(() => import("./pages/files"), "FilesPage"),
});
const labActivity = createRoute({ ...at("/labs/$lab/activity"), component: lazyRouteComponent(() => import("./pages/activity"), "LabActivityPage") });
const machine = createRoute({
  ...at("/labs/$lab/machines/$machine"),
  validateSearch: (search: Record<string, unknown>): { tab?: string } => (typeof search.tab === "string" ? { tab: search.tab } : {}),
  component: lazyRouteComponent(() => import("./pages/machine"), "MachinePage"),
});
const hosts = createRoute({ ...at("/hosts"), component: lazyRouteComponent(() => import("./pages/hosts"), "HostsPage") });
const host = createRoute({
  ...at("/hosts/$host"),
  validateSearch: (search: Record<string, unknown>): { tab?: string } => (typeof search.tab === "string" ? { tab: search.tab } : {}),
  component: lazyRouteComponent(() => import("./pages/host"), "HostPage"),
});
const images = createRoute({ ...at("/images"), component: lazyRouteComponent(() => import("./pages/images"), "ImagesPage") });
const activity = createRoute({
  ...at("/activity"),
  validateSearch: ({ text, lab }: Record<string, unknown>): { text?: string; lab?: string } => ({ ...(typeof text === "string" && text && { text }), ...(typeof lab === "string" && lab && { lab }) }),
  component: lazyRouteComponent(() => import("./pages/activity"), "ActivityPage"),
});
const settings = createRoute({
  ...at("/settings"),
  validateSearch: (search: Record<string, unknown>): { part?: string } => (typeof search.part === "string" ? { part: search.part } : {}),
  component: lazyRouteComponent(() => import("./pages/settings"), "SettingsPage"),
});

const routeTree = root.addChildren([dashboard, labs, newLab, lab, design, plan, runs, run, files, labActivity, machine, hosts, host, images, activity, settings]);

export const newRouter = () => createRouter({ routeTree, history: createHashHistory(), defaultPreload: false, scrollRestoration: true });

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
