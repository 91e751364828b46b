import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Image } from "../bindings";
import { Button } from "../components/button";
import { Loading, Page } from "../components/frame";
import { Failed } from "../components/notice";
import { Catalog } from "../features/images/catalog";
import { FromAddress, FromFile, RemoveImage } from "../features/images/dialogs";
import { DownloadList } from "../features/images/downloads";
import { ImageTable } from "../features/images/image-table";
import { useActions } from "../lib/actions";
import { imagesQuery } from "../lib/queries";

export function ImagesPage() {
  const { t } = useTranslation("images");
  const { t: c } = useTranslation();
  const images = useQuery(imagesQuery);
  const [asked, setAsked] = useState<"address" | "file" | Image | null>(null);
  const close = () => setAsked(null);
  const group = c(($) => $.images);
  useActions([
    { id: "image-address", title: t(($) => $.actions.address), group, run: () => setAsked("address") },
    { id: "image-file", title: t(($) => $.actions.file), group, keys: "a", run: () => setAsked("file") },
    ...(images.data ?? []).map((image) => ({ id: `image-remove ${image.name}`, title: t(($) => $.actions.remove, { name: image.name }), group, run: () => setAsked(image) })),
  ]);
  const taken = images.data?.map(({ name }) => name) ?? [];
  return (
    <Page
      title={c(($) => $.images)}
      actions={
        <>
          <Button onClick={() => setAsked("address")}>{t(($) => $.actions.addressDots)}</Button>
          <Button onClick={() => setAsked("file")}>{t(($) => $.actions.fileDots)}</Button>
        </>
      }
    >
      <DownloadList />
      <section aria-label={t(($) => $.here)} className="flex shrink-0 flex-col gap-1.5">
        <h2 className="flex gap-3 font-strong">
          {t(($) => $.here)} <span className="font-normal text-dim">{images.data?.length}</span>
        </h2>
        {images.isPending ? (
          <Loading what={c(($) => $.images)} />
        ) : images.isError ? (
          <Failed title={t(($) => $.hereFailed)} error={images.error} onRetry={() => void images.refetch()} />
        ) : images.data.length === 0 ? (
          <div className="rounded-ui border border-dashed border-line-strong px-3 py-4">
            <h3 className="font-strong">{t(($) => $.none.title)}</h3>
            <p className="max-w-[640px] text-dim">{t(($) => $.none.message)}</p>
          </div>
        ) : (
          <ImageTable images={images.data} onRemove={setAsked} />
        )}
      </section>
      <Catalog />
      {asked === "address" && <FromAddress taken={taken} onClose={close} />}
      {asked === "file" && <FromFile taken={taken} onClose={close} />}
      {asked !== null && typeof asked === "object" && <RemoveImage image={asked} onClose={close} />}
    </Page>
  );
}
