import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { Fragment, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Image } from "../../bindings";
import { Button } from "../../components/button";
import { table } from "../../components/frame";
import { type Entry, Menu, PointerMenu } from "../../components/menu";
import { Failed, Notice } from "../../components/notice";
import { Head, Rows } from "../../components/rows";
import { Dot, State } from "../../components/state";
import { LabLinks } from "../labs/lab-links";
import { ipc } from "../../ipc";
import { copy } from "../../lib/copy";
import { placesQuery } from "../../lib/queries";
import { useRowKeys } from "../../lib/row-keys";
import { size } from "../../lib/sizes";
import { mention } from "../../lib/toasts";
import { moment, sentence } from "../../lib/words";

/** The images on this computer. */
export function ImageTable({ images, onRemove }: { images: Image[]; onRemove: (image: Image) => void }) {
  const { t } = useTranslation("images");
  const list = useRef<HTMLDivElement>(null);
  useRowKeys(list);
  const columns: [string, string][] = [
    [t(($) => $.columns.name), "w-[18%]"],
    [t(($) => $.columns.source), ""],
    [t(($) => $.columns.disk), "w-18 text-right"],
    [t(($) => $.columns.file), "w-21 text-right"],
    [t(($) => $.columns.added), "w-35"],
    [t(($) => $.columns.used), "w-[15%]"],
    [t(($) => $.columns.digest), "w-30"],
  ];
  return (
    <div ref={list} className={`${table.frame} shrink-0`}>
      <table className={`${table.table} min-w-[900px] table-fixed`} aria-label={t(($) => $.here)}>
        <Head columns={columns} end="w-10" />
        <Rows items={images} columns={8} row={(image) => <ImageRow key={image.name} image={image} onRemove={() => onRemove(image)} />} />
      </table>
    </div>
  );
}

function ImageRow({ image, onRemove }: { image: Image; onRemove: () => void }) {
  const { t } = useTranslation("images");
  const { t: c } = useTranslation();
  const { name, digest, source, virtual_size, file_mib, added, used_by } = image;
  const [open, setOpen] = useState(false);
  const verify = useMutation({
    mutationFn: () => ipc.verifyImage(name),
    onSuccess: (right) => right && mention(t(($) => $.verify.right, { name })),
    meta: { failureTitle: t(($) => $.verify.failed, { name }) },
  });
  const entries: Entry[] = [
    { label: open ? t(($) => $.actions.placesHide, { name }) : t(($) => $.actions.places, { name }), onSelect: () => setOpen(!open) },
    { label: t(($) => $.actions.verify, { name }), disabled: verify.isPending, onSelect: () => verify.mutate() },
    { label: t(($) => $.actions.copyDigest, { name }), onSelect: () => void copy(digest) },
    { label: t(($) => $.actions.copySource, { name }), onSelect: () => void copy(source) },
    "line",
    { label: t(($) => $.actions.remove, { name }), danger: true, onSelect: onRemove },
  ];
  return (
    <Fragment>
      <PointerMenu entries={entries}>
        <tr className={table.row}>
          <td className={table.cell}>
            <span className="flex min-w-0 items-center gap-2">
              <button type="button" data-row aria-expanded={open} className="min-w-0 truncate font-strong hover:underline" title={name} onClick={() => setOpen(!open)}>
                {name}
              </button>
              {verify.isPending && <State tone="changing" word={t(($) => $.verify.working)} />}
              {verify.data === true && <State tone="running" word={t(($) => $.verify.rightShort)} />}
            </span>
          </td>
          <td className={`${table.cell} truncate text-dim`} title={source.slice(0, 2_000)}>
            {source.replace(/^https?:\/\//, "")}
          </td>
          <td className={`${table.cell} text-right`}>{virtual_size}</td>
          <td className={`${table.cell} text-right`}>{size(file_mib)}</td>
          <td className={`${table.cell} text-dim`}>{moment(added)}</td>
          <td className={`${table.cell} truncate`} title={used_by.join(", ")}>
            <LabLinks labs={used_by} most={3} none={t(($) => $.unused)} />
          </td>
          <td className={table.cell}>
            <button type="button" className="-mx-1 rounded-ui px-1 font-mono text-dim hover:bg-selected hover:text-text" title={digest} aria-label={t(($) => $.actions.copyDigest, { name })} onClick={() => void copy(digest)}>
              {digest.slice(0, 12)}
            </button>
          </td>
          <td className="pr-1.5 text-right">
            <Menu entries={entries}>
              <Button kind="quiet" className="h-6 px-1" aria-label={c(($) => $.actionsOf, { name })}>
                <Ellipsis className="size-4" />
              </Button>
            </Menu>
          </td>
        </tr>
      </PointerMenu>
      {(open || verify.data === false) && (
        <tr className="border-b border-line bg-window last:border-0">
          <td colSpan={8} className="px-3 py-2 whitespace-normal">
            {verify.data === false && <Notice tone="failed" title={t(($) => $.verify.wrong, { name })} hint={t(($) => $.verify.wrongHint)} />}
            {open && <Places name={name} />}
          </td>
        </tr>
      )}
    </Fragment>
  );
}

/** On which hosts disks stand on the image. The hosts are asked only when somebody wants to know. */
function Places({ name }: { name: string }) {
  const { t } = useTranslation("images");
  const places = useQuery(placesQuery(name));
  return (
    <section aria-label={t(($) => $.places.title, { name })} className="flex flex-col gap-1">
      {places.isPending && (
        <p role="status" className="text-changing">
          {t(($) => $.places.looking)}
        </p>
      )}
      {places.isError && <Failed title={t(($) => $.places.failed)} error={places.error} onRetry={() => void places.refetch()} />}
      {places.data?.length === 0 && <p className="text-dim">{t(($) => $.places.none)}</p>}
      {places.data?.map(({ host, path, bytes_mib, error }) => (
        <p key={host} className="flex min-w-0 items-center gap-2">
          <Dot tone={error ? "failed" : path ? "running" : "unknown"} />
          <Link to="/hosts/$host" params={{ host }} className="w-36 shrink-0 truncate hover:underline" title={host}>
            {host}
          </Link>
          <span className={`min-w-0 truncate ${path ? "font-mono" : "text-dim"}`} title={(error ?? path ?? "").slice(0, 2_000)}>
            {error ? sentence(error) : (path ?? t(($) => $.places.notThere))}
          </span>
          {bytes_mib !== null && <span className="shrink-0 text-dim">{size(bytes_mib)}</span>}
        </p>
      ))}
      <p className="text-small text-dim">{t(($) => $.places.store)}</p>
    </section>
  );
}
