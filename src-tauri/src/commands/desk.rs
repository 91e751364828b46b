//! The application itself.

use std::time::Duration;

use serde::Serialize;
use specta::Type;
use tauri::{AppHandle, State};
use tokio::time::timeout;
use vlm_engine::{Engine, store};

use super::blocking;
use crate::{desk::Desk, dialogs::shown, error::CommandResult};

/// How long closing waits for runs to end before it leaves them to die with us.
const QUIT_LIMIT: Duration = Duration::from_secs(60);

/// What there is to know of the application.
#[derive(Debug, Serialize, Type)]
pub struct AppInfo {
    /// Its version.
    pub version: String,
    /// Where everything lies that it keeps.
    pub data_dir: String,
    /// Whether nothing was ever saved here: no lab, no host, no image.
    pub first_start: bool,
}

/// What there is to know of the application.
#[tauri::command]
#[specta::specta]
pub async fn app_info(engine: State<'_, Engine>) -> CommandResult<AppInfo> {
    blocking(&engine, |engine| {
        Ok::<_, store::Error>(AppInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data_dir: shown(&engine.dirs().data),
            first_start: engine.audit(None, "", 1)?.is_empty(),
        })
    })
    .await
}

/// Ends the application: cancels what is at work, waits for it, and leaves.
#[tauri::command]
#[specta::specta]
pub async fn quit(app: AppHandle, engine: State<'_, Engine>, desk: State<'_, Desk>) -> CommandResult<()> {
    let _ = timeout(QUIT_LIMIT, desk.end_all(&engine)).await; // what does not end dies with us
    app.exit(0);
    Ok(())
}
