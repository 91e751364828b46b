//! Downloads of images: gone on with where they were cut off, and verified before anybody uses them.
//!
//! What must stay true: bytes that are not what was wanted never leave the folder of partial downloads; no server decides
//! what we connect to on a private network; and every wait and every length has a limit.

mod address;
mod digest;
mod http;

use std::{
    fs::{self, File},
    io::{self, Read},
    net::IpAddr,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::{StatusCode, header};
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio_util::sync::CancellationToken;
use url::Url;

pub use digest::{Algorithm, Digest, NoDigest};
use http::{Answer, Client};

use crate::{
    disk::{self, HEAD, Kind},
    terraform::{create_private_dir, write_private},
};

/// The most that a file of checksums may hold, in bytes.
const CHECKSUMS_MOST: usize = 4 << 20;
/// How long a part waits for somebody to go on with it.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// Limits of a download.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a server may take to be reached and to begin its answer.
    pub answer: Duration,
    /// How long it may send nothing.
    pub idle: Duration,
    /// How often it may send us elsewhere.
    pub redirects: u32,
    /// The most that it may send, in bytes.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { answer: Duration::from_secs(30), idle: Duration::from_secs(60), redirects: 10, bytes: 64 << 30 }
    }
}

/// What is to be downloaded.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it lies.
    pub url: Url,
    /// What it must be.
    pub digest: Option<Digest>,
    /// Whether the user wrote the address: then it may lie on a private network, and nothing else may.
    pub typed: bool,
}

/// How a download gets on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something is done now.
    Step(String),
    /// So much is here.
    Bytes {
        /// Bytes that are here.
        done: u64,
        /// Bytes that there are, where the server says so.
        total: Option<u64>,
    },
}

/// Why something was not downloaded. Addresses are shown without what stands behind a `?`, which may be a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Anybody on the way could change it.
    #[error("{url} is plain http, which anyone on the way can change; take an https address, or say what digest the image has")]
    Insecure {
        /// The address.
        url: String,
    },
    /// The same of a file of checksums.
    #[error("{url} is plain http, and a checksum that comes by it proves nothing; take an https address")]
    InsecureChecksums {
        /// The address.
        url: String,
    },
    /// It leads to what only this computer or its network can reach.
    #[error(
        "{url} leads to the private address {address}, which no download from elsewhere may reach; if the image is really there, write its address yourself"
    )]
    Private {
        /// The address that was to be asked.
        url: String,
        /// What its name means.
        address: IpAddr,
    },
    /// From https to http.
    #[error("{url} leads to {to}, which is plain http; take an address that stays with https")]
    Downgrade {
        /// Who leads there.
        url: String,
        /// Where.
        to: String,
    },
    /// Too many redirects.
    #[error("{url} is where the last of {most} redirects leads, and more are not followed; take the address that they end at")]
    Redirects {
        /// The last address.
        url: String,
        /// How many are followed.
        most: u32,
    },
    /// A redirect without a place.
    #[error("{url} leads nowhere; take another address")]
    Nowhere {
        /// Who leads there.
        url: String,
    },
    /// A name that nobody knows.
    #[error("could not find the address of {name}; is it right, and is this computer online?")]
    Resolve {
        /// The name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// No connection.
    #[error("could not connect to {url}; behind a proxy, download the file with another program and add it")]
    Connect {
        /// The address.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// No certificate that we trust.
    #[error("{url} could not prove that it is who it says; if it is yours, add its authority to this computer's certificates")]
    Tls {
        /// The address.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// Nothing to verify certificates against.
    #[error("this computer trusts no certificates; install the package ca-certificates")]
    NoRoots,
    /// It keeps us waiting.
    #[error("{url} {what} {seconds} s; try again, and it goes on from what is here")]
    Silent {
        /// The address.
        url: String,
        /// What it did not do.
        what: &'static str,
        /// For how long.
        seconds: f32,
    },
    /// The connection broke.
    #[error("the connection to {url} broke; try again, and it goes on from what is here")]
    Broken {
        /// The address.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// The answer is no file.
    #[error("{url} answered {status}; {remedy}")]
    Status {
        /// The address.
        url: String,
        /// Its answer.
        status: StatusCode,
        /// What can be done.
        remedy: &'static str,
    },
    /// The answer contradicts itself.
    #[error("{url} answered in a way that cannot be trusted: {what}; take another address")]
    Answer {
        /// The address.
        url: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A page.
    #[error("{url} is no disk image: {reason}; look at it in a browser and take the address of the image itself")]
    NoImage {
        /// The address.
        url: String,
        /// What it is.
        reason: String,
    },
    /// Not all of it came.
    #[error("{url} ended after {done} of {total} bytes; try again, and it goes on from there")]
    Short {
        /// The address.
        url: String,
        /// What came.
        done: u64,
        /// What was announced.
        total: u64,
    },
    /// Too much.
    #[error("{url} sends more than {most} MiB, which no image has; take another address, or set `limit` in its catalog entry")]
    TooLarge {
        /// The address.
        url: String,
        /// The limit.
        most: u64,
    },
    /// The disk is too small.
    #[error("{} has {free_mib} MiB left, and {url} needs {needs_mib} MiB; make room", dir.display())]
    Room {
        /// Where it would lie.
        dir: PathBuf,
        /// The address.
        url: String,
        /// What is left.
        free_mib: u64,
        /// What is needed.
        needs_mib: u64,
    },
    /// Not what was wanted.
    #[error(
        "{url} is not the image that was wanted, and was deleted: its digest is {found}, and should be {wanted}; the vendor may be publishing a new one just now, so try again later, or check the digest"
    )]
    Digest {
        /// The address.
        url: String,
        /// What it should be.
        wanted: Digest,
        /// What it is.
        found: Digest,
    },
    /// Nobody says what it must be.
    #[error("{url} has no {algorithm} of {name}; look for the file of checksums that belongs to the image")]
    NoChecksum {
        /// The file of checksums.
        url: String,
        /// How the digest is computed.
        algorithm: &'static str,
        /// The file that it should be of.
        name: String,
    },
    /// Somebody else downloads it.
    #[error("{url} is being downloaded by another process; wait for it or cancel it there")]
    Busy {
        /// The address.
        url: String,
    },
    /// A file.
    #[error("could not {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// Whether it is about what was asked for, rather than something that went wrong on the way.
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::Insecure { .. }
            | Error::InsecureChecksums { .. }
            | Error::Private { .. }
            | Error::Downgrade { .. }
            | Error::Redirects { .. }
            | Error::Nowhere { .. }
            | Error::NoImage { .. }
            | Error::TooLarge { .. }
            | Error::Room { .. }
            | Error::Digest { .. }
            | Error::NoChecksum { .. }
            | Error::Busy { .. } => true,
            Error::Resolve { .. }
            | Error::Connect { .. }
            | Error::Tls { .. }
            | Error::NoRoots
            | Error::Silent { .. }
            | Error::Broken { .. }
            | Error::Status { .. }
            | Error::Answer { .. }
            | Error::Short { .. }
            | Error::Io { .. }
            | Error::Cancelled => false,
        }
    }
}

/// An address without what may be a key.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = (url.set_username(""), url.set_password(None)); // an address without a host has none
    url.into()
}

/// The digest that is published at `url` for the file called `name`.
pub(crate) async fn published(
    url: &Url,
    algorithm: Algorithm,
    name: &str,
    typed: bool,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Digest, Error> {
    if url.scheme() != "https" {
        return Err(Error::InsecureChecksums { url: shown(url) });
    }
    let none = || Error::NoChecksum { url: shown(url), algorithm: algorithm.as_str(), name: name.to_owned() };
    let mut client = Client::new(limits, cancel, typed.then_some(url));
    let mut answer = client.get(url, &[]).await?;
    if answer.status != StatusCode::OK {
        return Err(no_file(&answer));
    }
    let mut text = Vec::new();
    while let Some(bytes) = client.next(&mut answer).await? {
        text.extend(bytes.map_err(|source| Error::Broken { url: shown(url), source })?);
        if text.len() > CHECKSUMS_MOST {
            return Err(none());
        }
    }
    Digest::published(&String::from_utf8_lossy(&text), algorithm, name).ok_or_else(none)
}

/// Downloads what is wanted to a file in `dir`, or goes on with what lies there of it. Until [`Fetched::done`] it can be taken
/// again from there without a byte being sent.
pub(crate) async fn fetch(
    wanted: &Wanted,
    dir: &Path,
    limits: &Limits,
    cancel: &CancellationToken,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Fetched, Error> {
    let url = &wanted.url;
    if url.scheme() != "https" && wanted.digest.is_none() {
        return Err(Error::Insecure { url: shown(url) });
    }
    let mut partial = Partial::open(dir, wanted)?;
    if partial.is_whole() {
        progress(Progress::Step("all of it is here from an earlier download".into()));
    } else {
        let mut client = Client::new(limits, cancel, wanted.typed.then_some(url));
        let mut answer = begin(&mut client, wanted, &mut partial, progress).await?;
        receive(&client, &mut answer, &mut partial, progress).await?;
    }
    if let Some(digest) = &wanted.digest {
        progress(Progress::Step(format!("verifying the {}", digest.algorithm.as_str())));
        partial.verify(digest, url, cancel).await?;
    }
    Ok(Fetched { partial })
}

/// Asks for what is missing, or for all of it where what is here is of no use.
async fn begin(
    client: &mut Client<'_>,
    wanted: &Wanted,
    partial: &mut Partial,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Answer, Error> {
    let host = wanted.url.host_str().unwrap_or_default();
    if let Some(unchanged) = partial.unchanged_since(wanted) {
        progress(Progress::Step(format!("asking {host} for what is missing after {} MiB", partial.have >> 20)));
        let range = [(header::RANGE, format!("bytes={}-", partial.have)), (header::IF_RANGE, unchanged)];
        let answer = client.get(&wanted.url, &range).await?;
        match answer.status {
            StatusCode::PARTIAL_CONTENT if partial.is_continued_by(&answer) => return Ok(answer),
            StatusCode::OK => {
                partial.clear()?;
                progress(Progress::Step("the image has changed there: beginning again".into()));
                return whole(answer);
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                progress(Progress::Step("the server does not go on from there: beginning again".into()));
            }
            _ => return Err(no_file(&answer)),
        }
    }
    partial.clear()?;
    progress(Progress::Step(format!("asking {host}")));
    whole(client.get(&wanted.url, &[]).await?)
}

/// An answer that is the whole file.
fn whole(answer: Answer) -> Result<Answer, Error> {
    if answer.status == StatusCode::OK { Ok(answer) } else { Err(no_file(&answer)) }
}

fn no_file(answer: &Answer) -> Error {
    let remedy = match answer.status.as_u16() {
        401 | 403 | 407 => "it is not for everyone; download it with another program and add it",
        404 | 410 => "it is no longer there; look for the address of a newer one",
        429 | 500..=599 => "try again later",
        _ => "take another address",
    };
    Error::Status { url: shown(&answer.url), status: answer.status, remedy }
}

/// Receives a body behind what is here, judging it as it comes.
async fn receive(
    client: &Client<'_>,
    answer: &mut Answer,
    partial: &mut Partial,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), Error> {
    let url = shown(&answer.url);
    let not = |what| Error::Answer { url: url.clone(), what };
    let length = match answer.text(header::CONTENT_LENGTH) {
        Some(text) => Some(text.parse::<u64>().map_err(|_| not("its length is no number"))?),
        None => None,
    };
    if answer.status == StatusCode::PARTIAL_CONTENT
        && length.zip(partial.note.total).is_some_and(|(length, total)| partial.have.checked_add(length) != Some(total))
    {
        return Err(not("its Content-Length and its Content-Range disagree"));
    }
    if answer.text(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(not("it is encoded, which nobody asked for"));
    }
    let kind = answer.text(header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("text/html") || kind.starts_with("application/xhtml") {
        partial.delete();
        return Err(Error::NoImage { url, reason: "it is a web page".into() });
    }
    if !answer.has_end && partial.wants_no_digest() {
        return Err(not("it says neither how long the image is nor where it ends, and no digest tells"));
    }
    let too_large = || Error::TooLarge { url: url.clone(), most: client.limits.bytes >> 20 };
    partial.note.total = length.map(|length| partial.have.saturating_add(length)).or(partial.note.total);
    if let Some(total) = partial.note.total {
        if total > client.limits.bytes {
            return Err(too_large());
        }
        let dir = partial.path.parent().expect("it lies in a folder").to_owned();
        let free = disk::free_bytes(&dir).map_err(io_error(format!("ask what is left in {}", dir.display())))?;
        let needs = (total - partial.have).saturating_add(disk::SPARE.as_bytes());
        if needs > free {
            return Err(Error::Room { dir, url, free_mib: free >> 20, needs_mib: needs.div_ceil(1 << 20) });
        }
    }
    // A weak tag does not change with every byte. The answer to a resume need not repeat them.
    let etag = answer.text(header::ETAG).filter(|etag| etag.starts_with('"')).map(str::to_owned);
    partial.note.etag = etag.or(partial.note.etag.take());
    partial.note.last_modified = answer.text(header::LAST_MODIFIED).map(str::to_owned).or(partial.note.last_modified.take());
    partial.save_note()?;

    let writing = || format!("write {}", partial.path.display());
    let file = partial.file.try_clone().map_err(io_error(writing()))?;
    let mut out = BufWriter::with_capacity(1 << 20, tokio::fs::File::from_std(file));
    let mut head = partial.head()?;
    let mut have = partial.have;
    let mut known = head.len() == HEAD;
    let mut received: Result<(), Error> = loop {
        let bytes = match client.next(answer).await {
            Ok(Some(Ok(bytes))) => bytes,
            Ok(Some(Err(error))) => {
                break Err(match partial.note.total {
                    Some(total) if ended_early(&error) => Error::Short { url: url.clone(), done: have, total },
                    _ => Error::Broken { url: url.clone(), source: error },
                });
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        if !known {
            head.extend(bytes.iter().take(HEAD - head.len()));
            known = head.len() == HEAD;
            if known && let Kind::Other(reason) = Kind::of(&head) {
                partial.delete();
                return Err(Error::NoImage { url, reason: reason.into() });
            }
        }
        have += bytes.len() as u64;
        if have > client.limits.bytes {
            partial.delete();
            return Err(too_large());
        }
        if let Err(error) = out.write_all(&bytes).await {
            break Err(io_error(writing())(error));
        }
        progress(Progress::Bytes { done: have, total: partial.note.total });
    };
    // Whatever ended it: what came is kept, and gone on with.
    let flushed = out.flush().await.map_err(io_error(writing()));
    received = received.and(flushed);
    partial.have = partial.file.metadata().map_err(io_error(writing()))?.len();
    received?;
    if !known && let Kind::Other(reason) = Kind::of(&head) {
        partial.delete();
        return Err(Error::NoImage { url, reason: reason.into() });
    }
    match partial.note.total {
        Some(total) if total != partial.have => Err(Error::Short { url, done: partial.have, total }),
        Some(_) => Ok(()),
        None => {
            partial.note.total = Some(partial.have);
            partial.save_note()
        }
    }
}

/// What was downloaded, whole and verified.
pub(crate) struct Fetched {
    partial: Partial,
}

impl Fetched {
    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.partial.path
    }

    /// Forgets it: it was taken, or is of no use.
    pub(crate) fn done(self) {
        self.partial.delete();
    }
}

/// What is known of a file whose download began.
#[derive(Default, Serialize, Deserialize)]
struct Note {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    total: Option<u64>,
    digest: Option<String>,
}

/// A file whose download began, held by us alone.
struct Partial {
    path: PathBuf,
    note_path: PathBuf,
    note: Note,
    file: File,
    have: u64,
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Of an address that sent nothing there is nothing to go on with.
        if self.file.metadata().is_ok_and(|found| found.len() == 0) {
            self.delete();
        }
        // Closing alone would leave the lock to a child of ours that is between fork and exec in this moment.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl Partial {
    fn open(dir: &Path, wanted: &Wanted) -> Result<Partial, Error> {
        let url = &wanted.url;
        let key: String = Sha256::digest(url.as_str())[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let (path, note_path) = (dir.join(&key), dir.join(format!("{key}.json")));
        let opening = || format!("open {}", path.display());
        create_private_dir(dir).map_err(io_error(format!("make {}", dir.display())))?;
        delete_abandoned(dir);
        let file = loop {
            let file = File::options().read(true).append(true).create(true).mode(0o600).open(&path);
            let file = file.map_err(io_error(opening()))?;
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(Error::Busy { url: shown(url) });
            }
            // Between opening and locking it, its holder may have moved it into the store: there it must not be written.
            let ours = file.metadata().map_err(io_error(opening()))?;
            match fs::metadata(&path) {
                Ok(there) if there.ino() == ours.ino() => break file,
                _ => continue,
            }
        };
        let have = file.metadata().map_err(io_error(opening()))?.len();
        let digest = wanted.digest.as_ref().map(Digest::to_string);
        let note = fs::read(&note_path).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        // Without its note nobody knows what it is a part of; with another digest it is a part of something else.
        let same = |note: &Note| note.digest.is_none() || digest.is_none() || note.digest == digest;
        let usable = note.filter(same).filter(|note| note.total.is_none_or(|total| have <= total));
        let mut partial = Partial { path, note_path, note: Note::default(), file, have };
        match usable {
            Some(note) => partial.note = note,
            None => partial.clear()?,
        }
        partial.note.url = shown(url);
        partial.note.digest = digest;
        Ok(partial)
    }

    fn is_whole(&self) -> bool {
        self.have > 0 && self.note.total == Some(self.have)
    }

    fn wants_no_digest(&self) -> bool {
        self.note.digest.is_none()
    }

    /// By what the server can tell that its file is still the one of which a part is here. With a digest, a date will do, which
    /// is the same on all mirrors; else it must be what changes with every byte, if there is that.
    fn unchanged_since(&self, wanted: &Wanted) -> Option<String> {
        let (etag, date) = (self.note.etag.as_ref(), self.note.last_modified.as_ref());
        let best = if wanted.digest.is_some() { date.or(etag) } else { etag.or(date) };
        best.filter(|_| self.have > 0).cloned()
    }

    /// Whether an answer is exactly the rest.
    fn is_continued_by(&self, answer: &Answer) -> bool {
        let range = answer.text(header::CONTENT_RANGE).and_then(|text| text.strip_prefix("bytes "));
        let parts =
            range.and_then(|range| range.split_once('/')).and_then(|(range, total)| Some((range.split_once('-')?, total)));
        let Some(((start, end), total)) = parts else { return false };
        let numbers = (start.parse::<u64>(), end.parse::<u64>(), total.parse::<u64>());
        let (Ok(start), Ok(end), Ok(total)) = numbers else { return false };
        start == self.have && end.checked_add(1) == Some(total) && self.note.total.is_none_or(|known| known == total)
    }

    /// The first bytes of what is here.
    fn head(&self) -> Result<Vec<u8>, Error> {
        let mut head = Vec::with_capacity(HEAD);
        let file = File::open(&self.path).map_err(io_error(format!("read {}", self.path.display())))?;
        file.take(HEAD as u64).read_to_end(&mut head).map_err(io_error(format!("read {}", self.path.display())))?;
        Ok(head)
    }

    async fn verify(&mut self, wanted: &Digest, url: &Url, cancel: &CancellationToken) -> Result<(), Error> {
        let (path, algorithm, cancel) = (self.path.clone(), wanted.algorithm, cancel.clone());
        let work = move || Digest::of_file(algorithm, &path, || !cancel.is_cancelled());
        let found = tokio::task::spawn_blocking(work).await.expect("hashing does not panic");
        match found.map_err(io_error(format!("read {}", self.path.display())))? {
            None => Err(Error::Cancelled),
            Some(found) if found == *wanted => Ok(()),
            Some(found) => {
                self.delete();
                Err(Error::Digest { url: shown(url), wanted: wanted.clone(), found })
            }
        }
    }

    /// Forgets what is here; the download begins again.
    fn clear(&mut self) -> Result<(), Error> {
        self.file.set_len(0).map_err(io_error(format!("empty {}", self.path.display())))?;
        self.have = 0;
        self.note = Note { url: self.note.url.clone(), digest: self.note.digest.clone(), ..Note::default() };
        Ok(())
    }

    fn save_note(&self) -> Result<(), Error> {
        let text = serde_json::to_vec(&self.note).expect("a note serialises");
        write_private(&self.note_path, text).map_err(io_error(format!("write {}", self.note_path.display())))?;
        Ok(())
    }

    /// Deletes it. Where it was moved away, somebody else may have begun another in its place by now: that stays.
    fn delete(&self) {
        let ours = self.file.metadata().map(|ours| ours.ino()).ok();
        let there = fs::metadata(&self.path).map(|there| there.ino()).ok();
        if there.is_none() || there == ours {
            let _ = fs::remove_file(&self.note_path);
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Deletes what nobody has taken up again for [`KEPT_FOR`], and nobody is at now.
fn delete_abandoned(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|then| then.elapsed().ok());
        let path = entry.path();
        if age.is_none_or(|age| age < KEPT_FOR) {
            continue;
        }
        // Whoever is at it holds the part; its note is written once.
        let part = File::options().read(true).open(path.with_extension(""));
        let is_free = part.is_ok_and(|part| rustix::fs::flock(&part, FlockOperation::NonBlockingLockExclusive).is_ok());
        if is_free || !path.with_extension("").exists() {
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether the other side ended a body before its end.
fn ended_early(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    error.is_incomplete_message() || cause.is_some_and(|cause| cause.kind() == io::ErrorKind::UnexpectedEof)
}

fn io_error(what: String) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what, source }
}
