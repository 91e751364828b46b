import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";

/** A question whose yes is the lab's name, typed. */
export function ConfirmByName({ lab, title, keep, go, onClose, onGo, children }: { lab: string; title: string; keep: string; go: string; onClose: () => void; onGo: () => void; children: ReactNode }) {
  const { t } = useTranslation("runs");
  const [typed, setTyped] = useState("");
  const right = typed.trim() === lab;
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={() => right && onGo()}
      actions={
        <>
          <Button onClick={onClose}>{keep}</Button>
          <Button kind="danger" type="submit" disabled={!right}>
            {go}
          </Button>
        </>
      }
    >
      {children}
      <Field id="confirm-name" label={t(($) => $.plan.typeName, { lab })} autoFocus value={typed} onChange={(event) => setTyped(event.target.value)} />
    </Dialog>
  );
}
