// Lists by the keys of editors: j and k go from row to row, Enter opens what has the focus, by itself.

import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import { useActions } from "./actions";

/** Lets j and k move the focus among the elements marked `data-row` in `list`. */
export function useRowKeys(list: RefObject<HTMLElement | null>) {
  const { t } = useTranslation();
  const go = (step: number) => {
    const rows = [...(list.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
    const now = rows.findIndex((row) => row === document.activeElement || row.closest("tr, li")?.contains(document.activeElement));
    const next = rows[now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, now + step))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };
  useActions([
    { id: "row-next", title: t(($) => $.rowNext), group: t(($) => $.view), keys: "j", hidden: true, run: () => go(1) },
    { id: "row-previous", title: t(($) => $.rowPrevious), group: t(($) => $.view), keys: "k", hidden: true, run: () => go(-1) },
  ]);
}
