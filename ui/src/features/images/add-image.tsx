import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "../../components/button";
import { Field } from "../../components/field";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { imagesQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";

/** Takes a disk image of the user's own, as a copy. */
export function AddImage() {
  const [name, setName] = useState("");
  const [path, setPath] = useState("");
  const client = useQueryClient();
  const add = useMutation({
    mutationFn: () => ipc.addImage(name, path),
    onSuccess: async (image) => {
      await client.invalidateQueries({ queryKey: imagesQuery.queryKey });
      mention(`Added ${image.name}, a disk of ${image.virtual_size}`);
      setName("");
      setPath("");
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <form onSubmit={submit} className="flex max-w-[760px] flex-col gap-3">
      <div className="flex items-end gap-2">
        <div className="w-48">
          <Field id="image-name" label="Name in lab files" placeholder="alpine-3.20" value={name} onChange={(event) => setName(event.target.value)} />
        </div>
        <Field id="image-path" label="Disk image on this computer, qcow2 or raw" placeholder="~/images/alpine.qcow2" value={path} onChange={(event) => setPath(event.target.value)} />
        <Button type="submit" disabled={name.trim() === "" || path.trim() === "" || add.isPending}>
          {add.isPending ? "Copying the image" : "Add image"}
        </Button>
      </div>
      {add.isError && <Failed title="Could not add the image" error={add.error} />}
    </form>
  );
}
