//! `vlm image …`

use std::path::PathBuf;

use clap::Subcommand;
use tokio_util::sync::CancellationToken;
use vlm_engine::{Engine, images};

use crate::{End, block_on, print_json, print_line, runs};

/// What can be done with images.
#[derive(Subcommand)]
pub enum Command {
    /// List images, and recipes that can be built
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a disk image of your own (qcow2 or raw); it is copied
    #[command(after_help = "Example:\n  vlm image add alpine ~/Downloads/alpine.qcow2")]
    Add {
        /// Its name in lab files
        name: String,
        /// The file
        file: PathBuf,
    },
    /// Build an image from packages, by a recipe
    #[command(after_help = "Example:\n  vlm image build debian-12")]
    Build {
        /// The recipe
        recipe: String,
    },
    /// Remove an image from the store
    Remove {
        /// Its name
        name: String,
    },
}

/// Does it.
pub fn run(engine: &Engine, command: Command) -> Result<(), End> {
    match command {
        Command::List { json } => {
            let list = engine.images().list()?;
            if json {
                return print_json(&list);
            }
            for image in &list {
                print_line(&format!(
                    "{:<20} {:>9} on disk {:>6} MiB  {}  {}",
                    image.name,
                    image.virtual_size,
                    image.file_mib,
                    &image.digest[..12],
                    image.source
                ))?;
            }
            for (name, what, _) in images::RECIPES.iter().filter(|(name, ..)| !list.iter().any(|image| image.name == *name)) {
                print_line(&format!("{name:<20} not built: {what} (vlm image build {name})"))?;
            }
            Ok(())
        }
        Command::Add { name, file } => {
            let image = block_on(async { engine.images().add(&name, &file, &runs::cancel_on_interrupt()).await })?;
            print_line(&format!("added image `{}`: a disk of {}, sha256 {}", image.name, image.virtual_size, image.digest))
        }
        Command::Build { recipe } => block_on(async { build(engine, &recipe, &runs::cancel_on_interrupt()).await }),
        Command::Remove { name } => {
            engine.images().remove(&name)?;
            print_line(&format!("removed image `{name}`"))
        }
    }
}

/// Builds an image and says how it goes.
pub async fn build(engine: &Engine, recipe: &str, cancel: &CancellationToken) -> Result<(), End> {
    let image = engine
        .images()
        .build(recipe, cancel, |line| {
            if let Some(step) = line.strip_prefix("step: ") {
                let _ = print_line(&format!("image {recipe}: {step}"));
            }
        })
        .await?;
    print_line(&format!("built image `{}`: a disk of {}, sha256 {}", image.name, image.virtual_size, image.digest))
}
