import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { AppSettings, PickFor, ToolInfo } from "../../bindings";
import { Button } from "../../components/button";
import { Loading, table } from "../../components/frame";
import { Failed } from "../../components/notice";
import { Head } from "../../components/rows";
import { State } from "../../components/state";
import { ipc } from "../../ipc";
import { settingsQuery, toolsQuery } from "../../lib/queries";
import { sentence } from "../../lib/words";
import { Part, SaveBar } from "./part";
import { useSave } from "./use-save";

/** The programs that labs need, what is wrong with them, and which to use instead. */
export function Tools() {
  const { t } = useTranslation("settings");
  const tools = useQuery(toolsQuery);
  const settings = useQuery(settingsQuery);
  return (
    <div className="flex flex-col gap-6">
      <Part note={t(($) => $.tools.note)} wide>
        {tools.isPending ? (
          <Loading what={t(($) => $.parts.tools)} rows={6} />
        ) : tools.isError ? (
          <Failed title={t(($) => $.tools.failed)} error={tools.error} onRetry={() => void tools.refetch()} />
        ) : (
          <>
            <ToolTable tools={tools.data} />
            <Button className="self-start" disabled={tools.isFetching} onClick={() => void tools.refetch()}>
              {t(($) => $.tools.again)}
            </Button>
          </>
        )}
      </Part>
      {settings.isError && <Failed title={t(($) => $.readFailed)} error={settings.error} onRetry={() => void settings.refetch()} />}
      {settings.data && <Programs settings={settings.data} />}
    </div>
  );
}

function ToolTable({ tools }: { tools: ToolInfo[] }) {
  const { t } = useTranslation("settings");
  const columns: [string, string][] = [
    [t(($) => $.tools.columns.tool), "w-40"],
    [t(($) => $.tools.columns.version), "w-30"],
    [t(($) => $.tools.columns.state), "w-36"],
    [t(($) => $.tools.columns.source), "w-32"],
    [t(($) => $.tools.columns.path), ""],
  ];
  const source = (word: string | null) => {
    const known = (["settings", "ours", "system", "registry"] as const).find((one) => one === word);
    return known ? t(($) => $.tools.sources[known]) : word;
  };
  return (
    <div className={table.frame}>
      <table className={`${table.table} min-w-[720px] table-fixed`} aria-label={t(($) => $.parts.tools)}>
        <Head columns={columns} />
        <tbody>
          {tools.map(({ name, path, version, digest, source: from, problem, remedy }) => (
            <tr key={name} className={table.row}>
              <td className={`${table.cell} truncate font-strong`}>{name}</td>
              <td className={`${table.cell} truncate`}>{version}</td>
              <td className={table.cell}>
                {problem === null ? <State tone="running" word={t(($) => $.tools.fine)} /> : <State tone={path ? "attention" : "failed"} word={path ? t(($) => $.tools.unfit) : t(($) => $.tools.missing)} />}
              </td>
              <td className={`${table.cell} truncate text-dim`}>{source(from)}</td>
              <td className={`${table.cell} ${problem ? "py-1 whitespace-normal wrap-anywhere" : "truncate font-mono text-dim"}`} title={[problem, remedy, path, digest && `SHA-256 ${digest}`].filter(Boolean).join("\n")}>
                {problem ? (
                  <>
                    {sentence(problem)}
                    {remedy && <span className="text-dim">: {remedy}</span>}
                  </>
                ) : (
                  path
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Programs({ settings }: { settings: AppSettings }) {
  const { t } = useTranslation("settings");
  const [picked, setPicked] = useState<Partial<Record<PickFor, string | null>>>({});
  const save = useSave();
  const pick = useMutation({
    mutationFn: (what: PickFor) => ipc.pickFile(what),
    onSuccess: (path, what) => path && setPicked((all) => ({ ...all, [what]: path })),
    meta: { failureTitle: t(($) => $.tools.chooseFailed) },
  });
  const wanted = { ...settings, ...picked };
  const changed = wanted.terraform !== settings.terraform || wanted.ansible_playbook !== settings.ansible_playbook;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(wanted, { onSuccess: () => setPicked({}) });
      }}
    >
      <Part>
        <div>
          <h2 className="font-strong">{t(($) => $.tools.pick)}</h2>
          <p className="text-dim">{t(($) => $.tools.pickNote)}</p>
        </div>
        {(["terraform", "ansible_playbook"] as const).map((what) => (
          <div key={what} className="flex flex-col gap-1">
            <span className="text-small text-dim">{t(($) => $.tools[what])}</span>
            <div className="flex items-center gap-2">
              <span className={`flex h-7 min-w-0 flex-1 items-center rounded-ui border border-line bg-panel px-2 ${wanted[what] ? "font-mono" : "text-dim"}`}>
                <span className="selectable truncate" title={wanted[what] ?? undefined}>
                  {wanted[what] ?? t(($) => $.tools.byPath)}
                </span>
              </span>
              {wanted[what] && (
                <Button kind="quiet" aria-label={`${t(($) => $.tools.clear)}: ${t(($) => $.tools[what])}`} onClick={() => setPicked((all) => ({ ...all, [what]: null }))}>
                  {t(($) => $.tools.clear)}
                </Button>
              )}
              <Button aria-label={`${t(($) => $.tools.choose)} ${t(($) => $.tools[what])}`} onClick={() => pick.mutate(what)}>
                {t(($) => $.tools.choose)}
              </Button>
            </div>
          </div>
        ))}
        <SaveBar changed={changed} saving={save.isPending} saved={save.isSuccess} error={save.error} note={`${t(($) => $.nextStart)} ${t(($) => $.file, { path: settings.path })}`} onDiscard={() => setPicked({})} />
      </Part>
    </form>
  );
}
