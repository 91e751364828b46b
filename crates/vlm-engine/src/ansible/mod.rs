//! Ansible: the program, a project's directory, and the events of one play on one machine.

pub mod message;

use std::path::{Path, PathBuf};

use message::TaskEvent;
use tokio_util::sync::CancellationToken;

use crate::{
    process::{self, Line, Program},
    terraform::write_private,
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
    /// It could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// The play failed.
    #[error("ansible failed: {0}")]
    Failed(String),
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
                            failure = Some(if task.is_empty() { message.clone() } else { format!("task `{task}`: {message}") });
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
        match (ended.status.success(), failure) {
            // A failed task that the playbook itself rescued is none.
            (true, _) => Ok(()),
            (false, Some(failure)) => Err(Error::Failed(failure)),
            (false, None) => {
                let words = if ended.stderr.trim().is_empty() { noise } else { ended.stderr };
                Err(Error::Failed(words.trim().to_owned()))
            }
        }
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
