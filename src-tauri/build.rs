//! Tells Tauri which of our commands exist, so that each window may call those that its capability names and no other.

include!("src/commands/names.rs");

fn main() {
    println!("cargo::rerun-if-changed=src/commands/names.rs");
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("../capabilities/**/*")
        .app_manifest(tauri_build::AppManifest::new().commands(NAMES));
    tauri_build::try_build(attributes).expect("tauri.conf.json, capabilities/ and icons/ fit each other");
}
