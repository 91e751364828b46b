//! What the desktop is told when nobody looks at our windows.

use std::{sync::Mutex, time::Duration};

use serde::Deserialize;
use specta::Type;
use tauri::{AppHandle, Manager};
use tauri_plugin_notification::NotificationExt;
use vlm_engine::{
    deploy::{self, explain},
    runs::RunKind,
};

/// A run that took less is not worth a word.
const LONG: Duration = Duration::from_secs(10);

/// The languages of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    En,
    Fr,
}

/// In which language somebody wants to be told: what the page's preferences say, and English until it said so.
pub struct Wanted(Mutex<Option<Language>>);

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted(Mutex::new(Some(Language::En)))
    }
}

impl Wanted {
    /// Notes what the preferences say; `None` is silence.
    pub fn set(&self, language: Option<Language>) {
        *self.0.lock().expect("nobody panics with it") = language;
    }

    fn language(&self) -> Option<Language> {
        *self.0.lock().expect("nobody panics with it")
    }
}

/// Tells that a run ended, if it took its time, no window of ours has the focus, and somebody wants to know.
pub fn of_end(app: &AppHandle, lab: &str, kind: RunKind, ended: Result<String, deploy::Error>, took: Duration) {
    let looks = app.webview_windows().values().any(|window| window.is_focused().unwrap_or(false));
    let Some(language) = app.state::<Wanted>().language().filter(|_| took >= LONG && !looks) else { return };
    let (title, body) = words(language, lab, kind, ended);
    // A desktop that shows none is no failure of ours.
    let _ = app.notification().builder().title(title).body(body).show();
}

/// The title in that language; the engine's own sentences are English on the pages, too.
fn words(language: Language, lab: &str, kind: RunKind, ended: Result<String, deploy::Error>) -> (String, String) {
    let ([done, cancelled, failed], colon) = match (language, kind) {
        (Language::En, _) => (["done", "cancelled", "failed"], ""),
        (Language::Fr, RunKind::Destroy) => (["terminée", "annulée", "échouée"], "\u{a0}"),
        (Language::Fr, _) => (["terminé", "annulé", "échoué"], "\u{a0}"),
    };
    let what = match (language, kind) {
        (Language::En, kind) => kind.as_str(),
        (Language::Fr, RunKind::Deploy) => "déploiement",
        (Language::Fr, RunKind::Start) => "démarrage",
        (Language::Fr, RunKind::Stop) => "arrêt",
        (Language::Fr, RunKind::Destroy) => "destruction",
    };
    let (how, sentence) = match ended {
        Ok(sentence) => (done, sentence),
        Err(error) if error.is_cancel() => (cancelled, String::new()),
        Err(error) => (failed, explain(&error, lab).message),
    };
    (format!("{lab}{colon}: {what} {how}"), sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_names_the_lab_and_how_its_run_ended() {
        let failed = deploy::Error::Failed("1 of 2 machines not ready: web".into());
        let done = || Ok("2 machines ready after 40 s".into());
        for (language, kind, ended, title, body) in [
            (Language::En, RunKind::Deploy, done(), "hello: deploy done", "2 machines ready after 40 s"),
            (Language::En, RunKind::Deploy, Err(deploy::Error::Cancelled), "hello: deploy cancelled", ""),
            (Language::En, RunKind::Start, Err(failed), "hello: start failed", "1 of 2 machines not ready: web"),
            (Language::Fr, RunKind::Deploy, done(), "hello\u{a0}: déploiement terminé", "2 machines ready after 40 s"),
            (Language::Fr, RunKind::Destroy, Err(deploy::Error::Cancelled), "hello\u{a0}: destruction annulée", ""),
        ] {
            assert_eq!(words(language, "hello", kind, ended), (title.to_owned(), body.to_owned()));
        }
    }
}
