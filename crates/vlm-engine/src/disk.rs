//! A file as the disk image that it claims to be. It comes from anywhere and may be made to harm: QEMU would read other files
//! of the host for a header that names them, and a small file can claim a disk without end.
//!
//! What must stay true: `qemu-img` is told the format, which we read from the first bytes and never let it guess; it runs in
//! bounded memory and time; and what was looked at is what is kept.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use vlm_lab::model::Size;

use crate::process::{self, Ended, Limits, Program};

/// How much of a file's beginning tells what it is, in bytes: a boot sector.
pub(crate) const HEAD: usize = 512;
/// The largest disk that an image may hold.
const MAX_VIRTUAL: Size = Size::gib(8 * 1024);
/// Above this size, an image that holds next to nothing is one that claims too much.
const LARGE: Size = Size::gib(1024);
/// How many times its file a large disk may be.
const MAX_RATIO: u64 = 4096;
/// What may come out of a packed image.
const MAX_UNPACKED: Size = Size::gib(64);
/// What unpacking may take: `xz -9` needs 65 MiB.
const UNPACK_MEMORY: u64 = 256 << 20;
/// What stays free on our disk.
pub(crate) const SPARE: Size = Size::mib(64);
/// For what reads an image's header alone.
const LOOK: Limits = Limits { memory_bytes: 1 << 30, cpu_s: 30, time: Duration::from_secs(60) };
/// For what reads all of its tables.
const CHECK: Limits = Limits { memory_bytes: 2 << 30, cpu_s: 300, time: Duration::from_secs(600) };
/// For what reads and writes all of its data.
const CONVERT: Limits = Limits { memory_bytes: 2 << 30, cpu_s: 4 * 3600, time: Duration::from_secs(8 * 3600) };

/// Why a file was not taken as a disk image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is none, or one that could do harm.
    #[error("{name} is no disk image for labs: {reason}")]
    Refused {
        /// Where it came from: a path or an address.
        name: String,
        /// What it is, or what is wrong with it.
        reason: String,
    },
    /// It cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is made of it cannot be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// qemu-img could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// QEMU's own format.
    Qcow2,
    /// A plain disk with a boot sector.
    Raw,
    /// Packed by xz: the image is in it.
    Xz,
    /// Nothing that can be taken; why, in words.
    Other(&'static str),
}

impl Kind {
    /// Reads it from the first [`HEAD`] bytes, or all where there are fewer.
    pub(crate) fn of(head: &[u8]) -> Kind {
        let text = head.trim_ascii_start();
        if head.starts_with(b"QFI\xfb") {
            Kind::Qcow2
        } else if head.starts_with(b"\xfd7zXZ\0") {
            Kind::Xz
        } else if head.starts_with(b"\x1f\x8b")
            || head.starts_with(b"(\xb5/\xfd")
            || head.starts_with(b"BZh")
            || head.starts_with(b"PK\x03\x04")
            || head.starts_with(b"7z\xbc\xaf")
        {
            Kind::Other("it is compressed, and not by xz; unpack it first")
        } else if text.starts_with(b"<") {
            Kind::Other("it looks like a web page")
        } else if head.starts_with(b"KDMV") || head.starts_with(b"vhdxfile") || head.starts_with(b"conectix") {
            Kind::Other("it is a disk of another product; make a qcow2 of it with `qemu-img convert -O qcow2`")
        } else if head.get(HEAD - 2..HEAD) == Some(&[0x55, 0xaa]) {
            Kind::Raw
        } else {
            Kind::Other("it is neither qcow2 nor a raw disk with a boot sector")
        }
    }

    /// Reads it from a file.
    pub(crate) fn of_file(path: &Path) -> io::Result<Kind> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(Kind::Other("it is no regular file"));
        }
        let mut head = Vec::with_capacity(HEAD);
        file.take(HEAD as u64).read_to_end(&mut head)?;
        Ok(Kind::of(&head))
    }
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "virtual-size")]
    virtual_size: u64,
    #[serde(rename = "backing-filename")]
    backing: Option<String>,
    #[serde(default)]
    encrypted: bool,
    #[serde(rename = "format-specific")]
    specific: Option<serde_json::Value>,
}

/// Makes of the image at `path`, known to people as `name`, a qcow2 file that is safe to start machines from, and returns its
/// path and the size of its disk in bytes. That file is `path` itself where `ours` says that nobody else writes it and it is
/// one already; else it lies in `work`.
pub(crate) async fn as_qcow2(
    path: &Path,
    name: &str,
    ours: bool,
    work: &Path,
    cancel: &CancellationToken,
) -> Result<(PathBuf, u64), Error> {
    let read = |path: &Path, source| Error::Read { path: path.to_owned(), source };
    let kind = |path: &Path| match Kind::of_file(path) {
        Ok(Kind::Other(reason)) => Err(Error::Refused { name: name.to_owned(), reason: reason.into() }),
        kind => kind.map_err(|source| read(path, source)),
    };
    // With a protocol's name before a colon, a relative path would mean something else to QEMU.
    let mut path = fs::canonicalize(path).map_err(|source| read(path, source))?;
    let mut ours = ours;
    if kind(&path)? == Kind::Xz {
        path = unpack(path, name, work.join("unpacked"), MAX_UNPACKED, cancel).await?;
        ours = true;
    }
    let format = kind(&path)?;
    let made = work.join("ours.qcow2");
    match format {
        Kind::Qcow2 if ours => {}
        Kind::Qcow2 => {
            // Looked at first, as it may be large; and again below, as it may change while it is copied.
            inspect(&path, name, format, cancel).await?;
            let (from, to) = (path.clone(), made.clone());
            tokio::task::spawn_blocking(move || fs::copy(&from, &to))
                .await
                .expect("copying does not panic")
                .map_err(|source| Error::Write { path: made.clone(), source })?;
            path = made;
        }
        Kind::Raw => {
            inspect(&path, name, format, cancel).await?;
            let convert = Program::new("qemu-img", work).args(["convert", "-f", "raw", "-O", "qcow2"]).args([&path, &made]);
            let (ended, _) = run(convert, CONVERT, name, cancel).await?;
            if !ended.status.success() {
                return Err(Error::Refused { name: name.to_owned(), reason: words(&ended) });
            }
            path = made;
        }
        Kind::Xz | Kind::Other(_) => {
            return Err(Error::Refused { name: name.to_owned(), reason: "it is packed twice; unpack it first".into() });
        }
    }
    let virtual_bytes = inspect(&path, name, Kind::Qcow2, cancel).await?;
    check(&path, name, cancel).await?;
    Ok((path, virtual_bytes))
}

/// Looks at an image's header and refuses what reads other files, cannot be read, or claims too much. Returns the size of
/// its disk in bytes.
async fn inspect(path: &Path, name: &str, kind: Kind, cancel: &CancellationToken) -> Result<u64, Error> {
    let not = |reason: String| Error::Refused { name: name.to_owned(), reason };
    let format = if kind == Kind::Qcow2 { "qcow2" } else { "raw" };
    let program = Program::new("qemu-img", "/").args(["info", "--output=json", "-f", format]).args([path]);
    let (ended, text) = run(program, LOOK, name, cancel).await?;
    if !ended.status.success() {
        return Err(not(words(&ended)));
    }
    let info: Info = serde_json::from_str(&text).map_err(|error| not(format!("qemu-img said {error}")))?;
    if let Some(backing) = &info.backing {
        return Err(not(format!(
            "it needs another file, `{backing}`, whose content guests would see; take another image, or, if both files are yours, flatten it with `qemu-img convert`"
        )));
    }
    if info.specific.as_ref().is_some_and(|specific| !specific["data"]["data-file"].is_null()) {
        return Err(not("its data lies in another file, which guests would see; take another image, or, if both files are yours, flatten it with `qemu-img convert`".into()));
    }
    if info.encrypted {
        return Err(not("it is encrypted; decrypt it with `qemu-img convert`".into()));
    }
    let file_bytes = fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?.len();
    let size = Size::bytes(info.virtual_size);
    if info.virtual_size == 0 {
        return Err(not("the disk in it has no bytes".into()));
    }
    if size > MAX_VIRTUAL {
        return Err(not(format!("it claims to hold a disk of {size}, and {MAX_VIRTUAL} are the most that is taken")));
    }
    if size > LARGE && info.virtual_size / file_bytes.max(1) > MAX_RATIO {
        let file = file_bytes.div_ceil(1 << 10);
        return Err(not(format!(
            "its {file} KiB claim to hold a disk of {size}; make the disk smaller with `qemu-img resize`"
        )));
    }
    Ok(info.virtual_size)
}

/// Reads all tables of a qcow2 file. One that was cut short has a whole header; its tables then point behind the end.
async fn check(path: &Path, name: &str, cancel: &CancellationToken) -> Result<(), Error> {
    let program = Program::new("qemu-img", "/").args(["check", "-q", "-f", "qcow2"]).args([path]);
    let (ended, _) = run(program, CHECK, name, cancel).await?;
    // Leaked clusters (3) do no harm.
    if matches!(ended.status.code(), Some(0 | 3)) {
        return Ok(());
    }
    let reason = "it is cut short or damaged: `qemu-img check` finds errors in it; get it again";
    Err(Error::Refused { name: name.to_owned(), reason: reason.into() })
}

async fn run(program: Program, limits: Limits, name: &str, cancel: &CancellationToken) -> Result<(Ended, String), Error> {
    let (ended, text) = program.limits(limits).grace(Duration::from_secs(2)).capture(cancel).await?;
    if ended.cancelled {
        return Err(Error::Cancelled);
    }
    if ended.overdue {
        let reason = format!("qemu-img was not done with it after {} s", limits.time.as_secs());
        return Err(Error::Refused { name: name.to_owned(), reason });
    }
    Ok((ended, text))
}

/// What qemu-img said last, or how it ended.
fn words(ended: &Ended) -> String {
    match ended.stderr.trim().trim_start_matches("qemu-img: ") {
        "" => format!("qemu-img ended with {}", ended.status),
        words => words.to_owned(),
    }
}

/// Unpacks `packed` to `to`, which it returns, as long as no more than `most` comes out of it.
async fn unpack(packed: PathBuf, name: &str, to: PathBuf, most: Size, cancel: &CancellationToken) -> Result<PathBuf, Error> {
    let (name, cancel) = (name.to_owned(), cancel.clone());
    let work = move || {
        let read = |source| Error::Read { path: packed.clone(), source };
        let write = |source| Error::Write { path: to.clone(), source };
        let not = |reason: String| Error::Refused { name: name.clone(), reason };
        let stream = liblzma::stream::Stream::new_stream_decoder(UNPACK_MEMORY, liblzma::stream::CONCATENATED)
            .expect("a decoder can be made with these settings");
        let file = File::open(&packed).map_err(read)?;
        let mut from = liblzma::read::XzDecoder::new_stream(file, stream);
        let mut out = File::create(&to).map_err(write)?;
        let room = free_bytes(to.parent().expect("it lies in a folder")).map_err(write)?.saturating_sub(SPARE.as_bytes());
        let mut buffer = vec![0; 1 << 20];
        let mut written: u64 = 0;
        loop {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let n = from.read(&mut buffer).map_err(|error| not(format!("it cannot be unpacked: {error}; get it again")))?;
            if n == 0 {
                return Ok(to);
            }
            written += n as u64;
            if written > most.as_bytes() {
                return Err(not(format!("unpacked, it is larger than {most}, which no image has")));
            }
            if written > room {
                let mib = room >> 20;
                return Err(not(format!("there is no room to unpack it: {} has {mib} MiB left; make room", to.display())));
            }
            out.write_all(&buffer[..n]).map_err(write)?;
        }
    };
    tokio::task::spawn_blocking(work).await.expect("unpacking does not panic")
}

/// How much can be written in `dir`'s file system.
pub(crate) fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Makes sure that names given or taken in `dir` last.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain;

    #[tokio::test]
    async fn what_is_packed_has_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let (packed, to) = (dir.path().join("bomb.xz"), dir.path().join("unpacked"));
        let mut bytes = Vec::new();
        liblzma::read::XzEncoder::new(io::repeat(0).take(64 << 20), 1).read_to_end(&mut bytes).unwrap();
        fs::write(&packed, &bytes).unwrap();
        assert!(bytes.len() < 64 << 10, "it is small: {}", bytes.len());
        let cancel = CancellationToken::new();
        let error = unpack(packed, "bomb.xz", to.clone(), Size::mib(8), &cancel).await.unwrap_err();
        assert_eq!(chain(&error), "bomb.xz is no disk image for labs: unpacked, it is larger than 8 MiB, which no image has");
        assert_eq!(fs::metadata(to).unwrap().len(), 8 << 20);
    }
}
