//! Digests: of a file, as a person writes them, and as vendors publish them.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
    str::FromStr,
};

use sha2::{Digest as _, Sha256, Sha512};

/// How a digest is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Its name, as in catalogs.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// How many hex digits its digests have.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }
}

/// The digest of a file, by which it is known from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// How it is computed.
    pub algorithm: Algorithm,
    hex: String,
}

/// Why a text is no digest.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no digest: write the 64 hex digits of a SHA-256 or the 128 of a SHA-512")]
pub struct NoDigest(String);

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Digest, NoDigest> {
        let hex = text.trim().to_ascii_lowercase();
        let algorithm = [Algorithm::Sha256, Algorithm::Sha512].into_iter().find(|algorithm| algorithm.digits() == hex.len());
        match algorithm {
            Some(algorithm) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(Digest { algorithm, hex }),
            _ => Err(NoDigest(text.chars().take(140).collect())),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

impl Digest {
    /// That of the file at `path`, as far as `go_on` says so.
    pub(super) fn of_file(algorithm: Algorithm, path: &Path, go_on: impl Fn() -> bool) -> io::Result<Option<Digest>> {
        let mut file = File::open(path)?;
        let (mut sha256, mut sha512) = (Sha256::new(), Sha512::new());
        let mut buffer = vec![0; 1 << 20];
        loop {
            if !go_on() {
                return Ok(None);
            }
            let n = file.read(&mut buffer)?;
            match algorithm {
                _ if n == 0 => break,
                Algorithm::Sha256 => sha256.update(&buffer[..n]),
                Algorithm::Sha512 => sha512.update(&buffer[..n]),
            }
        }
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = match algorithm {
            Algorithm::Sha256 => hex(&sha256.finalize()),
            Algorithm::Sha512 => hex(&sha512.finalize()),
        };
        Ok(Some(Digest { algorithm, hex }))
    }

    /// That of the file called `name`, in a text that a vendor published: a line `DIGEST  NAME` or `DIGEST *NAME`, a line
    /// `SHA256 (NAME) = DIGEST`, or a text with this one digest in it, which may call the file by another name.
    pub(super) fn published(text: &str, algorithm: Algorithm, name: &str) -> Option<Digest> {
        let of = |hex: &str| hex.parse::<Digest>().ok().filter(|digest| digest.algorithm == algorithm);
        let bsd = format!("{} (", algorithm.as_str().to_ascii_uppercase());
        let lines: Vec<(&str, Digest)> = text
            .lines()
            .filter_map(|line| match line.trim().strip_prefix(&bsd) {
                Some(rest) => rest.rsplit_once(") = ").and_then(|(name, hex)| Some((name, of(hex)?))),
                None => {
                    let (hex, rest) = line.trim().split_at_checked(algorithm.digits())?;
                    let named = rest.is_empty() || rest.starts_with(char::is_whitespace);
                    named.then_some(())?;
                    Some((rest.trim_start().trim_start_matches('*'), of(hex)?))
                }
            })
            .collect();
        let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        match (lines.iter().find(|(of, _)| base(of) == name), lines.as_slice()) {
            (Some((_, digest)), _) => Some(digest.clone()),
            (None, [(_, only)]) => Some(only.clone()),
            (None, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_in_every_form_that_vendors_publish() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let (long, other) = ("c".repeat(128), "d".repeat(128));
        let signed = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# other.qcow2: 5 bytes\nSHA256 (other.qcow2) = {b}\n# image.qcow2: 7 bytes\nSHA256 (image.qcow2) = {a}\n-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE\n"
        );
        for (what, text, algorithm, found) in [
            ("SHA256SUMS", format!("{b} *other.qcow2\n{a} *image.qcow2\n"), Algorithm::Sha256, Some(&a)),
            ("SHA512SUMS", format!("{other}  other.qcow2\n{long}  image.qcow2\n"), Algorithm::Sha512, Some(&long)),
            ("a folder", format!("{b}  ./x/other.qcow2\n{a}  ./x/image.qcow2\n"), Algorithm::Sha256, Some(&a)),
            ("BSD", signed, Algorithm::Sha256, Some(&a)),
            (
                "BSD, both",
                format!("SHA512 (image.qcow2) = {long}\nSHA256 (image.qcow2) = {a}\n"),
                Algorithm::Sha512,
                Some(&long),
            ),
            ("one alone", format!("{a}\n"), Algorithm::Sha256, Some(&a)),
            ("one of another name", format!("{a}  image-20261103.1.qcow2\n"), Algorithm::Sha256, Some(&a)),
            ("capitals", format!("{}  image.qcow2\r\n", a.to_uppercase()), Algorithm::Sha256, Some(&a)),
            ("others only", format!("{a}  one.qcow2\n{b}  image.qcow2.zsync\n"), Algorithm::Sha256, None),
            ("another algorithm", format!("{long}  image.qcow2\n"), Algorithm::Sha256, None),
            ("a page", "<html>Not found</html>".to_owned(), Algorithm::Sha256, None),
            ("too long", format!("{a}{a}  image.qcow2\n"), Algorithm::Sha256, None),
            ("nothing", String::new(), Algorithm::Sha256, None),
        ] {
            let digest = Digest::published(&text, algorithm, "image.qcow2").map(|digest| digest.hex);
            assert_eq!(digest.as_ref(), found, "{what}");
        }
    }
}
