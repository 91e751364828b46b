// Words of the interface in English and French. What tools and the engine say stays in their own words.

import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { getPrefs } from "../lib/prefs";
import { en } from "./en";
import { fr } from "./fr";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: typeof en;
    enableSelector: true;
  }
}

/** The language that counts: chosen, or the desktop's if it is one of ours. */
export function language(): "en" | "fr" {
  const { language } = getPrefs();
  if (language !== "system") return language;
  return navigator.language.toLowerCase().startsWith("fr") ? "fr" : "en";
}

export function startI18n() {
  void i18next.use(initReactI18next).init({
    resources: { en, fr },
    lng: language(),
    fallbackLng: "en",
    defaultNS: "common",
    ns: Object.keys(en),
    interpolation: { escapeValue: false }, // React escapes
    initAsync: false,
  });
  document.documentElement.lang = i18next.language;
}

export async function applyLanguage() {
  await i18next.changeLanguage(language());
  document.documentElement.lang = i18next.language;
}

export { i18next };
