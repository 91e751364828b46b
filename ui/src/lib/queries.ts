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
        // One without a title says its failure where it happened. What the user wished is no failure.
        if (mutation.meta && commandError(error).code !== "cancelled") toast({ title: mutation.meta.failureTitle, ...said(error) });
      },
    }),
  });

function said(error: unknown) {
  const { message, hint, details } = commandError(error);
  return { message, hint, details };
}

export const labsQuery = queryOptions({ queryKey: ["labs"], queryFn: () => ipc.listLabs() });
/** A lab's machines, asked every two seconds while the page is visible. */
export const labQuery = (lab: string) => queryOptions({ queryKey: ["labs", lab, "status"], queryFn: () => ipc.labStatus(lab), refetchInterval: 2_000 });
export const documentQuery = (lab: string) => queryOptions({ queryKey: ["labs", lab, "document"], queryFn: () => ipc.readLab(lab), staleTime: Infinity });
export const problemsQuery = (lab: string) => queryOptions({ queryKey: ["labs", lab, "problems"], queryFn: () => ipc.checkLab(lab) });
export const filesQuery = (lab: string) => queryOptions({ queryKey: ["labs", lab, "files"], queryFn: () => ipc.labFiles(lab) });
export const portsQuery = (lab: string) => queryOptions({ queryKey: ["labs", lab, "ports"], queryFn: () => ipc.labPorts(lab) });
export const machineQuery = (lab: string, machine: string) =>
  queryOptions({ queryKey: ["labs", lab, "machines", machine], queryFn: () => ipc.machineDetails(lab, machine), refetchInterval: 5_000 });
export const templatesQuery = queryOptions({ queryKey: ["labs", null, "templates"], queryFn: () => ipc.listTemplates() });
export const schemaQuery = queryOptions({ queryKey: ["labs", null, "schema"], queryFn: () => ipc.labSchema(), staleTime: Infinity });

export const runsQuery = (lab: string) => queryOptions({ queryKey: ["runs", lab], queryFn: () => ipc.listRuns(lab) });
export const recentRunsQuery = queryOptions({ queryKey: ["runs"], queryFn: () => ipc.recentRuns(50) });

export const hostsQuery = queryOptions({ queryKey: ["hosts"], queryFn: () => ipc.listHosts() });
export const hostQuery = (host: string) => queryOptions({ queryKey: ["hosts", host], queryFn: () => ipc.checkHost(host), refetchInterval: 10_000 });
export const hostThingsQuery = (host: string) => queryOptions({ queryKey: ["hosts", host, "things"], queryFn: () => ipc.hostThings(host), refetchInterval: 10_000 });
/** The doctor looks only when somebody asks, or once at the start: a look takes a second. */
export const doctorQuery = (host: string) => queryOptions({ queryKey: ["doctor", host], queryFn: () => ipc.doctor(host, false), staleTime: Infinity });

export const imagesQuery = queryOptions({ queryKey: ["images"], queryFn: () => ipc.listImages() });
export const recipesQuery = queryOptions({ queryKey: ["images", "recipes"], queryFn: () => ipc.listRecipes(), staleTime: Infinity });
export const catalogQuery = queryOptions({ queryKey: ["images", "catalog"], queryFn: () => ipc.imageCatalog() });
export const placesQuery = (image: string) => queryOptions({ queryKey: ["images", image, "places"], queryFn: () => ipc.imagePlaces(image) });

export const auditQuery = (lab: string | null, text: string, limit: number) =>
  queryOptions({ queryKey: ["activity", lab, text, limit], queryFn: () => ipc.audit(lab, text, limit) });
export const settingsQuery = queryOptions({ queryKey: ["settings"], queryFn: () => ipc.readSettings() });
export const toolsQuery = queryOptions({ queryKey: ["settings", "tools"], queryFn: () => ipc.listTools() });
export const backupsQuery = queryOptions({ queryKey: ["settings", "backups"], queryFn: () => ipc.listBackups() });
export const lockQuery = queryOptions({ queryKey: ["settings", "lock"], queryFn: () => ipc.lockState() });
export const infoQuery = queryOptions({ queryKey: ["info"], queryFn: () => ipc.appInfo(), staleTime: Infinity });
