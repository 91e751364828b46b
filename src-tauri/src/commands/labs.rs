//! Labs: the list, one with its machines, and lab files that become labs.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use specta::Type;
use tauri::State;
use vlm_engine::{Engine, labs::LabStatus, store::LabSummary};
use vlm_lab::problems::Problem;

use super::blocking;
use crate::error::{CommandError, CommandResult};

/// A lab that was saved out of a file.
#[derive(Debug, Serialize, Type)]
pub struct SavedLab {
    /// Its name.
    pub name: String,
    /// Its revision now.
    pub revision: u32,
    /// What is wrong with it, or good to know.
    pub problems: Vec<Problem>,
}

/// All labs, by name.
#[tauri::command]
#[specta::specta]
pub async fn list_labs(engine: State<'_, Engine>) -> CommandResult<Vec<LabSummary>> {
    blocking(&engine, |engine| engine.labs().list()).await
}

/// A lab with its machines as they are now.
#[tauri::command]
#[specta::specta]
pub async fn lab_status(engine: State<'_, Engine>, name: String) -> CommandResult<LabStatus> {
    Ok(engine.labs().status(&name).await?)
}

/// What is wrong with a lab as it is stored, or good to know.
#[tauri::command]
#[specta::specta]
pub async fn check_lab(engine: State<'_, Engine>, name: String) -> CommandResult<Vec<Problem>> {
    blocking(&engine, move |engine| {
        let row = engine.labs().get(&name)?;
        Ok::<_, CommandError>(engine.labs().check(&row.document, Path::new(&row.dir))?.problems)
    })
    .await
}

/// Saves the lab file at `path` as a lab of its name, also an imperfect one.
#[tauri::command]
#[specta::specta]
pub async fn save_lab_file(engine: State<'_, Engine>, path: String) -> CommandResult<SavedLab> {
    blocking(&engine, move |engine| {
        let path = full_path(&path)?;
        let unread = |error| CommandError::refused(format!("could not read {}: {error}", path.display()), "check the path");
        let text = fs::read_to_string(&path).map_err(unread)?;
        let full = fs::canonicalize(&path).map_err(unread)?;
        let dir = full.parent().unwrap_or(Path::new("/"));
        let (name, revision) = engine.labs().save(&text, dir, None)?;
        let problems = engine.labs().check(&text, dir)?.problems;
        Ok::<_, CommandError>(SavedLab { name, revision, problems })
    })
    .await
}

/// Forgets the design of a lab that is on no host.
#[tauri::command]
#[specta::specta]
pub async fn forget_lab(engine: State<'_, Engine>, name: String) -> CommandResult<()> {
    blocking(&engine, move |engine| engine.labs().remove(&name)).await
}

/// A path as people type it: `~` is their home; a window has no folder that anything could be relative to.
pub fn full_path(text: &str) -> CommandResult<PathBuf> {
    let text = text.trim();
    let home = || env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let path = match text.strip_prefix("~/") {
        Some(rest) => home().join(rest),
        None => PathBuf::from(text),
    };
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(CommandError::refused(format!("`{text}` is no full path"), "begin it with / or ~/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_full_or_below_home() {
        assert_eq!(full_path(" /srv/lab.yaml\n").unwrap(), Path::new("/srv/lab.yaml"));
        assert!(full_path("~/lab.yaml").unwrap().is_absolute());
        assert_eq!(full_path("lab.yaml").unwrap_err().message, "`lab.yaml` is no full path");
        assert_eq!(full_path("").unwrap_err().message, "`` is no full path");
    }
}
