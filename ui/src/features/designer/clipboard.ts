// Copy, cut and paste of what is selected on the canvas, as YAML text. Where somebody types, or has marked text, the keys mean that.

import { useEffect, useRef } from "react";
import { toClipboard } from "../../lib/copy";

let remembered = "";

export function useClipboard(does: { onCopy: () => string; onCut: () => string; onPaste: (text: string) => void }) {
  const latest = useRef(does);
  latest.current = does;
  const put = (text: string) => {
    if (!text) return;
    remembered = text;
    void toClipboard(text);
  };
  useEffect(() => {
    // What is pasted comes to a field only: one that nobody sees takes it.
    const area = document.createElement("textarea");
    area.tabIndex = -1;
    area.setAttribute("aria-hidden", "true");
    area.style.cssText = "position:fixed;left:0;top:0;width:1px;height:1px;opacity:0;pointer-events:none";
    document.body.append(area);
    let before: HTMLElement | null = null;
    const giveBack = () => {
      if (document.activeElement !== area) return;
      area.blur();
      before?.focus({ preventScroll: true });
    };
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.defaultPrevented) return;
      const target = event.target as HTMLElement | null;
      if (target?.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target?.tagName ?? "") || target?.closest?.("dialog")) return;
      const key = event.key.toLowerCase();
      if ((key === "c" || key === "x") && !String(window.getSelection() ?? "")) {
        const text = key === "c" ? latest.current.onCopy() : latest.current.onCut();
        if (text) {
          event.preventDefault();
          put(text);
        }
      }
      if (key === "v") {
        before = document.activeElement as HTMLElement | null;
        area.value = "";
        area.focus({ preventScroll: true });
        setTimeout(giveBack, 0);
      }
    };
    const onPaste = (event: ClipboardEvent) => {
      event.preventDefault();
      const text = event.clipboardData?.getData("text/plain") ?? "";
      giveBack();
      latest.current.onPaste(text || remembered);
    };
    window.addEventListener("keydown", onKey, true);
    area.addEventListener("paste", onPaste);
    return () => {
      window.removeEventListener("keydown", onKey, true);
      area.remove();
    };
  }, []);
  return {
    copy: () => put(latest.current.onCopy()),
    cut: () => put(latest.current.onCut()),
    /** From a menu, the clipboard may not be read: what was copied here last. */
    paste: () => {
      const read = navigator.clipboard?.readText?.() ?? Promise.reject(new Error("no clipboard"));
      void read.then(
        (text) => latest.current.onPaste(text || remembered),
        () => latest.current.onPaste(remembered),
      );
    },
  };
}
