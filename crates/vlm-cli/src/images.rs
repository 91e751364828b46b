//! `vlm image …`

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine,
    catalog::{Check, Entry},
    download::{Digest, Limits, Progress},
    images,
};

use crate::{End, block_on, print_json, print_line, runs};

/// Where progress is plain lines: one for each so many MiB.
const LINE_EVERY_MIB: u64 = 64;

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
    /// List images that can be downloaded: what vendors publish, and your own entries
    #[command(
        after_help = "Your own entries stand in ~/.config/vlm/catalog.toml, for example:\n\n  [our-debian]\n  title = \"Debian, as we have it\"\n  url = \"https://images.example.org/debian.qcow2\"\n  sha256 = \"https://images.example.org/SHA256SUMS\""
    )]
    Catalog {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Download an image and verify it; a download that was cut off is gone on with
    #[command(
        after_help = "Examples:\n  vlm image pull debian-13\n  vlm image pull https://images.example.org/disk.qcow2 --name ours --sha256 9f86d081884c7d65…"
    )]
    Pull {
        /// A name of the catalog, or an address
        what: String,
        /// Its name in lab files; the catalog's, or the file's, unless said otherwise
        #[arg(long)]
        name: Option<String>,
        /// What it must be: its SHA-256 (or SHA-512) in hex
        #[arg(long, value_name = "HEX")]
        sha256: Option<Digest>,
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
            let catalog = engine.images().catalog()?;
            for (name, what, _) in images::RECIPES.iter().filter(|(name, ..)| !list.iter().any(|image| image.name == *name)) {
                let or = if catalog.contains_key(*name) { format!("; or vlm image pull {name}") } else { String::new() };
                print_line(&format!("{name:<20} not built: {what} (vlm image build {name}{or})"))?;
            }
            Ok(())
        }
        Command::Catalog { json } => catalog(engine, json),
        Command::Pull { what, name, sha256 } => block_on(async {
            let mut entry = match what.contains("://") {
                true => Entry::of_address(&what, sha256.clone()).map_err(images::Error::from)?,
                false => {
                    let entry = engine.images().catalog()?.remove(&what);
                    entry.ok_or(images::Error::NotInCatalog(what))?
                }
            };
            if let Some(digest) = sha256 {
                entry.check = Check::Pinned(digest);
            }
            let name = name.unwrap_or_else(|| entry.name.clone());
            pull(engine, &entry, &name, &runs::cancel_on_interrupt()).await
        }),
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

/// What can be downloaded.
fn catalog(engine: &Engine, json: bool) -> Result<(), End> {
    let here = engine.images().list()?;
    let catalog = engine.images().catalog()?;
    let is_here = |name: &str| here.iter().any(|image| image.name == name);
    let recipe = |name: &str| images::RECIPES.iter().any(|(recipe, ..)| *recipe == name);
    if json {
        let entries: Vec<_> = catalog
            .values()
            .map(|entry| {
                let (digest, checksums) = match &entry.check {
                    Check::Pinned(digest) => (Some(digest.to_string()), None),
                    Check::Published { url, .. } => (None, Some(url.to_string())),
                    Check::Nothing => (None, None),
                };
                json!({
                    "name": entry.name,
                    "title": entry.title,
                    "user": entry.user,
                    "url": entry.url.as_str(),
                    "digest": digest,
                    "checksums": checksums,
                    "limit_mib": entry.limit_bytes.unwrap_or(Limits::default().bytes) >> 20,
                    "own": entry.typed,
                    "recipe": recipe(&entry.name),
                    "here": is_here(&entry.name),
                })
            })
            .collect();
        return print_json(&entries);
    }
    for entry in catalog.values() {
        let mut remarks = Vec::new();
        if is_here(&entry.name) {
            remarks.push("here");
        }
        if recipe(&entry.name) {
            remarks.push("also a recipe");
        }
        if entry.typed {
            remarks.push("yours");
        }
        if entry.check == Check::Nothing {
            remarks.push("without a digest");
        }
        let remarks = if remarks.is_empty() { String::new() } else { format!("  ({})", remarks.join(", ")) };
        print_line(&format!("{:<20} {}{remarks}", entry.name, entry.title))?;
    }
    Ok(())
}

/// Downloads an image and says how it goes: a bar on a terminal, plain lines elsewhere.
pub async fn pull(engine: &Engine, entry: &Entry, name: &str, cancel: &CancellationToken) -> Result<(), End> {
    if entry.check == Check::Nothing {
        let host = entry.url.host_str().unwrap_or_default();
        let _ = print_line(&format!("image {name}: no digest was given, so {host} alone vouches for it"));
    }
    let bar = std::io::stdout().is_terminal().then(|| {
        let style = ProgressStyle::with_template(
            "  {spinner} {prefix:<20} {msg} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        );
        let bar = ProgressBar::no_length().with_style(style.expect("the template is right")).with_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    });
    let mut said_mib = 0;
    let pulled = engine
        .images()
        .pull(entry, name, &Limits::default(), cancel, |progress| match (progress, &bar) {
            (Progress::Step(text), Some(bar)) => bar.println(format!("image {name}: {text}")),
            (Progress::Step(text), None) => drop(print_line(&format!("image {name}: {text}"))),
            (Progress::Bytes { done, total }, Some(bar)) => {
                if let Some(total) = total {
                    bar.set_length(total);
                }
                if bar.position() == 0 {
                    bar.reset_eta();
                }
                bar.set_position(done);
            }
            (Progress::Bytes { done, total }, None) => {
                let done_mib = done >> 20;
                if total == Some(done) || done_mib >= said_mib + LINE_EVERY_MIB {
                    said_mib = done_mib;
                    let of = total.map_or_else(String::new, |total| format!(" of {}", total.div_ceil(1 << 20)));
                    let _ = print_line(&format!("image {name}: {}{of} MiB", done.div_ceil(1 << 20)));
                }
            }
        })
        .await;
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    let image = match pulled {
        Ok(image) => image,
        Err(images::Error::Cancelled) => {
            let _ = print_line(&format!("image {name}: what came is kept; the same command goes on from there"));
            return Err(End::Cancelled);
        }
        Err(error) => return Err(error.into()),
    };
    print_line(&format!("pulled image `{}`: a disk of {}, sha256 {}", image.name, image.virtual_size, image.digest))
}
