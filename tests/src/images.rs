//! Images for guests, built once per machine and kept in `${XDG_CACHE_HOME:-~/.cache}/vlm-tests` under their script's digest.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use crate::{home, repository, vlm};

/// An image that tests boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// A kernel and busybox: takes SSH some seconds after power-on, knows no Python.
    Tiny,
    /// What `vlm image build debian-12` makes.
    Debian12,
}

impl Image {
    /// Its name in lab files.
    pub fn name(self) -> &'static str {
        match self {
            Image::Tiny => "tiny",
            Image::Debian12 => "debian-12",
        }
    }

    fn script(self) -> PathBuf {
        match self {
            Image::Tiny => repository().join("tests/rig/tiny-image"),
            Image::Debian12 => repository().join("crates/vlm-engine/recipes/debian-12"),
        }
    }

    fn build(self, out: &Path) {
        match self {
            Image::Tiny => run(Command::new(self.script()).arg(out)),
            Image::Debian12 => {
                let data = out.with_extension("data");
                run(Command::new(vlm())
                    .args(["image", "build", self.name()])
                    .env("XDG_DATA_HOME", &data)
                    .env("XDG_CONFIG_HOME", &data)
                    .env("XDG_STATE_HOME", &data));
                let built = fs::read_dir(data.join("vlm/images")).expect("an image was built").flatten();
                let image = built.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "qcow2"));
                fs::rename(image.expect("an image was built"), out).expect("one file system holds the cache");
                fs::remove_dir_all(data).expect("what was just made can be deleted");
            }
        }
    }
}

/// The file of `image`, built now if it is not there.
pub fn image(image: Image) -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map_or_else(|| home().join(".cache"), PathBuf::from).join("vlm-tests");
    fs::create_dir_all(&cache).expect("the cache can be made");
    // Held while building, so that two test programs do not build the same.
    let lock = File::create(cache.join("lock")).expect("the cache can be written");
    lock.lock().expect("the cache can be locked");
    let script = fs::read(image.script()).expect("the image's script is in the repository");
    let digest: String = Sha256::digest(script)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let path = cache.join(format!("{}-{digest}.qcow2", image.name()));
    if !path.is_file() {
        let of_ours = |name: &str| name.starts_with(&format!("{}-", image.name()));
        for old in
            fs::read_dir(&cache).expect("the cache can be read").flatten().filter(|e| of_ours(&e.file_name().to_string_lossy()))
        {
            let _ = fs::remove_file(old.path()); // of an earlier script
        }
        eprintln!("building image {} (once per machine)", image.name());
        let part = cache.join(format!("part-{}", image.name()));
        image.build(&part);
        fs::rename(&part, &path).expect("one file system holds the cache");
    }
    path
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
