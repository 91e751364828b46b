//! OpenSSH's known_hosts, read as sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT", has it: hashed names, wildcards, negation, ports,
//! `@revoked` and `@cert-authority`.
//!
//! A checker of our own, because russh's ignores markers and wildcards and takes a host that is known by another type of key for
//! an unknown one.

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{Algorithm, Certificate, PublicKey, ssh_key::certificate::CertType};

/// What the files say of a host's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is this host's.
    Known,
    /// Nobody has seen this host.
    Unknown,
    /// The host is known by keys of other types: worth a look, since a stranger could offer a type of its own choice.
    OtherTypes(Vec<String>),
    /// The host is known by another key of the same type. The line number, from 1.
    Changed(usize),
    /// The key was revoked. The line number, from 1.
    Revoked(usize),
}

/// The name under which the files know a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// As lines have it.
    listed: String,
    /// As certificates have it: without a port.
    plain: String,
}

impl Name {
    /// That of a host at a port.
    pub fn new(host: &str, port: u16) -> Name {
        let plain = host.to_ascii_lowercase();
        // A name with a port stands alone: OpenSSH writes plain names for port 22 only.
        let listed = if port == 22 { plain.clone() } else { format!("[{plain}]:{port}") };
        Name { listed, plain }
    }

    /// That of a host with a `HostKeyAlias`, which is the same at every port.
    pub fn alias(alias: &str) -> Name {
        Name::new(alias, 22)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.listed)
    }
}

/// A line that means the host.
struct Line<'a> {
    number: usize,
    marker: Option<&'a str>,
    kind: &'a str,
    key: PublicKey,
}

/// The lines of a known_hosts file that mean `name`.
fn lines_of<'a>(text: &'a str, name: &'a Name) -> impl Iterator<Item = Line<'a>> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let mut fields = line.split_ascii_whitespace().peekable();
        let marker = fields.next_if(|field| field.starts_with('@'));
        let (names, kind, base64) = (fields.next()?, fields.next()?, fields.next()?);
        if names.starts_with('#') || !names_match(names, &name.listed) {
            return None;
        }
        let key = PublicKey::from_openssh(&format!("{kind} {base64}")).ok()?;
        Some(Line { number: index + 1, marker, kind, key })
    })
}

/// What `text`, the content of a known_hosts file, says of a key that the host has shown.
///
/// Certificate authorities are no answer for a plain key, so their lines are passed over. A revoked key is revoked whatever
/// else is there; after that the right key anywhere counts more than another one elsewhere.
pub fn check(text: &str, name: &Name, key: &PublicKey) -> Verdict {
    let mut types = Vec::new();
    let (mut known, mut changed) = (false, None);
    for line in lines_of(text, name) {
        let same = line.key.key_data() == key.key_data();
        match line.marker {
            Some("@revoked") if same => return Verdict::Revoked(line.number),
            Some(_) => {}
            None if same => known = true,
            None if line.key.algorithm() == key.algorithm() => changed = changed.or(Some(line.number)),
            None => types.push(line.kind.to_owned()),
        }
    }
    match (known, changed) {
        (true, _) => Verdict::Known,
        (false, Some(number)) => Verdict::Changed(number),
        (false, None) if types.is_empty() => Verdict::Unknown,
        (false, None) => Verdict::OtherTypes(types),
    }
}

/// The types of the keys by which the host is known: those that it is to show, if it has them.
pub fn algorithms(text: &str, name: &Name) -> Vec<Algorithm> {
    lines_of(text, name).filter(|line| line.marker.is_none()).map(|line| line.key.algorithm()).collect()
}

/// The authorities whose certificates are believed for this host.
pub fn authorities(text: &str, name: &Name) -> Vec<PublicKey> {
    lines_of(text, name).filter(|line| line.marker == Some("@cert-authority")).map(|line| line.key).collect()
}

/// Whether a certificate, signed by an authority that is believed, makes its key that of the host at `now`, in seconds since 1970.
/// Otherwise what is wrong with it.
pub fn check_certificate(certificate: &Certificate, authority: &PublicKey, name: &Name, now: u64) -> Result<(), String> {
    let date = |seconds: u64| {
        let time = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        time.map_or_else(|| "the end of time".to_owned(), |time| time.to_string())
    };
    // SHA-1 is no signature any more.
    if certificate.signature().algorithm() == (Algorithm::Rsa { hash: None }) {
        return Err("it is signed with SHA-1".into());
    }
    if certificate.cert_type() != CertType::Host {
        return Err("it is a user's, not a host's".into());
    }
    if now < certificate.valid_after() {
        return Err(format!("it counts from {} on; is the clock right?", date(certificate.valid_after())));
    }
    if now >= certificate.valid_before() {
        return Err(format!("it has expired at {}", date(certificate.valid_before())));
    }
    let fingerprint = authority.fingerprint(Default::default());
    certificate.validate_at(now, [&fingerprint]).map_err(|_| "its signature is wrong".to_owned())?;
    // One without names is for every host of its authority.
    let names = certificate.valid_principals();
    if !names.is_empty() && !names.iter().any(|principal| principal.eq_ignore_ascii_case(&name.plain)) {
        return Err(format!("it is for {}, not for {}", names.join(", "), name.plain));
    }
    // There are none for hosts: whatever it is, we do not obey it.
    if let Some((option, _)) = certificate.critical_options().iter().next() {
        return Err(format!("it demands `{option}`, which vlm does not know"));
    }
    Ok(())
}

/// Whether a line's first field means `name`: `|1|SALT|HASH`, or patterns of which none that begins with `!` fits.
fn names_match(field: &str, name: &str) -> bool {
    if let Some(hashed) = field.strip_prefix("|1|") {
        return hashed.split_once('|').is_some_and(|(salt, hash)| is_hash_of(salt, hash, name).unwrap_or(false));
    }
    let mut found = false;
    for pattern in field.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(&pattern.to_ascii_lowercase(), name) => return false,
            Some(_) => {}
            None => found |= fits(&pattern.to_ascii_lowercase(), name),
        }
    }
    found
}

/// HMAC-SHA1 of the name, keyed with the salt, both in base64.
fn is_hash_of(salt: &str, hash: &str, name: &str) -> Option<bool> {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&base64(salt)?).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&base64(hash)?).is_ok())
}

fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Whether `name` fits a pattern of `*`, `?` and plain characters.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stands, and how far the name was when we met it: the place to go back to.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match &mut star {
                Some((at, from)) => {
                    *from += 1;
                    (p, n) = (*at + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other() -> String {
        crate::ssh::generate_key().unwrap().public
    }

    /// `hashed` is what `ssh-keygen -H` made of the name.
    fn line_check(text: &str, host: &str, port: u16, shown: &str) -> Verdict {
        check(text, &Name::new(host, port), &PublicKey::from_openssh(shown).unwrap())
    }

    #[test]
    fn names_and_patterns() {
        let (ours, stranger) = (other(), other());
        let ours = ours.as_str();
        let check = |names: &str, host: &str, port: u16, known: bool| {
            let verdict = line_check(&format!("# a comment\n\n{names} {ours} me@here\n"), host, port, ours);
            assert_eq!(verdict == Verdict::Known, known, "{names} for {host}:{port}: {verdict:?}");
        };
        check("lab1", "lab1", 22, true);
        check("lab1", "LAB1", 22, true);
        check("lab1", "lab2", 22, false);
        check("lab1", "lab1", 2222, false);
        check("[lab1]:2222", "lab1", 2222, true);
        check("[lab1]:2222", "lab1", 22, false);
        check("lab0,lab1,10.0.0.7", "10.0.0.7", 22, true);
        check("lab*", "lab17", 22, true);
        check("lab?", "lab17", 22, false);
        check("*.lab.example,!old.lab.example", "new.lab.example", 22, true);
        check("*.lab.example,!old.lab.example", "old.lab.example", 22, false);
        check("!old.lab.example", "new.lab.example", 22, false);
        check("*", "anything", 22, true);
        check("*a*b", "xaxxbxb", 22, true);
        assert_eq!(line_check(&format!("lab1 {ours}\n"), "lab1", 22, &stranger), Verdict::Changed(1));
    }

    #[test]
    fn hashed_names() {
        // As `ssh-keygen -H` hashes them: |1|base64(salt)|base64(HMAC-SHA1(salt, name))|.
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::STANDARD;
        let salt = b"0123456789abcdefghij";
        let hashed = |name: &str| {
            let mut mac = Hmac::<sha1::Sha1>::new_from_slice(salt).unwrap();
            mac.update(name.as_bytes());
            format!("|1|{}|{}", engine.encode(salt), engine.encode(mac.finalize().into_bytes()))
        };
        let ours = other();
        let text = format!("{} {ours}\n{} {ours}\n", hashed("lab1"), hashed("[lab1]:2222"));
        assert_eq!(line_check(&text, "lab1", 22, &ours), Verdict::Known);
        assert_eq!(line_check(&text, "lab1", 2222, &ours), Verdict::Known);
        assert_eq!(line_check(&text, "lab2", 22, &ours), Verdict::Unknown);
        assert_eq!(line_check("|1|x|y ssh-ed25519 AAAA\n|1|z\n", "lab1", 22, &ours), Verdict::Unknown);
    }

    #[test]
    fn markers_and_other_types() {
        let (ours, stranger) = (other(), other());
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
        let check = |text: String, expected: Verdict| assert_eq!(line_check(&text, "lab1", 22, &ours), expected, "{text}");
        check(String::new(), Verdict::Unknown);
        check(format!("@revoked * {ours}\nlab1 {ours}\n"), Verdict::Revoked(1));
        check(format!("lab1 {ours}\n@revoked lab1 {ours}\n"), Verdict::Revoked(2));
        check(format!("@revoked lab1 {stranger}\nlab1 {ours}\n"), Verdict::Known);
        check(format!("@cert-authority *.example {stranger}\n"), Verdict::Unknown);
        check(format!("@cert-authority lab1 {stranger}\nlab1 {ours}\n"), Verdict::Known);
        check(format!("lab1 {ecdsa}\n"), Verdict::OtherTypes(vec!["ecdsa-sha2-nistp256".into()]));
        check(format!("lab1 {ecdsa}\nlab1 {stranger}\n"), Verdict::Changed(2));
        // The right key among others: hosts get new keys before they lose the old ones.
        check(format!("lab1 {stranger}\nlab1 {ours}\n"), Verdict::Known);
        check("lab1 ssh-ed25519 no-base64\nlab1\n".to_owned(), Verdict::Unknown);
    }

    /// Made by `ssh-keygen -s`, for the host key in host.pub, from the first day of 2026 to the last.
    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/ssh/", $name))
        };
    }

    #[test]
    fn authorities_are_for_the_names_of_their_lines() {
        let ca = fixture!("ca.pub");
        let text = format!("@cert-authority *.example {ca}lab1 {ca}@cert-authority [lab1]:2222 {ca}");
        let count = |host: &str, port| authorities(&text, &Name::new(host, port)).len();
        assert_eq!([count("a.example", 22), count("lab1", 22), count("lab1", 2222), count("lab2", 22)], [1, 0, 1, 0]);
        let types = algorithms(&text, &Name::new("lab1", 22));
        assert_eq!(types, [Algorithm::Ed25519]);
        assert_eq!(algorithms(&text, &Name::new("a.example", 22)), []);
    }

    #[test]
    fn a_certificate_makes_a_key_the_hosts() {
        let key = |text: &str| PublicKey::from_openssh(text).unwrap();
        let (ca, rsa) = (key(fixture!("ca.pub")), key(fixture!("rsaca.pub")));
        let at = |date: &str| date.parse::<jiff::Timestamp>().unwrap().as_second() as u64;
        let check = |text: &str, authority: &PublicKey, host: &str, date: &str| {
            let certificate = Certificate::from_openssh(text).unwrap();
            assert_eq!(certificate.public_key(), key(fixture!("host.pub")).key_data());
            check_certificate(&certificate, authority, &Name::new(host, 2222), at(date)).err().unwrap_or_default()
        };
        let may = "2026-05-01T00:00:00Z";
        let good = fixture!("host-cert.pub");
        for host in ["lab1", "LAB1", "lab1.example.org"] {
            assert_eq!(check(good, &ca, host, may), "", "{host}");
        }
        assert_eq!(check(fixture!("any-host-cert.pub"), &ca, "anything", may), "");
        assert_eq!(check(fixture!("rsa-cert.pub"), &rsa, "lab1", may), "");
        assert_eq!(check(good, &ca, "lab2", may), "it is for lab1, lab1.example.org, not for lab2");
        assert_eq!(check(good, &ca, "lab1", "2026-12-31T23:59:59Z"), "");
        assert_eq!(check(good, &ca, "lab1", "2027-01-01T00:00:00Z"), "it has expired at 2027-01-01T00:00:00Z");
        assert_eq!(
            check(good, &ca, "lab1", "2025-12-31T23:59:59Z"),
            "it counts from 2026-01-01T00:00:00Z on; is the clock right?"
        );
        assert_eq!(check(fixture!("user-cert.pub"), &ca, "lab1", may), "it is a user's, not a host's");
        assert_eq!(
            check(fixture!("critical-cert.pub"), &ca, "lab1", may),
            "it demands `force-command`, which vlm does not know"
        );
        assert_eq!(check(fixture!("sha1-cert.pub"), &rsa, "lab1", may), "it is signed with SHA-1");
        // Signed by somebody else, or changed after it was signed.
        assert_eq!(check(good, &rsa, "lab1", may), "its signature is wrong");
        let mut bytes = Certificate::from_openssh(good).unwrap().to_bytes().unwrap();
        let place = bytes.windows(4).position(|window| window == b"lab1").unwrap();
        bytes[place + 3] = b'9';
        let forged = Certificate::from_bytes(&bytes).unwrap();
        assert_eq!(check(&forged.to_openssh().unwrap(), &ca, "lab9", may), "its signature is wrong");
    }
}
