//! Lists the templates of labs that come with us: a file of `examples/templates` each.

use std::{env, fmt::Write as _, fs, path::Path};

fn main() {
    let dir = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo says where we are")).join("../../examples/templates");
    println!("cargo::rerun-if-changed={}", dir.display());
    let mut files: Vec<_> = fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    let mut list = "&[".to_owned();
    for path in files {
        let id = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let path = path.canonicalize().expect("it was just listed");
        let _ = write!(list, "({id:?}, include_str!({path:?})),");
    }
    let out = env::var("OUT_DIR").expect("cargo says where to write");
    fs::write(Path::new(&out).join("templates.rs"), list + "]").expect("the folder is ours");
}
