//! Windows: one application for each folder of data, their places, and pages that live on when their process dies.

use std::{
    cell::Cell,
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    time::{Duration, Instant},
};

use tauri::{AppHandle, Manager, WebviewWindow, Wry, plugin::TauriPlugin};
use tauri_plugin_window_state::StateFlags;
use webkit2gtk::{WebViewExt, glib::timeout_add_local_once};

/// A page whose process died is loaded again at once; one that dies over and over no sooner than this after the time before.
const RELOADS_APART: Duration = Duration::from_secs(5);

/// Where there is no GPU, has WebKitGTK do without graphics memory, unless the user's environment says how it is to draw. It must
/// be called before there is a second thread.
///
/// Emulated, that memory costs 100 MB more, and the canvas of 1,000 machines several times its frames' time (docs/performance.md).
#[allow(unsafe_code)]
pub fn without_gpu() {
    const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    let nodes = fs::read_dir("/dev/dri").into_iter().flatten().flatten();
    let has_gpu = nodes.map(|node| node.file_name()).any(|name| name.as_encoded_bytes().starts_with(b"renderD"));
    if !has_gpu && env::var_os(VARIABLE).is_none() {
        // SAFETY: this thread is the only one, so nobody reads the environment meanwhile.
        unsafe { env::set_var(VARIABLE, "1") };
    }
}

/// A second start on the same folder of data brings the first one's window to the front, and ends.
pub fn single_instance(data: &Path) -> TauriPlugin<Wry> {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    tauri_plugin_single_instance::Builder::new()
        .callback(|app, _, _| to_front(app))
        .dbus_id(format!("org.virtuallabmanager.desktop.d{:016x}", hasher.finish()))
        .build()
}

/// Windows come back in the size and at the place that they had.
pub fn remembered() -> TauriPlugin<Wry> {
    let what = StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED;
    tauri_plugin_window_state::Builder::default().with_state_flags(what).build()
}

fn to_front(app: &AppHandle) {
    for window in app.webview_windows().values() {
        // A window manager that does not do one of these does the others.
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    }
}

/// Loads a window's page again when the process that shows it has died. What it did not keep in its address is asked of us again.
pub fn reload_when_it_dies(window: &WebviewWindow) -> tauri::Result<()> {
    window.with_webview(|webview| {
        let last: Cell<Option<Instant>> = Cell::new(None);
        webview.inner().connect_web_process_terminated(move |view, reason| {
            eprintln!("vlm-app: the page's process ended: {reason:?}");
            let since = last.replace(Some(Instant::now())).map_or(RELOADS_APART, |last| last.elapsed());
            let view = view.clone();
            timeout_add_local_once(RELOADS_APART.saturating_sub(since), move || view.reload());
        });
    })
}
