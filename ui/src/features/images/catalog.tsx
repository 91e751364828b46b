import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { CatalogEntry } from "../../bindings";
import { Button } from "../../components/button";
import { Loading, table } from "../../components/frame";
import { type Entry, PointerMenu } from "../../components/menu";
import { Failed } from "../../components/notice";
import { Head, Rows } from "../../components/rows";
import { State } from "../../components/state";
import { useActions } from "../../lib/actions";
import { copy } from "../../lib/copy";
import { fetchImage, useDownloads } from "../../lib/downloads";
import { catalogQuery, imagesQuery, recipesQuery } from "../../lib/queries";

/** What can be had by one click. */
export function Catalog() {
  const { t } = useTranslation("images");
  const { t: c } = useTranslation();
  const catalog = useQuery(catalogQuery);
  const recipes = useQuery(recipesQuery);
  const images = useQuery(imagesQuery);
  const downloads = useDownloads();
  const [text, setText] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const makes = new Map(recipes.data?.map((recipe) => [recipe.name, recipe.makes]));
  const listed = catalog.data ?? [];
  // A recipe makes an image that nobody may offer for download.
  const onlyBuilt = (recipes.data ?? [])
    .filter(({ name }) => catalog.data && !listed.some((entry) => entry.name === name))
    .map(({ name, makes }): CatalogEntry => ({ name, title: makes, url: "", verified_by: "", own: false, here: images.data?.some((image) => image.name === name) ?? false, recipe: true, user: null }));
  const all = [...listed, ...onlyBuilt];
  useActions([
    { id: "catalog-search", title: t(($) => $.catalog.search), group: c(($) => $.images), keys: "/", run: () => field.current?.focus() },
    ...listed.filter(({ here }) => !here).map(({ name, title }) => ({ id: `pull ${name}`, title: t(($) => $.actions.download, { name }), words: title, group: c(($) => $.images), run: () => void fetchImage(name, { kind: "catalog" }) })),
    ...all.filter(({ recipe }) => recipe).map(({ name, title }) => ({ id: `build ${name}`, title: t(($) => $.actions.build, { name }), words: makes.get(name) ?? title, group: c(($) => $.images), run: () => void fetchImage(name, { kind: "recipe" }) })),
  ]);
  const wanted = text.trim().toLowerCase();
  const found = all.filter(({ name, title, user }) => `${name} ${title} ${user ?? ""}`.toLowerCase().includes(wanted));
  const busy = new Set(downloads.filter(({ state }) => state === "working" || state === "stopping").map(({ name }) => name));
  const columns: [string, string][] = [
    [t(($) => $.catalog.columns.name), "w-[18%]"],
    [t(($) => $.catalog.columns.title), ""],
    [t(($) => $.catalog.columns.user), "w-28"],
    [t(($) => $.catalog.columns.verified), "w-38"],
    [t(($) => $.catalog.columns.here), "w-20"],
  ];
  return (
    <section aria-label={t(($) => $.catalog.title)} className="flex shrink-0 flex-col gap-1.5">
      <div className="flex items-center gap-3">
        <h2 className="font-strong">{t(($) => $.catalog.title)}</h2>
        {catalog.data && <span className="text-dim">{found.length}</span>}
        <input
          ref={field}
          type="search"
          aria-label={t(($) => $.catalog.search)}
          placeholder={t(($) => $.catalog.search)}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => event.key === "Escape" && (setText(""), field.current?.blur())}
          className="ml-auto h-7 w-64 rounded-ui border border-line-strong bg-panel px-2 placeholder:text-dim"
        />
      </div>
      {catalog.isPending ? (
        <Loading what={t(($) => $.catalog.title)} rows={8} />
      ) : catalog.isError ? (
        <Failed title={t(($) => $.catalog.failed)} error={catalog.error} onRetry={() => void catalog.refetch()} />
      ) : found.length === 0 ? (
        <p className="py-4 text-center text-dim wrap-anywhere">{t(($) => $.catalog.nothing, { text: text.trim() })}</p>
      ) : (
        <div className={table.frame}>
          <table className={`${table.table} min-w-[820px] table-fixed`} aria-label={t(($) => $.catalog.title)}>
            <Head columns={columns} end="w-48" />
            <Rows items={found} columns={6} row={(entry) => <EntryRow key={entry.name} entry={entry} makes={makes.get(entry.name)} busy={busy.has(entry.name)} />} />
          </table>
        </div>
      )}
    </section>
  );
}

function EntryRow({ entry: { name, title, url, verified_by, own, here, recipe, user }, makes, busy }: { entry: CatalogEntry; makes: string | undefined; busy: boolean }) {
  const { t } = useTranslation("images");
  const isUnverified = verified_by === "nothing";
  const pull = () => void fetchImage(name, { kind: "catalog" });
  const build = () => void fetchImage(name, { kind: "recipe" });
  const entries: Entry[] = [
    ...(url ? [{ label: t(($) => $.actions.download, { name }), disabled: busy, onSelect: pull }] : []),
    ...(recipe ? [{ label: t(($) => $.actions.build, { name }), disabled: busy, onSelect: build }] : []),
    ...(url ? [{ label: t(($) => $.actions.copySource, { name }), onSelect: () => void copy(url) }] : []),
  ];
  return (
    <PointerMenu entries={entries}>
      <tr className={table.row}>
        <td className={`${table.cell} truncate font-strong`} title={name}>
          {name}
          {own && <span className="font-normal text-dim"> {t(($) => $.catalog.own)}</span>}
        </td>
        <td className={`${table.cell} truncate`} title={`${title.slice(0, 2_000)}\n${url.slice(0, 2_000)}`}>
          {title}
        </td>
        <td className={`${table.cell} truncate text-dim`}>{user}</td>
        <td className={`${table.cell} truncate ${isUnverified ? "text-attention" : "text-dim"}`}>{isUnverified ? t(($) => $.catalog.verifiedNothing) : verified_by}</td>
        <td className={table.cell}>{here && <State tone="running" word={t(($) => $.catalog.isHere)} />}</td>
        <td className="px-1.5">
          <span className="flex items-center justify-end gap-1.5">
            {recipe && (
              <Button kind="quiet" className="h-6" disabled={busy} title={makes} aria-label={t(($) => $.actions.build, { name })} onClick={build}>
                {t(($) => $.catalog.build)}
              </Button>
            )}
            {url && (
              <Button kind={here ? "quiet" : "plain"} className="h-6" disabled={busy} aria-label={t(($) => $.actions.download, { name })} onClick={pull}>
                {here ? t(($) => $.catalog.again) : t(($) => $.catalog.download)}
              </Button>
            )}
          </span>
        </td>
      </tr>
    </PointerMenu>
  );
}
