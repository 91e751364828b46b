import { type ErrorComponentProps, Link, useLocation, useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { Empty, Page } from "../components/frame";
import { Failed } from "../components/notice";

export function NotFoundPage() {
  const { t } = useTranslation();
  const page = useLocation({ select: (location) => location.pathname });
  return (
    <Page title={t(($) => $.notFound.title)}>
      <Empty title={t(($) => $.notFound.title)}>
        <p className="text-dim wrap-anywhere">{t(($) => $.notFound.message, { page })}</p>
        <Link to="/" className="underline underline-offset-2">
          {t(($) => $.notFound.action)}
        </Link>
      </Empty>
    </Page>
  );
}

/** A page that broke; the rest of the window goes on. */
export function CrashedPage({ error, reset }: ErrorComponentProps) {
  const { t } = useTranslation();
  const navigate = useNavigate();
  return (
    <div className="flex min-w-0 flex-1 flex-col gap-3 p-4">
      <Failed title={t(($) => $.crashed.title)} error={error} onRetry={reset} />
      <Button className="self-start" onClick={() => (reset(), void navigate({ to: "/" }))}>
        {t(($) => $.notFound.action)}
      </Button>
    </div>
  );
}
