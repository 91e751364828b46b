//! What windows can call: one file per noun. A command finds the engine, calls it once and maps the error.

use vlm_engine::Engine;

use crate::error::{CommandError, CommandResult};

pub mod activity;
pub mod desk;
pub mod doctor;
pub mod hosts;
pub mod images;
pub mod labs;
pub mod lock;
pub mod machines;
pub mod runs;
pub mod settings;
pub mod templates;

/// Does what reads files or the database away from the threads that serve windows.
async fn blocking<T, E>(engine: &Engine, work: impl FnOnce(&Engine) -> Result<T, E> + Send + 'static) -> CommandResult<T>
where
    T: Send + 'static,
    E: Send + 'static,
    CommandError: From<E>,
{
    let engine = engine.clone();
    let work = tokio::task::spawn_blocking(move || work(&engine));
    Ok(work.await.expect("reading does not panic")?)
}
