//! The one place where an engine's error becomes what a window shows.

use std::path::Path;

use serde::Serialize;
use specta::Type;
use vlm_engine::{deploy, doctor, hosts, images, labs, lock, passphrase, settings, ssh::link, store, templates};
use vlm_lab::problems::{Problem, Severity};

/// What a command answers.
pub type CommandResult<T> = Result<T, CommandError>;

/// Why a command did not do what it was asked.
#[derive(Debug, Clone, Serialize, Type)]
pub struct CommandError {
    /// What the window may do about it.
    pub code: ErrorCode,
    /// What happened and why, in a sentence without its full stop.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// What it is about, one by one: problems of a lab with their places, images that are missing.
    pub details: Vec<String>,
}

/// What a window tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// It failed.
    Failed,
    /// It was refused before anything was touched.
    Refused,
    /// The lab has problems; `details` lists them.
    Problems,
    /// Images must be built first; `details` names them.
    ImagesToBuild,
    /// The plan that was shown is no longer there: plan again.
    NoPlan,
    /// The user wished it.
    Cancelled,
    /// Images must be downloaded first; `details` names them.
    ImagesToPull,
    /// It was saved by somebody else meanwhile.
    Conflict,
    /// The application is locked.
    Locked,
    /// There is none.
    NotFound,
}

impl CommandError {
    /// A refusal with something to do about it.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> CommandError {
        let hint = Some(hint.into()).filter(|hint: &String| !hint.is_empty());
        CommandError { code: ErrorCode::Refused, message: message.into(), hint, details: Vec::new() }
    }

    /// It failed, without more to be said.
    pub fn failed(message: impl Into<String>) -> CommandError {
        CommandError { code: ErrorCode::Failed, message: message.into(), hint: None, details: Vec::new() }
    }

    /// There is none.
    pub fn not_found(message: impl Into<String>) -> CommandError {
        CommandError { code: ErrorCode::NotFound, ..CommandError::failed(message) }
    }

    /// The application is locked.
    pub fn locked() -> CommandError {
        let hint = Some("unlock it with its passphrase".to_owned());
        CommandError { code: ErrorCode::Locked, hint, ..CommandError::failed("the application is locked") }
    }

    /// The same of a file that was chosen to be taken in: its name stands before each place.
    pub fn of_file(self, path: &Path) -> CommandError {
        if self.code != ErrorCode::Problems {
            return self;
        }
        let name = path.file_name().unwrap_or_default().display();
        let details = self.details.iter().map(|problem| format!("{name}:{problem}")).collect();
        CommandError { hint: Some("mend the file, then import it again".into()), details, ..self }
    }

    /// The plan is gone.
    pub fn no_plan(lab: &str) -> CommandError {
        CommandError {
            code: ErrorCode::NoPlan,
            message: format!("the plan of `{lab}` that was shown is no longer there"),
            hint: Some("plan again".into()),
            details: Vec::new(),
        }
    }

    /// Maps a deploy's error, naming `lab` in what to do.
    pub fn of_lab(error: deploy::Error, lab: &str) -> CommandError {
        let deploy::Explained { message, hint, evidence } = deploy::explain(&error, lab);
        let evidence = evidence.map(|evidence| evidence.lines().map(str::to_owned).collect()).unwrap_or_default();
        let (code, hint, details) = match &error {
            deploy::Error::Refused { message, remedy } => return CommandError::refused(message, remedy),
            deploy::Error::Problems { problems, .. } | deploy::Error::Labs(labs::Error::Unreadable(problems)) => {
                let hint = "mend the lab file, then save it as a lab again";
                (ErrorCode::Problems, Some(hint.to_owned()), problems.iter().map(problem_line).collect())
            }
            deploy::Error::ImagesToBuild(names) => (
                ErrorCode::ImagesToBuild,
                Some("build them on this computer: that takes some minutes".to_owned()),
                names.clone(),
            ),
            deploy::Error::ImagesToPull(names) => (
                ErrorCode::ImagesToPull,
                Some("download them: each is verified by the digest that its vendor publishes".to_owned()),
                names.clone(),
            ),
            deploy::Error::Labs(labs::Error::Store(store::Error::Conflict { .. }))
            | deploy::Error::Store(store::Error::Conflict { .. }) => {
                let hint = "look at what was saved, then save over it or take it over";
                (ErrorCode::Conflict, Some(hint.to_owned()), Vec::new())
            }
            deploy::Error::Labs(labs::Error::Unknown(_)) | deploy::Error::Images(images::Error::Unknown(_)) => {
                (ErrorCode::NotFound, None, Vec::new())
            }
            deploy::Error::Lock(lock::Error::Busy { name, holder })
            | deploy::Error::Labs(labs::Error::Lock(lock::Error::Busy { name, holder }))
                if *holder == format!("process {}", std::process::id()) =>
            {
                let message = format!("lab `{name}` is being changed: a run or a plan of it is at work here");
                return CommandError::refused(message, "wait for it, or cancel it");
            }
            error if error.is_cancel() => (ErrorCode::Cancelled, None, Vec::new()),
            // Of these no run tells more.
            deploy::Error::Labs(_) | deploy::Error::Images(_) | deploy::Error::Store(_) | deploy::Error::Lock(_) => {
                (if error.is_refusal() { ErrorCode::Refused } else { ErrorCode::Failed }, None, Vec::new())
            }
            error => (if error.is_refusal() { ErrorCode::Refused } else { ErrorCode::Failed }, Some(hint), evidence),
        };
        CommandError { code, message, hint, details }
    }
}

/// A problem as compilers print theirs.
fn problem_line(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Error => "",
        Severity::Warning => "warning: ",
    };
    match problem.place {
        Some(place) => format!("{}:{}: {severity}{}", place.line, place.column, problem.message),
        None => format!("{severity}{}", problem.message),
    }
}

impl From<deploy::Error> for CommandError {
    fn from(error: deploy::Error) -> CommandError {
        CommandError::of_lab(error, "LAB")
    }
}

impl From<labs::Error> for CommandError {
    fn from(error: labs::Error) -> CommandError {
        deploy::Error::from(error).into()
    }
}

impl From<images::Error> for CommandError {
    fn from(error: images::Error) -> CommandError {
        let refused = error.is_refusal();
        let mut error = CommandError::from(deploy::Error::from(error));
        if refused && error.code == ErrorCode::Failed {
            error.code = ErrorCode::Refused;
        }
        error
    }
}

impl From<hosts::Error> for CommandError {
    fn from(error: hosts::Error) -> CommandError {
        match error {
            hosts::Error::Store(error) => error.into(),
            hosts::Error::Libvirt(error) => deploy::Error::from(error).into(),
            hosts::Error::Link(_) | hosts::Error::NoLink(_) => {
                let hint = error.link().map(link::Error::remedy).filter(|remedy| !remedy.is_empty());
                CommandError { hint, ..CommandError::failed(vlm_engine::chain(&error)) }
            }
            hosts::Error::Unknown(_) => CommandError::not_found(error.to_string()),
            hosts::Error::Taken(_) | hosts::Error::Name(_) | hosts::Error::IsLocal | hosts::Error::InUse { .. } => {
                CommandError::refused(error.to_string(), "")
            }
        }
    }
}

impl From<doctor::Error> for CommandError {
    fn from(error: doctor::Error) -> CommandError {
        match error {
            doctor::Error::Host(error) => error.into(),
            doctor::Error::NoOrphan { .. } => CommandError::not_found(error.to_string()),
            doctor::Error::Runs(_) | doctor::Error::ByHand | doctor::Error::Lock(_) => {
                CommandError::refused(vlm_engine::chain(&error), "")
            }
            doctor::Error::Store(_) | doctor::Error::Libvirt(_) | doctor::Error::Command { .. } => {
                CommandError::failed(vlm_engine::chain(&error))
            }
        }
    }
}

impl From<passphrase::Error> for CommandError {
    fn from(error: passphrase::Error) -> CommandError {
        match error {
            passphrase::Error::Store(error) => error.into(),
            passphrase::Error::Wrong | passphrase::Error::Empty => CommandError::refused(error.to_string(), ""),
            passphrase::Error::Hash(_) => CommandError::failed(error.to_string()),
        }
    }
}

impl From<settings::Error> for CommandError {
    fn from(error: settings::Error) -> CommandError {
        match error {
            settings::Error::Read { .. } | settings::Error::Write { .. } => CommandError::failed(vlm_engine::chain(&error)),
            settings::Error::Text { .. } => CommandError::refused(error.to_string(), "mend the file in an editor"),
            settings::Error::Value(_) => CommandError::refused(error.to_string(), ""),
        }
    }
}

impl From<templates::Error> for CommandError {
    fn from(error: templates::Error) -> CommandError {
        match error {
            templates::Error::Unknown(_) => CommandError::not_found(error.to_string()),
            templates::Error::Title(_) | templates::Error::Taken(_) | templates::Error::NoLab(_) => {
                CommandError::refused(error.to_string(), "")
            }
            templates::Error::Io { .. } => CommandError::failed(vlm_engine::chain(&error)),
        }
    }
}

impl From<store::Error> for CommandError {
    fn from(error: store::Error) -> CommandError {
        deploy::Error::from(error).into()
    }
}
