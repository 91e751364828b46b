//! What tests of images share: an engine of its own, and images made by qemu-img.

#![allow(dead_code, reason = "each test program uses what it needs")]

pub mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use vlm_engine::{Dirs, Engine, terraform::find_program};

/// An engine in an empty world.
pub struct World {
    pub dir: TempDir,
    pub engine: Engine,
}

impl World {
    /// None, saying why, where there is no qemu-img.
    pub fn new() -> Option<World> {
        if find_program(&["qemu-img"], Path::new("/usr/bin")).is_none() {
            let why = "qemu-img is missing (`scripts/setup labs` installs it)";
            assert_ne!(std::env::var("VLM_E2E").as_deref(), Ok("require"), "{why}, and VLM_E2E=require allows no skips");
            eprintln!("skipped: {why}");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(Dirs {
            data: dir.path().join("data"),
            config: dir.path().join("config"),
            state: dir.path().join("state"),
        })
        .unwrap();
        Some(World { dir, engine })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// A new image, by `qemu-img create` with these arguments and a size.
    pub fn create(&self, name: &str, args: &[&str], size: &str) -> PathBuf {
        let path = self.path(name);
        qemu_img(&[&["create", "-q", "-f", "qcow2"], args, &[path.to_str().unwrap(), size]].concat());
        path
    }

    /// A qcow2 with some data in it, as bytes.
    pub fn qcow2(&self) -> Vec<u8> {
        let mut data: Vec<u8> = (0..4u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        data[510..512].copy_from_slice(&[0x55, 0xaa]);
        let raw = self.write("some.raw", &data);
        let path = self.path("some.qcow2");
        qemu_img(&["convert", "-f", "raw", "-O", "qcow2", raw.to_str().unwrap(), path.to_str().unwrap()]);
        fs::read(path).unwrap()
    }

    /// Files in the image store, without the folder of partial downloads.
    pub fn stored(&self) -> Vec<String> {
        names(&self.path("data/images")).into_iter().filter(|name| name != "partial").collect()
    }

    /// Files of downloads that are not at their end.
    pub fn partial(&self) -> Vec<String> {
        names(&self.path("data/images/partial"))
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn qemu_img(args: &[&str]) {
    let output = Command::new("qemu-img").args(args).output().unwrap();
    assert!(output.status.success(), "qemu-img {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Packs bytes as `xz` does.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut packed = Vec::new();
    liblzma::read::XzEncoder::new(bytes, 1).read_to_end(&mut packed).unwrap();
    packed
}
