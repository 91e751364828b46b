//! Runs: what was planned, deployed, started, stopped or destroyed, and everything that was said meanwhile.

use std::fmt;

use serde::{Deserialize, Serialize};
use vlm_lab::phase::{Phase, Stuck};

/// Identity of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RunId(pub u32);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum RunKind {
    /// Makes the host have what the lab says.
    Deploy,
    /// Powers the lab's machines on, in order.
    Start,
    /// Shuts the lab's machines down, in reverse order.
    Stop,
    /// Takes the lab away.
    Destroy,
}

impl RunKind {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            RunKind::Deploy => "deploy",
            RunKind::Start => "start",
            RunKind::Stop => "stop",
            RunKind::Destroy => "destroy",
        }
    }

    pub(crate) fn from_text(text: &str) -> RunKind {
        match text {
            "start" => RunKind::Start,
            "stop" => RunKind::Stop,
            "destroy" => RunKind::Destroy,
            _ => RunKind::Deploy,
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum RunStatus {
    /// At work.
    Running,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Its process was gone before its end.
    CutOff,
}

impl RunStatus {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Done => "done",
            RunStatus::Failed => "failed",
            RunStatus::Cancelled => "cancelled",
            RunStatus::CutOff => "cut_off",
        }
    }

    pub(crate) fn from_text(text: &str) -> RunStatus {
        match text {
            "done" => RunStatus::Done,
            "cancelled" => RunStatus::Cancelled,
            "running" => RunStatus::Running,
            "cut_off" => RunStatus::CutOff,
            _ => RunStatus::Failed,
        }
    }
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RunSummary {
    /// The lab.
    pub lab: String,
    /// Its id.
    pub id: RunId,
    /// What it does.
    pub kind: RunKind,
    /// Where it stands.
    pub status: RunStatus,
    /// How it ended, in a sentence.
    pub sentence: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// When it ended.
    pub ended: Option<String>,
    /// The design's revision.
    pub revision: u32,
    /// The process that is at it.
    #[serde(skip)]
    pub pid: u32,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RunEvent {
    /// The run.
    pub run: RunId,
    /// Counts up from 1 in the run.
    pub seq: u32,
    /// When, in milliseconds since 1970 (UTC).
    // A JavaScript number holds it exactly; specta writes every safe one as `number`, and an f64 as `number | null`.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub at_ms: i64,
    /// The machine concerned; none for the run as a whole.
    pub machine: Option<String>,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum EventBody {
    /// The run does this now.
    Step {
        /// In words.
        text: String,
    },
    /// Bytes on their way.
    Transfer {
        /// What goes where.
        what: String,
        /// How far, in MiB.
        done_mib: u32,
        /// Of how much, in MiB.
        total_mib: u32,
    },
    /// Terraform works on a resource.
    Resource {
        /// Its address.
        address: String,
        /// `create`, `update`, `delete` …
        action: String,
        /// How far it is.
        state: ResourceState,
        /// Seconds since its work began.
        seconds: u32,
    },
    /// A machine reached a phase.
    Phase {
        /// The phase.
        phase: Phase,
        /// The address it was seen at.
        address: Option<String>,
    },
    /// A machine makes no progress, and this is why.
    Waiting {
        /// What keeps it.
        reason: String,
        /// What to try.
        remedy: String,
    },
    /// An Ansible task.
    Task {
        /// Its name.
        task: String,
        /// What became of it.
        outcome: TaskOutcome,
    },
    /// A line of a tool's own output.
    Log {
        /// `terraform`, `ansible` …
        source: String,
        /// The line.
        text: String,
    },
    /// Something failed.
    Failed {
        /// What happened and why.
        message: String,
        /// What to do.
        hint: String,
        /// What shows it, such as the end of a serial console.
        evidence: Option<String>,
    },
    /// The run ended.
    Ended {
        /// How.
        status: RunStatus,
        /// In a sentence.
        sentence: String,
    },
}

/// How far Terraform is with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum ResourceState {
    /// It began.
    Started,
    /// It goes on.
    Going,
    /// It is done.
    Done,
    /// It failed.
    Failed,
}

/// What became of an Ansible task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum TaskOutcome {
    /// It began.
    Started,
    /// Nothing was to be changed.
    Ok,
    /// It changed something.
    Changed,
    /// It did not concern the machine.
    Skipped,
    /// It failed.
    Failed,
}

impl EventBody {
    /// A [`EventBody::Step`].
    pub fn step(text: impl Into<String>) -> EventBody {
        EventBody::Step { text: text.into() }
    }
}

impl From<Stuck> for EventBody {
    fn from(stuck: Stuck) -> EventBody {
        EventBody::Waiting { reason: stuck.reason, remedy: stuck.remedy }
    }
}
