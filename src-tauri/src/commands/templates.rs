//! Templates of labs.

use tauri::State;
use vlm_engine::{
    Engine,
    templates::{self, Template},
};

use super::blocking;
use crate::error::CommandResult;

/// All templates: those that come with us, then the user's.
#[tauri::command]
#[specta::specta]
pub async fn list_templates(engine: State<'_, Engine>) -> CommandResult<Vec<Template>> {
    blocking(&engine, |engine| Ok::<_, templates::Error>(engine.templates().list())).await
}

/// Keeps a lab file as a template.
#[tauri::command]
#[specta::specta]
pub async fn save_template(engine: State<'_, Engine>, title: String, text: String) -> CommandResult<Template> {
    blocking(&engine, move |engine| engine.templates().save(&title, &text)).await
}

/// Removes a template of the user's.
#[tauri::command]
#[specta::specta]
pub async fn remove_template(engine: State<'_, Engine>, id: String) -> CommandResult<()> {
    blocking(&engine, move |engine| engine.templates().remove(&id)).await
}
