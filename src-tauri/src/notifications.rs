//! What the desktop is told when nobody looks at our windows.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tauri::{AppHandle, Manager};
use tauri_plugin_notification::NotificationExt;
use vlm_engine::{
    deploy::{self, explain},
    runs::RunKind,
};

/// A run that took less is not worth a word.
const LONG: Duration = Duration::from_secs(10);

/// Whether somebody wants to be told: what the page's preferences say, and yes until it said so.
pub struct Wanted(AtomicBool);

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted(AtomicBool::new(true))
    }
}

impl Wanted {
    /// Notes what the preferences say.
    pub fn set(&self, wanted: bool) {
        self.0.store(wanted, Ordering::Relaxed);
    }
}

/// Tells that a run ended, if it took its time, no window of ours has the focus, and somebody wants to know.
pub fn of_end(app: &AppHandle, lab: &str, kind: RunKind, ended: Result<String, deploy::Error>, took: Duration) {
    let looks = app.webview_windows().values().any(|window| window.is_focused().unwrap_or(false));
    if took < LONG || looks || !app.state::<Wanted>().0.load(Ordering::Relaxed) {
        return;
    }
    let (title, body) = words(lab, kind, ended);
    // A desktop that shows none is no failure of ours.
    let _ = app.notification().builder().title(title).body(body).show();
}

fn words(lab: &str, kind: RunKind, ended: Result<String, deploy::Error>) -> (String, String) {
    let (how, sentence) = match ended {
        Ok(sentence) => ("done", sentence),
        Err(error) if error.is_cancel() => ("cancelled", String::new()),
        Err(error) => ("failed", explain(&error, lab).message),
    };
    (format!("{lab}: {} {how}", kind.as_str()), sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_names_the_lab_and_how_its_run_ended() {
        let failed = deploy::Error::Failed("1 of 2 machines not ready: web".into());
        for (ended, title, body) in [
            (Ok("2 machines ready after 40 s".into()), "hello: deploy done", "2 machines ready after 40 s"),
            (Err(deploy::Error::Cancelled), "hello: deploy cancelled", ""),
            (Err(failed), "hello: deploy failed", "1 of 2 machines not ready: web"),
        ] {
            assert_eq!(words("hello", RunKind::Deploy, ended), (title.to_owned(), body.to_owned()));
        }
    }
}
