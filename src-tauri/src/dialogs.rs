//! The desktop's own dialogs: the only way in which a path comes from a person.

use std::path::{Path, PathBuf};

use tauri::WebviewWindow;
use tauri_plugin_dialog::{DialogExt, FileDialogBuilder, FilePath};
use tokio::sync::oneshot;

/// Files that a dialog offers: what they are, and how their names end.
pub type Kind = (&'static str, &'static [&'static str]);

/// Lab files.
pub const LABS: Kind = ("lab.yaml", &["yaml", "yml"]);
/// Disk images.
pub const IMAGES: Kind = ("qcow2, img, raw, xz", &["qcow2", "img", "raw", "xz"]);
/// Tables.
pub const TABLES: Kind = ("CSV", &["csv"]);

/// A file that is there; of any kind where none is named. None when the person thinks better of it.
pub async fn open_file(window: &WebviewWindow, kind: Option<Kind>) -> Option<PathBuf> {
    let dialog = dialog(window, kind);
    chosen(|tell| dialog.pick_file(tell)).await
}

/// A folder.
pub async fn open_folder(window: &WebviewWindow) -> Option<PathBuf> {
    let dialog = dialog(window, None);
    chosen(|tell| dialog.pick_folder(tell)).await
}

/// A file to be written, for which `name` is proposed.
pub async fn save_file(window: &WebviewWindow, kind: Kind, name: &str) -> Option<PathBuf> {
    let dialog = dialog(window, Some(kind)).set_file_name(name);
    chosen(|tell| dialog.save_file(tell)).await
}

fn dialog(window: &WebviewWindow, kind: Option<Kind>) -> FileDialogBuilder<tauri::Wry> {
    let dialog = window.dialog().file().set_parent(window);
    match kind {
        Some((name, ends)) => dialog.add_filter(name, ends),
        None => dialog,
    }
}

async fn chosen(show: impl FnOnce(Box<dyn FnOnce(Option<FilePath>) + Send>)) -> Option<PathBuf> {
    let (tell, told) = oneshot::channel();
    show(Box::new(|path| drop(tell.send(path)))); // a window that is gone waits no more
    told.await.ok()??.into_path().ok()
}

/// A path as text for a page.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
