// What Rust owns, as queries keyed by their Resource: a `Stale` event invalidates what begins with its name.

import { MutationCache, QueryClient, queryOptions } from "@tanstack/react-query";
import { commandError, ipc } from "../ipc";
import { toast } from "./toasts";

declare module "@tanstack/react-query" {
  interface Register {
    mutationMeta: { failureTitle: string };
  }
}

export const newClient = () =>
  new QueryClient({
    defaultOptions: { queries: { retry: false, staleTime: 5_000, networkMode: "always" }, mutations: { networkMode: "always" } },
    mutationCache: new MutationCache({
      onError: (error, _variables, _context, mutation) => {
        // One without a title says its failure where it happened.
        if (mutation.meta) toast({ title: mutation.meta.failureTitle, ...said(error) });
      },
    }),
  });

function said(error: unknown) {
  const { message, hint, details } = commandError(error);
  return { message, hint, details };
}

export const labsQuery = queryOptions({ queryKey: ["labs"], queryFn: () => ipc.listLabs() });

/** A lab's machines, asked every two seconds while the page is visible. */
export const labQuery = (lab: string) =>
  queryOptions({ queryKey: ["labs", lab, "status"], queryFn: () => ipc.labStatus(lab), refetchInterval: 2_000 });

export const problemsQuery = (lab: string) => queryOptions({ queryKey: ["labs", lab, "problems"], queryFn: () => ipc.checkLab(lab) });
export const runsQuery = (lab: string) => queryOptions({ queryKey: ["runs", lab], queryFn: () => ipc.listRuns(lab) });
export const hostsQuery = queryOptions({ queryKey: ["hosts"], queryFn: () => ipc.listHosts() });
export const hostQuery = (host: string) =>
  queryOptions({ queryKey: ["hosts", host], queryFn: () => ipc.checkHost(host), refetchInterval: 10_000 });
export const imagesQuery = queryOptions({ queryKey: ["images"], queryFn: () => ipc.listImages() });
export const recipesQuery = queryOptions({ queryKey: ["images", "recipes"], queryFn: () => ipc.listRecipes(), staleTime: Infinity });
