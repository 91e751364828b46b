//! Ansible: the program, a project's directory, and the events of one play on one machine.

pub mod message;

use std::path::{Path, PathBuf};

use message::TaskEvent;
use tokio_util::sync::CancellationToken;

use crate::{
    process::{self, Line, Program},
    terraform::write_private,
    tools,
};

/// The callback plugin that prints events as JSON lines. It lies beside the project, not in it: an export needs none.
const CALLBACK: &str = include_str!("../../ansible/vlm_events.py");

/// Why Ansible could not configure a machine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not installed.
    #[error("ansible-playbook was not found")]
    Missing,
    /// The one that the settings name is not there.
    #[error("`ansible_playbook` in settings.toml names {}, which is not there", path.display())]
    NotThere {
        /// What they name.
        path: PathBuf,
    },
    /// It, or the SSH that it reaches machines by, is not there or of a version that labs do not work with.
    #[error(transparent)]
    Tool(#[from] tools::Error),
    /// It could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// The play failed.
    #[error("ansible failed: {}{words}", task.as_ref().map(|task| format!("task `{task}`: ")).unwrap_or_default())]
    Failed {
        /// The task, if it was one.
        task: Option<String>,
        /// What it said.
        words: String,
        /// The end of what Ansible itself printed on standard error.
        stderr: String,
    },
    /// It was interrupted because the run was cancelled.
    #[error("ansible was cancelled")]
    Cancelled,
    /// The callback plugin could not be put in place.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Ansible in one project directory.
#[derive(Debug, Clone)]
pub struct Ansible {
    /// `ansible-playbook`.
    pub program: PathBuf,
    /// The project: `ansible.cfg`, `inventory.yaml`, `plays/`.
    pub dir: PathBuf,
}

impl Ansible {
    /// Runs `playbook` (relative to the project) on `machine` alone, handing over each event.
    pub async fn play(
        &self,
        playbook: &str,
        machine: &str,
        cancel: &CancellationToken,
        mut on_event: impl FnMut(TaskEvent),
    ) -> Result<(), Error> {
        let plugins = self.dir.join("../ansible-plugins");
        let plugin = plugins.join("vlm_events.py");
        write_private(&plugin, CALLBACK).map_err(|source| Error::Write { path: plugin, source })?;
        let (mut failure, mut noise) = (None, String::new());
        let ended = self
            .program(playbook, machine, &plugins)
            .run(cancel, |line| match line {
                Line::Out(line) => match message::parse(&line) {
                    Some(event) => {
                        if let TaskEvent::Failed { task, message, .. } = &event {
                            failure = Some((Some(task.clone()).filter(|task| !task.is_empty()), message.clone()));
                        }
                        on_event(event);
                    }
                    None => noise = line,
                },
                Line::Err(_) => {}
            })
            .await?;
        if ended.cancelled {
            return Err(Error::Cancelled);
        }
        // A failed task that the playbook itself rescued is none.
        if ended.status.success() {
            return Ok(());
        }
        let stderr = ended.stderr.trim().to_owned();
        let (task, words) = failure.unwrap_or_default();
        let words = if words.is_empty() && !stderr.is_empty() { stderr.clone() } else { words };
        Err(Error::Failed { task, words: if words.is_empty() { noise } else { words }, stderr })
    }

    fn program(&self, playbook: &str, machine: &str, plugins: &Path) -> Program {
        Program::new(&self.program, &self.dir)
            .args(["--limit", machine, playbook])
            .env("ANSIBLE_CALLBACK_PLUGINS", plugins)
            .env("ANSIBLE_STDOUT_CALLBACK", "vlm_events")
            .env("ANSIBLE_CONFIG", self.dir.join("ansible.cfg"))
            .env("ANSIBLE_NOCOLOR", "1")
            .env("ANSIBLE_LOCALHOST_WARNING", "0")
            .env("ANSIBLE_HOME", self.dir.join("../ansible-home"))
    }
}
