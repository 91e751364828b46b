//! Base images: a file of one's own, or one built from packages by a recipe. Each lies once here and once per host, under its
//! digest; machines are copy-on-write clones of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vlm_lab::{model::Size, problems::ImageFacts};

use crate::{
    Engine, Resource,
    catalog::{self, Check, Entry},
    chain, disk,
    download::{self, Digest, Limits, Progress, Wanted},
    hosts,
    process::{self, Line, Program},
    store::{self, ImageRow, LabState, now_ms, rfc3339},
    terraform::create_private_dir,
};

/// The recipes that come with us: name, what it makes, script.
pub const RECIPES: &[(&str, &str, &str)] =
    &[("debian-12", "minimal Debian 12 with cloud-init, from packages", include_str!("../recipes/debian-12"))];

/// How many lines of a failed recipe's output are worth showing: package tools say the cause before they say that they failed.
const LAST_WORDS: usize = 4;

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
    /// Labs with machines that start from it.
    pub used_by: Vec<String>,
}

/// Where an image lies on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ImagePlace {
    /// The host.
    pub host: String,
    /// Its file there; none where it does not lie there.
    pub path: Option<String>,
    /// What it takes up, in MiB.
    pub bytes_mib: Option<u32>,
    /// Why the host could not be asked.
    pub error: Option<String>,
}

/// An image that can be downloaded, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct CatalogEntry {
    /// Its name in lab files.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Where it comes from.
    pub url: String,
    /// `sha256` or `sha512` where its digest is known here, `published sha256` or `published sha512` where its vendor publishes it,
    /// `nothing`.
    pub verified_by: String,
    /// Whether it is the user's entry.
    pub own: bool,
    /// Whether an image of that name is here.
    pub here: bool,
    /// Whether a recipe builds one of that name, too.
    pub recipe: bool,
    /// The account that the image makes by itself.
    pub user: Option<String>,
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
    /// The file to add, as a disk image.
    #[error(transparent)]
    Disk(disk::Error),
    /// The name cannot be one.
    #[error("`{0}` is no name for an image: use lower-case letters, digits, dots and hyphens")]
    Name(String),
    /// A catalog.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// A download.
    #[error(transparent)]
    Download(download::Error),
    /// No image of that name can be downloaded.
    #[error("`{0}` is not in the catalog; `vlm image catalog` shows what is, and an address works, too")]
    NotInCatalog(String),
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

impl Error {
    /// Whether it is about what was asked for, and nothing was changed.
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::Disk(disk::Error::Refused { .. } | disk::Error::Read { .. })
            | Error::Name(_)
            | Error::Catalog(_)
            | Error::NotInCatalog(_)
            | Error::NoRecipe(_)
            | Error::Unknown(_)
            | Error::InUse { .. } => true,
            Error::Download(error) => error.is_refusal(),
            Error::Store(_)
            | Error::Process(_)
            | Error::Io { .. }
            | Error::Disk(_)
            | Error::Recipe { .. }
            | Error::Cancelled => false,
        }
    }
}

impl From<disk::Error> for Error {
    fn from(error: disk::Error) -> Error {
        match error {
            disk::Error::Cancelled => Error::Cancelled,
            error => Error::Disk(error),
        }
    }
}

impl From<download::Error> for Error {
    fn from(error: download::Error) -> Error {
        match error {
            download::Error::Cancelled => Error::Cancelled,
            error => Error::Download(error),
        }
    }
}

/// What can be asked of images.
pub struct Images<'a> {
    pub(crate) engine: &'a Engine,
}

impl Images<'_> {
    /// All images, by name.
    pub fn list(&self) -> Result<Vec<Image>, Error> {
        let rows = self.engine.store().images()?;
        let mut used = self.used()?;
        Ok(rows
            .into_iter()
            .map(|row| Image {
                used_by: used.remove(&row.name).unwrap_or_default(),
                name: row.name,
                digest: row.digest,
                source: row.source,
                virtual_size: Size::bytes(row.virtual_bytes as u64).to_string(),
                file_mib: (row.file_bytes as u64).div_ceil(1 << 20) as u32,
                added: rfc3339(row.added_at_ms),
            })
            .collect())
    }

    /// Labs by the images that their machines start from. Those that cannot be read use none.
    fn used(&self) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for summary in self.engine.store().labs()? {
            let row = self.engine.store().lab(&summary.name)?;
            let Some(lab) = row.and_then(|row| vlm_lab::file::read(&row.document).ok()) else { continue };
            let images: BTreeSet<String> = lab.machines().into_iter().map(|machine| machine.image).collect();
            images.into_iter().for_each(|image| used.entry(image).or_default().push(summary.name.clone()));
        }
        Ok(used)
    }

    /// What can be downloaded, as lists show it, by name.
    pub fn catalog_entries(&self) -> Result<Vec<CatalogEntry>, Error> {
        let here: BTreeSet<String> = self.engine.store().images()?.into_iter().map(|row| row.name).collect();
        let entry = |entry: Entry| CatalogEntry {
            here: here.contains(&entry.name),
            recipe: RECIPES.iter().any(|(recipe, ..)| *recipe == entry.name),
            verified_by: match &entry.check {
                Check::Pinned(digest) => digest.algorithm.as_str().to_owned(),
                Check::Published { algorithm, .. } => format!("published {}", algorithm.as_str()),
                Check::Nothing => "nothing".to_owned(),
            },
            url: download::shown(&entry.url),
            own: entry.typed,
            name: entry.name,
            title: entry.title,
            user: entry.user,
        };
        Ok(self.catalog()?.into_values().map(entry).collect())
    }

    /// What the catalog has under `name`; or, with a `url`, what lies there. With a digest, it must be that.
    pub fn entry(&self, name: &str, url: Option<&str>, digest: Option<Digest>) -> Result<Entry, Error> {
        let mut entry = match url {
            Some(url) => Entry::of_address(url, digest.clone())?,
            None => self.catalog()?.remove(name).ok_or_else(|| Error::NotInCatalog(name.to_owned()))?,
        };
        if let Some(digest) = digest {
            entry.check = Check::Pinned(digest);
        }
        Ok(entry)
    }

    /// Reads the file of an image again: whether it still is what its digest says. Takes a while.
    pub async fn verify(&self, name: &str) -> Result<bool, Error> {
        let row = self.row(name)?;
        let path = self.path(&row.digest);
        let read = path.clone();
        let found = tokio::task::spawn_blocking(move || file_digest(&read)).await.expect("hashing does not panic");
        let (found, _) = found.map_err(|source| Error::Io { what: format!("read {}", path.display()), source })?;
        Ok(found == row.digest)
    }

    /// Where an image lies, on each host. One that cannot be asked says why.
    pub async fn places(&self, name: &str) -> Result<Vec<ImagePlace>, Error> {
        let volume = format!("{}.qcow2", self.row(name)?.digest);
        let mut looks = JoinSet::new();
        for (index, host) in self.engine.hosts().list()?.into_iter().map(|row| row.name).enumerate() {
            let (engine, volume) = (self.engine.clone(), volume.clone());
            looks.spawn(async move {
                let look = async {
                    let connection = engine.hosts().get(&host)?.connection().await?;
                    Ok::<_, hosts::Error>(connection.volume_files(engine.settings().pool()).await?)
                };
                let place = match look.await {
                    Ok(files) => {
                        let file = files.into_iter().find(|file| file.name == volume);
                        let bytes_mib = file.as_ref().map(|file| file.allocated_bytes.div_ceil(1 << 20) as u32);
                        ImagePlace { host, path: file.map(|file| file.path), bytes_mib, error: None }
                    }
                    Err(error) => ImagePlace { host, path: None, bytes_mib: None, error: Some(chain(&error)) },
                };
                (index, place)
            });
        }
        let mut places = looks.join_all().await;
        places.sort_by_key(|(index, _)| *index);
        Ok(places.into_iter().map(|(_, place)| place).collect())
    }

    fn row(&self, name: &str) -> Result<ImageRow, Error> {
        let row = self.engine.store().images()?.into_iter().find(|row| row.name == name);
        row.ok_or_else(|| Error::Unknown(name.to_owned()))
    }

    /// What can be downloaded, by name.
    pub fn catalog(&self) -> Result<BTreeMap<String, Entry>, Error> {
        Ok(catalog::read(&self.engine.dirs().config.join("catalog.toml"))?)
    }

    /// What labs may name: images that are here, those that can be built, and those that can be downloaded.
    pub fn known(&self) -> Result<BTreeMap<String, ImageFacts>, Error> {
        let unknown = ImageFacts { virtual_size: Size::bytes(0), uefi: None };
        let mut known: BTreeMap<_, _> = RECIPES.iter().map(|(name, ..)| (name.to_string(), unknown.clone())).collect();
        known.extend(self.catalog()?.into_keys().map(|name| (name, unknown.clone())));
        for row in self.engine.store().images()? {
            known.insert(row.name, ImageFacts { virtual_size: Size::bytes(row.virtual_bytes as u64), uefi: None });
        }
        Ok(known)
    }

    /// Adds the disk image at `path` (qcow2 or raw) under `name`, as a copy of our own.
    pub async fn add(&self, name: &str, path: &Path, cancel: &CancellationToken) -> Result<Image, Error> {
        let shown = path.display().to_string();
        self.take(name, path, &shown, false, &format!("file {shown}"), cancel).await
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
        let source = format!("recipe {recipe}");
        self.take(recipe, &out, &source, true, &source, cancel).await
    }

    /// Downloads an image, verifies it and takes it under `name`. What came of a download that did not end is kept and gone on
    /// with.
    pub async fn pull(
        &self,
        entry: &Entry,
        name: &str,
        limits: &Limits,
        cancel: &CancellationToken,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Image, Error> {
        check_name(name)?;
        let limits = Limits { bytes: entry.limit_bytes.unwrap_or(limits.bytes), ..*limits };
        let digest = match &entry.check {
            Check::Pinned(digest) => Some(digest.clone()),
            Check::Published { url, algorithm } => {
                progress(Progress::Step(format!(
                    "asking {} for its {}",
                    url.host_str().unwrap_or_default(),
                    algorithm.as_str()
                )));
                Some(download::published(url, *algorithm, entry.file_name(), entry.typed, &limits, cancel).await?)
            }
            Check::Nothing => None,
        };
        let wanted = Wanted { url: entry.url.clone(), digest, typed: entry.typed };
        let dir = self.engine.dirs().data.join("images").join("partial");
        let fetched = download::fetch(&wanted, &dir, &limits, cancel, &mut progress).await?;
        progress(Progress::Step("looking at the image".into()));
        let shown = download::shown(&entry.url);
        let taken = self.take(name, fetched.path(), &shown, true, &format!("url {shown}"), cancel).await;
        if matches!(taken, Ok(_) | Err(Error::Disk(disk::Error::Refused { .. }))) {
            fetched.done();
        }
        taken
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

    /// Takes the disk image at `path`, known to people as `shown`, into the store. With `ours`, nobody else writes the file, and
    /// it may be moved.
    async fn take(
        &self,
        name: &str,
        path: &Path,
        shown: &str,
        ours: bool,
        source: &str,
        cancel: &CancellationToken,
    ) -> Result<Image, Error> {
        check_name(name)?;
        let dir = self.work_dir()?;
        let (made, virtual_bytes) = disk::as_qcow2(path, shown, ours, dir.path(), cancel).await?;
        let file = made.clone();
        let (digest, file_bytes) = tokio::task::spawn_blocking(move || file_digest(&file))
            .await
            .expect("hashing does not panic")
            .map_err(|source| Error::Io { what: format!("read {}", made.display()), source })?;
        let place = self.path(&digest);
        fs::rename(&made, &place)
            .and_then(|()| disk::sync_dir(place.parent().expect("it lies in a folder")))
            .map_err(|source| Error::Io { what: format!("move the image to {}", place.display()), source })?;
        let row = ImageRow {
            name: name.to_owned(),
            digest,
            source: source.to_owned(),
            virtual_bytes: virtual_bytes as i64,
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
}

/// Refuses what lab files cannot name.
fn check_name(name: &str) -> Result<(), Error> {
    if catalog::is_name(name) { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

/// SHA-256 in hex, and length, of a file; its bytes are on the disk when this returns.
fn file_digest(path: &Path) -> io::Result<(String, u64)> {
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
