//! The lock of the application: while it is locked, nothing is shown and nothing is done by hand. Runs go on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde::Serialize;
use specta::Type;
use tauri::{AppHandle, Manager, ipc::Invoke};
use tauri_specta::Event as _;
use vlm_engine::Engine;

use crate::error::{CommandError, CommandResult};

/// Commands that are answered while the application is locked.
const ALWAYS: [&str; 3] = ["lock_state", "unlock", "app_info"];
/// How long a wrong passphrase is thought about.
const AFTER_A_WRONG_ONE: Duration = Duration::from_secs(1);

/// The application was locked or unlocked.
#[derive(Debug, Clone, Serialize, Type, tauri_specta::Event)]
pub struct LockChanged(pub bool);

/// Whether the application is locked.
#[derive(Default)]
pub struct AppLock {
    locked: AtomicBool,
    /// One try at a time.
    turn: tokio::sync::Mutex<()>,
}

impl AppLock {
    /// As it is at the start: locked, if a passphrase is set.
    pub fn at_start(engine: &Engine) -> AppLock {
        // What cannot be read is no reason to let anybody in.
        let locked = !matches!(engine.passphrase().idle_minutes(), Ok(None));
        AppLock { locked: AtomicBool::new(locked), ..AppLock::default() }
    }

    /// Whether it is locked.
    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Relaxed)
    }

    /// Whether a command is answered now.
    pub fn answers(&self, command: &str) -> bool {
        !self.is_locked() || ALWAYS.contains(&command)
    }

    /// Locks, if a passphrase is set.
    pub fn lock(&self, engine: &Engine) -> CommandResult<()> {
        if engine.passphrase().idle_minutes()?.is_none() {
            return Err(CommandError::refused("no passphrase is set", "set one in the settings"));
        }
        self.locked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Unlocks with the passphrase. False when it is another one.
    pub async fn unlock(&self, engine: &Engine, passphrase: String) -> CommandResult<bool> {
        let _turn = self.turn.lock().await;
        let engine = engine.clone();
        let fits = tokio::task::spawn_blocking(move || engine.passphrase().fits(&passphrase)).await;
        let fits = fits.expect("hashing does not panic")?;
        if fits {
            self.locked.store(false, Ordering::Relaxed);
        } else {
            tokio::time::sleep(AFTER_A_WRONG_ONE).await;
        }
        Ok(fits)
    }
}

/// Answers commands by `handler`, but for a locked application.
pub fn guarded(handler: impl Fn(Invoke) -> bool + Send + Sync + 'static) -> impl Fn(Invoke) -> bool + Send + Sync + 'static {
    move |invoke| {
        let may = invoke.message.webview_ref().state::<AppLock>().answers(invoke.message.command());
        if may {
            return handler(invoke);
        }
        invoke.resolver.reject(CommandError::locked());
        true
    }
}

/// Tells all windows.
pub fn announce(app: &AppHandle) {
    let _ = LockChanged(app.state::<AppLock>().is_locked()).emit(app); // no window may be open
}

#[cfg(test)]
mod tests {
    use vlm_engine::Dirs;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_locked_answers_little_and_opens_by_its_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let engine = Engine::open(Dirs { data: at("data"), config: at("config"), state: at("state") }).unwrap();
        let lock = AppLock::at_start(&engine);
        assert!(!lock.is_locked(), "no passphrase is set");
        assert_eq!(lock.lock(&engine).unwrap_err().message, "no passphrase is set");

        engine.passphrase().set(None, Some("open sesame"), Some(5)).unwrap();
        assert!(engine.passphrase().set(None, None, None).is_err(), "who takes it away has to know it");
        assert!(engine.passphrase().set(Some("wrong"), Some("other"), None).is_err());
        assert_eq!(engine.passphrase().idle_minutes().unwrap(), Some(Some(5)));
        lock.lock(&engine).unwrap();
        for (command, answered) in [
            ("list_labs", false),
            ("set_lock", false),
            ("quit", false),
            ("lock_state", true),
            ("unlock", true),
            ("app_info", true),
        ] {
            assert_eq!(lock.answers(command), answered, "{command}");
        }
        assert!(!lock.unlock(&engine, "wrong".into()).await.unwrap());
        assert!(lock.is_locked());
        assert!(lock.unlock(&engine, "open sesame".into()).await.unwrap());
        assert!(lock.answers("list_labs"));

        // Whoever starts the application again finds it locked.
        assert!(AppLock::at_start(&engine).is_locked());
        engine.passphrase().set(Some("open sesame"), None, None).unwrap();
        assert!(!AppLock::at_start(&engine).is_locked());
        let audit: Vec<String> = engine.audit(None, "", 9).unwrap().into_iter().map(|row| row.action).collect();
        assert_eq!(audit, ["remove_lock", "set_lock"]);
    }
}
