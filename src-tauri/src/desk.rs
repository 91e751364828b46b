//! What the windows of this process have in hand: plans that are shown, runs that are at work, who follows what.
//!
//! A plan holds its lab's lock, so there is at most one per lab, and it goes when its window loads another page.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use specta::Type;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vlm_engine::{
    Engine,
    deploy::{PlannedRun, Running},
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
    follows: Mutex<HashMap<(String, RunId), CancellationToken>>,
    builds: Arc<Mutex<HashMap<String, CancellationToken>>>,
    runs: Arc<Mutex<HashMap<RunId, String>>>,
    picked: Mutex<HashSet<String>>,
    work: TaskTracker,
}

/// A build under way; it is noted until this is dropped.
pub struct Build {
    builds: Arc<Mutex<HashMap<String, CancellationToken>>>,
    recipe: String,
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

    /// Notes a run until its end.
    pub fn note_run(&self, lab: &str, running: Running) -> RunId {
        let id = running.id;
        self.runs.lock().expect(UNBROKEN).insert(id, lab.to_owned());
        let runs = self.runs.clone();
        self.work.spawn(async move {
            let _ = running.end().await; // its events say how
            runs.lock().expect(UNBROKEN).remove(&id);
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
        self.builds.lock().expect(UNBROKEN).values().for_each(CancellationToken::cancel);
        self.work.close();
        self.work.wait().await;
    }

    /// Begins to follow a run for a window; an earlier follow of the same run by the same window ends.
    pub fn follow(&self, window: &str, run: RunId) -> CancellationToken {
        let cancel = CancellationToken::new();
        if let Some(earlier) = self.follows.lock().expect(UNBROKEN).insert((window.to_owned(), run), cancel.clone()) {
            earlier.cancel();
        }
        cancel
    }

    /// Ends a window's follow of a run.
    pub fn unfollow(&self, window: &str, run: RunId) {
        if let Some(cancel) = self.follows.lock().expect(UNBROKEN).remove(&(window.to_owned(), run)) {
            cancel.cancel();
        }
    }

    /// Notes a build; none when that image is being built.
    pub fn begin_build(&self, recipe: &str) -> Option<Build> {
        let mut builds = self.builds.lock().expect(UNBROKEN);
        if builds.contains_key(recipe) {
            return None;
        }
        let cancel = CancellationToken::new();
        builds.insert(recipe.to_owned(), cancel.clone());
        Some(Build { builds: self.builds.clone(), recipe: recipe.to_owned(), cancel })
    }

    /// Cancels a build. Answers whether there was one.
    pub fn cancel_build(&self, recipe: &str) -> bool {
        self.builds.lock().expect(UNBROKEN).get(recipe).map(CancellationToken::cancel).is_some()
    }
}

impl Build {
    /// What cancels it.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        self.builds.lock().expect(UNBROKEN).remove(&self.recipe);
    }
}

const UNBROKEN: &str = "nobody panics with the desk in hand";
