// Saving a design, and what to do when somebody else saved it.

import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Failed } from "../../components/notice";
import { Dot } from "../../components/state";
import { Tip } from "../../components/tip";
import { useActions } from "../../lib/actions";
import type { Designer } from "./use-designer";

export function DesignActions({ designer }: { designer: Designer }) {
  const { t } = useTranslation("designer");
  const isNew = designer.isNew;
  const isSaving = designer.saving.state === "saving";
  return (
    <>
      {designer.isDirty && (
        <span className="mr-1 flex items-center gap-1.5 text-attention">
          <Dot tone="attention" />
          {t(($) => $.unsaved)}
        </span>
      )}
      <Tip text={isNew ? t(($) => $.saveAs) : t(($) => $.actions.save)} keys="Ctrl+S">
        <Button kind={designer.isDirty ? "primary" : "plain"} disabled={!designer.isDirty || isSaving} onClick={() => void designer.save()}>
          {isSaving ? t(($) => $.saving) : isNew ? t(($) => $.saveAs) : t(($) => $.save)}
        </Button>
      </Tip>
    </>
  );
}

export function DesignDialogs({ designer }: { designer: Designer }) {
  const { t } = useTranslation(["designer", "common"]);
  const [reverting, setReverting] = useState(false);
  const { saving, lab, revert } = designer;
  useActions(revert ? [{ id: "design-revert", title: t(($) => $.actions.revert), group: t(($) => $.group), run: () => setReverting(true) }] : []);
  const name = lab ?? designer.design.name;
  if (reverting && revert)
    return (
      <Dialog
        title={t(($) => $.revert.title, { name })}
        onClose={() => setReverting(false)}
        actions={
          <>
            <Button autoFocus onClick={() => setReverting(false)}>
              {t(($) => $.revert.keep)}
            </Button>
            <Button kind="danger" onClick={() => (revert(), setReverting(false))}>
              {t(($) => $.revert.action)}
            </Button>
          </>
        }
      >
        <p>{t(($) => $.revert.message)}</p>
      </Dialog>
    );
  if (saving.state === "conflict")
    return (
      <Dialog
        title={t(($) => $.conflict.title, { name })}
        onClose={designer.dismiss}
        actions={
          <>
            <Button onClick={designer.dismiss}>{t(($) => $.conflict.later)}</Button>
            <Button kind="danger" onClick={() => void designer.save(true)}>
              {t(($) => $.conflict.over)}
            </Button>
            <Button autoFocus onClick={() => void designer.reload()}>
              {t(($) => $.conflict.load)}
            </Button>
          </>
        }
      >
        <p>{t(($) => $.conflict.message)}</p>
      </Dialog>
    );
  if (saving.state === "failed")
    return (
      <Dialog title={t(($) => $.failed)} onClose={designer.dismiss} actions={<Button autoFocus onClick={designer.dismiss}>{t(($) => $.close, { ns: "common" })}</Button>}>
        <Failed title={t(($) => $.failed)} error={saving.error} />
      </Dialog>
    );
  return null;
}
