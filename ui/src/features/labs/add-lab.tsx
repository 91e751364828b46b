import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import type { Problem } from "../../bindings";
import { Button } from "../../components/button";
import { Field } from "../../components/field";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { labsQuery } from "../../lib/queries";
import { go } from "../../lib/route";
import { mention } from "../../lib/toasts";

/** Takes a lab file: the same form adds a lab and brings a changed file in. */
export function AddLab() {
  const [path, setPath] = useState("");
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (path: string) => ipc.saveLabFile(path),
    // Said beside the field, not in passing.
    onSuccess: async ({ name, revision }) => {
      await client.invalidateQueries({ queryKey: labsQuery.queryKey });
      mention(`Saved ${name}, revision ${revision}`);
      go({ page: "lab", lab: name, tab: "machines" });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate(path);
  };
  return (
    <form onSubmit={submit} className="flex w-full max-w-[640px] flex-col gap-3 text-left">
      <div className="flex items-end gap-2">
        <Field
          id="lab-file"
          label="Lab file on this computer"
          placeholder="~/labs/hello/lab.yaml"
          autoFocus
          value={path}
          onChange={(event) => setPath(event.target.value)}
        />
        <Button kind="primary" type="submit" disabled={path.trim() === "" || save.isPending}>
          {save.isPending ? "Reading the file" : "Save as a lab"}
        </Button>
      </div>
      <p className="text-dim">A lab of the same name gets a new revision. Playbooks and roles that the file names are read beside it.</p>
      {save.isError && <Failed title="Could not save the lab" error={save.error} />}
    </form>
  );
}

export const problemLine = ({ place, message }: Problem) => (place ? `${place.line}:${place.column}: ${message}` : message);
