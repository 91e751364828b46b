//! What the windows of this process have in hand: plans that are shown, runs that are at work, who follows what.
//!
//! A plan holds its lab's lock, so there is at most one per lab, and it goes when its window loads another page.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use specta::Type;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vlm_engine::{
    Engine,
    deploy::{self, PlannedRun, Running},
    runs::RunId,
};

use crate::error::{CommandError, CommandResult};

/// Identity of a plan that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct PlanId(pub u32);

/// The place of a lab's one plan. Whoever plans holds it meanwhile, so that two windows do not plan one lab at once.
pub type Slot = Arc<tokio::sync::Mutex<Option<(PlanId, PlannedRun)>>>;

/// Everything in hand.
#[derive(Default)]
pub struct Desk {
    last_plan: AtomicU32,
    plans: Mutex<HashMap<String, Slot>>,
    follows: Mutex<HashMap<(String, Followed), CancellationToken>>,
    jobs: Jobs,
    runs: Arc<Mutex<HashMap<RunId, String>>>,
    picked: Mutex<HashSet<String>>,
    work: TaskTracker,
}

type Jobs = Arc<Mutex<HashMap<(Work, String), CancellationToken>>>;

/// What a window follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Followed {
    /// What a run says.
    Run(RunId),
    /// What the machines of a lab use.
    Stats(String),
}

/// How an image comes to be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// A recipe builds it.
    Build,
    /// It is downloaded.
    Pull,
}

/// Work on an image; it is noted until this is dropped.
pub struct Job {
    jobs: Jobs,
    key: (Work, String),
    cancel: CancellationToken,
}

impl Desk {
    /// The place of a lab's plan.
    pub fn slot(&self, lab: &str) -> Slot {
        self.plans.lock().expect(UNBROKEN).entry(lab.to_owned()).or_default().clone()
    }

    /// An id that no plan had.
    pub fn new_plan_id(&self) -> PlanId {
        PlanId(self.last_plan.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Takes the plan of a lab, if it is still the one that was shown.
    pub async fn take_plan(&self, lab: &str, id: PlanId) -> CommandResult<PlannedRun> {
        let slot = self.slot(lab);
        let mut slot = slot.lock().await;
        match slot.take_if(|(held, _)| *held == id) {
            Some((_, planned)) => Ok(planned),
            None => Err(CommandError::no_plan(lab)),
        }
    }

    /// Drops the plan of a lab, if it is still that one.
    pub async fn discard_plan(&self, lab: &str, id: PlanId) {
        let _ = self.take_plan(lab, id).await;
    }

    /// Drops all plans, and waits for those that are being made.
    pub async fn drop_plans(&self) {
        let slots: Vec<Slot> = self.plans.lock().expect(UNBROKEN).values().cloned().collect();
        for slot in slots {
            slot.lock().await.take();
        }
    }

    /// Notes a file that a person has picked in a dialog.
    pub fn note_picked(&self, path: &str) {
        self.picked.lock().expect(UNBROKEN).insert(path.to_owned());
    }

    /// Whether a person has picked that file.
    pub fn was_picked(&self, path: &str) -> bool {
        self.picked.lock().expect(UNBROKEN).contains(path)
    }

    /// A window shows nothing any more of what it showed.
    pub fn forget_window(&self, label: &str) {
        self.follows.lock().expect(UNBROKEN).retain(|(window, _), cancel| {
            if window == label {
                cancel.cancel();
            }
            window != label
        });
        let slots: Vec<Slot> = self.plans.lock().expect(UNBROKEN).values().cloned().collect();
        tauri::async_runtime::spawn(async move {
            for slot in slots {
                slot.lock().await.take();
            }
        });
    }

    /// Notes a run until its end, of which `on_end` is told: how it ended, and after which time.
    pub fn note_run(
        &self,
        lab: &str,
        running: Running,
        on_end: impl FnOnce(Result<String, deploy::Error>, Duration) + Send + 'static,
    ) -> RunId {
        let id = running.id;
        self.runs.lock().expect(UNBROKEN).insert(id, lab.to_owned());
        let runs = self.runs.clone();
        let begun = Instant::now();
        self.work.spawn(async move {
            let ended = running.end().await;
            runs.lock().expect(UNBROKEN).remove(&id);
            on_end(ended, begun.elapsed());
        });
        id
    }

    /// Labs with a run at work in this process.
    pub fn busy_labs(&self) -> Vec<String> {
        let mut labs: Vec<String> = self.runs.lock().expect(UNBROKEN).values().cloned().collect();
        labs.sort();
        labs
    }

    /// Cancels every run and build, and waits for their ends.
    pub async fn end_all(&self, engine: &Engine) {
        let runs: Vec<RunId> = self.runs.lock().expect(UNBROKEN).keys().copied().collect();
        for run in runs {
            engine.runs().cancel(run);
        }
        self.jobs.lock().expect(UNBROKEN).values().for_each(CancellationToken::cancel);
        self.work.close();
        self.work.wait().await;
    }

    /// Begins to follow something for a window; an earlier follow of the same by the same window ends.
    pub fn follow(&self, window: &str, what: Followed) -> CancellationToken {
        let cancel = CancellationToken::new();
        if let Some(earlier) = self.follows.lock().expect(UNBROKEN).insert((window.to_owned(), what), cancel.clone()) {
            earlier.cancel();
        }
        cancel
    }

    /// Ends a window's follow of something.
    pub fn unfollow(&self, window: &str, what: Followed) {
        if let Some(cancel) = self.follows.lock().expect(UNBROKEN).remove(&(window.to_owned(), what)) {
            cancel.cancel();
        }
    }

    /// Notes work on an image; none when it is being done.
    pub fn begin(&self, work: Work, image: &str) -> Option<Job> {
        let key = (work, image.to_owned());
        let mut jobs = self.jobs.lock().expect(UNBROKEN);
        if jobs.contains_key(&key) {
            return None;
        }
        let cancel = CancellationToken::new();
        jobs.insert(key.clone(), cancel.clone());
        Some(Job { jobs: self.jobs.clone(), key, cancel })
    }

    /// Cancels work on an image. Answers whether there was any.
    pub fn cancel(&self, work: Work, image: &str) -> bool {
        self.jobs.lock().expect(UNBROKEN).get(&(work, image.to_owned())).map(CancellationToken::cancel).is_some()
    }
}

impl Job {
    /// What cancels it.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.jobs.lock().expect(UNBROKEN).remove(&self.key);
    }
}

const UNBROKEN: &str = "nobody panics with the desk in hand";
