//! The lock of the application.

use serde::Serialize;
use specta::Type;
use tauri::{AppHandle, State};
use vlm_engine::Engine;

use super::blocking;
use crate::{
    error::CommandResult,
    lock::{self, AppLock},
};

/// Whether the application can be locked, and is.
#[derive(Debug, Serialize, Type)]
pub struct LockState {
    /// Whether a passphrase is set.
    pub set: bool,
    /// Whether it is locked.
    pub locked: bool,
    /// After how many minutes without a hand it is to be locked; never, where it is none.
    pub idle_minutes: Option<u32>,
}

/// Whether the application can be locked, and is.
#[tauri::command]
#[specta::specta]
pub async fn lock_state(engine: State<'_, Engine>, app_lock: State<'_, AppLock>) -> CommandResult<LockState> {
    let idle = blocking(&engine, |engine| engine.passphrase().idle_minutes()).await?;
    Ok(LockState { set: idle.is_some(), locked: app_lock.is_locked(), idle_minutes: idle.flatten() })
}

/// Sets another passphrase, or takes it away; `current` is the one that is set.
#[tauri::command]
#[specta::specta]
pub async fn set_lock(
    engine: State<'_, Engine>,
    current: Option<String>,
    passphrase: Option<String>,
    idle_minutes: Option<u32>,
) -> CommandResult<()> {
    blocking(&engine, move |engine| engine.passphrase().set(current.as_deref(), passphrase.as_deref(), idle_minutes)).await
}

/// Locks the application.
#[tauri::command]
#[specta::specta]
pub async fn lock_now(app: AppHandle, engine: State<'_, Engine>, app_lock: State<'_, AppLock>) -> CommandResult<()> {
    app_lock.lock(&engine)?;
    lock::announce(&app);
    Ok(())
}

/// Unlocks the application. False when the passphrase is another one.
#[tauri::command]
#[specta::specta]
pub async fn unlock(
    app: AppHandle,
    engine: State<'_, Engine>,
    app_lock: State<'_, AppLock>,
    passphrase: String,
) -> CommandResult<bool> {
    let fits = app_lock.unlock(&engine, passphrase).await?;
    if fits {
        lock::announce(&app);
    }
    Ok(fits)
}
