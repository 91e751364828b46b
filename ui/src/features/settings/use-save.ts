import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { AppSettings } from "../../bindings";
import { ipc } from "../../ipc";
import { settingsQuery } from "../../lib/queries";

/** Writes the settings; what failed is said beside the button. */
export function useSave() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (settings: AppSettings) => ipc.saveSettings(settings),
    onSuccess: (_, settings) => {
      client.setQueryData(settingsQuery.queryKey, settings);
      void client.invalidateQueries({ queryKey: settingsQuery.queryKey });
    },
  });
}
