import { type ReactNode, useEffect, useRef } from "react";

/** A question in front of the window. Escape means no. */
export function Dialog({ title, onClose, children, actions }: { title: string; onClose: () => void; children: ReactNode; actions: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    // jsdom knows no modal dialogs.
    if (dialog.current?.showModal) dialog.current.showModal();
    else dialog.current?.setAttribute("open", "");
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onCancel={(event) => (event.preventDefault(), onClose())}
      className="m-auto w-[480px] max-w-[calc(100vw-48px)] rounded-ui border border-line-strong bg-raised text-text shadow-xl"
    >
      <div className="flex max-h-[70vh] flex-col gap-2 overflow-auto p-4">
        <h2 className="text-title font-strong">{title}</h2>
        {children}
      </div>
      <div className="flex justify-end gap-2 border-t border-line px-4 py-3">{actions}</div>
    </dialog>
  );
}
