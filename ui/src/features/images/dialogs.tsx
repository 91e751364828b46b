// Questions about images: from which address, which file, and whether one really goes.

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Image } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import { Failed } from "../../components/notice";
import { ipc } from "../../ipc";
import { fetchImage } from "../../lib/downloads";
import { size } from "../../lib/sizes";
import { mention } from "../../lib/toasts";
import { addressSlips, nameForUrl, nameSlip } from "./image-form";

export function FromAddress({ taken, onClose }: { taken: string[]; onClose: () => void }) {
  const { t } = useTranslation("images");
  const { t: c } = useTranslation();
  const [url, setUrl] = useState("");
  const [typed, setTyped] = useState<string | null>(null);
  const [sha256, setSha256] = useState("");
  const [tried, setTried] = useState(false);
  const name = typed ?? nameForUrl(url);
  const wrong = addressSlips({ url, name, sha256 }, taken);
  const said = (part: "url" | "name" | "sha256") => (tried && wrong[part] ? t(($) => $.address.errors[wrong[part]!]) : null);
  return (
    <Dialog
      title={t(($) => $.address.title)}
      onClose={onClose}
      onSubmit={() => {
        setTried(true);
        if (Object.keys(wrong).length > 0) return;
        void fetchImage(name, { kind: "address", url: url.trim(), sha256: sha256.trim() || null });
        onClose();
      }}
      actions={
        <>
          <Button onClick={onClose}>{c(($) => $.cancel)}</Button>
          <Button kind="primary" type="submit">
            {t(($) => $.address.submit)}
          </Button>
        </>
      }
    >
      <p className="text-dim">{t(($) => $.address.intro)}</p>
      <Field id="image-url" label={t(($) => $.address.url)} placeholder="https://images.example.net/fw.qcow2" autoFocus value={url} error={said("url")} onChange={(event) => setUrl(event.target.value)} />
      <Field id="image-sha256" label={t(($) => $.address.sha256)} note={t(($) => $.address.sha256Note)} value={sha256} error={said("sha256")} onChange={(event) => setSha256(event.target.value)} />
      <Field id="image-name" label={t(($) => $.address.name)} value={name} error={said("name")} onChange={(event) => setTyped(event.target.value)} />
    </Dialog>
  );
}

export function FromFile({ taken, onClose }: { taken: string[]; onClose: () => void }) {
  const { t } = useTranslation("images");
  const { t: c } = useTranslation();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [tried, setTried] = useState(false);
  const slip = nameSlip(name, taken);
  const add = useMutation({
    mutationFn: () => ipc.addImage(name),
    onSuccess: (image) => {
      // Nothing was picked: the name stays for another try.
      if (!image) return;
      void client.invalidateQueries({ queryKey: ["images"] });
      mention(t(($) => $.file.added, { name: image.name, size: image.virtual_size }));
      onClose();
    },
  });
  return (
    <Dialog
      title={t(($) => $.file.title)}
      onClose={onClose}
      onSubmit={() => {
        setTried(true);
        if (!slip && !add.isPending) add.mutate();
      }}
      actions={
        <>
          <Button onClick={onClose}>{c(($) => $.cancel)}</Button>
          <Button kind="primary" type="submit" disabled={add.isPending}>
            {add.isPending ? t(($) => $.file.copying) : t(($) => $.file.submit)}
          </Button>
        </>
      }
    >
      <p className="text-dim">{t(($) => $.file.intro)}</p>
      <Field id="file-name" label={t(($) => $.file.name)} placeholder="fw-2.1" autoFocus value={name} disabled={add.isPending} error={tried && slip ? t(($) => $.address.errors[slip]) : null} onChange={(event) => setName(event.target.value)} />
      {add.isError && <Failed title={t(($) => $.file.failed, { name })} error={add.error} />}
    </Dialog>
  );
}

export function RemoveImage({ image: { name, file_mib, used_by, source }, onClose }: { image: Image; onClose: () => void }) {
  const { t } = useTranslation("images");
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => ipc.removeImage(name),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ["images"] });
      mention(t(($) => $.remove.done, { name }));
      onClose();
    },
  });
  return (
    <Dialog
      title={t(($) => $.remove.title, { name })}
      onClose={onClose}
      actions={
        <>
          <Button autoFocus onClick={onClose}>
            {t(($) => $.remove.keep)}
          </Button>
          <Button kind="danger" className="min-w-0 shrink" disabled={remove.isPending} onClick={() => remove.mutate()}>
            <span className="truncate">{t(($) => $.remove.submit, { name })}</span>
          </Button>
        </>
      }
    >
      <p>{t(($) => $.remove.message, { size: size(file_mib) })}</p>
      {used_by.length > 0 && (
        <>
          <p>{t(($) => $.remove.used, { count: used_by.length })}</p>
          <ul className="max-h-40 overflow-auto rounded-ui border border-line">
            {used_by.map((lab) => (
              <li key={lab} className="border-b border-line last:border-0">
                <Link to="/labs/$lab" params={{ lab }} className="block truncate px-2 py-1 hover:bg-hover">
                  {lab}
                </Link>
              </li>
            ))}
          </ul>
        </>
      )}
      {source.startsWith("/") && <p className="text-attention">{t(($) => $.remove.ownLost)}</p>}
      {remove.isError && <Failed title={t(($) => $.remove.failed, { name })} error={remove.error} />}
    </Dialog>
  );
}
