//! What only a person can say while a connection is made, asked in a window.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde::Serialize;
use specta::Type;
use tokio::sync::oneshot;
use vlm_engine::ssh::ask::{self, Answer, Person, Secret};

/// What only a person can say. A host key wants no answers but yes (an empty list).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Type, tauri_specta::Event)]
pub struct Question {
    /// Its id.
    pub id: u32,
    /// What it is about.
    pub kind: QuestionKind,
    /// `USER@ADDRESS[:PORT]`; empty for the passphrase of a key.
    pub host: String,
    /// A key's fingerprint, and below it what is odd about it; the path of a key; a server's instruction.
    pub text: String,
    /// Of a host key: as OpenSSH names it, such as `ssh-ed25519`.
    pub key_type: Option<String>,
    /// Whether an answer was wrong before.
    pub again: bool,
    /// What is to be answered, one by one.
    pub prompts: Vec<QuestionPrompt>,
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum QuestionKind {
    /// Whether a key is the host's.
    HostKey,
    /// The passphrase of a private key.
    Passphrase,
    /// A password.
    Password,
    /// What a server wants to know in its own words.
    Interactive,
}

/// One thing that is to be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Type)]
pub struct QuestionPrompt {
    /// In the server's words; empty where the kind says all.
    pub text: String,
    /// Whether the answer may be seen while it is typed.
    pub echo: bool,
}

/// A question was answered elsewhere, or is out of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Type, tauri_specta::Event)]
pub struct QuestionGone(pub u32);

/// What windows are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A question.
    Asked(Question),
    /// It needs no answer any more.
    Gone(u32),
    /// Something that wants no answer.
    Note(String),
}

type Tell = Box<dyn Fn(Told) + Send + Sync>;

/// The questions that are open. Clones are the same.
#[derive(Clone, Default)]
pub struct Questions(Arc<Inner>);

#[derive(Default)]
struct Inner {
    last: AtomicU32,
    open: Mutex<BTreeMap<u32, Open>>,
    tell: OnceLock<Tell>,
}

struct Open {
    question: Question,
    answer: oneshot::Sender<Option<Vec<Secret>>>,
}

impl Questions {
    /// From now on windows are told by `tell`. Until then nobody answers.
    pub fn tell_by(&self, tell: impl Fn(Told) + Send + Sync + 'static) {
        let _ = self.0.tell.set(Box::new(tell)); // once, at the start
    }

    /// Answers a question; none means no. False when it is not open any more.
    pub fn answer(&self, id: u32, answers: Option<Vec<String>>) -> bool {
        let Some(open) = self.0.open.lock().expect(UNBROKEN).remove(&id) else { return false };
        open.answer.send(answers.map(|answers| answers.into_iter().map(Secret::new).collect())).is_ok()
    }

    /// Asks again what is open: for a page that was not there when it was asked.
    pub fn repeat(&self) {
        let open: Vec<Question> = self.0.open.lock().expect(UNBROKEN).values().map(|open| open.question.clone()).collect();
        open.into_iter().for_each(|question| self.say(Told::Asked(question)));
    }

    fn say(&self, told: Told) {
        if let Some(tell) = self.0.tell.get() {
            tell(told);
        }
    }

    async fn ask(&self, question: &ask::Question) -> Option<Vec<Secret>> {
        self.0.tell.get()?;
        let id = self.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let question = shown(id, question);
        let (answer, answered) = oneshot::channel();
        self.0.open.lock().expect(UNBROKEN).insert(id, Open { question: question.clone(), answer });
        // Whoever asked may lose patience: then this is dropped.
        let _gone = Gone { questions: self, id };
        self.say(Told::Asked(question));
        answered.await.ok().flatten()
    }
}

/// Takes a question away when it is dropped.
struct Gone<'a> {
    questions: &'a Questions,
    id: u32,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.questions.0.open.lock().expect(UNBROKEN).remove(&self.id);
        self.questions.say(Told::Gone(self.id));
    }
}

impl Person for Questions {
    fn answer<'a>(&'a self, question: &'a ask::Question) -> Answer<'a> {
        Box::pin(self.ask(question))
    }

    fn tell(&self, note: &str) {
        self.say(Told::Note(note.to_owned()));
    }
}

fn shown(id: u32, question: &ask::Question) -> Question {
    let hidden = || vec![QuestionPrompt { text: String::new(), echo: false }];
    let of = |kind, host: &str, text: String| Question {
        id,
        kind,
        host: host.to_owned(),
        text,
        key_type: None,
        again: false,
        prompts: Vec::new(),
    };
    match question {
        ask::Question::HostKey { host, fingerprint, key_type, other_types } => {
            let odd = match other_types.as_slice() {
                [] => String::new(),
                types => format!(
                    "\nyour known_hosts has other keys of this host ({}), and it has not shown one of those",
                    types.join(", ")
                ),
            };
            Question { key_type: Some(key_type.clone()), ..of(QuestionKind::HostKey, host, format!("{fingerprint}{odd}")) }
        }
        ask::Question::Passphrase { path, again } => {
            Question { again: *again, prompts: hidden(), ..of(QuestionKind::Passphrase, "", path.display().to_string()) }
        }
        ask::Question::Password { host, again } => {
            Question { again: *again, prompts: hidden(), ..of(QuestionKind::Password, host, String::new()) }
        }
        ask::Question::Interactive { host, name, instruction, prompts } => {
            let said: Vec<&str> =
                [name, instruction].map(|text| text.trim()).into_iter().filter(|text| !text.is_empty()).collect();
            let prompt = |prompt: &ask::Prompt| QuestionPrompt { text: prompt.text.clone(), echo: prompt.echo };
            Question { prompts: prompts.iter().map(prompt).collect(), ..of(QuestionKind::Interactive, host, said.join("\n")) }
        }
    }
}

const UNBROKEN: &str = "nobody panics with the questions in hand";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{sync::mpsc, time::timeout};

    use super::*;

    fn password() -> ask::Question {
        ask::Question::Password { host: "ada@lab1".into(), again: false }
    }

    fn told() -> (Questions, mpsc::UnboundedReceiver<Told>) {
        let (tell, told) = mpsc::unbounded_channel();
        let questions = Questions::default();
        questions.tell_by(move |what| drop(tell.send(what)));
        (questions, told)
    }

    async fn id(told: &mut mpsc::UnboundedReceiver<Told>) -> u32 {
        match told.recv().await {
            Some(Told::Asked(question)) => question.id,
            other => panic!("no question, but {other:?}"),
        }
    }

    fn texts(answers: Option<Vec<Secret>>) -> Option<Vec<String>> {
        answers.map(|answers| answers.iter().map(|secret| secret.expose().to_owned()).collect())
    }

    #[tokio::test]
    async fn a_question_is_answered_and_then_gone() {
        let (questions, mut told) = told();
        let asked = tokio::spawn({
            let questions = questions.clone();
            async move { questions.ask(&password()).await }
        });
        let id = id(&mut told).await;
        assert!(questions.answer(id, Some(vec!["secret".into()])));
        assert_eq!(texts(asked.await.unwrap()), Some(vec!["secret".to_owned()]));
        assert_eq!(told.recv().await, Some(Told::Gone(id)));
        assert!(!questions.answer(id, Some(vec!["again".into()])), "it is answered once");
    }

    #[tokio::test]
    async fn a_question_is_declined() {
        let (questions, mut told) = told();
        let key = ask::Question::HostKey {
            host: "ada@lab1".into(),
            fingerprint: "SHA256:x".into(),
            key_type: "ssh-ed25519".into(),
            other_types: vec!["ssh-rsa".into()],
        };
        let asked = tokio::spawn({
            let questions = questions.clone();
            async move { questions.ask(&key).await }
        });
        let Some(Told::Asked(question)) = told.recv().await else { panic!("it was not asked") };
        assert_eq!((question.kind, question.key_type.as_deref()), (QuestionKind::HostKey, Some("ssh-ed25519")));
        assert_eq!(question.text.lines().next(), Some("SHA256:x"));
        assert!(question.text.contains("ssh-rsa"), "{}", question.text);
        questions.answer(question.id, None);
        assert_eq!(texts(asked.await.unwrap()), None);
    }

    #[tokio::test]
    async fn a_question_that_is_out_of_time_is_taken_away() {
        let (questions, mut told) = told();
        assert!(timeout(Duration::ZERO, questions.ask(&password())).await.is_err());
        let id = id(&mut told).await;
        assert_eq!(told.recv().await, Some(Told::Gone(id)));
        assert!(!questions.answer(id, None));
    }

    #[tokio::test]
    async fn nobody_answers_without_a_window_and_a_new_page_is_asked_again() {
        assert_eq!(texts(Questions::default().ask(&password()).await), None);
        let (questions, mut told) = told();
        let asked = tokio::spawn({
            let questions = questions.clone();
            async move { questions.ask(&password()).await }
        });
        let first = id(&mut told).await;
        questions.repeat();
        assert_eq!(id(&mut told).await, first);
        asked.abort();
    }
}
