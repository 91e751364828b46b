//! A run as it happens: a line per machine that moves on a terminal, plain lines elsewhere; and runs of the past.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine,
    deploy::Running,
    runs::{EventBody, ResourceState, RunEvent, RunId, RunStatus, TaskOutcome},
};

use crate::{End, print_line};

/// How many machines get a line of their own on a terminal; of the others only what happens is printed.
const LIVE_LINES: usize = 24;

/// Follows a run of this process to its end; Ctrl+C cancels it.
pub async fn run(engine: &Engine, running: Running, cancel: &CancellationToken) -> Result<(), End> {
    let id = running.id;
    let mut events = running.follow();
    let mut screen = Screen::new();
    let mut next = 1;
    let end = running.end();
    tokio::pin!(end);
    let mut cancelled = false;
    let result = loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => {
                    next = event.seq + 1;
                    screen.try_show(&event);
                }
                // We were slow: what was missed is in the store.
                Err(RecvError::Lagged(_)) => for event in engine.runs().events(id, next, u32::MAX)? {
                    next = event.seq + 1;
                    screen.try_show(&event);
                },
                Err(RecvError::Closed) => {}
            },
            result = &mut end => break result,
            () = cancel.cancelled(), if !cancelled => {
                cancelled = true;
                let _ = screen.line("cancelling: waiting for what is under way to end; once more ends it at once");
                engine.runs().cancel(id);
            }
        }
    };
    for event in engine.runs().events(id, next, u32::MAX)? {
        screen.try_show(&event);
    }
    screen.end();
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_cancel() => Err(End::Cancelled),
        // Everything about it has been said by its events.
        Err(_) => Err(End::Status(1)),
    }
}

/// `vlm logs`: a run from its beginning, also one of another process.
pub fn logs(engine: &Engine, lab: &str, follow: bool, run: Option<u32>, json: bool) -> Result<(), End> {
    engine.labs().get(lab)?;
    let run = match run {
        Some(run) if engine.runs().get(lab, RunId(run))?.is_none() => {
            let runs = engine.runs().list(lab, 10)?.iter().map(|run| run.id.0.to_string()).collect::<Vec<_>>().join(", ");
            return Err(End::Refused(format!("lab `{lab}` has had no run {run}"), format!("its last ones: {runs}")));
        }
        Some(run) => RunId(run),
        None => match engine.runs().list(lab, 1)?.first() {
            Some(run) => run.id,
            None => return Err(End::Refused(format!("lab `{lab}` has had no run yet"), format!("`vlm up {lab}` is one"))),
        },
    };
    let mut screen = Screen::plain();
    let mut next = 1;
    loop {
        // Asked before the events are read: a run that ended in between has all its events there.
        let running = follow && engine.runs().is_running(run)?;
        let events = engine.runs().events(run, next, 10_000)?;
        for event in &events {
            next = event.seq + 1;
            if json {
                print_line(&serde_json::to_string(event).expect("events serialise"))?;
            } else {
                screen.show(event)?;
            }
        }
        match (events.is_empty(), running) {
            (true, false) => return Ok(()),
            (true, true) => std::thread::sleep(Duration::from_millis(200)),
            (false, _) => {}
        }
    }
}

struct Screen {
    began_ms: Option<i64>,
    live: Option<Live>,
    /// Whether somebody still reads what we print.
    read: bool,
}

struct Live {
    lines: MultiProgress,
    machines: BTreeMap<String, (ProgressBar, Instant)>,
}

impl Screen {
    fn new() -> Screen {
        let live = std::io::stdout().is_terminal().then(|| Live { lines: MultiProgress::new(), machines: BTreeMap::new() });
        Screen { began_ms: None, live, read: true }
    }

    fn plain() -> Screen {
        Screen { began_ms: None, live: None, read: true }
    }

    fn show(&mut self, event: &RunEvent) -> Result<(), End> {
        let began = *self.began_ms.get_or_insert(event.at_ms);
        let Some(text) = words(&event.body) else { return Ok(()) };
        if let (Some(live), Some(machine)) = (&mut self.live, &event.machine) {
            live.update(machine, &event.body, &text);
        }
        let passing = matches!(event.body, EventBody::Task { outcome: TaskOutcome::Started, .. } | EventBody::Transfer { .. });
        if passing && self.live.is_some() {
            return Ok(());
        }
        let seconds = (event.at_ms - began) as f64 / 1000.0;
        let who = event.machine.as_deref().unwrap_or("");
        for (i, line) in text.lines().enumerate() {
            let head = if i == 0 { format!("{seconds:>7.1}s  {who:<16} ") } else { " ".repeat(27) };
            self.line(&format!("{head}{line}"))?;
        }
        Ok(())
    }

    /// Shows an event, until the reader has gone away: that ends the showing, not the run.
    fn try_show(&mut self, event: &RunEvent) {
        self.read = self.read && self.show(event).is_ok();
    }

    fn line(&self, line: &str) -> Result<(), End> {
        match &self.live {
            Some(live) => live.lines.println(line).map_err(|_| End::Status(0)),
            None => print_line(line),
        }
    }

    fn end(&mut self) {
        if let Some(live) = &self.live {
            let _ = live.lines.clear();
        }
    }
}

impl Live {
    fn update(&mut self, machine: &str, body: &EventBody, text: &str) {
        let done = matches!(body, EventBody::Phase { phase: vlm_lab::phase::Phase::Configured, .. } | EventBody::Failed { .. });
        if done {
            if let Some((bar, _)) = self.machines.remove(machine) {
                bar.finish_and_clear();
            }
            return;
        }
        if self.machines.len() >= LIVE_LINES && !self.machines.contains_key(machine) {
            return;
        }
        let (bar, _) = self.machines.entry(machine.to_owned()).or_insert_with(|| {
            let style =
                ProgressStyle::with_template("  {spinner} {prefix:<20} {wide_msg} {elapsed}").expect("the template is right");
            let bar = self.lines.add(ProgressBar::new_spinner().with_style(style).with_prefix(machine.to_owned()));
            bar.enable_steady_tick(Duration::from_millis(120));
            (bar, Instant::now())
        });
        bar.set_message(text.lines().next().unwrap_or_default().to_owned());
    }
}

/// An event in words; `None` for what only matters to machines.
fn words(body: &EventBody) -> Option<String> {
    Some(match body {
        EventBody::Step { text } => text.clone(),
        EventBody::Transfer { what, done_mib, total_mib } => format!("sending {what}: {done_mib} of {total_mib} MiB"),
        EventBody::Resource { address, action, state, seconds } => match state {
            ResourceState::Started => return None,
            ResourceState::Going => format!("{action} {address}: going on for {seconds} s"),
            ResourceState::Done => format!("{action} {address}: done after {seconds} s"),
            ResourceState::Failed => format!("{action} {address}: failed"),
        },
        EventBody::Phase { phase, address: Some(address) } => format!("{} ({address})", phase.as_str()),
        EventBody::Phase { phase, address: None } => phase.as_str().to_owned(),
        EventBody::Waiting { reason, remedy } => format!("waiting: {reason}\n{remedy}"),
        EventBody::Task { task, outcome } => match outcome {
            TaskOutcome::Started => format!("task `{task}`"),
            TaskOutcome::Ok => format!("task `{task}`: ok"),
            TaskOutcome::Changed => format!("task `{task}`: changed"),
            TaskOutcome::Skipped => format!("task `{task}`: skipped"),
            TaskOutcome::Failed => format!("task `{task}`: failed"),
        },
        EventBody::Log { source, text } if text.starts_with("error") || text.starts_with("warning") => {
            format!("{source}: {text}")
        }
        EventBody::Log { .. } => return None,
        EventBody::Failed { message, hint, evidence } => {
            let mut text = format!("FAILED: {message}");
            if !hint.is_empty() {
                text.push_str(&format!("\nto do: {hint}"));
            }
            if let Some(evidence) = evidence {
                text.push_str("\nwhat shows it:");
                for line in evidence.lines() {
                    text.push_str(&format!("\n  | {line}"));
                }
            }
            text
        }
        EventBody::Ended { status, sentence } => match status {
            RunStatus::Done => sentence.clone(),
            RunStatus::Failed | RunStatus::Cancelled | RunStatus::CutOff | RunStatus::Running => {
                format!("{}: {sentence}", status.as_str())
            }
        },
    })
}
