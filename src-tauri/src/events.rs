//! What the engine announces, on its way to all windows.

use std::{collections::HashSet, time::Duration};

use serde::Serialize;
use specta::Type;
use tauri::AppHandle;
use tauri_specta::Event as _;
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    time::sleep,
};
use vlm_engine::{Event, Resource};

use crate::questions::{QuestionGone, Told};

/// Something changed: ask again.
#[derive(Debug, Clone, Serialize, Type, tauri_specta::Event)]
pub struct Stale(pub Resource);

/// The user closes a window while runs of these labs are at work in this process; it stays open until they decide.
#[derive(Debug, Clone, Serialize, Type, tauri_specta::Event)]
pub struct CloseAsked(pub Vec<String>);

/// Something that the engine says and that wants no answer.
#[derive(Debug, Clone, Serialize, Type, tauri_specta::Event)]
pub struct Note(pub String);

/// How long changes are gathered: a deploy makes many within a moment, and a page reads them at once.
const GATHER: Duration = Duration::from_millis(100);

/// Tells all windows what only a person can answer, and what the engine has to say.
pub fn teller(app: AppHandle) -> impl Fn(Told) {
    move |told| {
        // No window may be open: then nobody answers, and that means no.
        let _ = match told {
            Told::Asked(question) => question.emit(&app),
            Told::Gone(id) => QuestionGone(id).emit(&app),
            Told::Note(text) => Note(text).emit(&app),
        };
    }
}

/// Forwards the engine's events to all windows until the engine is gone.
pub async fn forward(app: AppHandle, mut events: Receiver<Event>) {
    let mut stale = HashSet::new();
    loop {
        match events.recv().await {
            Ok(Event::Stale(resource)) => drop(stale.insert(resource)),
            Err(RecvError::Lagged(_)) => stale.extend(Resource::ALL),
            Err(RecvError::Closed) => return,
        }
        sleep(GATHER).await;
        loop {
            match events.try_recv() {
                Ok(Event::Stale(resource)) => drop(stale.insert(resource)),
                Err(TryRecvError::Lagged(_)) => stale.extend(Resource::ALL),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        for resource in stale.drain() {
            let _ = Stale(resource).emit(&app); // no window may be open
        }
    }
}
