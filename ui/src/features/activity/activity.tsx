// Who did what, when and on what: the audit, filtered by what somebody types.

import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Ref, useState } from "react";
import { useTranslation } from "react-i18next";
import type { AuditRow } from "../../bindings";
import { Button } from "../../components/button";
import { Empty, Loading, table } from "../../components/frame";
import { type Entry, PointerMenu } from "../../components/menu";
import { Failed, Notice } from "../../components/notice";
import { Head, Rows } from "../../components/rows";
import { ipc } from "../../ipc";
import { useActions } from "../../lib/actions";
import { copy } from "../../lib/copy";
import { auditQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";
import { moment, sentence } from "../../lib/words";

/** So many lines are asked for at first, and four times as many each time somebody wants older ones. */
const FIRST = 500;

export function ActivityTable({ lab, text, labs, onClear, onLab }: { lab: string | null; text: string; labs: Set<string>; onClear?: () => void; onLab?: (lab: string) => void }) {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const [limit, setLimit] = useState(FIRST);
  const rows = useQuery({ ...auditQuery(lab, text, limit), placeholderData: keepPreviousData });
  const columns: [string, string][] = [
    [t(($) => $.activity.columns.at), "w-36"],
    [t(($) => $.activity.columns.who), "w-24"],
    [t(($) => $.activity.columns.action), "w-30"],
    [t(($) => $.activity.columns.object), "w-[20%]"],
    [t(($) => $.activity.columns.detail), ""],
    [t(($) => $.activity.columns.line), "w-20 text-right"],
  ];
  if (rows.isPending) return <Loading what={c(($) => $.activity)} rows={8} />;
  if (rows.isError) return <Failed title={t(($) => $.activity.failed)} error={rows.error} onRetry={() => void rows.refetch()} />;
  if (rows.data.length === 0)
    return text ? (
      <Empty title={t(($) => $.activity.nothing, { text: text.slice(0, 200) })}>{onClear && <Button onClick={onClear}>{t(($) => $.activity.clear)}</Button>}</Empty>
    ) : lab ? (
      <Empty title={t(($) => $.activity.nothingOfLab, { lab })}>{onClear && <Button onClick={onClear}>{t(($) => $.activity.clear)}</Button>}</Empty>
    ) : (
      <Empty title={t(($) => $.activity.none.title)}>
        <p className="text-dim">{t(($) => $.activity.none.message)}</p>
      </Empty>
    );
  const row = (one: AuditRow) => <ActivityRow key={one.line} row={one} isLab={labs.has(one.object)} onLab={onLab} />;
  return (
    <>
      <div className={`${table.frame} shrink-0`}>
        <table className={`${table.table} min-w-[860px] table-fixed`} aria-label={c(($) => $.activity)}>
          <Head columns={columns} />
          <Rows items={rows.data} columns={columns.length} row={row} />
        </table>
      </div>
      <div className="flex items-center justify-center gap-3 text-dim">
        {rows.data.length < limit ? t(($) => $.activity.shown, { count: rows.data.length }) : t(($) => $.activity.last, { count: rows.data.length })}
        {rows.data.length >= limit && (
          <Button disabled={rows.isFetching} onClick={() => setLimit(limit * 4)}>
            {t(($) => $.activity.more)}
          </Button>
        )}
      </div>
    </>
  );
}

function ActivityRow({ row: { line, at, who, action, object, detail }, isLab, onLab }: { row: AuditRow; isLab: boolean; onLab?: (lab: string) => void }) {
  const { t } = useTranslation("settings");
  const entries: Entry[] = [
    { label: t(($) => $.activity.copyLine), onSelect: () => void copy([line, at, who, action, object, detail].join("\t")) },
    ...(isLab && onLab ? [{ label: t(($) => $.activity.onlyLab, { lab: object }), onSelect: () => onLab(object) }] : []),
  ];
  return (
    <PointerMenu entries={entries}>
      <tr className={table.row}>
        <td className={`${table.cell} text-dim`} title={at}>
          {moment(at)}
        </td>
        <td className={`${table.cell} truncate`} title={who}>
          {who}
        </td>
        <td className={`${table.cell} truncate font-mono`} title={action}>
          {action}
        </td>
        <td className={`${table.cell} truncate`} title={object.slice(0, 2_000)}>
          {isLab ? (
            <Link to="/labs/$lab" params={{ lab: object }} className="hover:underline">
              {object}
            </Link>
          ) : (
            object
          )}
        </td>
        <td className={`${table.cell} truncate text-dim`} title={detail.slice(0, 2_000)}>
          {detail}
        </td>
        <td className={`${table.cell} text-right text-dim`}>{line}</td>
      </tr>
    </PointerMenu>
  );
}

/** The field that filters; `/` goes to it. */
export function ActivityFilter({ ref, text, onText }: { ref: Ref<HTMLInputElement>; text: string; onText: (text: string) => void }) {
  const { t } = useTranslation("settings");
  return (
    <input
      ref={ref}
      type="search"
      aria-label={t(($) => $.activity.filter)}
      placeholder={t(($) => $.activity.filter)}
      value={text}
      onChange={(event) => onText(event.target.value)}
      onKeyDown={(event) => event.key === "Escape" && (onText(""), event.currentTarget.blur())}
      className="h-7 w-64 min-w-0 rounded-ui border border-line-strong bg-panel px-2 placeholder:text-dim"
    />
  );
}

/** Verifying and exporting the whole record: buttons, and what came of it. */
export function useRecord() {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const verify = useMutation({ mutationFn: () => ipc.verifyAudit() });
  const save = useMutation({
    mutationFn: () => ipc.exportAudit(),
    onSuccess: (path) => path && mention(t(($) => $.activity.exported, { path })),
    meta: { failureTitle: t(($) => $.activity.exportFailed) },
  });
  const group = c(($) => $.activity);
  useActions([
    { id: "audit-verify", title: t(($) => $.activity.verifyLong), group, run: () => verify.mutate() },
    { id: "audit-export", title: t(($) => $.activity.export), group, run: () => save.mutate() },
  ]);
  const actions = (
    <>
      <Button disabled={verify.isPending} title={t(($) => $.activity.verifyLong)} onClick={() => verify.mutate()}>
        {verify.isPending ? t(($) => $.activity.verifying) : t(($) => $.activity.verify)}
      </Button>
      <Button disabled={save.isPending} title={t(($) => $.activity.export)} onClick={() => save.mutate()}>
        {t(($) => $.activity.exportDots)}
      </Button>
    </>
  );
  const found = verify.isError ? (
    <Failed title={t(($) => $.activity.verifyFailed)} error={verify.error} onRetry={() => verify.mutate()} />
  ) : verify.isSuccess && verify.data === null ? (
    <Notice tone="running" title={t(($) => $.activity.right)} message={t(($) => $.activity.rightMessage)} actions={<Button onClick={() => verify.reset()}>{c(($) => $.close)}</Button>} />
  ) : verify.isSuccess ? (
    <Notice tone="failed" title={t(($) => $.activity.wrong)} message={sentence(verify.data ?? "")} hint={t(($) => $.activity.wrongHint)} />
  ) : null;
  return { actions, found };
}
