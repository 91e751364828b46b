//! Images: those that are here, and those that a recipe can build.

use serde::Serialize;
use specta::Type;
use tauri::{State, WebviewWindow, ipc::Channel};
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine,
    images::{Image, RECIPES},
};

use super::blocking;
use crate::{
    desk::Desk,
    dialogs::{self, IMAGES},
    error::{CommandError, CommandResult},
};

/// A recipe that builds an image from packages.
#[derive(Debug, Serialize, Type)]
pub struct Recipe {
    /// Its name, and the image's.
    pub name: String,
    /// What it makes.
    pub makes: String,
}

/// All images, by name.
#[tauri::command]
#[specta::specta]
pub async fn list_images(engine: State<'_, Engine>) -> CommandResult<Vec<Image>> {
    blocking(&engine, |engine| engine.images().list()).await
}

/// The recipes that come with us.
#[tauri::command]
#[specta::specta]
pub async fn list_recipes() -> CommandResult<Vec<Recipe>> {
    Ok(RECIPES.iter().map(|(name, makes, _)| Recipe { name: name.to_string(), makes: makes.to_string() }).collect())
}

/// Adds a disk image that a person chooses under `name`, as a copy of our own; none where nothing was chosen.
#[tauri::command]
#[specta::specta]
pub async fn add_image(window: WebviewWindow, engine: State<'_, Engine>, name: String) -> CommandResult<Option<Image>> {
    let Some(path) = dialogs::open_file(&window, Some(IMAGES)).await else { return Ok(None) };
    Ok(Some(engine.images().add(name.trim(), &path, &CancellationToken::new()).await?))
}

/// Builds an image by its recipe; `on_step` gets what it does now.
#[tauri::command]
#[specta::specta]
pub async fn build_image(
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    recipe: String,
    on_step: Channel<String>,
) -> CommandResult<Image> {
    let Some(build) = desk.begin_build(&recipe) else {
        return Err(CommandError::refused(
            format!("image `{recipe}` is being built already"),
            "wait for that build, or cancel it",
        ));
    };
    let told = |line: &str| {
        if let Some(step) = line.strip_prefix("step: ") {
            let _ = on_step.send(step.to_owned()); // a window that went away misses nothing that it could show
        }
    };
    Ok(engine.images().build(&recipe, build.cancel(), told).await?)
}

/// Cancels the build of an image. Answers whether there was one.
#[tauri::command]
#[specta::specta]
pub async fn cancel_build(desk: State<'_, Desk>, recipe: String) -> CommandResult<bool> {
    Ok(desk.cancel_build(&recipe))
}
