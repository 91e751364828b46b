//! Where in a lab something is: `machines.web.nics[0].address`.

use std::fmt;

/// The way from the lab to a value in it, or to that value's key.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path {
    pub steps: Vec<Step>,
    /// Whether the key is meant: a name that is wrong, a field that is unknown or missing.
    pub on_key: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    /// The key of the last step.
    pub fn key(mut self) -> Path {
        self.on_key = true;
        self
    }

    /// `self`, and `step` below it.
    pub fn then(&self, step: impl Into<Step>) -> Path {
        let mut steps = self.steps.clone();
        steps.push(step.into());
        Path { steps, on_key: false }
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Step {
        Step::Key(name.to_owned())
    }
}

impl From<&String> for Step {
    fn from(name: &String) -> Step {
        Step::Key(name.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Step {
        Step::Index(index)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(name) if is_plain(name) => write!(f, "{}{name}", if index > 0 { "." } else { "" })?,
                Step::Key(name) => write!(f, "[{name:?}]")?,
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// A [`Path`] from its steps: `at!["machines", name, "nics", 0]`.
macro_rules! at {
    ($($step:expr),* $(,)?) => {
        $crate::problems::path::Path { steps: vec![$($crate::problems::path::Step::from($step)),*], on_key: false }
    };
}
pub(crate) use at;
