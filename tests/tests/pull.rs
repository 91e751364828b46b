//! `vlm image pull` and `vlm image catalog`, against an https server on loopback. How servers misbehave is tested below the
//! command line, in vlm-engine's `tests/pull.rs`.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vlm_tests::{Output, Running, check_documented, program, vlm};

const LIMIT: Duration = Duration::from_secs(60);

/// A user, an image that somebody publishes, and the https server that has it.
struct World {
    dir: TempDir,
    image: Vec<u8>,
    digest: String,
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// None, saying why, where there is no qemu-img.
    fn new() -> Option<World> {
        let Some(qemu_img) = program(&["qemu-img"], Path::new("")) else {
            let why = "qemu-img is missing (`scripts/setup labs` installs it)";
            assert_ne!(std::env::var("VLM_E2E").as_deref(), Ok("require"), "{why}, and VLM_E2E=require allows no skips");
            eprintln!("skipped: {why}");
            return None;
        };
        let dir = tempfile::tempdir().expect("the temporary folder can be written");
        let image = published_image(&qemu_img, dir.path());
        let digest: String = Sha256::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect();
        let sums = format!("{}  other.qcow2\n{digest} *disk.qcow2\n", "0".repeat(64));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let port = serve(dir.path(), image.clone(), sums, asked.clone());
        let world = World { dir, image, digest, port, asked };
        let own = format!(
            "[debian-13]\ntitle = \"Debian, as we have it\"\nurl = \"{}\"\nsha256 = \"{}\"\n\n[loose]\ntitle = \"Nobody says what it is\"\nurl = \"{}\"\n",
            world.url("/disk.qcow2"),
            world.url("/SHA256SUMS"),
            world.url("/loose.qcow2"),
        );
        fs::create_dir_all(world.path("config/vlm")).expect("the test's folder can be written");
        fs::write(world.path("config/vlm/catalog.toml"), own).expect("the test's folder can be written");
        Some(world)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    fn start(&self, args: &[&str], trusts: bool) -> Running {
        let mut command = Command::new(vlm());
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"));
        if trusts {
            command.env("SSL_CERT_FILE", self.path("authority.pem"));
        }
        Running::start(command)
    }

    fn vlm(&self, args: &[&str]) -> Output {
        self.start(args, true).end(LIMIT)
    }

    /// What was asked of the server since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panicked"))
    }

    fn partial(&self) -> usize {
        fs::read_dir(self.path("data/vlm/images/partial")).map_or(0, Iterator::count)
    }
}

fn published_image(qemu_img: &Path, dir: &Path) -> Vec<u8> {
    let data: Vec<u8> = (0..6u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let (raw, path) = (dir.join("disk.raw"), dir.join("disk.qcow2"));
    fs::write(&raw, data).expect("the test's folder can be written");
    let status = Command::new(qemu_img).args(["convert", "-f", "raw", "-O", "qcow2"]).args([&raw, &path]).status();
    assert!(status.expect("qemu-img can be started").success());
    fs::read(path).expect("it was just made")
}

/// Serves `image` over https, with a certificate whose authority lies in `dir`.
fn serve(dir: &Path, image: Vec<u8>, sums: String, asked: Arc<Mutex<Vec<String>>>) -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    fs::write(dir.join("authority.pem"), made.cert.pem()).expect("the test's folder can be written");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the key is the certificate's");
    let (config, image) = (Arc::new(config), Arc::new(image));
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a port left");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, image, sums, asked) = (config.clone(), image.clone(), sums.clone(), asked.clone());
            thread::spawn(move || {
                let tls = ServerConnection::new(config).expect("the settings are right");
                answer(StreamOwned::new(tls, stream), &image, &sums, &asked);
            });
        }
    });
    port
}

fn answer(stream: impl Read + Write, image: &[u8], sums: &str, asked: &Mutex<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut lines = Vec::new();
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|n| n > 2) {
        lines.push(std::mem::take(&mut line).trim_end().to_owned());
    }
    let Some(path) = lines.first().and_then(|line| line.split(' ').nth(1)) else { return }; // it did not like our certificate
    let range = lines.iter().find_map(|line| line.strip_prefix("range: "));
    asked.lock().expect("nobody panicked").push(format!("{path} {}", range.unwrap_or("whole")));
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let half = image.len() / 2;
    let mut hangs = false;
    let (head, body) = match (path, from) {
        ("/SHA256SUMS", _) => (format!("200 OK\r\nContent-Length: {}", sums.len()), sums.as_bytes()),
        ("/down", _) => ("302 Found\r\nContent-Length: 0\r\nLocation: http://localhost/disk.qcow2".into(), &b""[..]),
        ("/disk.qcow2", _) => (format!("200 OK\r\nContent-Length: {}", image.len()), image),
        // Half of it, and then nothing; the rest for whoever asks for it.
        ("/loose.qcow2", None) => {
            hangs = true;
            (format!("200 OK\r\nETag: \"1\"\r\nContent-Length: {}", image.len()), &image[..half])
        }
        ("/loose.qcow2", Some(from)) => {
            let (length, last, total) = (image.len() - from, image.len() - 1, image.len());
            let head = format!("206 Partial Content\r\nContent-Length: {length}\r\nContent-Range: bytes {from}-{last}/{total}");
            (head, &image[from..])
        }
        _ => ("404 Not Found\r\nContent-Length: 0".into(), &b""[..]),
    };
    let stream = stream.get_mut();
    // Whoever asks may go away at any time.
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes());
    let _ = stream.write_all(body).and_then(|()| stream.flush());
    if hangs {
        let _ = stream.read(&mut [0]); // until the other side closes it
    }
}

#[test]
fn an_image_of_the_catalog_is_pulled_and_verified_by_what_is_published() {
    let Some(world) = World::new() else { return };
    world.vlm(&["image", "pull", "debian-13"]).ends(0).says(&[
        "image debian-13: asking localhost for its sha256\n",
        "image debian-13: asking localhost\n",
        "image debian-13: verifying the sha256\n",
        "image debian-13: looking at the image\n",
        &format!("pulled image `debian-13`: a disk of 6 MiB, sha256 {}\n", world.digest),
    ]);
    assert_eq!(world.asked(), ["/SHA256SUMS whole", "/disk.qcow2 whole"]);
    let list = world.vlm(&["image", "list", "--json"]).ends(0).json();
    check_documented("image list --json", &list);
    assert_eq!(list[0]["source"], format!("url {}", world.url("/disk.qcow2")));
    let stored = world.path("data/vlm/images").join(format!("{}.qcow2", world.digest));
    assert!(fs::read(stored).expect("it is in the store") == world.image);
    assert_eq!(world.partial(), 0);

    let missing = world.url("/missing");
    world.vlm(&["image", "pull", &missing]).ends(1).says(&["/missing answered 404 Not Found; it is no longer there"]);
    let wrong = "0".repeat(64);
    world
        .vlm(&["image", "pull", "debian-13", "--sha256", &wrong])
        .ends(2)
        .says(&["is not the image that was wanted, and was deleted"]);
    world.vlm(&["image", "pull", &world.url("/disk.qcow2"), "--sha256", &world.digest]).ends(0).says(&["pulled image `disk`"]);
    world.vlm(&["image", "pull", "debian-13", "--name", "ours"]).ends(0).says(&["pulled image `ours`"]);
}

#[test]
fn certificates_and_slips_are_told() {
    let Some(world) = World::new() else { return };
    let untrusted = world.start(&["image", "pull", "debian-13"], false).end(LIMIT);
    // A computer that trusts nobody says that instead.
    let said = if untrusted.err.contains("trusts no certificates") {
        "install the package ca-certificates"
    } else {
        "could not prove that it is who it says; if it is yours, add its authority to this computer's certificates"
    };
    untrusted.ends(1).says(&[said]);
    assert_eq!(world.asked(), [""; 0]);
    let numbered = format!("https://127.0.0.1:{}/disk.qcow2", world.port);
    world.vlm(&["image", "pull", &numbered]).ends(1).says(&["could not prove that it is who it says"]);
    let down = world.url("/down");
    world.vlm(&["image", "pull", &down]).ends(2).says(&["/down leads to http://localhost/disk.qcow2, which is plain http"]);
    for (args, sentence) in [
        (&["nothing"][..], "`nothing` is not in the catalog; `vlm image catalog` shows what is"),
        (&["http://localhost/disk.qcow2"], "is plain http, which anyone on the way can change; take an https address"),
        (&["https://me:secret@localhost/disk.qcow2"], "it has a name or a password in it"),
        (&["https://localhost/disk.qcow2", "--name", "Not One"], "`Not One` is no name for an image"),
        (&["https://localhost/"], "`` is no name for an image"),
        (&["debian-13", "--sha256", "abc"], "`abc` is no digest: write the 64 hex digits of a SHA-256"),
    ] {
        world.vlm(&[&["image", "pull"], args].concat()).ends(2).says(&[sentence]).does_not_say("secret");
    }
}

#[test]
fn ctrl_c_keeps_what_came_and_the_next_pull_goes_on_from_there() {
    let Some(world) = World::new() else { return };
    let running = world.start(&["image", "pull", "loose"], true);
    running.until_it_says(
        "image loose: no digest was given, so localhost alone vouches for it\nimage loose: asking localhost\n",
        LIMIT,
    );
    // The part is named by a digest; notes have an extension, and what becomes a note is hidden until it is one.
    let part = || {
        let files = fs::read_dir(world.path("data/vlm/images/partial")).into_iter().flatten().flatten();
        files
            .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_hexdigit))
            .find_map(|entry| entry.metadata().ok())
            .map_or(0, |found| found.len())
    };
    let until = Instant::now() + LIMIT;
    while part() == 0 {
        assert!(Instant::now() < until, "nothing came");
        thread::yield_now();
    }
    running.signal(Signal::INT);
    running.end(LIMIT).ends(130).says(&["image loose: what came is kept; the same command goes on from there"]);
    let kept = part();
    assert_eq!(world.asked(), ["/loose.qcow2 whole"]);
    world.vlm(&["image", "pull", "loose"]).ends(0).says(&["pulled image `loose`", &world.digest]);
    assert_eq!(world.asked(), [format!("/loose.qcow2 bytes={kept}-")]);
    assert_eq!(world.partial(), 0);
}

#[test]
fn the_catalog_is_shown_and_labs_are_offered_what_it_has() {
    let Some(world) = World::new() else { return };
    world.vlm(&["image", "catalog"]).ends(0).says(&[
        "debian-12            Debian 12 (bookworm)  (also a recipe)\n",
        "debian-13            Debian, as we have it  (yours)\n",
        "loose                Nobody says what it is  (yours, without a digest)\n",
    ]);
    let catalog = world.vlm(&["image", "catalog", "--json"]).ends(0).json();
    check_documented("image catalog --json", &catalog);
    let of = |name: &str| catalog.as_array().expect("a list").iter().find(|entry| entry["name"] == name).expect("it is there");
    assert_eq!((&of("debian-13")["own"], &of("debian-12")["own"]), (&true.into(), &false.into()));
    assert_eq!(of("debian-13")["checksums"], world.url("/SHA256SUMS"));

    let lab = "version: 1\nname: pulls\ndefaults: { image: debian-13 }\nnetworks: { lan: { cidr: 10.75.9.0/24 } }\nmachines: { web: {} }\n";
    fs::write(world.path("lab.yaml"), lab).expect("the test's folder can be written");
    world.vlm(&["plan", "lab.yaml"]).ends(2).says(&[
        "vlm: images that must be downloaded first: debian-13\n",
        "download them with `vlm image pull NAME`; `vlm up` asks and does it",
    ]);
    // Nobody is there to be asked.
    world.vlm(&["up", "lab.yaml"]).ends(2).says(&[
        &format!("image debian-13 is not here yet: Debian, as we have it, from {}\n", world.url("/disk.qcow2")),
        "say --yes to go on without asking",
    ]);
    assert_eq!(world.asked(), [""; 0]);

    fs::write(world.path("config/vlm/catalog.toml"), "[a]\ntitle = \"A\"\nurl = \"a.org\"\n").expect("it can be written");
    for command in [&["image", "catalog"][..], &["image", "pull", "a"], &["check", "lab.yaml"]] {
        world.vlm(command).ends(2).says(&["config/vlm/catalog.toml:3:7: this is no address"]);
    }
    // What is here needs no catalog.
    world.vlm(&["image", "list", "--json"]).ends(0);
}
