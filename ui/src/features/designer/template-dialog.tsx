import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { templatesQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";

export function TemplateDialog({ text, name, onClose }: { text: string; name: string; onClose: () => void }) {
  const { t } = useTranslation(["designer", "common"]);
  const [title, setTitle] = useState(name);
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => ipc.saveTemplate(title.trim(), text),
    onSuccess: ({ title }) => {
      void client.invalidateQueries({ queryKey: templatesQuery.queryKey });
      mention(t(($) => $.template.saved, { title }));
      onClose();
    },
  });
  return (
    <Dialog
      title={t(($) => $.template.title)}
      onClose={onClose}
      onSubmit={() => title.trim() && save.mutate()}
      actions={
        <>
          <Button onClick={onClose}>{t(($) => $.cancel, { ns: "common" })}</Button>
          <Button kind="primary" type="submit" disabled={title.trim() === "" || save.isPending}>
            {t(($) => $.template.save)}
          </Button>
        </>
      }
    >
      <Field id="template-title" label={t(($) => $.template.name)} note={t(($) => $.template.note)} mono={false} autoFocus value={title} onChange={(event) => setTitle(event.target.value)} />
      {save.isError && <Failed title={t(($) => $.template.failed)} error={save.error} />}
    </Dialog>
  );
}
