//! Which files are taken as images, and which are refused: a file may be made to harm whoever opens it.

mod common;

use std::{fs, path::PathBuf};

use common::{World, qemu_img, xz};
use tokio_util::sync::CancellationToken;
use vlm_engine::chain;

/// A qcow2 header with `bytes` at `at`.
fn patched(mut image: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    image[at..at + bytes.len()].copy_from_slice(bytes);
    image
}

#[tokio::test]
async fn what_could_harm_or_is_none_is_refused_and_leaves_nothing() {
    let Some(world) = World::new() else { return };
    let base = world.create("base.qcow2", &[], "1M");
    let base_path = base.to_str().unwrap().to_owned();
    let data_file = format!("data_file={}", world.path("data.raw").display());
    let small = fs::read(&base).unwrap();
    let whole = world.qcow2();
    let boot = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().max(1 << 20), 0);
        patched(bytes, 510, &[0x55, 0xaa])
    };
    // The oldest trick: bytes that pass for a raw disk, and name a file of the host to whoever guesses the format.
    let over = world.create("over.qcow2", &["-F", "qcow2", "-b", &base_path], "1M");
    let disguised = boot(fs::read(&over).unwrap());
    // Behind the header and its extensions lies a refcount table; its first entry then points nowhere.
    let refcounts = u64::from_be_bytes(whole[48..56].try_into().unwrap()) as usize;
    let broken = patched(whole.clone(), refcounts, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00]);
    let cases: Vec<(&str, PathBuf, &str)> = vec![
        ("text", world.write("text", "hello\n"), "it is neither qcow2 nor a raw disk with a boot sector"),
        ("nothing", world.write("nothing", ""), "it is neither qcow2 nor a raw disk with a boot sector"),
        ("page", world.write("page", "\n<!DOCTYPE html><html>"), "it looks like a web page"),
        ("gzip", world.write("disk.gz", b"\x1f\x8b\x08\x00\x00\x00"), "it is compressed, and not by xz; unpack it first"),
        ("zip", world.write("disk.zip", b"PK\x03\x04"), "it is compressed, and not by xz; unpack it first"),
        ("vmdk", world.write("disk.vmdk", b"KDMV\x01\x00"), "it is a disk of another product"),
        ("folder", world.dir.path().to_owned(), "it is no regular file"),
        ("backing", over.clone(), "it needs another file, `"),
        ("disguised", world.write("disguised", disguised), "it needs another file, `"),
        ("data", world.create("data.qcow2", &["-o", &data_file], "1M"), "its data lies in another file"),
        ("encrypted", world.write("aes", patched(small.clone(), 32, &[0, 0, 0, 1])), "it is encrypted"),
        ("vast", world.create("vast.qcow2", &[], "9T"), "it claims to hold a disk of 9 TiB, and 8 TiB are the most"),
        ("hollow", world.create("hollow.qcow2", &[], "2T"), "KiB claim to hold a disk of 2 TiB"),
        ("empty", world.create("empty.qcow2", &[], "0"), "the disk in it has no bytes"),
        ("header", world.write("header", &small[..40]), "is no disk image for labs: "),
        ("cut", world.write("cut", &whole[..whole.len() / 2]), "it is cut short or damaged"),
        ("broken", world.write("broken", broken), "it is cut short or damaged"),
        ("cut-xz", world.write("cut.xz", &xz(&whole)[..5000]), "it cannot be unpacked"),
        ("twice", world.write("twice.xz", xz(&xz(&whole))), "it is packed twice"),
        ("backing-xz", world.write("over.xz", xz(&fs::read(&over).unwrap())), "it needs another file, `"),
    ];
    for (name, path, sentence) in cases {
        let error = world.engine.images().add(name, &path, &CancellationToken::new()).await.unwrap_err();
        let text = chain(&error);
        assert!(text.contains(sentence) && text.contains(path.to_str().unwrap()), "{name}: {text}");
        assert!(error.is_refusal(), "{name}");
        assert_eq!(text.lines().count(), 1, "{name}: {text}");
    }
    let missing = world.engine.images().add("missing", &world.path("missing"), &CancellationToken::new()).await.unwrap_err();
    assert!(chain(&missing).ends_with("missing: No such file or directory (os error 2)"), "{}", chain(&missing));
    assert_eq!(world.stored(), [""; 0]);
    assert!(world.engine.images().list().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_taken_is_one_qcow2_file_that_needs_no_other() {
    let Some(world) = World::new() else { return };
    let whole = world.qcow2();
    // A raw disk is data, whatever stands in it: here a whole qcow2 that needs another file, after the boot sector.
    let over = world.create("over.qcow2", &["-F", "raw", "-b", "/etc/passwd", "-u"], "1M");
    let mut raw = vec![0; 512];
    raw[510..512].copy_from_slice(&[0x55, 0xaa]);
    raw.extend(fs::read(over).unwrap());
    raw.resize(4 << 20, 0);
    for (name, path) in [
        ("qcow2", world.write("whole.qcow2", &whole)),
        ("packed", world.write("whole.qcow2.xz", xz(&whole))),
        ("raw", world.write("disk.raw", &raw)),
        ("packed-raw", world.write("disk.raw.xz", xz(&raw))),
    ] {
        let before = fs::read(&path).unwrap();
        let image = world.engine.images().add(name, &path, &CancellationToken::new()).await.unwrap();
        assert_eq!(image.virtual_size, "4 MiB", "{name}");
        assert_eq!(image.source, format!("file {}", path.display()));
        assert!(fs::read(&path).unwrap() == before, "{name}: the user's file is theirs");
        let stored = world.engine.images().path(&image.digest);
        assert!(fs::read(&stored).unwrap().starts_with(b"QFI\xfb"), "{name}");
        // What comes out again is what went in.
        let out = world.path("out.raw");
        qemu_img(&["convert", "-f", "qcow2", "-O", "raw", stored.to_str().unwrap(), out.to_str().unwrap()]);
        let wanted = if name.ends_with("raw") { raw.clone() } else { fs::read(world.path("some.raw")).unwrap() };
        assert!(fs::read(out).unwrap() == wanted, "{name}");
    }
    // Two names, one content: one file.
    assert_eq!(world.stored().len(), 2);
}

#[tokio::test]
async fn an_image_is_verified_again_and_says_who_uses_it() {
    let Some(world) = World::new() else { return };
    let file = world.write("d.qcow2", world.qcow2());
    let images = world.engine.images();
    images.add("ours", &file, &CancellationToken::new()).await.unwrap();
    let text =
        "version: 1\nname: one\nnetworks: { lan: { cidr: 10.77.1.0/24 } }\nmachines: { a: { image: ours, replicas: 2 } }\n";
    world.engine.labs().save_text(text, None, None, None).unwrap();
    let image = images.list().unwrap().remove(0);
    assert_eq!(image.used_by, ["one"]);
    assert!(images.verify("ours").await.unwrap());
    let stored = images.path(&image.digest);
    let mut bytes = fs::read(&stored).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&stored, bytes).unwrap();
    assert!(!images.verify("ours").await.unwrap());
    fs::remove_file(&stored).unwrap();
    assert!(images.verify("ours").await.is_err());
    assert!(images.verify("none").await.is_err());
}
