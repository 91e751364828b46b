//! What only a person can say while a connection is made, and who is asked for it.
//!
//! The engine never prompts. A shell that can ask gives it an [`Asker`]; without one nobody answers, and that means no.

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

pub use crate::secrets::Secret;

/// What is asked. Texts that come from a server hold no control characters, so that none can speak to a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Whether a key that nobody has accepted yet is the host's. Yes is an empty answer.
    HostKey {
        /// `USER@ADDRESS[:PORT]`.
        host: String,
        /// `SHA256:…`
        fingerprint: String,
        /// As OpenSSH names it, such as `ssh-ed25519`.
        key_type: String,
        /// Types of the keys by which known_hosts knows the host: a stranger could offer a type of its own choice.
        other_types: Vec<String>,
    },
    /// The passphrase of a private key's file.
    Passphrase {
        /// The file.
        path: PathBuf,
        /// Whether an answer was wrong before.
        again: bool,
    },
    /// A user's password.
    Password {
        /// `USER@ADDRESS[:PORT]`.
        host: String,
        /// Whether an answer was wrong before.
        again: bool,
    },
    /// What a server wants to know in its own words: an answer for each prompt.
    Interactive {
        /// `USER@ADDRESS[:PORT]`.
        host: String,
        /// The server's title for it; often empty.
        name: String,
        /// The server's explanation; often empty.
        instruction: String,
        /// What it asks.
        prompts: Vec<Prompt>,
    },
}

/// One thing that a server asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// In the server's words.
    pub text: String,
    /// Whether the answer may be seen while it is typed.
    pub echo: bool,
}

impl Question {
    /// How many answers it takes.
    pub fn answers(&self) -> usize {
        match self {
            Question::HostKey { .. } => 0,
            Question::Passphrase { .. } | Question::Password { .. } => 1,
            Question::Interactive { prompts, .. } => prompts.len(),
        }
    }
}

/// What comes of a question: its answers, or none when nobody answers or somebody declines.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Option<Vec<Secret>>> + Send + 'a>>;

/// Somebody who can be asked.
pub trait Person: Send + Sync {
    /// Asks. Dropping what comes back takes the question away.
    fn answer<'a>(&'a self, question: &'a Question) -> Answer<'a>;
    /// Says something that wants no answer.
    fn tell(&self, note: &str);
}

/// Whom the engine asks.
#[derive(Clone)]
pub struct Asker(Arc<dyn Person>);

impl Asker {
    /// Asks this person.
    pub fn new(person: impl Person + 'static) -> Asker {
        Asker(Arc::new(person))
    }

    /// The answers to a question, as many as it takes.
    pub(crate) async fn ask(&self, question: &Question, limit: Duration) -> Option<Vec<Secret>> {
        let answers = tokio::time::timeout(limit, self.0.answer(question)).await.ok()??;
        (answers.len() == question.answers()).then_some(answers)
    }

    pub(crate) fn tell(&self, note: &str) {
        self.0.tell(note);
    }
}

impl Default for Asker {
    fn default() -> Asker {
        Asker::new(NoOne)
    }
}

/// Nobody: where there is no terminal and no window.
pub struct NoOne;

impl Person for NoOne {
    fn answer<'a>(&'a self, _: &'a Question) -> Answer<'a> {
        Box::pin(std::future::ready(None))
    }

    fn tell(&self, _: &str) {}
}

/// A server's text without what a terminal would take for a command.
pub(super) fn printable(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_and_too_few_answers_mean_no() {
        struct Curt;
        impl Person for Curt {
            fn answer<'a>(&'a self, _: &'a Question) -> Answer<'a> {
                Box::pin(async { Some(vec![Secret::new("one".to_owned())]) })
            }
            fn tell(&self, _: &str) {}
        }
        let second = Duration::from_secs(1);
        let password = Question::Password { host: "lab1".into(), again: false };
        assert_eq!(Asker::default().ask(&password, second).await, None);
        assert_eq!(Asker::new(Curt).ask(&password, second).await, Some(vec![Secret::new("one".to_owned())]));
        let prompt = Prompt { text: "?".into(), echo: true };
        let two = Question::Interactive {
            host: "lab1".into(),
            name: String::new(),
            instruction: String::new(),
            prompts: vec![prompt.clone(), prompt],
        };
        assert_eq!(Asker::new(Curt).ask(&two, second).await, None);
    }

    #[tokio::test]
    async fn no_answer_in_time_means_no() {
        struct Away;
        impl Person for Away {
            fn answer<'a>(&'a self, _: &'a Question) -> Answer<'a> {
                Box::pin(std::future::pending())
            }
            fn tell(&self, _: &str) {}
        }
        let password = Question::Password { host: "lab1".into(), again: false };
        assert_eq!(Asker::new(Away).ask(&password, Duration::from_millis(1)).await, None);
    }

    #[test]
    fn a_server_cannot_speak_to_the_terminal() {
        assert_eq!(printable("Password\r\nfor \u{1b}[2Jada:\u{7} é"), "Password\nfor \u{fffd}[2Jada:\u{fffd} é");
    }
}
