//! A program under test: started, watched line by line, interrupted, and judged by how it ended.

use std::{
    fmt,
    fs::File,
    io::{Read, Write},
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

/// A program at work. Dropped before its end, it is killed.
pub struct Running {
    words: String,
    pid: Pid,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    out: Vec<u8>,
    err: Vec<u8>,
    /// Set once both streams have ended, too.
    status: Option<i32>,
}

impl Running {
    /// Starts `command`, with nothing to read.
    pub fn start(command: Command) -> Running {
        Running::reading(command, Stdio::null())
    }

    /// Starts `command` at a terminal to type at; what it prints is seen as ever.
    pub fn at_terminal(command: Command) -> (Running, Keyboard) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal can be made");
        grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a terminal of ours can be opened");
        let name = ptsname(&ours, Vec::new()).expect("a terminal has a name").into_string().expect("names are text");
        let theirs = File::options().read(true).write(true).open(name).expect("a terminal of ours can be opened");
        (Running::reading(command, theirs.into()), Keyboard(File::from(ours)))
    }

    fn reading(mut command: Command, stdin: Stdio) -> Running {
        let words = words(&command);
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {words}: {error}"));
        let pid = Pid::from_child(&child);
        let shared = Arc::new(Shared::default());
        let out = collect(&shared, child.stdout.take().expect("it is piped"), |seen| &mut seen.out);
        let err = collect(&shared, child.stderr.take().expect("it is piped"), |seen| &mut seen.err);
        let told = shared.clone();
        thread::spawn(move || {
            use std::os::unix::process::ExitStatusExt;
            let status = child.wait().expect("a child can be waited for");
            let _ = (out.join(), err.join());
            // As a shell has it: a signal's number above 128.
            told.lock().status = Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()));
            told.changed.notify_all();
        });
        Running { words, pid, shared }
    }

    /// Waits until it has printed `text` on standard output.
    pub fn until_it_says(&self, text: &str, limit: Duration) {
        self.until(text, limit, |seen| &seen.out);
    }

    /// Waits until it has printed `text` on standard error, where questions are.
    pub fn until_it_asks(&self, text: &str, limit: Duration) {
        self.until(text, limit, |seen| &seen.err);
    }

    fn until(&self, text: &str, limit: Duration, stream: fn(&Seen) -> &Vec<u8>) {
        let says = |seen: &Seen| String::from_utf8_lossy(stream(seen)).contains(text);
        let seen = self.wait(limit, |seen| says(seen) || seen.status.is_some());
        assert!(says(&seen), "{} did not say {text:?} within {limit:?}\n{}", self.words, self.output(&seen));
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid, signal).expect("it is still there");
    }

    /// Waits for its end.
    pub fn end(self, limit: Duration) -> Output {
        let seen = self.wait(limit, |seen| seen.status.is_some());
        let output = self.output(&seen);
        assert!(seen.status.is_some(), "not at its end after {limit:?}: {output}");
        drop(seen);
        output
    }

    fn wait(&self, limit: Duration, reached: impl Fn(&Seen) -> bool) -> MutexGuard<'_, Seen> {
        let until = Instant::now() + limit;
        let mut seen = self.shared.lock();
        while !reached(&seen) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            seen = self.shared.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        seen
    }

    fn output(&self, seen: &Seen) -> Output {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output { words: self.words.clone(), status: seen.status.unwrap_or(-1), out: text(&seen.out), err: text(&seen.err) }
    }
}

/// The keys and the screen of a terminal.
pub struct Keyboard(File);

impl Keyboard {
    /// Types.
    pub fn types(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).expect("a terminal takes what is typed");
    }

    /// What the terminal has echoed, once nobody is at it any more.
    pub fn echoed(mut self) -> String {
        let mut echoed = Vec::new();
        // It ends with an error: the other side is closed.
        let _ = self.0.read_to_end(&mut echoed);
        String::from_utf8_lossy(&echoed).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.shared.lock().status.is_none() {
            let _ = rustix::process::kill_process(self.pid, Signal::KILL); // it may end in this moment
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // A test that fails panics while it looks; what was seen is whole all the same, and is still to be cleaned up after.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn collect(
    shared: &Arc<Shared>,
    mut from: impl Read + Send + 'static,
    to: fn(&mut Seen) -> &mut Vec<u8>,
) -> thread::JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            to(&mut shared.lock()).extend_from_slice(&buffer[..n]);
            shared.changed.notify_all();
        }
    })
}

fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// How a program ended, and what it printed.
pub struct Output {
    words: String,
    /// Its exit status.
    pub status: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Output {
    /// Insists on an exit status.
    #[track_caller]
    pub fn ends(self, status: i32) -> Output {
        assert!(self.status == status, "expected exit status {status}\n{self}");
        self
    }

    /// Insists that it printed each of `texts`, on either stream.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Output {
        for text in texts {
            assert!(self.out.contains(text) || self.err.contains(text), "expected the words {text:?}\n{self}");
        }
        self
    }

    /// Insists that it did not print `text`.
    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Output {
        assert!(!self.out.contains(text) && !self.err.contains(text), "did not expect the words {text:?}\n{self}");
        self
    }

    /// Its standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("expected JSON: {error}\n{self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\nended with {}\n--- standard output\n{}--- standard error\n{}---",
            self.words, self.status, self.out, self.err
        )
    }
}
