//! The application itself.

use std::{path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use specta::{Type, Types, datatype::DataType, function::FunctionArg};
use tauri::{
    AppHandle, State, Wry,
    ipc::{CommandArg, CommandItem, CommandScope, InvokeError},
};
use tauri_plugin_shell::ShellExt;
use tokio::time::timeout;
use vlm_engine::{Engine, store};

use super::blocking;
use crate::{
    desk::Desk,
    dialogs::shown,
    error::{CommandError, CommandResult},
    notifications::{Language, Wanted},
    questions::Questions,
};

/// How long closing waits for runs to end before it leaves them to die with us.
const QUIT_LIMIT: Duration = Duration::from_secs(60);

/// What there is to know of the application.
#[derive(Debug, Serialize, Type)]
pub struct AppInfo {
    /// Its version.
    pub version: String,
    /// Where everything lies that it keeps.
    pub data_dir: String,
    /// Whether no lab was ever saved here.
    pub first_start: bool,
}

/// What there is to know of the application.
#[tauri::command]
#[specta::specta]
pub async fn app_info(engine: State<'_, Engine>, questions: State<'_, Questions>) -> CommandResult<AppInfo> {
    // A page asks this when it begins: what it did not hear is asked again.
    questions.repeat();
    blocking(&engine, |engine| {
        Ok::<_, store::Error>(AppInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data_dir: shown(&engine.dirs().data),
            first_start: engine.audit(None, "save_lab", 1)?.is_empty(),
        })
    })
    .await
}

/// Says whether, and in which language, the desktop is told of long runs that end while no window has the focus.
#[tauri::command]
#[specta::specta]
pub async fn set_notifications(wanted: State<'_, Wanted>, language: Option<Language>) -> CommandResult<()> {
    wanted.set(language);
    Ok(())
}

/// What a lab's folder is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum OpenWith {
    /// The desktop's program for the lab file.
    Editor,
    /// The desktop's program for folders.
    Files,
    /// A terminal that starts there.
    Terminal,
}

/// A program that the window's capability lets it start on the folder of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Program {
    /// What it is for: `editor`, `files` or `terminal`.
    pub name: String,
    /// The program, found on PATH.
    pub cmd: String,
}

/// What the window's capability allows; it is no argument of the page's.
pub struct Allowed(CommandScope<Program>);

impl<'de> CommandArg<'de, Wry> for Allowed {
    fn from_command(command: CommandItem<'de, Wry>) -> Result<Allowed, InvokeError> {
        CommandScope::from_command(command).map(Allowed)
    }
}

impl FunctionArg for Allowed {
    fn to_datatype(_: &mut Types) -> Option<DataType> {
        None
    }
}

impl OpenWith {
    fn as_str(self) -> &'static str {
        match self {
            OpenWith::Editor => "editor",
            OpenWith::Files => "files",
            OpenWith::Terminal => "terminal",
        }
    }
}

/// Opens the folder of a lab, or its file in an editor.
#[tauri::command]
#[specta::specta]
pub async fn open_lab(
    app: AppHandle,
    engine: State<'_, Engine>,
    scope: Allowed,
    name: String,
    program: OpenWith,
) -> CommandResult<()> {
    let document = blocking(&engine, move |engine| engine.labs().document(&name)).await?;
    let allowed = scope.0.allows().iter().find(|allowed| allowed.name == program.as_str());
    let Some(Program { cmd, .. }) = allowed.map(|allowed| &**allowed) else {
        return Err(CommandError::refused("this window may start no program for that", ""));
    };
    let dir = Path::new(&document.dir);
    if !dir.is_dir() {
        return Err(CommandError::not_found(format!("the lab's folder {} is not there", dir.display())));
    }
    let file = dir.join("lab.yaml");
    let command = app.shell().command(cmd).current_dir(dir);
    let command = match program {
        OpenWith::Editor if file.is_file() => command.arg(file),
        OpenWith::Editor | OpenWith::Files => command.arg(dir),
        OpenWith::Terminal => command,
    };
    let failed =
        |error| CommandError::refused(format!("could not start {cmd}: {error}"), "install it, or open the folder by hand");
    let (mut said, _child) = command.spawn().map_err(failed)?;
    // It must not stop at a full pipe.
    tauri::async_runtime::spawn(async move { while said.recv().await.is_some() {} });
    Ok(())
}

/// Ends the application: cancels what is at work, waits for it, and leaves.
#[tauri::command]
#[specta::specta]
pub async fn quit(app: AppHandle, engine: State<'_, Engine>, desk: State<'_, Desk>) -> CommandResult<()> {
    let _ = timeout(QUIT_LIMIT, desk.end_all(&engine)).await; // what does not end dies with us
    app.exit(0);
    Ok(())
}
