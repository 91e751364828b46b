//! A connection to libvirt while its daemon is stopped, goes on, dies and is started again.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use vlm_engine::libvirt::{Connection, Domain, Error, Target};
use vlm_tests::Host;

/// Within this a call ends, whatever its daemon does: its silence is found, and then another connection is waited for.
const ENDS_WITHIN: Duration = Duration::from_secs(45);
/// Within this what must come has come, on a slow and busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// More than sockets buffer.
const IMAGE_BYTES: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn calls_end_and_the_connection_comes_back() {
    let Some(host) = Host::new(&[]) else { return };
    host.vlm(["host", "check", "local"]).ends(0);
    let connection = Connection::open(&Target::Socket(host.libvirt_socket())).await.unwrap();
    let mut changes = connection.changes();
    let names = |domains: Vec<Domain>| domains.into_iter().map(|domain| domain.name).collect::<Vec<_>>();
    assert_eq!(names(connection.domains().await.unwrap()), [""; 0]);

    // What somebody else does is told.
    let file = host.write(
        "domain.xml",
        "<domain type='qemu'><name>other</name><memory>1024</memory><os><type arch='x86_64'>hvm</type></os></domain>",
    );
    changes.mark_unchanged();
    host.virsh(&["define", &file]);
    timeout(LIMIT, changes.changed()).await.expect("a new domain is told").unwrap();
    assert_eq!(names(connection.domains().await.unwrap()), ["other"]);

    // An upload that has begun, more than the daemon takes while it is stopped.
    connection.ensure_pool("pool", Path::new("/var/lib/libvirt/images/pool")).await.unwrap();
    let image = host.scratch().join("image");
    fs::write(&image, vec![7; IMAGE_BYTES as usize]).unwrap(); // no hole, which would not be sent
    let (begin, mut begun) = mpsc::unbounded_channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let (sender, file) = (connection.clone(), image.clone());
    let upload = tokio::spawn(async move {
        let told = move |_| {
            let _ = begin.send(());
            let _ = wait.recv();
        };
        sender.upload("pool", "volume", &file, IMAGE_BYTES, &CancellationToken::new(), told).await
    });
    timeout(LIMIT, begun.recv()).await.expect("the upload begins");

    // Silence: more calls than there are places all end, in clear words, and so does what connects only now.
    host.inside("kill -STOP $(pidof libvirtd)").ends(0);
    drop(go_on);
    let begun = Instant::now();
    let late = host.start_vlm(["host", "check", "local"]);
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let connection = connection.clone();
        calls.spawn(async move { connection.domains().await });
    }
    let (mut lost, mut hung) = (0, 0);
    while let Some(result) = timeout(ENDS_WITHIN, calls.join_next()).await.expect("calls end") {
        match result.unwrap().unwrap_err() {
            error @ Error::Lost { .. } => {
                lost += 1;
                assert!(error.to_string().contains("could not list domains: the connection to libvirt was lost: "), "{error}");
                assert!(error.to_string().contains("silent for 15 s"), "{error}");
            }
            error @ Error::Hangs { .. } => {
                hung += 1;
                assert!(error.to_string().contains("libvirt did not answer within 20 s; its daemon may be stopped"), "{error}");
            }
            error => panic!("{error}"),
        }
    }
    let error = upload.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Lost { .. }) && error.to_string().contains("to pool `pool`"), "{error}");
    assert_eq!((lost, hung), (3, 7), "calls that the daemon had beside the upload, and calls that waited for a place");
    assert!(begun.elapsed() < ENDS_WITHIN, "calls ended after {:.0} s", begun.elapsed().as_secs_f64());
    assert!(!connection.is_alive().await);
    assert!(matches!(connection.domains().await.unwrap_err(), Error::Hangs { .. }), "the next call ends at once");
    late.end(ENDS_WITHIN).ends(1).says(&["libvirt did not answer within 20 s; its daemon may be stopped or stuck"]);

    // It goes on, and all is well.
    host.inside("kill -CONT $(pidof libvirtd)").ends(0);
    assert_eq!(names(until_it_answers(&connection).await), ["other"]);
    // The upload does not go on behind our back: it can be done again, as soon as the daemon has seen its old connection close.
    assert_ne!(connection.volume_length("pool", "volume").await.unwrap(), Some(IMAGE_BYTES));
    let begun = Instant::now();
    while let Err(error) = connection.upload("pool", "volume", &image, IMAGE_BYTES, &CancellationToken::new(), |_| {}).await {
        assert!(begun.elapsed() < LIMIT, "{error}");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(connection.volume_length("pool", "volume").await.unwrap(), Some(IMAGE_BYTES));

    // It dies: that is told without a question, and named to who asks.
    changes.mark_unchanged();
    host.inside("kill -KILL $(pidof libvirtd)").ends(0);
    timeout(LIMIT, changes.changed()).await.expect("the end is told").unwrap();
    let error = connection.domains().await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");

    // It is there again: the same connection serves, and tells of what happens.
    host.inside("libvirtd -d").ends(0);
    assert_eq!(names(until_it_answers(&connection).await), ["other"]);
    changes.mark_unchanged();
    host.virsh(&["undefine", "other"]);
    timeout(LIMIT, changes.changed()).await.expect("events come over the new connection").unwrap();
    assert_eq!(names(connection.domains().await.unwrap()), [""; 0]);
}

/// A guest without a disk: its firmware draws, looks for something to boot, and says so.
const BARE: &str = "<domain type='qemu'><name>bare</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
    <os><type arch='x86_64'>hvm</type></os><devices><video><model type='vga'/></video><graphics type='vnc'><listen type='socket'/></graphics>
    <memballoon model='virtio'/></devices></domain>";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_uses_and_shows_is_told() {
    let Some(host) = Host::new(&[]) else { return };
    let file = host.write("bare.xml", BARE);
    host.virsh(&["define", &file]);
    let connection = Connection::open(&Target::Socket(host.libvirt_socket())).await.unwrap();
    let bare = async || connection.measured().await.unwrap().remove(0);
    let off = bare().await;
    assert_eq!((off.memory_mib(), off.vcpus()), (64, 1));
    assert_eq!(connection.screenshot("bare").await.unwrap(), None, "it is off");

    connection.start("bare").await.unwrap();
    let begun = Instant::now();
    let first = bare().await.number("cpu.time");
    while bare().await.number("cpu.time") <= first {
        assert!(begun.elapsed() < LIMIT, "it uses no processor: {:?}", bare().await.numbers);
        sleep(Duration::from_millis(100)).await;
    }
    let on = bare().await;
    assert!((1..4096 << 10).contains(&on.number("balloon.rss")), "{:?}", on.numbers);
    let picture = connection.screenshot("bare").await.unwrap().expect("it is on");
    assert!(picture.starts_with(b"P6") || picture.starts_with(b"\x89PNG"), "{:?}", &picture[..16]);
    assert!(connection.definition("bare").await.unwrap().contains("<name>bare</name>"));

    connection.suspend("bare").await.unwrap();
    connection.resume("bare").await.unwrap();
    connection.reset("bare").await.unwrap();
    connection.reboot("bare").await.unwrap();
    connection.force_off("bare").await.unwrap();
    assert_eq!(connection.screenshot("bare").await.unwrap(), None, "it is off again");
    assert!(connection.reboot("bare").await.is_err());
}

async fn until_it_answers(connection: &Connection) -> Vec<Domain> {
    let begun = Instant::now();
    loop {
        match connection.domains().await {
            Ok(domains) => return domains,
            Err(error) => assert!(begun.elapsed() < LIMIT, "no answer yet: {error}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}
