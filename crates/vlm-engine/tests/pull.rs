//! Downloads, from a server on loopback that behaves and misbehaves in every way we know.

mod common;

use std::{fs, time::Duration};

use common::{
    World,
    server::{Reply, Server, Then},
    xz,
};
use sha2::{Digest as _, Sha256, Sha512};
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    catalog::Entry,
    chain,
    download::{Limits, Progress},
    images::{Error, Image},
};

const LIMITS: Limits = Limits { answer: Duration::from_secs(20), idle: Duration::from_secs(20), redirects: 5, bytes: 64 << 20 };
/// For servers that keep us waiting.
const IMPATIENT: Duration = Duration::from_millis(100);

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(url: &str, digest: Option<&str>) -> Entry {
    Entry::of_address(url, digest.map(|digest| digest.parse().unwrap())).unwrap()
}

impl World {
    async fn pull(&self, entry: &Entry) -> Result<Image, Error> {
        self.pull_within(entry, &LIMITS, &CancellationToken::new(), |_| {}).await
    }

    async fn pull_within(
        &self,
        entry: &Entry,
        limits: &Limits,
        cancel: &CancellationToken,
        progress: impl FnMut(Progress) + Send,
    ) -> Result<Image, Error> {
        self.engine.images().pull(entry, "it", limits, cancel, progress).await
    }

    /// Insists that the image is `bytes`, and that nothing else lies around.
    #[track_caller]
    fn has(&self, image: &Image, bytes: &[u8]) {
        assert_eq!(image.digest, sha256(bytes));
        assert!(fs::read(self.engine.images().path(&image.digest)).unwrap() == bytes);
        assert_eq!(self.stored(), [format!("{}.qcow2", image.digest)]);
        assert_eq!(self.partial(), [""; 0]);
    }
}

#[tokio::test]
async fn an_image_is_downloaded_verified_and_taken() {
    let Some(world) = World::new() else { return };
    let image = world.qcow2();
    let body = image.clone();
    let server = Server::new(move |asked, _| match asked.path.as_str() {
        "/there?key=secret" => Reply::file(&body, "\"1\""),
        "/packed.qcow2.xz" => Reply::file(&xz(&body), "\"1\""),
        "/closed" => Reply::file(&body, "\"1\"").without("Content-Length"),
        "/chunked" => {
            let mut chunks = format!("{:x}\r\n", body.len()).into_bytes();
            chunks.extend_from_slice(&body);
            chunks.extend_from_slice(b"\r\n0\r\n\r\n");
            Reply::new(&["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], chunks)
        }
        _ => Reply::redirect("/there?key=secret"),
    });
    let mut told = Vec::new();
    let by = entry(&server.url("/here"), Some(&sha256(&image)));
    let pulled = world.pull_within(&by, &LIMITS, &CancellationToken::new(), |progress| told.push(progress)).await.unwrap();
    world.has(&pulled, &image);
    assert_eq!((pulled.name.as_str(), pulled.virtual_size.as_str()), ("it", "4 MiB"));
    assert_eq!(pulled.source, format!("url {}", server.url("/here")));
    let total = Some(image.len() as u64);
    assert_eq!(told.first(), Some(&Progress::Step("asking 127.0.0.1".into())));
    assert!(told.contains(&Progress::Bytes { done: image.len() as u64, total }), "{told:?}");
    assert!(told.contains(&Progress::Step("verifying the sha256".into())), "{told:?}");

    // A key in an address is asked with, and kept nowhere.
    let sha512: String = Sha512::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect();
    let pulled = world.pull(&entry(&server.url("/there?key=secret"), Some(&sha512))).await.unwrap();
    assert_eq!(pulled.source, format!("url {}", server.url("/there")));
    world.has(&pulled, &image);

    // An end that is told by the connection alone will do where a digest tells the rest.
    for path in ["/closed", "/chunked"] {
        let pulled = world.pull(&entry(&server.url(path), Some(&sha256(&image)))).await.unwrap();
        world.has(&pulled, &image);
    }
    let packed = world.pull(&entry(&server.url("/packed.qcow2.xz"), Some(&sha256(&xz(&image))))).await.unwrap();
    world.has(&packed, &image);
}

#[tokio::test]
async fn what_was_cut_off_is_gone_on_with() {
    let Some(world) = World::new() else { return };
    let image = world.qcow2();
    for cut in [0, 1, 100, 511, 512, 513, 65_536, 1_000_001, image.len() - 1] {
        let body = image.clone();
        let server = Server::new(move |asked, before| {
            let reply = Reply::range(asked, &body, "\"1\"");
            if before == 0 { reply.cut(cut) } else { reply }
        });
        let by = entry(&server.url("/image"), Some(&sha256(&image)));
        let error = world.pull(&by).await.unwrap_err();
        let said = format!("ended after {cut} of {} bytes; try again, and it goes on from there", image.len());
        assert!(chain(&error).contains(&said), "{cut}: {}", chain(&error));
        assert!(!error.is_refusal());
        let before = server.body_bytes();
        assert_eq!(before, cut as u64);
        let pulled = world.pull(&by).await.unwrap();
        assert_eq!(server.body_bytes() - before, (image.len() - cut) as u64, "{cut}: only the rest is sent");
        world.has(&pulled, &image);
    }
}

#[tokio::test]
async fn a_rest_of_something_else_is_never_put_behind_what_is_here() {
    let Some(world) = World::new() else { return };
    let image = world.qcow2();
    let cut = 100_000;
    type Second = fn(&common::server::Asked, &[u8]) -> Reply;
    // What the server answers when it is asked for the rest; and how many requests it takes in all.
    let cases: &[(&str, usize, Second)] = &[
        ("another tag", 2, |asked, body| Reply::range(asked, body, "\"2\"")),
        ("it knows no ranges", 2, |_, body| Reply::file(body, "\"1\"")),
        ("another range", 3, |asked, body| match asked.range {
            Some(_) => Reply::part(body, 50_000, body.len()),
            None => Reply::file(body, "\"1\""),
        }),
        ("another length", 3, |asked, body| match asked.range {
            Some(_) => Reply::part(body, 100_000, body.len() + 1),
            None => Reply::file(body, "\"1\""),
        }),
        ("no range named", 3, |asked, body| match asked.range {
            Some(_) => Reply::part(body, 100_000, body.len()).without("Content-Range"),
            None => Reply::file(body, "\"1\""),
        }),
        ("not satisfiable", 3, |asked, body| match asked.range {
            Some(_) => Reply::new(&["HTTP/1.1 416 Range Not Satisfiable", "Content-Length: 0"], ""),
            None => Reply::file(body, "\"1\""),
        }),
    ];
    for (case, requests, second) in cases {
        let (case, requests, second) = (*case, *requests, *second);
        let body = image.clone();
        let server = Server::new(move |asked, before| match before {
            // It is what the bytes were that tells whether they were kept.
            0 => Reply::file(&[b"QFI\xfb", &vec![7; body.len() - 4][..]].concat(), "\"1\"").cut(cut),
            _ => second(asked, &body),
        });
        let by = entry(&server.url("/image"), Some(&sha256(&image)));
        world.pull(&by).await.unwrap_err();
        let pulled = world.pull(&by).await.unwrap_or_else(|error| panic!("{case}: {}", chain(&error)));
        world.has(&pulled, &image);
        let asked = server.asked();
        assert_eq!(asked.len(), requests, "{case}: {asked:?}");
        assert_eq!(asked[1].range.as_deref(), Some("bytes=100000-"), "{case}");
        assert_eq!(asked[1].if_range.as_deref(), Some("\"1\""), "{case}");
    }

    // Mirrors have tags of their own and the same dates; with a digest, a date will do. A weak tag is none.
    for (tags, date, if_range) in [
        (["\"1\"", "\"2\""], Some("Tue, 03 Nov 2026 10:00:00 GMT"), Some("Tue, 03 Nov 2026 10:00:00 GMT")),
        (["W/\"1\"", "W/\"1\""], None, None),
    ] {
        let body = image.clone();
        let server = Server::new(move |asked, before| {
            let mut reply = match (before, &asked.range) {
                (0, _) => Reply::file(&body, tags[0]).cut(cut),
                (_, Some(_)) if asked.if_range.as_deref() == date => Reply::part(&body, cut, body.len()),
                _ => Reply::file(&body, tags[1]),
            };
            reply.head.extend(date.map(|date| format!("Last-Modified: {date}")));
            reply
        });
        let by = entry(&server.url("/image"), Some(&sha256(&image)));
        world.pull(&by).await.unwrap_err();
        let pulled = world.pull(&by).await.unwrap();
        world.has(&pulled, &image);
        assert_eq!(server.asked()[1].if_range.as_deref(), if_range);
        let sent = if date.is_some() { image.len() } else { image.len() + cut };
        assert_eq!(server.body_bytes(), sent as u64, "{tags:?}");
    }

    // Another digest is another image, whatever its address.
    let body = image.clone();
    let server = Server::new(move |asked, before| match before {
        0 => Reply::file(&body, "\"1\"").cut(cut),
        _ => Reply::range(asked, &body, "\"1\""),
    });
    world.pull(&entry(&server.url("/image"), Some(&"0".repeat(64)))).await.unwrap_err();
    let pulled = world.pull(&entry(&server.url("/image"), Some(&sha256(&image)))).await.unwrap();
    world.has(&pulled, &image);
    assert_eq!(server.asked()[1].range, None);
}

/// What is left of a download that did not end well.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    Part(usize),
}

#[tokio::test]
async fn what_is_no_image_or_not_the_wanted_one_is_refused() {
    let Some(world) = World::new() else { return };
    let image = world.qcow2();
    let over = fs::read(world.create("over.qcow2", &["-F", "raw", "-b", "/etc/passwd", "-u"], "1M")).unwrap();
    let right = sha256(&image);
    let wrong = "0".repeat(64);
    let page = "<!DOCTYPE html><html><title>Choose a mirror</title></html>";
    let other = Server::new(|_, _| Reply::file(b"secret", "\"1\""));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = |body: &[u8]| Reply::file(body, "\"1\"");
    let to = |place: &str| Reply::redirect(place);
    let slow = Limits { answer: IMPATIENT, idle: IMPATIENT, ..LIMITS };
    let small = Limits { bytes: 1 << 20, ..LIMITS };
    let vast = Limits { bytes: u64::MAX, ..LIMITS };
    let chunk = [b"10000\r\n", &[&b"QFI\xfb"[..], &[0; 0xfffc]].concat()[..], b"\r\n"].concat();
    let chunked = Reply::new(&["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"], chunk).then(Then::Endless);
    let said = |length: u64| Reply::new(&["HTTP/1.1 200 OK", &format!("Content-Length: {length}")], "QFI\u{fb}");
    let private = "leads to the private address";

    use Left::{Nothing, Part};
    let half = image.len() / 2;
    let (over_digest, half_digest) = (sha256(&over), sha256(&image[..half]));
    let ended = format!("/x ended after {half} of {} bytes", image.len());
    /// What goes wrong, what the server says, limits, the digest, the words, whether it is a refusal, and what is left.
    type Case<'a> = (&'a str, Reply, Limits, Option<&'a str>, &'a str, bool, Left);
    let cases: Vec<Case<'_>> = vec![
        (
            "no digest",
            file(&image),
            LIMITS,
            None,
            "/x is plain http, which anyone on the way can change; take an https address, or say what digest",
            true,
            Nothing,
        ),
        (
            "wrong digest",
            file(&image),
            LIMITS,
            Some(&wrong),
            "/x is not the image that was wanted, and was deleted: its digest is sha256:",
            true,
            Nothing,
        ),
        (
            "a page by its name",
            file(page.as_bytes()).with("Content-Type: text/html; charset=utf-8").without("Content-Type: application"),
            LIMITS,
            Some(&right),
            "/x is no disk image: it is a web page; look at it in a browser",
            true,
            Nothing,
        ),
        (
            "a page by its bytes",
            file(page.as_bytes()),
            LIMITS,
            Some(&right),
            "/x is no disk image: it looks like a web page",
            true,
            Nothing,
        ),
        (
            "a long page",
            file(page.repeat(100_000).as_bytes()),
            LIMITS,
            Some(&right),
            "/x is no disk image: it looks like a web page",
            true,
            Nothing,
        ),
        (
            "a text",
            file(b"{\"error\": \"no such file\"}"),
            LIMITS,
            Some(&right),
            "/x is no disk image: it is neither qcow2 nor a raw disk",
            true,
            Nothing,
        ),
        ("nothing", file(b""), LIMITS, Some(&right), "/x is no disk image: it is neither qcow2 nor a raw disk", true, Nothing),
        (
            "it needs a file of ours",
            file(&over),
            LIMITS,
            Some(&over_digest),
            "/x is no disk image for labs: it needs another file, `/etc/passwd`",
            true,
            Nothing,
        ),
        (
            "half of an image",
            file(&image[..half]),
            LIMITS,
            Some(&half_digest),
            "/x is no disk image for labs: it is cut short or damaged",
            true,
            Nothing,
        ),
        ("short", file(&image).cut(half), LIMITS, Some(&right), &ended, false, Part(half)),
        (
            "it stalls",
            file(&image).cut(half).then(Then::Hang),
            slow,
            Some(&right),
            "/x sent nothing for 0.1 s; try again, and it goes on",
            false,
            Part(half),
        ),
        (
            "it never answers",
            Reply::new(&[], "").then(Then::Hang),
            slow,
            Some(&right),
            "/x did not answer within 0.1 s",
            false,
            Nothing,
        ),
        ("no end", chunked, small, Some(&right), "/x sends more than 1 MiB, which no image has", true, Nothing),
        ("too long", said(2 << 20), small, Some(&right), "/x sends more than 1 MiB, which no image has", true, Nothing),
        ("no room", said(1 << 60), vast, Some(&right), "/x needs 1099511627840 MiB; make room", true, Nothing),
        (
            "no number",
            Reply::new(&["HTTP/1.1 200 OK", "Content-Length: many"], ""),
            LIMITS,
            Some(&right),
            "/x broke",
            false,
            Nothing,
        ),
        (
            "encoded",
            file(&image).with("Content-Encoding: gzip"),
            LIMITS,
            Some(&right),
            "/x answered in a way that cannot be trusted: it is encoded",
            false,
            Nothing,
        ),
        (
            "a part unasked",
            Reply::part(&image, 100, image.len()),
            LIMITS,
            Some(&right),
            "/x answered 206 Partial Content; take another address",
            false,
            Nothing,
        ),
        (
            "not there",
            Reply::new(&["HTTP/1.1 404 Not Found", "Content-Length: 0"], ""),
            LIMITS,
            Some(&right),
            "/x answered 404 Not Found; it is no longer there",
            false,
            Nothing,
        ),
        (
            "not for us",
            Reply::new(&["HTTP/1.1 403 Forbidden", "Content-Length: 0"], ""),
            LIMITS,
            Some(&right),
            "/x answered 403 Forbidden; it is not for everyone",
            false,
            Nothing,
        ),
        (
            "not now",
            Reply::new(&["HTTP/1.1 503 Service Unavailable", "Content-Length: 0"], ""),
            LIMITS,
            Some(&right),
            "try again later",
            false,
            Nothing,
        ),
        (
            "no HTTP",
            Reply::new(&[], "220 mail.example.org ESMTP\r\n"),
            LIMITS,
            Some(&right),
            "the connection to http://127.0.0.1",
            false,
            Nothing,
        ),
        ("in circles", to("/x"), LIMITS, Some(&right), "/x is where the last of 5 redirects leads", true, Nothing),
        (
            "nowhere",
            Reply::new(&["HTTP/1.1 302 Found", "Content-Length: 0"], ""),
            LIMITS,
            Some(&right),
            "/x leads nowhere",
            true,
            Nothing,
        ),
        ("to a file", to("file:///etc/passwd"), LIMITS, Some(&right), "/x leads nowhere", true, Nothing),
        ("to another port of ours", to(&other.url("/")), LIMITS, Some(&right), private, true, Nothing),
        ("to a name for us", to(&format!("http://localhost:{}/", other.port)), LIMITS, Some(&right), private, true, Nothing),
        ("to us as a number", to(&format!("http://2130706433:{}/", other.port)), LIMITS, Some(&right), private, true, Nothing),
        (
            "to us as IPv6",
            to(&format!("http://[::ffff:127.0.0.1]:{}/", other.port)),
            LIMITS,
            Some(&right),
            private,
            true,
            Nothing,
        ),
        ("to ::1", to("http://[::1]/"), LIMITS, Some(&right), private, true, Nothing),
        ("to the network", to("https://192.168.0.1/"), LIMITS, Some(&right), private, true, Nothing),
        (
            "to metadata",
            to("http://169.254.169.254/latest/meta-data/"),
            LIMITS,
            Some(&right),
            "http://169.254.169.254/latest/meta-data/ leads to the private address 169.254.169.254, which no download from elsewhere may reach",
            true,
            Nothing,
        ),
    ];
    for (case, reply, limits, digest, sentence, refusal, left) in cases {
        let server = Server::new(move |_, _| reply.clone());
        let by = entry(&server.url("/x?key=secret"), digest);
        let error = world.pull_within(&by, &limits, &CancellationToken::new(), |_| {}).await.unwrap_err();
        let text = chain(&error);
        assert!(text.contains(sentence), "{case}: {text}");
        assert!(!text.contains("secret") && text.lines().count() == 1, "{case}: {text}");
        assert_eq!(error.is_refusal(), refusal, "{case}: {text}");
        let parts = world.partial().into_iter().filter(|name| !name.ends_with(".json"));
        let lengths: Vec<_> =
            parts.map(|name| fs::metadata(world.path("data/images/partial").join(name)).unwrap().len()).collect();
        let expected = if let Part(length) = left { vec![length as u64] } else { Vec::new() };
        assert_eq!(lengths, expected, "{case}");
        let _ = fs::remove_dir_all(world.path("data/images/partial"));
        assert_eq!(world.stored(), [""; 0], "{case}");
    }
    assert!(other.asked().is_empty(), "nobody was sent there");
    assert!(world.engine.images().list().unwrap().is_empty());

    let by = entry(&format!("http://127.0.0.1:{closed}/x"), Some(&right));
    let text = chain(&world.pull(&by).await.unwrap_err());
    assert!(text.contains("could not connect to http://127.0.0.1:") && text.contains("refused"), "{text}");

    // What the user did not write may not be private even at first: catalogs of ours never are.
    let mut ours = entry(&other.url("/x"), Some(&right));
    ours.typed = false;
    assert!(chain(&world.pull(&ours).await.unwrap_err()).contains("leads to the private address 127.0.0.1"));
    assert!(other.asked().is_empty());

    // Lengths that disagree, in an answer for the rest.
    let body = image.clone();
    let server = Server::new(move |_, before| match before {
        0 => Reply::file(&body, "\"1\"").cut(1000),
        _ => Reply::part(&body, 1000, body.len()).without("Content-Length").with("Content-Length: 5"),
    });
    let by = entry(&server.url("/x"), Some(&right));
    world.pull(&by).await.unwrap_err();
    let text = chain(&world.pull(&by).await.unwrap_err());
    assert!(text.contains("its Content-Length and its Content-Range disagree"), "{text}");
}

#[tokio::test]
async fn what_nobody_goes_on_with_is_deleted_after_a_month() {
    let Some(world) = World::new() else { return };
    let image = world.qcow2();
    let body = image.clone();
    let server = Server::new(move |asked, before| match before {
        0 | 1 => Reply::file(&body, "\"1\"").cut(1000),
        _ => Reply::range(asked, &body, "\"1\""),
    });
    let [old, newer] = ["/old", "/newer"].map(|path| entry(&server.url(path), Some(&sha256(&image))));
    let parts = || -> Vec<_> { world.partial().into_iter().map(|name| world.path("data/images/partial").join(name)).collect() };
    world.pull(&old).await.unwrap_err();
    let age = |path: &std::path::PathBuf, days: u64| {
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 24 * 3600);
        fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
    };
    parts().iter().for_each(|path| age(path, 31));
    world.pull(&newer).await.unwrap_err();
    assert_eq!(parts().len(), 2, "the newer one's part and note");
    parts().iter().for_each(|path| age(path, 29));
    let pulled = world.pull(&newer).await.unwrap();
    assert_eq!(server.body_bytes(), 1000 + image.len() as u64, "only the rest of the newer one was sent");
    world.has(&pulled, &image);
}

#[tokio::test]
async fn a_cancelled_download_is_kept_and_two_do_not_meet() {
    let Some(world) = World::new() else { return };
    let image = world.qcow2();
    let (body, half) = (image.clone(), image.len() / 2);
    let server = Server::new(move |asked, before| match before {
        0 => Reply::file(&body, "\"1\"").cut(half).then(Then::Hang),
        _ => Reply::range(asked, &body, "\"1\""),
    });
    let by = entry(&server.url("/image"), Some(&sha256(&image)));
    let cancel = CancellationToken::new();
    let (here, mut half_is_here) = tokio::sync::mpsc::unbounded_channel();
    let first = world.pull_within(&by, &LIMITS, &cancel, move |progress| {
        if matches!(progress, Progress::Bytes { done, .. } if done == half as u64) {
            here.send(()).unwrap();
        }
    });
    let meanwhile = async {
        half_is_here.recv().await.unwrap();
        let second = world.pull(&by).await.unwrap_err();
        assert!(chain(&second).contains("/image is being downloaded by another process"), "{}", chain(&second));
        cancel.cancel();
    };
    let (first, ()) = tokio::join!(first, meanwhile);
    assert!(matches!(first, Err(Error::Cancelled)));
    assert_eq!(server.body_bytes(), half as u64);

    // Cancelled once more, when all is here and only to be looked at: then no byte is asked for again.
    let cancel = CancellationToken::new();
    let told = cancel.clone();
    let again = world.pull_within(&by, &LIMITS, &cancel, move |progress| {
        if progress == Progress::Step("looking at the image".into()) {
            told.cancel();
        }
    });
    assert!(matches!(again.await, Err(Error::Cancelled)));
    assert_eq!((server.asked().len(), server.body_bytes()), (2, image.len() as u64));
    let pulled = world.pull(&by).await.unwrap();
    world.has(&pulled, &image);
    assert_eq!(server.asked().len(), 2);
}
