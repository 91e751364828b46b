import { useTranslation } from "react-i18next";
import { Choice, Switch } from "../../components/toggle";
import { applyLanguage } from "../../i18n";
import { type Prefs, setPrefs, usePrefs } from "../../lib/prefs";
import { Line, Part } from "./part";

/** How this window looks and speaks. It counts at once, so there is nothing to save. */
export function General() {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const { language, theme, density, notifications } = usePrefs();
  const languages: Prefs["language"][] = ["system", "en", "fr"];
  const themes: Prefs["theme"][] = ["system", "light", "dark"];
  const densities: Prefs["density"][] = ["dense", "comfortable"];
  return (
    <Part note={t(($) => $.general.atOnce)}>
      <Line label={t(($) => $.general.language)}>
        <Choice
          label={t(($) => $.general.language)}
          value={language}
          options={languages.map((value) => ({ value, label: t(($) => $.general.languages[value]) }))}
          onChange={(language) => {
            setPrefs({ language });
            void applyLanguage();
          }}
        />
      </Line>
      <Line label={t(($) => $.general.theme)}>
        <Choice label={t(($) => $.general.theme)} value={theme} options={themes.map((value) => ({ value, label: c(($) => $.theme[value]) }))} onChange={(theme) => setPrefs({ theme })} />
      </Line>
      <Line label={t(($) => $.general.density)}>
        <Choice label={t(($) => $.general.density)} value={density} options={densities.map((value) => ({ value, label: t(($) => $.general.densities[value]) }))} onChange={(density) => setPrefs({ density })} />
      </Line>
      <Switch label={t(($) => $.general.notifications)} note={t(($) => $.general.notificationsNote)} checked={notifications} onChange={(notifications) => setPrefs({ notifications })} />
    </Part>
  );
}
