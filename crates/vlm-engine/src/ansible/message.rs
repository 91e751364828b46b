//! The JSON lines that our callback plugin prints (`ansible/vlm_events.py`).

use serde::Deserialize;

/// Something that happened in a play.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEvent {
    /// A task begins.
    Started {
        /// Its name.
        task: String,
    },
    /// A task is done on a machine.
    Done {
        /// Its name.
        task: String,
        /// Whether it changed something.
        changed: bool,
    },
    /// A task did not concern the machine.
    Skipped {
        /// Its name.
        task: String,
    },
    /// A task failed on a machine, or the machine was out of reach.
    Failed {
        /// Its name.
        task: String,
        /// The module's words.
        message: String,
        /// Whether the machine was out of reach.
        unreachable: bool,
    },
}

#[derive(Deserialize)]
struct Raw {
    event: String,
    #[serde(default)]
    task: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    changed: bool,
}

/// Reads one line; `None` for lines and events that mean nothing to us.
pub fn parse(line: &str) -> Option<TaskEvent> {
    let raw: Raw = serde_json::from_str(line).ok()?;
    let task = raw.task.unwrap_or_default();
    match raw.event.as_str() {
        "task_start" => Some(TaskEvent::Started { task }),
        "ok" => Some(TaskEvent::Done { task, changed: raw.changed }),
        "changed" => Some(TaskEvent::Done { task, changed: true }),
        "skipped" => Some(TaskEvent::Skipped { task }),
        "failed" | "unreachable" => {
            let unreachable = raw.event == "unreachable";
            Some(TaskEvent::Failed { task, message: raw.message.unwrap_or_default(), unreachable })
        }
        _ => None,
    }
}
