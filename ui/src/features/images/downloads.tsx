// Images on their way: a line each, on their page and in the sidebar.

import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Progress } from "../../components/meter";
import { Failed } from "../../components/notice";
import { State } from "../../components/state";
import { type Download, dismissDownload, resumeDownload, stopDownload, useDownloads } from "../../lib/downloads";
import { share } from "../../lib/sizes";
import { duration, rate, sentence } from "../../lib/words";

/** For the sidebar: what is on its way, with a bar. Nothing where nothing is. */
export function Downloads() {
  const { t } = useTranslation("images");
  const working = useDownloads().filter(({ state }) => state === "working" || state === "stopping");
  if (working.length === 0) return null;
  return (
    <section aria-label={t(($) => $.downloads.title)} className="border-t border-line py-1.5">
      <h2 className="px-4 pb-0.5 text-small text-dim">{t(($) => $.downloads.title)}</h2>
      {working.map((one) => (
        <Link key={one.name} to="/images" title={`${one.name}: ${wordsOf(one, t)}`} className="mx-2 flex h-7 items-center gap-2 rounded-ui px-2 hover:bg-hover">
          <span className="min-w-0 flex-1 truncate">{one.name}</span>
          <span className="w-16 shrink-0">
            <Progress label={t(($) => $.downloads.progress, { name: one.name })} value={one.done_mib} total={one.source.kind === "recipe" ? null : one.total_mib} />
          </span>
        </Link>
      ))}
    </section>
  );
}

/** For the page of images: all that is on its way or stopped there. */
export function DownloadList() {
  const { t } = useTranslation("images");
  const downloads = useDownloads();
  if (downloads.length === 0) return null;
  return (
    <section aria-label={t(($) => $.downloads.title)} className="flex shrink-0 flex-col gap-1.5">
      <h2 className="font-strong">{t(($) => $.downloads.title)}</h2>
      <ul className="rounded-ui border border-line bg-panel">
        {downloads.map((one) => (
          <Line key={one.name} download={one} />
        ))}
      </ul>
    </section>
  );
}

function Line({ download }: { download: Download }) {
  const { t } = useTranslation("images");
  const { name, state, source, done_mib: done, total_mib: total, error } = download;
  const isAtWork = state === "working" || state === "stopping";
  return (
    <li className="border-b border-line last:border-0">
      <div className="flex h-9 items-center gap-3 px-3">
        <span className="w-44 shrink-0 truncate font-strong" title={name}>
          {name}
        </span>
        {isAtWork ? (
          <span className="min-w-16 flex-1">
            <Progress label={t(($) => $.downloads.progress, { name })} value={done} total={source.kind === "recipe" ? null : total} />
          </span>
        ) : (
          <span className="flex-1">
            <State tone={state === "failed" ? "failed" : "stopped"} word={state === "failed" ? t(($) => $.downloads.failed) : total ? stoppedAt(download, t) : t(($) => $.downloads.stoppedEarly)} />
          </span>
        )}
        {isAtWork && (
          <span className="max-w-[55%] truncate text-dim" title={wordsOf(download, t)}>
            {wordsOf(download, t)}
          </span>
        )}
        {isAtWork ? (
          <Button title={t(($) => $.downloads.stopNote)} disabled={state === "stopping"} onClick={() => void stopDownload(name)}>
            {t(($) => $.downloads.stop)}
          </Button>
        ) : (
          <>
            <Button onClick={() => void resumeDownload(download)}>{state === "failed" ? t(($) => $.downloads.tryAgain) : t(($) => $.downloads.goOn)}</Button>
            <Button kind="quiet" className="px-1" aria-label={t(($) => $.downloads.dismiss, { name })} onClick={() => dismissDownload(name)}>
              <X className="size-4" />
            </Button>
          </>
        )}
      </div>
      {error && (
        <div className="px-3 pb-2">
          <Failed title={t(($) => $.downloads.failed)} error={error} />
        </div>
      )}
    </li>
  );
}

type T = ReturnType<typeof useTranslation<"images">>["t"];

function stoppedAt({ done_mib, total_mib }: Download, t: T): string {
  const [part, whole] = share(done_mib, total_mib ?? 0);
  return t(($) => $.downloads.stopped, { part, whole });
}

/** How far it is, how fast, and how long it will take; or what is done now. */
function wordsOf({ state, source, step, done_mib: done, total_mib: total, speed }: Download, t: T): string {
  if (state === "stopping") return t(($) => $.downloads.stopping);
  if (step) return sentence(step);
  if (source.kind === "recipe") return t(($) => $.downloads.builds);
  if (total === null) return t(($) => $.downloads.begins);
  const [part, whole] = share(done, total);
  const words = [t(($) => $.downloads.of, { part, whole })];
  if (speed) words.push(rate(speed * 1024 * 1024), t(($) => $.downloads.left, { time: duration(((total - done) / speed) * 1000) }));
  return words.join(" · ");
}
