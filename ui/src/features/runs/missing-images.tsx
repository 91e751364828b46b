import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { PullProgress } from "../../bindings";
import { Button } from "../../components/button";
import { Progress } from "../../components/meter";
import { Failed, Notice } from "../../components/notice";
import { buildImage, commandError, ipc, pullImage } from "../../ipc";
import { sentence } from "../../lib/words";

/** Images that must be there before a plan can be made: builds or downloads them here, one after the other. */
export function MissingImages({ images, how, onDone }: { images: string[]; how: "build" | "pull"; onDone: () => void }) {
  const { t } = useTranslation("runs");
  const [current, setCurrent] = useState(0);
  const [progress, setProgress] = useState<PullProgress | null>(null);
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => void (here.current = false);
  }, []);
  const work = useMutation({
    mutationFn: async () => {
      for (const [index, name] of images.entries()) {
        setCurrent(index);
        setProgress(null);
        if (how === "build") await buildImage(name, (step) => setProgress({ step, done_mib: 0, total_mib: null }));
        else await pullImage(name, null, null, setProgress);
      }
    },
    // The card says a failure where it happened.
    onSuccess: () => here.current && onDone(),
  });
  const names = images.join(", ");
  const name = images[current] ?? names;
  const cancelled = work.isError && commandError(work.error).code === "cancelled";
  if (work.isError && !cancelled) return <Failed title={how === "build" ? t(($) => $.images.buildFailed, { name }) : t(($) => $.images.pullFailed, { name })} error={work.error} onRetry={() => work.mutate()} />;
  if (work.isPending) {
    const amount = progress?.total_mib ? t(($) => $.images.mib, { done: Math.round(progress.done_mib), total: Math.round(progress.total_mib) }) : progress && progress.done_mib > 0 ? t(($) => $.images.mibSoFar, { done: Math.round(progress.done_mib) }) : "";
    const said = [sentence(progress?.step ?? (amount ? "" : t(($) => $.images.beginning))), amount, images.length > 1 ? t(($) => $.images.done, { done: current, count: images.length }) : ""].filter(Boolean).join(" · ");
    return (
      <div className="flex flex-col gap-2">
        <Notice
          tone="changing"
          title={how === "build" ? t(($) => $.images.building, { name }) : t(($) => $.images.pulling, { name })}
          message={said}
          hint={t(($) => $.images.elsewhere)}
          actions={<Button onClick={() => void (how === "build" ? ipc.cancelBuild(name) : ipc.cancelPull(name))}>{t(($) => $.images.cancel)}</Button>}
        />
        <Progress label={name} value={progress?.done_mib ?? 0} total={progress?.total_mib ?? null} />
      </div>
    );
  }
  return (
    <Notice
      tone="attention"
      title={how === "build" ? t(($) => $.images.buildTitle, { count: images.length, names }) : t(($) => $.images.pullTitle, { count: images.length, names })}
      message={how === "build" ? t(($) => $.images.buildMessage) : t(($) => $.images.pullMessage)}
      actions={
        <Button kind="primary" onClick={() => work.mutate()}>
          {how === "build" ? t(($) => $.images.build, { names }) : t(($) => $.images.pull, { names })}
        </Button>
      }
    />
  );
}
