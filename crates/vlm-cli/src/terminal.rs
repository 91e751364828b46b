//! Asking the person at the terminal: passwords without an echo, and keys that nobody has accepted yet.

use std::{
    io::{IsTerminal, Write, stderr, stdin},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr},
};
use vlm_engine::ssh::ask::{Answer, Person, Question, Secret};

/// Whether somebody has pressed Ctrl+C at a question, or has said no.
static CANCELLED: AtomicBool = AtomicBool::new(false);

/// What Ctrl+C sends.
const CTRL_C: u8 = 3;
/// The longest line that a terminal hands over at once.
const LONGEST: usize = 4096;

/// Whether somebody has pressed Ctrl+C at a question, or has said no, and wants nothing more.
pub fn cancelled() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}

/// Standard input, if it is a terminal: a script that pipes something in is never asked.
#[derive(Default)]
pub struct Terminal {
    /// One question at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Person for Terminal {
    fn answer<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            if !stdin().is_terminal() {
                return None;
            }
            let turn = self.turn.clone().lock_owned().await;
            let stop = Stop::default();
            let (question, stopped) = (question.clone(), stop.0.clone());
            let (tell, told) = tokio::sync::oneshot::channel();
            // A thread of its own: it may wait for a line that never comes. It ends soon after nobody wants to know any more.
            std::thread::spawn(move || {
                let _ = tell.send(ask(&question, &stopped));
                drop(turn);
            });
            told.await.ok().flatten()
        })
    }

    fn tell(&self, note: &str) {
        eprintln!("note: {note}");
    }
}

/// Takes a question away when it is dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn ask(question: &Question, stopped: &AtomicBool) -> Option<Vec<Secret>> {
    let wrong = |again: &bool| if *again { "that was wrong\n" } else { "" };
    match question {
        Question::HostKey { host, fingerprint, key_type, other_types } => {
            if !other_types.is_empty() {
                let other = other_types.join(", ");
                eprintln!("warning: your known_hosts has other keys of this host ({other}), and it has not shown one of those");
            }
            let text = format!("{host} shows the host key {fingerprint} ({key_type}). Is it the right one? [y/N] ");
            let answer = line(&text, true, stopped)?;
            let yes = matches!(answer.expose().trim(), "y" | "Y" | "yes");
            CANCELLED.fetch_or(!yes, Ordering::Relaxed);
            yes.then(Vec::new)
        }
        Question::Passphrase { path, again } => {
            Some(vec![line(&format!("{}passphrase of {}: ", wrong(again), path.display()), false, stopped)?])
        }
        Question::Password { host, again } => {
            Some(vec![line(&format!("{}password of {host}: ", wrong(again)), false, stopped)?])
        }
        Question::Interactive { host, name, instruction, prompts } => {
            for text in [name, instruction].into_iter().filter(|text| !text.trim().is_empty()) {
                eprintln!("{host} says: {}", text.trim());
            }
            prompts.iter().map(|prompt| line(&format!("{host} asks: {}", prompt.text), prompt.echo, stopped)).collect()
        }
    }
}

/// Asks for a line.
fn line(text: &str, echo: bool, stopped: &AtomicBool) -> Option<Secret> {
    // Before the question is seen: nothing that is typed at it may be seen, or be lost.
    let quiet = Quiet::new(echo)?;
    eprint!("{text}");
    let _ = stderr().flush();
    let line = read_line(stopped);
    drop(quiet);
    if !echo || line.is_none() {
        eprintln!();
    }
    line
}

fn read_line(stopped: &AtomicBool) -> Option<Secret> {
    let stdin = stdin();
    let wait = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
    // A signal that somebody handles ends a wait, and is none of our business.
    while matches!(poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&wait)), Ok(0) | Err(rustix::io::Errno::INTR)) {
        if stopped.load(Ordering::Relaxed) {
            return None;
        }
    }
    // Past std's buffer, which would keep what was typed.
    let mut bytes = zeroize::Zeroizing::new([0; LONGEST]);
    let read = rustix::io::read(stdin.as_fd(), &mut bytes[..]).ok()?;
    match &bytes[..read] {
        [.., CTRL_C] => {
            CANCELLED.store(true, Ordering::Relaxed);
            None
        }
        [] => None,
        line => Some(Secret::new(std::str::from_utf8(line).ok()?.trim_end_matches(['\r', '\n']).to_owned())),
    }
}

/// A terminal that may not echo, and hands over Ctrl+C as a character: a signal would end us with the echo still off.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn new(echo: bool) -> Option<Quiet> {
        let before = tcgetattr(stdin()).ok()?;
        let mut now = before.clone();
        now.local_modes.remove(LocalModes::ISIG);
        now.local_modes.set(LocalModes::ECHO, echo);
        now.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        // What was typed before the question is no answer to it.
        tcsetattr(stdin(), OptionalActions::Flush, &now).ok()?;
        Some(Quiet { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcflush(stdin(), QueueSelector::IFlush);
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}
