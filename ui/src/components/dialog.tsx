import { type ReactNode, useEffect, useRef } from "react";
import { cn } from "../lib/cn";

/** A question in front of the window. Escape means no. With `onSubmit` it is a form, and Enter means its submitting button. */
export function Dialog({ title, onClose, onSubmit, children, actions, wide }: { title: string; onClose: () => void; onSubmit?: () => void; children: ReactNode; actions: ReactNode; wide?: boolean }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    // What asked for the focus by `autoFocus` has it already; a dialog that opens would give it to its first element.
    const focused = document.activeElement;
    // jsdom knows no modal dialogs.
    if (dialog.current?.showModal) dialog.current.showModal();
    else dialog.current?.setAttribute("open", "");
    if (focused instanceof HTMLElement && dialog.current?.contains(focused)) focused.focus();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={title}
      onCancel={(event) => (event.preventDefault(), onClose())}
      className={cn("m-auto max-w-[calc(100vw-48px)] rounded-ui border border-line-strong bg-raised text-text shadow-xl", wide ? "w-[760px]" : "w-[480px]")}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit?.();
        }}
      >
        <div className="flex max-h-[70vh] flex-col gap-3 overflow-auto p-4">
          <h2 className="text-title font-strong wrap-anywhere">{title}</h2>
          {children}
        </div>
        <div className="flex justify-end gap-2 border-t border-line px-4 py-3">{actions}</div>
      </form>
    </dialog>
  );
}
