import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../components/button";
import { Failed, Notice } from "../components/notice";
import { buildImage, ipc } from "../ipc";

/** Images that must be built before a plan can be made: builds them here, one after the other. */
export function BuildImages({ images, onDone }: { images: string[]; onDone: () => void }) {
  const [step, setStep] = useState<string | null>(null);
  const [current, setCurrent] = useState<string | null>(null);
  const build = useMutation({
    mutationFn: async () => {
      for (const image of images) {
        setCurrent(image);
        setStep(null);
        await buildImage(image, setStep);
      }
    },
    // The card says it where it happened.
    onSuccess: onDone,
  });
  const names = images.join(", ");
  if (build.isError) return <Failed title={`Could not build ${current ?? names}`} error={build.error} onRetry={() => build.mutate()} />;
  if (build.isPending) {
    return (
      <Notice
        tone="changing"
        title={`Building ${current ?? names} from packages`}
        message={step ?? "Beginning"}
        hint="This takes some minutes. Other pages can be used meanwhile."
        actions={<Button onClick={() => current && void ipc.cancelBuild(current)}>Cancel build</Button>}
      />
    );
  }
  return (
    <Notice
      tone="attention"
      title={images.length === 1 ? `The image ${names} is not here yet` : `The images ${names} are not here yet`}
      message="It can be built on this computer from packages; nothing ready-made is downloaded."
      hint="This takes some minutes, once."
      actions={
        <Button kind="primary" onClick={() => build.mutate()}>
          Build {names}
        </Button>
      }
    />
  );
}
