//! Whether the other end of a connection is the host that we mean: what was accepted before, what known_hosts files say, what a
//! certificate proves.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use russh::{
    Preferred, cipher,
    client::{self, DisconnectReason},
    keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate},
};

use super::{
    ask::printable,
    known_hosts::{self, Name, Verdict},
};

/// AES-GCM first: with the processor's own instructions it is the fastest.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR];

/// Types of host keys that we take, best first: OpenSSH's own, which leave out signatures by SHA-1.
const HOST_KEYS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

const AUTHORITY: &str = "@cert-authority ";

/// By what a host is known from the day on which it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pin {
    /// By this key alone.
    Key(PublicKey),
    /// By a certificate of this authority: the host may get a new key, as long as the authority vouches for it.
    Authority(PublicKey),
}

impl Pin {
    /// Out of a line that [`Pin::line`] has made.
    pub fn read(line: &str) -> Result<Pin, russh::keys::ssh_key::Error> {
        match line.strip_prefix(AUTHORITY) {
            Some(key) => PublicKey::from_openssh(key).map(Pin::Authority),
            None => PublicKey::from_openssh(line).map(Pin::Key),
        }
    }

    /// `TYPE BASE64`, as in known_hosts without the name.
    pub fn line(&self) -> String {
        let (marker, key) = match self {
            Pin::Key(key) => ("", key),
            Pin::Authority(key) => (AUTHORITY, key),
        };
        let bare = PublicKey::new(key.key_data().clone(), "");
        let key = bare.to_openssh().expect("a key that was read can be written");
        format!("{marker}{}", key.trim())
    }
}

/// A file of known hosts: what it is called, and what is in it.
#[derive(Debug, Clone)]
pub(super) struct KnownFile {
    pub label: String,
    pub text: String,
}

/// Who is expected at the other end.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    /// Under which name files and certificates know it.
    pub name: Name,
    /// What was accepted when the host was added.
    pub pin: Option<Pin>,
    pub files: Vec<KnownFile>,
    /// The fingerprint of the only key that may be accepted, if somebody has named it.
    pub fingerprint: Option<String>,
}

/// Why a key is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody knows it. Types of the keys by which the host is known.
    Unknown(Vec<String>),
    /// It is wrong, and why.
    Wrong(String),
}

impl Expected {
    /// What we offer to a server: the types of key by which it is known first, so that it shows the one that we can check.
    pub fn preferred(&self) -> Preferred {
        let same = |one: &Algorithm, other: &Algorithm| {
            one == other || matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
        };
        let mut key = HOST_KEYS.to_vec();
        let mut certificates = Vec::new();
        match &self.pin {
            Some(Pin::Key(pinned)) => key.retain(|algorithm| same(algorithm, &pinned.algorithm())),
            Some(Pin::Authority(_)) => certificates = HOST_KEYS.to_vec(),
            None => {
                let known: Vec<_> =
                    self.files.iter().flat_map(|file| known_hosts::algorithms(&file.text, &self.name)).collect();
                key.sort_by_key(|algorithm| !known.iter().any(|known| same(algorithm, known)));
                if self.files.iter().any(|file| !known_hosts::authorities(&file.text, &self.name).is_empty()) {
                    certificates = HOST_KEYS.to_vec();
                }
            }
        }
        Preferred {
            cipher: CIPHERS.into(),
            key: key.into(),
            host_key_certificates: certificates.into(),
            ..Preferred::default()
        }
    }

    /// Whether what was shown is believed, and by what it is to be known from now on.
    pub fn judge(&self, shown: &PublicKeyOrCertificate, now: u64) -> Result<Pin, Refusal> {
        let key = shown.public_key();
        self.refuse_revoked(&key)?;
        let certified = match shown.certificate() {
            Some(certificate) => self.judge_certificate(certificate, now)?,
            None => None,
        };
        let pin = match (&self.pin, certified) {
            (Some(Pin::Key(pinned)), _) if pinned.key_data() == key.key_data() => return Ok(Pin::Key(key)),
            (Some(Pin::Key(_)), _) => return Err(Refusal::Wrong("which is not the one that was accepted".into())),
            (Some(Pin::Authority(_)), Some(pin)) => return Ok(pin),
            (Some(Pin::Authority(authority)), None) => {
                let why = format!("without a certificate of {}, by which it was accepted", fingerprint_of(authority));
                return Err(Refusal::Wrong(why));
            }
            (None, certified) => certified,
        };
        let pin = match pin {
            Some(pin) => Ok(pin),
            None => self.judge_by_files(&key).map(|()| Pin::Key(key.clone())),
        };
        // Whoever names a key wants that key, and nothing but a wrong one stands against it.
        match (&self.fingerprint, pin) {
            (Some(wanted), Ok(_) | Err(Refusal::Unknown(_))) if *wanted == fingerprint_of(&key) => Ok(Pin::Key(key)),
            (Some(wanted), Ok(_) | Err(Refusal::Unknown(_))) => Err(Refusal::Wrong(format!("not {wanted}"))),
            (_, pin) => pin,
        }
    }

    fn refuse_revoked(&self, key: &PublicKey) -> Result<(), Refusal> {
        for KnownFile { label, text } in &self.files {
            if let Verdict::Revoked(line) = known_hosts::check(text, &self.name, key) {
                return Err(Refusal::Wrong(format!("which {label}:{line} revokes")));
            }
        }
        Ok(())
    }

    /// What a certificate proves; none if it is of no authority that we know, and its key has to stand for itself.
    fn judge_certificate(&self, certificate: &Certificate, now: u64) -> Result<Option<Pin>, Refusal> {
        let signer = certificate.signature_key();
        let authority = match &self.pin {
            Some(Pin::Authority(authority)) => Some(authority.clone()).filter(|authority| authority.key_data() == signer),
            Some(Pin::Key(_)) => None,
            None => {
                let all = self.files.iter().flat_map(|file| known_hosts::authorities(&file.text, &self.name));
                all.into_iter().find(|authority| authority.key_data() == signer)
            }
        };
        let Some(authority) = authority else { return Ok(None) };
        self.refuse_revoked(&authority)?;
        known_hosts::check_certificate(certificate, &authority, &self.name, now)
            .map_err(|why| Refusal::Wrong(format!("with a certificate that does not count: {why}")))?;
        Ok(Some(Pin::Authority(authority)))
    }

    fn judge_by_files(&self, key: &PublicKey) -> Result<(), Refusal> {
        let mut types = Vec::new();
        let mut known = false;
        for KnownFile { label, text } in &self.files {
            match known_hosts::check(text, &self.name, key) {
                Verdict::Known => known = true,
                Verdict::Unknown => {}
                Verdict::OtherTypes(found) => types.extend(found),
                Verdict::Changed(line) => return Err(Refusal::Wrong(format!("and {label}:{line} has another for it"))),
                Verdict::Revoked(line) => return Err(Refusal::Wrong(format!("which {label}:{line} revokes"))),
            }
        }
        if known { Ok(()) } else { Err(Refusal::Unknown(types)) }
    }
}

/// `SHA256:…`
pub(super) fn fingerprint_of(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// What a connection's other end has shown and said so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The host's key, and what we made of it.
    pub judged: Option<(PublicKey, Result<Pin, Refusal>)>,
    /// What it says before anybody is let in.
    pub banner: String,
    /// What it said when it ended the connection.
    pub farewell: Option<String>,
}

/// Judges the key of a connection's other end, and listens to what is said besides.
pub(super) struct Checker {
    pub expected: Expected,
    pub seen: Arc<Mutex<Seen>>,
}

impl Checker {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no panic while it is held")
    }
}

impl client::Handler for Checker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let verdict = self.expected.judge(shown, now);
        let accepted = verdict.is_ok();
        self.seen().judged = Some((shown.public_key(), verdict));
        Ok(accepted)
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut client::Session) -> Result<(), Self::Error> {
        let mut seen = self.seen();
        // A server may send as many as it likes.
        if seen.banner.len() < 10_000 {
            seen.banner += &printable(banner);
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Self::Error>) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.seen().farewell = Some(printable(info.message.trim()));
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PublicKey {
        PublicKey::from_openssh(&crate::ssh::generate_key().unwrap().public).unwrap()
    }

    fn expected(pin: Option<Pin>, text: &str, fingerprint: Option<String>) -> Expected {
        let file = KnownFile { label: "known_hosts".into(), text: text.into() };
        Expected { name: Name::new("lab1", 22), pin, files: vec![file], fingerprint }
    }

    fn wrong(why: impl Into<String>) -> Result<Pin, Refusal> {
        Err(Refusal::Wrong(why.into()))
    }

    #[test]
    fn pins_are_written_and_read() {
        let one = key();
        for pin in [Pin::Key(one.clone()), Pin::Authority(one.clone())] {
            assert_eq!(Pin::read(&pin.line()).unwrap().line(), pin.line());
        }
        assert_eq!(Pin::Authority(one.clone()).line(), format!("@cert-authority {}", Pin::Key(one).line()));
        assert!(Pin::read("").is_err());
    }

    #[test]
    fn plain_keys() {
        let (ours, other) = (key(), key());
        let line = |key: &PublicKey| Pin::Key(key.clone()).line();
        let judge = |pin: Option<&PublicKey>, text: &str, fingerprint: Option<&PublicKey>| {
            let expected = expected(pin.cloned().map(Pin::Key), text, fingerprint.map(fingerprint_of));
            expected.judge(&ours.clone().into(), 0).map(|pin| assert_eq!(pin.line(), line(&ours)))
        };
        let known = format!("lab1 {}\n", line(&ours));
        let changed = format!("lab1 {}\n", line(&other));
        let revoked = format!("@revoked * {}\n", line(&ours));
        let wrong = |why: &str| Err(Refusal::Wrong(why.to_owned()));
        assert_eq!(judge(None, "", None), Err(Refusal::Unknown(Vec::new())));
        assert_eq!(judge(None, &known, None), Ok(()));
        assert_eq!(judge(None, &changed, None), wrong("and known_hosts:1 has another for it"));
        assert_eq!(judge(None, &revoked, None), wrong("which known_hosts:1 revokes"));
        // A fingerprint that was named is for the key that is shown, known or not, and overrules nothing.
        assert_eq!(judge(None, "", Some(&ours)), Ok(()));
        assert_eq!(judge(None, &known, Some(&ours)), Ok(()));
        assert_eq!(judge(None, &changed, Some(&ours)), wrong("and known_hosts:1 has another for it"));
        assert_eq!(judge(None, &revoked, Some(&ours)), wrong("which known_hosts:1 revokes"));
        for text in ["", &known] {
            assert_eq!(judge(None, text, Some(&other)), wrong(&format!("not {}", fingerprint_of(&other))));
        }
        // What was accepted counts more than files, unless they revoke it.
        assert_eq!(judge(Some(&ours), &changed, None), Ok(()));
        assert_eq!(judge(Some(&other), &known, None), wrong("which is not the one that was accepted"));
        assert_eq!(judge(Some(&ours), &revoked, None), wrong("which known_hosts:1 revokes"));
    }

    #[test]
    fn certificates() {
        let may = 1_777_600_000; // 2026-05-01
        let read = |text: &str| PublicKey::from_openssh(text).unwrap();
        let certificate = include_str!("../../fixtures/ssh/host-cert.pub");
        let ca = include_str!("../../fixtures/ssh/ca.pub");
        let (host, other) = (read(include_str!("../../fixtures/ssh/host.pub")), key());
        let shown = || PublicKeyOrCertificate::from(Certificate::from_openssh(certificate).unwrap());
        let line = |pin: Result<Pin, Refusal>| pin.map(|pin| pin.line());
        let by_ca = || Ok(Pin::Authority(read(ca)).line());
        let by_key = || Ok(Pin::Key(host.clone()).line());
        let judge = |pin: Option<Pin>, text: &str| expected(pin, text, None).judge(&shown(), may);
        let trusts = format!("@cert-authority * {ca}");
        assert_eq!(line(judge(None, &trusts)), by_ca());
        // The certificate of an authority that nobody knows proves nothing; its key may be known all the same.
        assert_eq!(judge(None, ""), Err(Refusal::Unknown(Vec::new())));
        assert_eq!(line(judge(None, &format!("lab1 {}\n", host.to_openssh().unwrap()))), by_key());
        // It replaces no check of its own.
        let late = expected(None, &trusts, None).judge(&shown(), may + 400 * 86_400);
        assert_eq!(late, wrong("with a certificate that does not count: it has expired at 2027-01-01T00:00:00Z"));
        assert_eq!(judge(None, &format!("{trusts}@revoked * {ca}")), wrong("which known_hosts:2 revokes"));
        assert_eq!(
            judge(None, &format!("{trusts}@revoked * {}\n", host.to_openssh().unwrap())),
            wrong("which known_hosts:2 revokes")
        );
        // Pinned: the authority's word counts without its line, and a bare key does not.
        let pinned = || Some(Pin::Authority(read(ca)));
        assert_eq!(line(judge(pinned(), "")), by_ca());
        assert_eq!(judge(pinned(), &format!("@revoked * {ca}")), wrong("which known_hosts:1 revokes"));
        let why = format!("without a certificate of {}, by which it was accepted", fingerprint_of(&read(ca)));
        assert_eq!(expected(pinned(), "", None).judge(&host.clone().into(), may), wrong(why.clone()));
        let another = Some(Pin::Authority(other.clone()));
        assert_eq!(judge(another, &trusts), wrong(why.replace(&fingerprint_of(&read(ca)), &fingerprint_of(&other))));
        // A key that was accepted, or is named, is the key inside the certificate.
        assert_eq!(line(judge(Some(Pin::Key(host.clone())), &trusts)), by_key());
        assert_eq!(judge(Some(Pin::Key(other)), &trusts), wrong("which is not the one that was accepted"));
        assert_eq!(line(expected(None, &trusts, Some(fingerprint_of(&host))).judge(&shown(), may)), by_key());
    }

    #[test]
    fn a_host_is_to_show_the_key_that_we_know() {
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
        let first = |pin: Option<Pin>, text: &str| expected(pin, text, None).preferred().key[0].to_string();
        assert_eq!(first(None, ""), "ssh-ed25519");
        assert_eq!(first(None, &format!("lab1 {ecdsa}\n")), "ecdsa-sha2-nistp256");
        assert_eq!(first(None, &format!("lab2 {ecdsa}\n")), "ssh-ed25519");
        let rsa = include_str!("../../fixtures/ssh/rsaca.pub");
        assert_eq!(first(None, &format!("lab1 {rsa}")), "rsa-sha2-512");
        let pinned = expected(Some(Pin::read(rsa).unwrap()), "", None).preferred();
        assert_eq!(pinned.key.len(), 2, "both hashes of RSA, and nothing else");
        // Certificates only from hosts that we have an authority for.
        let offers = |pin: Option<Pin>, text: &str| !expected(pin, text, None).preferred().host_key_certificates.is_empty();
        let ca = include_str!("../../fixtures/ssh/ca.pub");
        assert!(offers(None, &format!("@cert-authority lab? {ca}")) && offers(Some(Pin::Authority(key())), ""));
        assert!(
            !offers(None, &format!("@cert-authority lab2 {ca}"))
                && !offers(Some(Pin::Key(key())), &format!("@cert-authority * {ca}"))
        );
    }
}
