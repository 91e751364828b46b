//! Images: those that are here, those that can be downloaded, and those that a recipe can build.

use serde::Serialize;
use specta::Type;
use tauri::{State, WebviewWindow, ipc::Channel};
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine,
    download::{Digest, Limits, Progress},
    images::{CatalogEntry, Image, ImagePlace, RECIPES},
};

use super::blocking;
use crate::{
    desk::{Desk, Work},
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

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Type)]
pub struct PullProgress {
    /// What is done now, where it is not bytes that come.
    pub step: Option<String>,
    /// What is here, in MiB.
    pub done_mib: u32,
    /// Of how much, where the server says so.
    pub total_mib: Option<u32>,
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

/// What can be downloaded, by name.
#[tauri::command]
#[specta::specta]
pub async fn image_catalog(engine: State<'_, Engine>) -> CommandResult<Vec<CatalogEntry>> {
    blocking(&engine, |engine| engine.images().catalog_entries()).await
}

/// Downloads an image under `name`: of the catalog, or what lies at `url`. What came of one that did not end is gone on with.
#[tauri::command]
#[specta::specta]
pub async fn pull_image(
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    name: String,
    url: Option<String>,
    sha256: Option<String>,
    on_progress: Channel<PullProgress>,
) -> CommandResult<Image> {
    let wrong = |error: vlm_engine::download::NoDigest| CommandError::refused(error.to_string(), "");
    let digest = sha256.map(|text| text.parse::<Digest>()).transpose().map_err(wrong)?;
    let (named, of) = (name.clone(), url.clone());
    let entry = blocking(&engine, move |engine| engine.images().entry(&named, of.as_deref(), digest)).await?;
    let Some(pull) = desk.begin(Work::Pull, &name) else {
        let message = format!("image `{name}` is being downloaded already");
        return Err(CommandError::refused(message, "wait for that download, or cancel it"));
    };
    let mut last = PullProgress { step: None, done_mib: 0, total_mib: None };
    let told = |progress| {
        let next = match progress {
            Progress::Step(text) => PullProgress { step: Some(text), ..last.clone() },
            Progress::Bytes { done, total } => PullProgress {
                step: None,
                done_mib: (done >> 20) as u32,
                total_mib: total.map(|total| total.div_ceil(1 << 20) as u32),
            },
        };
        if next != last {
            last = next;
            let _ = on_progress.send(last.clone()); // a window that went away misses nothing that it could show
        }
    };
    Ok(engine.images().pull(&entry, &name, &Limits::default(), pull.cancel(), told).await?)
}

/// Cancels the download of an image. Answers whether there was one.
#[tauri::command]
#[specta::specta]
pub async fn cancel_pull(desk: State<'_, Desk>, name: String) -> CommandResult<bool> {
    Ok(desk.cancel(Work::Pull, &name))
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
    let Some(build) = desk.begin(Work::Build, &recipe) else {
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
    Ok(desk.cancel(Work::Build, &recipe))
}

/// Adds a disk image that a person chooses under `name`, as a copy of our own; none where nothing was chosen.
#[tauri::command]
#[specta::specta]
pub async fn add_image(window: WebviewWindow, engine: State<'_, Engine>, name: String) -> CommandResult<Option<Image>> {
    let Some(path) = dialogs::open_file(&window, Some(IMAGES)).await else { return Ok(None) };
    Ok(Some(engine.images().add(name.trim(), &path, &CancellationToken::new()).await?))
}

/// Reads an image's file again: whether it still is what its digest says.
#[tauri::command]
#[specta::specta]
pub async fn verify_image(engine: State<'_, Engine>, name: String) -> CommandResult<bool> {
    Ok(engine.images().verify(&name).await?)
}

/// Where an image lies, on each host.
#[tauri::command]
#[specta::specta]
pub async fn image_places(engine: State<'_, Engine>, name: String) -> CommandResult<Vec<ImagePlace>> {
    Ok(engine.images().places(&name).await?)
}

/// Forgets an image, and deletes its file when no other name has it.
#[tauri::command]
#[specta::specta]
pub async fn remove_image(engine: State<'_, Engine>, name: String) -> CommandResult<()> {
    blocking(&engine, move |engine| engine.images().remove(&name)).await
}
