import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Loading } from "../../components/frame";
import { Failed } from "../../components/notice";
import { copy } from "../../lib/copy";
import { infoQuery, settingsQuery } from "../../lib/queries";
import { Line, Part } from "./part";

export function About() {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const info = useQuery(infoQuery);
  const settings = useQuery(settingsQuery);
  if (info.isPending) return <Loading what={t(($) => $.parts.about)} rows={3} />;
  if (info.isError) return <Failed title={t(($) => $.about.failed)} error={info.error} onRetry={() => void info.refetch()} />;
  const path = (text: string) => (
    <button type="button" className="-mx-1 max-w-full truncate rounded-ui px-1 font-mono hover:bg-hover" title={t(($) => $.about.copyPath)} onClick={() => void copy(text)}>
      {text}
    </button>
  );
  return (
    <Part wide>
      <Line label={t(($) => $.about.version)}>
        <span className="selectable">
          {c(($) => $.app)} {info.data.version}
        </span>
      </Line>
      <Line label={t(($) => $.about.data)}>{path(info.data.data_dir)}</Line>
      {settings.data && <Line label={t(($) => $.about.settings)}>{path(settings.data.path)}</Line>}
    </Part>
  );
}
