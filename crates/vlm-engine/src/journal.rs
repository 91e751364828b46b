//! The durable steps of a run, and the stream of its events.
//!
//! A step is noted before it begins and after it ends; whoever finds "begun" without an end knows what may be half done. It is
//! the one place where a fault can be injected. Events are for people: they are
//! stored in batches and may lose the last milliseconds in a crash.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::{broadcast, oneshot};

use crate::{
    runs::{EventBody, RunEvent, RunId},
    store::{self, Store, now_ms},
};

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// About to be done.
    Begun,
    /// Done.
    Done,
    /// Given up, with its effects known.
    Failed,
}

impl StepState {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            StepState::Begun => "begun",
            StepState::Done => "done",
            StepState::Failed => "failed",
        }
    }

    pub(crate) fn from_text(text: &str) -> StepState {
        match text {
            "done" => StepState::Done,
            "failed" => StepState::Failed,
            _ => StepState::Begun,
        }
    }
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRecord {
    /// `apply/local`, `start/web-1` …
    pub step: String,
    /// Where it stood then.
    pub state: StepState,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

/// The journal of one run.
#[derive(Clone)]
pub struct Journal {
    store: Store,
    run: RunId,
    events: mpsc::Sender<Message>,
    live: broadcast::Sender<RunEvent>,
    seq: std::sync::Arc<std::sync::Mutex<u32>>,
}

enum Message {
    Event(RunEvent),
    Flush(oneshot::Sender<()>),
}

/// How many events a slow listener may lag behind before it must read from the store.
const LIVE_BUFFER: usize = 16 * 1024;
/// How long events may wait for others to be stored with.
const BATCH: Duration = Duration::from_millis(25);

impl Journal {
    /// The journal of `run`. A thread of its own stores the events.
    pub fn new(store: Store, run: RunId) -> Journal {
        let (events, inbox) = mpsc::channel();
        let (live, _) = broadcast::channel(LIVE_BUFFER);
        let writer = store.clone();
        thread::Builder::new()
            .name(format!("run-{run}-events"))
            .spawn(move || store_events(&writer, &inbox))
            .expect("a thread can be started");
        Journal { store, run, events, live, seq: Default::default() }
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Events from now on, as they happen.
    pub fn follow(&self) -> broadcast::Receiver<RunEvent> {
        self.live.subscribe()
    }

    /// Adds an event about the whole run.
    pub fn say(&self, body: EventBody) {
        self.add(None, body);
    }

    /// Adds an event about a machine.
    pub fn say_of(&self, machine: &str, body: EventBody) {
        self.add(Some(machine.to_owned()), body);
    }

    fn add(&self, machine: Option<String>, body: EventBody) {
        // Held while sending, so that events reach everybody in the order of their numbers.
        let mut seq = self.seq.lock().expect("no panic while numbering events");
        *seq += 1;
        let event = RunEvent { run: self.run, seq: *seq, at_ms: now_ms(), machine, body };
        let _ = self.live.send(event.clone());
        let _ = self.events.send(Message::Event(event));
    }

    /// Does `step`, noted before and after.
    pub async fn step<T, E>(&self, step: &str, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<store::Error>,
    {
        fault(step, "before");
        self.note(step, StepState::Begun)?;
        fault(step, "begun");
        let result = work.await;
        fault(step, "worked");
        self.note(step, if result.is_ok() { StepState::Done } else { StepState::Failed })?;
        fault(step, "after");
        result
    }

    fn note(&self, step: &str, state: StepState) -> Result<(), store::Error> {
        self.store.journal(self.run, step, state)
    }

    /// Waits until all events so far are stored.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.events.send(Message::Flush(done)).is_ok() {
            let _ = wait.await;
        }
    }
}

/// A fault that a test asked for: `VLM_FAULT=STEP:POINT` ends this process there as if its power was cut. In debug builds alone.
pub(crate) fn fault(step: &str, point: &str) {
    if cfg!(debug_assertions) && std::env::var("VLM_FAULT").is_ok_and(|wish| wish == format!("{step}:{point}")) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

fn store_events(store: &Store, inbox: &mpsc::Receiver<Message>) {
    let mut batch = Vec::new();
    while let Ok(first) = inbox.recv() {
        let mut flushes = Vec::new();
        let until = Instant::now() + BATCH;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Event(event) => batch.push(event),
                Message::Flush(done) => flushes.push(done),
            }
            // Somebody waits: store what has come. Else let a batch gather for a moment.
            next = if flushes.is_empty() {
                inbox.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
            } else {
                inbox.try_recv().ok()
            };
        }
        if let Err(error) = store.append_events(&batch) {
            eprintln!("vlm: could not store {} events of a run: {error}", batch.len());
        }
        batch.clear();
        for done in flushes {
            let _ = done.send(());
        }
    }
}
