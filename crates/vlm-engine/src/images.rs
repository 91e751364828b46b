//! Base images: a file of one's own, or one built from packages by a recipe. Each lies once here and once per host, under its
//! digest; machines are copy-on-write clones of it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use vlm_lab::{model::Size, problems::ImageFacts};

use crate::{
    Engine, Resource,
    process::{self, Line, Program},
    store::{self, ImageRow, LabState, now_ms, rfc3339},
    terraform::create_private_dir,
};

/// The recipes that come with us: name, what it makes, script.
pub const RECIPES: &[(&str, &str, &str)] =
    &[("debian-12", "minimal Debian 12 with cloud-init, from packages", include_str!("../recipes/debian-12"))];

/// How many lines of a failed recipe's output are worth showing: package tools say the cause before they say that they failed.
const LAST_WORDS: usize = 4;
/// The largest disk that an image may claim to be: a header is only a claim.
const MAX_VIRTUAL: Size = Size::gib(64 * 1024);

/// An image as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Image {
    /// Its name in lab files.
    pub name: String,
    /// SHA-256 of its qcow2 file, in hex.
    pub digest: String,
    /// Where it came from.
    pub source: String,
    /// Size of the disk it holds, in words.
    pub virtual_size: String,
    /// Size of its file, in MiB.
    pub file_mib: u32,
    /// When it was added, RFC 3339 in UTC.
    pub added: String,
}

/// Why an image could not be added, built or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A program.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// A file.
    #[error("could not {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The file to add cannot be read.
    #[error("could not read {}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The name cannot be one.
    #[error("`{0}` is no name for an image: use lower-case letters, digits, dots and hyphens")]
    Name(String),
    /// The file is no disk image.
    #[error("{} is no disk image: {reason}", path.display())]
    NotAnImage {
        /// The file.
        path: PathBuf,
        /// What it is, or what is wrong with it.
        reason: String,
    },
    /// No recipe of that name.
    #[error("there is no recipe `{0}`; recipes: {known}", known = RECIPES.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", "))]
    NoRecipe(String),
    /// No image of that name.
    #[error("there is no image `{0}`; `vlm image list` shows those there are")]
    Unknown(String),
    /// A deployed lab needs it.
    #[error("image `{image}` is used by lab `{lab}`, which is deployed; destroy the lab first")]
    InUse {
        /// The image.
        image: String,
        /// The lab.
        lab: String,
    },
    /// A recipe failed.
    #[error("recipe `{recipe}` failed: {words}")]
    Recipe {
        /// The recipe.
        recipe: String,
        /// Its last words.
        words: String,
    },
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// What can be asked of images.
pub struct Images<'a> {
    pub(crate) engine: &'a Engine,
}

#[derive(Deserialize)]
struct QemuImgInfo {
    format: String,
    #[serde(rename = "virtual-size")]
    virtual_size: u64,
    #[serde(rename = "backing-filename")]
    backing: Option<String>,
    #[serde(rename = "format-specific")]
    specific: Option<serde_json::Value>,
}

impl Images<'_> {
    /// All images, by name.
    pub fn list(&self) -> Result<Vec<Image>, Error> {
        let rows = self.engine.store().images()?;
        Ok(rows
            .into_iter()
            .map(|row| Image {
                name: row.name,
                digest: row.digest,
                source: row.source,
                virtual_size: Size::bytes(row.virtual_bytes as u64).to_string(),
                file_mib: (row.file_bytes as u64).div_ceil(1 << 20) as u32,
                added: rfc3339(row.added_at_ms),
            })
            .collect())
    }

    /// What labs may name: images that are here, and recipes that can be built.
    pub fn known(&self) -> Result<BTreeMap<String, ImageFacts>, Error> {
        let unknown = ImageFacts { virtual_size: Size::bytes(0), uefi: None };
        let mut known: BTreeMap<_, _> = RECIPES.iter().map(|(name, ..)| (name.to_string(), unknown.clone())).collect();
        for row in self.engine.store().images()? {
            known.insert(row.name, ImageFacts { virtual_size: Size::bytes(row.virtual_bytes as u64), uefi: None });
        }
        Ok(known)
    }

    /// Adds the disk image at `path` (qcow2 or raw) under `name`, as a copy of our own.
    pub async fn add(&self, name: &str, path: &Path, cancel: &CancellationToken) -> Result<Image, Error> {
        self.take(name, path, &format!("file {}", path.display()), cancel).await
    }

    /// Builds an image by the recipe of that name; `on_line` gets its progress.
    pub async fn build(&self, recipe: &str, cancel: &CancellationToken, mut on_line: impl FnMut(&str)) -> Result<Image, Error> {
        let (_, _, script) =
            RECIPES.iter().find(|(name, ..)| *name == recipe).ok_or_else(|| Error::NoRecipe(recipe.to_owned()))?;
        let dir = self.work_dir()?;
        let script_path = dir.path().join("recipe");
        fs::write(&script_path, script)
            .map_err(|source| Error::Io { what: format!("write {}", script_path.display()), source })?;
        let out = dir.path().join("image.qcow2");
        let mut words: Vec<String> = Vec::new();
        let ended = Program::new("/bin/bash", dir.path())
            .args([script_path.as_os_str(), out.as_os_str()])
            .env("TMPDIR", dir.path())
            .env("DEBIAN_FRONTEND", "noninteractive")
            .run(cancel, |line| {
                let (Line::Out(text) | Line::Err(text)) = &line;
                on_line(text);
                if !text.trim().is_empty() && !text.starts_with("step: ") {
                    words.push(text.trim().to_owned());
                    words.drain(..words.len().saturating_sub(LAST_WORDS));
                }
            })
            .await?;
        if ended.cancelled {
            return Err(Error::Cancelled);
        }
        if !ended.status.success() {
            return Err(Error::Recipe { recipe: recipe.to_owned(), words: words.join("; ") });
        }
        self.take(recipe, &out, &format!("recipe {recipe}"), cancel).await
    }

    /// Forgets an image, and deletes its file when no other name has it.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let rows = self.engine.store().images()?;
        let row = rows.iter().find(|row| row.name == name).ok_or_else(|| Error::Unknown(name.to_owned()))?;
        for lab in self.engine.store().labs()?.iter().filter(|lab| lab.state != LabState::Designed) {
            let used = self.engine.store().lab(&lab.name)?.and_then(|row| vlm_lab::file::read(&row.document).ok());
            if used.is_some_and(|used| used.machines().iter().any(|machine| machine.image == name)) {
                return Err(Error::InUse { image: name.to_owned(), lab: lab.name.clone() });
            }
        }
        self.engine.store().remove_image(name)?;
        self.delete_unnamed(&row.digest)?;
        self.engine.stale(Resource::Images);
        Ok(())
    }

    /// Deletes our file of a digest that no image has any more.
    fn delete_unnamed(&self, digest: &str) -> Result<(), Error> {
        if self.engine.store().images()?.iter().any(|row| row.digest == digest) {
            return Ok(());
        }
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::Io { what: format!("delete {}", path.display()), source })
            }
            _ => Ok(()),
        }
    }

    /// Our file of the image with that digest.
    pub fn path(&self, digest: &str) -> PathBuf {
        self.engine.dirs().data.join("images").join(format!("{digest}.qcow2"))
    }

    fn work_dir(&self) -> Result<tempfile::TempDir, Error> {
        let images = self.engine.dirs().data.join("images");
        let what = || format!("make a folder in {}", images.display());
        create_private_dir(&images).map_err(|source| Error::Io { what: what(), source })?;
        // Beside the images, so that moving one into place is a rename.
        tempfile::Builder::new().prefix(".work-").tempdir_in(&images).map_err(|source| Error::Io { what: what(), source })
    }

    async fn take(&self, name: &str, path: &Path, source: &str, cancel: &CancellationToken) -> Result<Image, Error> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if name.is_empty()
            || name.len() > 63
            || !name.chars().all(valid)
            || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            return Err(Error::Name(name.to_owned()));
        }
        let info = self.inspect(path, cancel).await?;
        let dir = self.work_dir()?;
        let ours = dir.path().join("ours.qcow2");
        if info.format == "qcow2" {
            let (from, to) = (path.to_owned(), ours.clone());
            tokio::task::spawn_blocking(move || fs::copy(&from, &to))
                .await
                .expect("copying does not panic")
                .map_err(|source| Error::Io { what: format!("copy {}", path.display()), source })?;
        } else {
            let ended = Program::new("qemu-img", dir.path())
                .args(["convert", "-f", "raw", "-O", "qcow2"])
                .args([&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), &ours])
                .run(cancel, |_| {})
                .await?;
            if ended.cancelled {
                return Err(Error::Cancelled);
            }
            if !ended.status.success() {
                return Err(Error::NotAnImage { path: path.to_owned(), reason: ended.stderr.trim().to_owned() });
            }
        }
        let file = ours.clone();
        let (digest, file_bytes) = tokio::task::spawn_blocking(move || digest(&file))
            .await
            .expect("hashing does not panic")
            .map_err(|source| Error::Io { what: format!("read {}", ours.display()), source })?;
        let place = self.path(&digest);
        fs::rename(&ours, &place)
            .map_err(|source| Error::Io { what: format!("move the image to {}", place.display()), source })?;
        let row = ImageRow {
            name: name.to_owned(),
            digest,
            source: source.to_owned(),
            virtual_bytes: info.virtual_size as i64,
            file_bytes: file_bytes as i64,
            added_at_ms: now_ms(),
        };
        let before = self.engine.store().images()?.into_iter().find(|row| row.name == name);
        self.engine.store().save_image(&row)?;
        if let Some(before) = before {
            self.delete_unnamed(&before.digest)?;
        }
        self.engine.stale(Resource::Images);
        Ok(self.list()?.into_iter().find(|image| image.name == name).expect("it was just saved"))
    }

    /// Looks at a file as the disk image that it claims to be, and refuses what could read other files or is none.
    async fn inspect(&self, path: &Path, cancel: &CancellationToken) -> Result<QemuImgInfo, Error> {
        let not = |reason: String| Error::NotAnImage { path: path.to_owned(), reason };
        let unreadable = |source| Error::Source { path: path.to_owned(), source };
        let mut head = [0; 512];
        let mut file = File::open(path).map_err(unreadable)?;
        let meta = file.metadata().map_err(unreadable)?;
        if !meta.is_file() {
            return Err(not("it is no regular file".into()));
        }
        let complete = file.read_exact(&mut head).is_ok();
        let qcow2 = head.starts_with(b"QFI\xfb");
        let raw_disk = complete && head[510..] == [0x55, 0xaa];
        if !qcow2 && !raw_disk {
            let kind = if head.starts_with(b"\x1f\x8b") || head.starts_with(b"\xfd7zXZ") || head.starts_with(b"(\xb5/\xfd") {
                "it is compressed; unpack it first"
            } else if head.starts_with(b"<") {
                "it looks like a web page"
            } else {
                "it is neither qcow2 nor a raw disk with a boot sector"
            };
            return Err(not(kind.into()));
        }
        // The format is forced: a raw disk could begin with anything, also with another format's header.
        let path = fs::canonicalize(path).map_err(unreadable)?;
        let (ended, text) = Program::new("qemu-img", "/")
            .args(["info", "--output=json", "-f", if qcow2 { "qcow2" } else { "raw" }])
            .args([&path])
            .capture(cancel)
            .await?;
        if ended.cancelled {
            return Err(Error::Cancelled);
        }
        if !ended.status.success() {
            return Err(not(ended.stderr.trim().trim_start_matches("qemu-img: ").to_owned()));
        }
        // A download that was cut short has a whole header; its tables then point behind the end. Leaked clusters (3) do no harm.
        if qcow2 {
            let checked = Program::new("qemu-img", "/").args(["check", "-q", "-f", "qcow2"]).args([&path]);
            let ended = checked.run(cancel, |_| {}).await?;
            if ended.cancelled {
                return Err(Error::Cancelled);
            }
            if !matches!(ended.status.code(), Some(0 | 3)) {
                return Err(not("it is cut short or damaged: `qemu-img check` finds errors in it".into()));
            }
        }
        let info: QemuImgInfo = serde_json::from_str(&text).map_err(|error| not(format!("qemu-img said {error}")))?;
        if let Some(backing) = &info.backing {
            return Err(not(format!("it needs another file, `{backing}`; flatten it with `qemu-img convert`")));
        }
        if info.specific.as_ref().is_some_and(|specific| specific["data"]["data-file"].is_string()) {
            return Err(not("its data lies in another file; flatten it with `qemu-img convert`".into()));
        }
        if info.virtual_size == 0 || Size::bytes(info.virtual_size) > MAX_VIRTUAL {
            return Err(not(format!("it claims to be a disk of {} bytes", info.virtual_size)));
        }
        Ok(info)
    }
}

/// SHA-256 in hex, and length, of a file; its bytes are on the disk when this returns.
fn digest(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let length = io::copy(&mut file, &mut HashWriter(&mut hasher))?;
    file.sync_all()?;
    let hex = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((hex, length))
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
