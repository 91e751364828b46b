//! Settings: their file, the programs that labs need, copies of the database.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use specta::Type;
use tauri::{AppHandle, State, WebviewWindow};
use tauri_specta::Event as _;
use vlm_engine::{
    Engine,
    settings::AppSettings,
    store::backups::{self, Copy},
    tools::Tool,
};

use super::blocking;
use crate::{
    desk::Desk,
    dialogs::{self, shown},
    error::{CommandError, CommandResult},
    events::Note,
};

/// What a file is picked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum PickFor {
    /// terraform or tofu.
    Terraform,
    /// ansible-playbook.
    AnsiblePlaybook,
}

/// A program that labs need, as it is on this computer.
#[derive(Debug, Serialize, Type)]
pub struct ToolInfo {
    /// `terraform`, `tofu`, `libvirt provider`, `ansible-playbook`, `ssh` or `qemu-img`.
    pub name: String,
    /// Its file; none where there is none.
    pub path: Option<String>,
    /// Its version; none where it could not be found out.
    pub version: Option<String>,
    /// SHA-256 of its file, in hex.
    pub digest: Option<String>,
    /// Who says that it is this one: `settings`, `ours`, `system` or `registry`.
    pub source: Option<String>,
    /// Why labs cannot use it; none where they can.
    pub problem: Option<String>,
    /// What to do about the problem.
    pub remedy: Option<String>,
}

/// A copy of the database.
#[derive(Debug, Serialize, Type)]
pub struct Backup {
    /// The file.
    pub path: String,
    /// When it was made, RFC 3339 in UTC.
    pub made: String,
    /// Why: `daily`, `migration` or `manual`.
    pub reason: Option<String>,
    /// Its size, in MiB.
    pub bytes_mib: u32,
}

/// The settings as their file has them.
#[tauri::command]
#[specta::specta]
pub async fn read_settings(engine: State<'_, Engine>) -> CommandResult<AppSettings> {
    blocking(&engine, |engine| engine.read_settings()).await
}

/// Writes settings into their file. Programs are those that are set already, or that a person has picked.
#[tauri::command]
#[specta::specta]
pub async fn save_settings(
    app: AppHandle,
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    settings: AppSettings,
) -> CommandResult<()> {
    let before = blocking(&engine, |engine| engine.read_settings()).await?;
    for (now, then) in [(&settings.terraform, &before.terraform), (&settings.ansible_playbook, &before.ansible_playbook)] {
        if let Some(path) = now.as_ref().filter(|_| now != then)
            && !desk.was_picked(path)
        {
            return Err(CommandError::refused(format!("`{path}` was not picked in a dialog"), "pick the program's file"));
        }
    }
    let same = AppSettings { path: before.path.clone(), ..settings.clone() } == before;
    blocking(&engine, move |engine| engine.save_settings(&settings)).await?;
    if !same {
        // No window may be there to hear it.
        let _ = Note("settings count from the next start of the application".into()).emit(&app);
    }
    Ok(())
}

/// A program's file that a person picks.
#[tauri::command]
#[specta::specta]
pub async fn pick_file(window: WebviewWindow, desk: State<'_, Desk>, what: PickFor) -> CommandResult<Option<String>> {
    // Whatever it is for: programs have no names in common.
    let (PickFor::Terraform | PickFor::AnsiblePlaybook) = what;
    let picked = dialogs::open_file(&window, None).await.map(|path| shown(&path));
    if let Some(path) = &picked {
        desk.note_picked(path);
    }
    Ok(picked)
}

/// The programs that labs need.
#[tauri::command]
#[specta::specta]
pub async fn list_tools(engine: State<'_, Engine>) -> CommandResult<Vec<ToolInfo>> {
    let info = |tool: Tool| ToolInfo {
        name: tool.name,
        path: tool.path.map(|path| shown(&path)),
        version: tool.version,
        digest: tool.digest,
        source: tool.source.map(|source| source.as_str().to_owned()),
        problem: tool.problem,
        remedy: tool.remedy,
    };
    Ok(engine.tools().list().await.into_iter().map(info).collect())
}

/// Copies of the database, newest first.
#[tauri::command]
#[specta::specta]
pub async fn list_backups(engine: State<'_, Engine>) -> CommandResult<Vec<Backup>> {
    let copies = blocking(&engine, |engine| backups::list(&engine.dirs().database())).await?;
    Ok(copies.into_iter().map(Backup::from).collect())
}

/// Makes a copy of the database.
#[tauri::command]
#[specta::specta]
pub async fn make_backup(engine: State<'_, Engine>) -> CommandResult<Backup> {
    Ok(blocking(&engine, |engine| engine.backup(None)).await?.into())
}

/// Puts a copy of [`list_backups`] in the database's place. Answers where the present one is kept; the application is to be
/// started again.
#[tauri::command]
#[specta::specta]
pub async fn restore_backup(engine: State<'_, Engine>, desk: State<'_, Desk>, path: String) -> CommandResult<String> {
    let copies = blocking(&engine, |engine| backups::list(&engine.dirs().database())).await?;
    let Some(copy) = copies.into_iter().find(|copy| shown(&copy.path) == path) else {
        return Err(CommandError::not_found(format!("`{path}` is none of the copies of the database")));
    };
    desk.drop_plans().await; // they hold locks of labs
    let kept: Option<PathBuf> = blocking(&engine, move |engine| engine.restore(&copy.path)).await?;
    Ok(kept.map(|kept| shown(&kept)).unwrap_or_default())
}

impl From<Copy> for Backup {
    fn from(copy: Copy) -> Backup {
        Backup {
            path: shown(&copy.path),
            made: copy.made,
            reason: copy.reason.map(|reason| reason.as_str().to_owned()),
            bytes_mib: copy.bytes.div_ceil(1 << 20) as u32,
        }
    }
}
