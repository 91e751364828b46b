//! Where images are downloaded from: what vendors publish, and the user's own entries, which come first.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;
use url::Url;
use vlm_lab::model::Size;

use crate::{
    download::{Algorithm, Digest, shown},
    settings::{in_a_line, place},
};

/// The catalog that comes with us.
const OURS: &str = include_str!("../catalog.toml");

/// An image that can be downloaded.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name in lab files.
    pub name: String,
    /// What it is.
    pub title: String,
    /// The account that the image makes by itself.
    pub user: Option<String>,
    /// Where it lies.
    pub url: Url,
    /// How it is told from any other.
    pub check: Check,
    /// The most that the download may be, in bytes.
    pub limit_bytes: Option<u64>,
    /// Whether the user wrote the address: then it may lie on a private network.
    pub typed: bool,
}

/// How a download is verified, beyond what https does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// By this digest.
    Pinned(Digest),
    /// By the digest that is published there.
    Published {
        /// The file of checksums.
        url: Url,
        /// How they are computed.
        algorithm: Algorithm,
    },
    /// Not at all.
    Nothing,
}

/// Why a catalog or an address could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's catalog cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is not right.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Where, from 1, in characters.
        column: usize,
        /// What is wrong, and what to do.
        message: String,
    },
    /// An address on the command line.
    #[error("`{url}` cannot be downloaded: {reason}")]
    Address {
        /// What was written.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: Spanned<String>,
    user: Option<String>,
    url: Spanned<String>,
    sha256: Option<Spanned<String>>,
    sha512: Option<Spanned<String>>,
    limit: Option<Spanned<Size>>,
}

/// What is wrong, and between which bytes of the text.
struct Slip(std::ops::Range<usize>, String);

/// All that can be downloaded, by name: ours, and the user's own in the file at `path`, if it is there.
pub fn read(path: &Path) -> Result<BTreeMap<String, Entry>, Error> {
    let Ok(mut all) = parse(OURS, false) else { panic!("our own catalog is right: its test reads it") };
    match fs::read_to_string(path) {
        Ok(text) => all.extend(parse(&text, true).map_err(|Slip(range, message)| {
            let (line, column) = place(&text, range.start);
            Error::Text { path: path.to_owned(), line, column, message }
        })?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    }
    Ok(all)
}

fn parse(text: &str, typed: bool) -> Result<BTreeMap<String, Entry>, Slip> {
    let written: BTreeMap<Spanned<String>, Written> =
        toml::from_str(text).map_err(|error| Slip(error.span().unwrap_or_default(), in_a_line(&error)))?;
    written.into_iter().map(|(name, written)| Ok((name.get_ref().clone(), entry(name, written, typed)?))).collect()
}

fn entry(name: Spanned<String>, written: Written, typed: bool) -> Result<Entry, Slip> {
    if !is_name(name.get_ref()) {
        let message = "this is no name for an image: use lower-case letters, digits, dots and hyphens";
        return Err(Slip(name.span(), message.into()));
    }
    let url = address(written.url.get_ref()).map_err(|reason| Slip(written.url.span(), reason))?;
    let check = match (&written.sha256, &written.sha512) {
        (Some(_), Some(sha512)) => return Err(Slip(sha512.span(), "say sha256 or sha512, not both".into())),
        (Some(text), None) => check(text, Algorithm::Sha256)?,
        (None, Some(text)) => check(text, Algorithm::Sha512)?,
        (None, None) if url.scheme() != "https" => {
            let message = "plain http can be changed by anyone on the way: take an https address, or add the image's sha256";
            return Err(Slip(written.url.span(), message.into()));
        }
        (None, None) => Check::Nothing,
    };
    let limit_bytes = written.limit.map(|limit| limit.get_ref().as_bytes());
    Ok(Entry { name: name.into_inner(), title: written.title.into_inner(), user: written.user, url, check, limit_bytes, typed })
}

/// A digest in hex, or the address of a file with it.
fn check(text: &Spanned<String>, algorithm: Algorithm) -> Result<Check, Slip> {
    if text.get_ref().contains("://") {
        let url = address(text.get_ref()).map_err(|reason| Slip(text.span(), reason))?;
        if url.scheme() != "https" {
            return Err(Slip(text.span(), "a checksum that comes by plain http proves nothing: take an https address".into()));
        }
        return Ok(Check::Published { url, algorithm });
    }
    match text.get_ref().parse::<Digest>() {
        Ok(digest) if digest.algorithm == algorithm => Ok(Check::Pinned(digest)),
        _ => {
            let message = format!("write {} hex digits, or the https address of a file with them", algorithm.digits());
            Err(Slip(text.span(), message))
        }
    }
}

/// An address that can be downloaded from, or why it is none.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("this is no address: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("only https and http are known".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a name or a password in it; download it with another program and add the file".into());
    }
    Ok(url)
}

/// Whether lab files can call an image that.
pub(crate) fn is_name(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
    name.len() <= 63 && name.chars().all(valid) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

impl Entry {
    /// What lies at an address that the user wrote, called after its file.
    pub fn of_address(text: &str, digest: Option<Digest>) -> Result<Entry, Error> {
        // What is wrong is shown; a password is not.
        let wrong =
            |reason| Error::Address { url: Url::parse(text).map_or_else(|_| text.to_owned(), |url| shown(&url)), reason };
        let url = address(text).map_err(wrong)?;
        let mut name = file_name(&url).to_ascii_lowercase();
        for end in [".xz", ".qcow2", ".img", ".raw"] {
            name = name.strip_suffix(end).unwrap_or(&name).to_owned();
        }
        let name = name.replace(|c: char| !is_name(&format!("a{c}")), "-");
        let check = digest.map_or(Check::Nothing, Check::Pinned);
        let name = name.trim_start_matches(['.', '-', '_']).chars().take(63).collect();
        Ok(Entry { name, title: shown(&url), user: None, url, check, limit_bytes: None, typed: true })
    }

    /// The file's name at its vendor's, by which checksums know it.
    pub fn file_name(&self) -> &str {
        file_name(&self.url)
    }
}

fn file_name(url: &Url) -> &str {
    url.path().rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain;

    #[test]
    fn our_catalog_has_what_it_should_and_all_of_it_can_be_verified() {
        let ours = read(Path::new("/nowhere")).unwrap();
        for family in [
            "debian-12",
            "debian-13",
            "ubuntu-22.04",
            "ubuntu-24.04",
            "fedora-",
            "almalinux-",
            "rocky-",
            "opensuse-",
            "arch",
            "alpine-",
            "freebsd-",
        ] {
            assert!(ours.keys().any(|name| name.starts_with(family)), "{family}");
        }
        for entry in ours.values() {
            assert_eq!(entry.url.scheme(), "https", "{}", entry.name);
            assert!(!entry.typed && entry.limit_bytes.is_some(), "{}", entry.name);
            let Check::Published { url, .. } = &entry.check else { panic!("{}: nothing verifies it", entry.name) };
            assert_eq!(url.host(), entry.url.host(), "{}: whoever publishes the image publishes its digest", entry.name);
            assert!(
                entry.file_name().ends_with(".qcow2")
                    || entry.file_name().ends_with(".img")
                    || entry.file_name().ends_with(".qcow2.xz")
            );
        }
    }

    #[test]
    fn what_is_wrong_in_the_users_catalog_is_told_with_its_place() {
        let hex = "0".repeat(64);
        for (text, found) in [
            ("[a]\ntitle = \"A\"\nurl = \"https://a.org/a.img\"\n", "fine"),
            (
                &format!(
                    "[debian-12]\ntitle = \"Ours\"\nurl = \"http://nas.lan/d.img\"\nsha256 = \"{hex}\"\nlimit = \"2 GiB\"\n"
                ),
                "fine",
            ),
            ("[a]\ntitle = \"A\"\n", "1:1: missing field `url`"),
            (
                "[a]\ntitle = \"A\"\nurl = \"https://a.org/a\"\nsha1 = \"x\"\n",
                "4:1: unknown field `sha1`, expected one of `title`, `user`, `url`, `sha256`, `sha512`, `limit`",
            ),
            ("[a]\ntitle = \"Ä\"\nurl = \"a.org/a\"\n", "3:7: this is no address: relative URL without a base"),
            ("[a]\ntitle = \"A\"\nurl = \"ftp://a.org/a\"\n", "3:7: only https and http are known"),
            (
                "[a]\ntitle = \"A\"\nurl = \"https://me:secret@a.org/a\"\n",
                "3:7: it has a name or a password in it; download it with another program and add the file",
            ),
            (
                "[a]\ntitle = \"A\"\nurl = \"http://a.org/a\"\n",
                "3:7: plain http can be changed by anyone on the way: take an https address, or add the image's sha256",
            ),
            (
                "[a]\ntitle = \"A\"\nurl = \"https://a.org/a\"\nsha256 = \"http://a.org/SUMS\"\n",
                "4:10: a checksum that comes by plain http proves nothing: take an https address",
            ),
            (
                "[a]\ntitle = \"A\"\nurl = \"https://a.org/a\"\nsha512 = \"abc\"\n",
                "4:10: write 128 hex digits, or the https address of a file with them",
            ),
            (
                "[a]\ntitle = \"A\"\nurl = \"https://a.org/a\"\nlimit = \"2\"\n",
                "4:9: `2` is no size: write a number and KiB, MiB, GiB or TiB, such as `512 MiB`",
            ),
            (
                "[A_B]\ntitle = \"A\"\nurl = \"https://a.org/a\"\n",
                "1:2: this is no name for an image: use lower-case letters, digits, dots and hyphens",
            ),
            ("[a\n", "1:3: unclosed table, expected `]`"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("catalog.toml");
            fs::write(&path, text).unwrap();
            let said = read(&path).map_or_else(|error| chain(&error), |_| "fine".into());
            assert_eq!(said.trim_start_matches(&format!("{}:", path.display())), found, "{text}");
        }
    }

    #[test]
    fn an_address_gives_its_image_a_name_and_keeps_secrets() {
        for (text, said) in [
            (
                "https://a.org/x/Fedora-Cloud_43.x86.qcow2.xz?token=secret",
                "fedora-cloud_43.x86 from https://a.org/x/Fedora-Cloud_43.x86.qcow2.xz",
            ),
            ("https://a.org/~%20ä.img", "20-c3-a4 from https://a.org/~%20%C3%A4.img"),
            ("https://a.org/", " from https://a.org/"),
            (
                "https://me:secret@a.org/a",
                "`https://a.org/a` cannot be downloaded: it has a name or a password in it; download it with another program and add the file",
            ),
            ("file:///etc/passwd", "`file:///etc/passwd` cannot be downloaded: only https and http are known"),
            ("https://", "`https://` cannot be downloaded: this is no address: empty host"),
        ] {
            let entry = Entry::of_address(text, None);
            assert_eq!(entry.map_or_else(|error| chain(&error), |entry| format!("{} from {}", entry.name, entry.title)), said);
        }
    }
}
