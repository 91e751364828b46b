import { i18next } from "../i18n";
import { mention } from "./toasts";

/** Puts text on the clipboard and says so; `what` names it where it is long. */
export async function copy(text: string, what = text.length > 80 ? `${text.slice(0, 79)}…` : text) {
  await toClipboard(text);
  mention(i18next.t(($) => $.copied, { text: what }));
}

export async function toClipboard(text: string) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page that may not use the clipboard may still copy a selection.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
