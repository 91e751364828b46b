//! The desktop shell: windows on the engine. It translates between commands and the engine, and decides nothing about labs.

mod commands;
mod desk;
mod dialogs;
mod error;
mod events;
mod lock;
mod notifications;
mod questions;
mod windows;

use std::process::ExitCode;

use tauri::{Manager, WindowEvent, webview::PageLoadEvent};
use tauri_specta::{Builder, ErrorHandlingMode, Event as _, collect_commands, collect_events};
use vlm_engine::{Dirs, Engine, ssh::ask::Asker};

use crate::{
    desk::Desk,
    error::CommandError,
    events::CloseAsked,
    lock::{AppLock, LockChanged},
    questions::{Question, QuestionGone, Questions},
};

fn main() -> ExitCode {
    windows::without_gpu();
    let engine = match Engine::open(Dirs::of_user()) {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("vlm-app: {}", vlm_engine::chain(&error));
            return ExitCode::from(2);
        }
    };
    let questions = Questions::default();
    let engine = engine.with_asker(Asker::new(questions.clone()));
    let interface = interface();
    let app = tauri::Builder::default()
        // The first of all: a second start ends here.
        .plugin(windows::single_instance(&engine.dirs().data))
        .plugin(windows::remembered())
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_notification::init())
        .plugin(tauri_plugin_shell::init())
        .invoke_handler(lock::guarded(interface.invoke_handler()))
        .manage(AppLock::at_start(&engine))
        .manage(engine.clone())
        .manage(Desk::default())
        .manage(notifications::Wanted::default())
        .manage(questions.clone())
        .setup(move |app| {
            interface.mount_events(app);
            tauri::async_runtime::spawn(events::forward(app.handle().clone(), engine.events()));
            questions.tell_by(events::teller(app.handle().clone()));
            for window in app.webview_windows().values() {
                windows::reload_when_it_dies(window)?;
            }
            Ok(())
        })
        .on_page_load(|webview, page| {
            if page.event() == PageLoadEvent::Started {
                webview.state::<Desk>().forget_window(webview.label());
            }
        })
        .on_window_event(|window, event| {
            if let WindowEvent::CloseRequested { api, .. } = event {
                let busy = window.state::<Desk>().busy_labs();
                if !busy.is_empty() {
                    api.prevent_close();
                    let _ = CloseAsked(busy).emit(window); // a page that cannot hear it cannot answer either
                }
            }
        })
        .build(tauri::generate_context!());
    match app {
        Ok(app) => {
            app.run(|_, _| {});
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("vlm-app: could not open a window: {}", vlm_engine::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Everything that a page can call and hear, from which its bindings are written.
fn interface() -> Builder<tauri::Wry> {
    Builder::new()
        .disable_serde_phases()
        .error_handling(ErrorHandlingMode::Throw)
        .typ::<CommandError>()
        .commands(collect_commands![
            commands::labs::list_labs,
            commands::labs::lab_status,
            commands::labs::read_lab,
            commands::labs::check_lab,
            commands::labs::check_text,
            commands::labs::save_lab,
            commands::labs::save_layout,
            commands::labs::import_lab,
            commands::labs::export_lab,
            commands::labs::export_lab_file,
            commands::labs::clone_lab,
            commands::labs::forget_lab,
            commands::labs::lab_files,
            commands::labs::lab_ports,
            commands::labs::lab_schema,
            commands::templates::list_templates,
            commands::templates::save_template,
            commands::templates::remove_template,
            commands::desk::open_lab,
            commands::machines::machine_details,
            commands::machines::power_machines,
            commands::machines::follow_stats,
            commands::machines::unfollow_stats,
            commands::machines::machine_screenshot,
            commands::machines::serial_log,
            commands::runs::start_plan,
            commands::runs::plan_destroy,
            commands::runs::plan_resume,
            commands::runs::discard_plan,
            commands::runs::start_deploy,
            commands::runs::start_destroy,
            commands::runs::start_lab,
            commands::runs::stop_lab,
            commands::runs::cancel_run,
            commands::runs::follow_run,
            commands::runs::unfollow_run,
            commands::runs::list_runs,
            commands::runs::recent_runs,
            commands::hosts::list_hosts,
            commands::hosts::check_host,
            commands::hosts::host_things,
            commands::hosts::add_host,
            commands::hosts::remove_host,
            commands::hosts::ssh_config_hosts,
            commands::hosts::ssh_identities,
            commands::hosts::answer_question,
            commands::doctor::doctor,
            commands::doctor::doctor_fix,
            commands::doctor::remove_orphan,
            commands::doctor::adopt_lab,
            commands::images::list_images,
            commands::images::list_recipes,
            commands::images::image_catalog,
            commands::images::pull_image,
            commands::images::cancel_pull,
            commands::images::build_image,
            commands::images::cancel_build,
            commands::images::add_image,
            commands::images::verify_image,
            commands::images::image_places,
            commands::images::remove_image,
            commands::activity::audit,
            commands::activity::verify_audit,
            commands::activity::export_audit,
            commands::settings::read_settings,
            commands::settings::save_settings,
            commands::settings::pick_file,
            commands::settings::list_tools,
            commands::settings::list_backups,
            commands::settings::make_backup,
            commands::settings::restore_backup,
            commands::lock::lock_state,
            commands::lock::set_lock,
            commands::lock::lock_now,
            commands::lock::unlock,
            commands::desk::app_info,
            commands::desk::set_notifications,
            commands::desk::quit,
        ])
        .events(collect_events![events::Stale, events::CloseAsked, events::Note, Question, QuestionGone, LockChanged])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    include!("commands/names.rs");

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/src/bindings.ts");
    const CAPABILITY: &str = include_str!("../../capabilities/main.json");

    fn bindings() -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bindings.ts");
        let header = "// Generated from src-tauri's commands by UPDATE_EXPECT=1 cargo test -p vlm-app";
        let language = specta_typescript::Typescript::default().header(header);
        interface().export(language, &path).expect("all types can be written in TypeScript");
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_committed_bindings_are_those_of_the_commands() {
        let fresh = bindings();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(COMMITTED, &fresh).unwrap();
        }
        assert!(
            fs::read_to_string(COMMITTED).unwrap_or_default() == fresh,
            "ui/src/bindings.ts is stale: write it anew with UPDATE_EXPECT=1 cargo test -p vlm-app"
        );
    }

    #[test]
    fn every_command_is_known_to_the_build_and_granted_to_the_main_window() {
        let bindings = bindings();
        for name in NAMES {
            assert!(bindings.contains(&format!(">(\"{name}\"")), "`{name}` is in names.rs, but is no command");
            let permission = format!("\"allow-{}\"", name.replace('_', "-"));
            assert!(CAPABILITY.contains(&permission), "capabilities/main.json lacks {permission}");
        }
        assert_eq!(bindings.matches("__TAURI_INVOKE<").count(), NAMES.len(), "names.rs lists all commands");
    }
}
