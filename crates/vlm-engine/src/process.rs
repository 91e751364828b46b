//! Programs that we run: Terraform, Ansible, qemu-img.
//!
//! What must stay true: of the caller's environment a child sees what [`ALLOWED`] lists, and nothing else but what we set; its
//! files are private to the user (umask 077); cancelling interrupts its whole process group, waits, and only then kills; and it
//! dies with us.

#![allow(unsafe_code)] // two `pre_exec`s, below

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

/// How long an interrupted program may take to end by itself before it is killed.
const GRACE: Duration = Duration::from_secs(30);
/// How much of the end of standard error is kept for a failure's evidence, in bytes.
const STDERR_TAIL: usize = 8 * 1024;

/// The variables of the caller's that every program of ours sees. Whatever else is set changes what programs do, or whose code
/// they run (`TF_CLI_ARGS`, `TF_VAR_…`, `ANSIBLE_…`, `PYTHONPATH`, `BASH_ENV`, `LD_PRELOAD`, `LIBVIRT_DEFAULT_URI`, `GIT_…`), and
/// stays out without being named.
const ALLOWED: [&str; 6] = [
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    // Sockets of the user's own libvirt lie there.
    "XDG_RUNTIME_DIR",
    // The mark of a test run (.ci/run): by it, what is left over of one is found, also when we were killed.
    "VLM_CI_MARK",
];
/// Those that a program sees as well if it fetches something: the user's way into the internet.
const ALLOWED_TO_FETCH: [&str; 9] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "ALL_PROXY",
];

/// A program, its arguments and the world it sees.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    args: Vec<OsString>,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    grace: Duration,
    give_up: CancellationToken,
    limits: Option<Limits>,
}

/// What a program may take, where what it reads may be made to make it take all there is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Time on a processor, in seconds.
    pub cpu_s: u64,
    /// Time by the clock; then it is killed.
    pub time: Duration,
}

/// A line that a program printed.
#[derive(Debug)]
pub enum Line {
    /// On standard output.
    Out(String),
    /// On standard error.
    Err(String),
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Whether we interrupted it.
    pub cancelled: bool,
    /// Whether it was ended because what it waited for does not come any more.
    pub given_up: bool,
    /// Whether it was killed because its time was over.
    pub overdue: bool,
    /// The end of its standard error.
    pub stderr: String,
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program could not be started.
    #[error("could not start {}", path.display())]
    Spawn {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its output could not be read, or its end not awaited.
    #[error("lost track of {}", path.display())]
    Lost {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Program {
    /// `path`, to be run in `dir`. Its locale is C.UTF-8, as we read what it says.
    pub fn new(path: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Program {
        Program {
            path: path.into(),
            args: Vec::new(),
            dir: dir.into(),
            env: Vec::new(),
            grace: GRACE,
            give_up: CancellationToken::new(),
            limits: None,
        }
        .let_through(&ALLOWED)
        .env("LC_ALL", "C.UTF-8")
    }

    /// Lets the program fetch things the user's way: through proxies and by the certificates that the environment names.
    pub fn fetching(self) -> Program {
        self.let_through(&ALLOWED_TO_FETCH)
    }

    fn let_through(mut self, names: &[&str]) -> Program {
        self.env.extend(names.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))));
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Program {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// How long the program may take to end by itself when it is interrupted; 30 s unless said otherwise.
    pub fn grace(mut self, grace: Duration) -> Program {
        self.grace = grace;
        self
    }

    /// Lets `token` end the program: it is interrupted, and killed soon after.
    pub fn give_up(mut self, token: CancellationToken) -> Program {
        self.give_up = token;
        self
    }

    /// Sets what the program may take.
    pub fn limits(mut self, limits: Limits) -> Program {
        self.limits = Some(limits);
        self
    }

    /// The program's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the program, handing over each line as it comes, until it ends or `cancel` makes it end.
    pub async fn run(self, cancel: &CancellationToken, mut on_line: impl FnMut(Line)) -> Result<Ended, Error> {
        let lost = |source| Error::Lost { path: self.path.clone(), source };
        let mut command = tokio::process::Command::new(&self.path);
        command
            .args(&self.args)
            .current_dir(&self.dir)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let limits = self.limits;
        // SAFETY: between fork and exec only a few system calls are made, which neither allocate nor take locks.
        unsafe {
            command.pre_exec(move || {
                rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
                rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
                if let Some(limits) = limits {
                    let at_most = |amount| Rlimit { current: Some(amount), maximum: Some(amount) };
                    rustix::process::setrlimit(Resource::As, at_most(limits.memory_bytes))?;
                    rustix::process::setrlimit(Resource::Cpu, at_most(limits.cpu_s))?;
                }
                Ok(())
            });
        }
        let mut child = command.spawn().map_err(|source| {
            log::warn!("could not start {}: {source}", self.path.display());
            Error::Spawn { path: self.path.clone(), source }
        })?;
        let pid = child.id().unwrap_or(0);
        // Its name alone: what arguments hold is for their maker to know, and the environment is nobody's.
        log::info!("started {}, process {pid}, in {}", self.path.display(), self.dir.display());
        let group = child.id().and_then(|id| Pid::from_raw(id as i32));
        let mut out = Lines::new(child.stdout.take().expect("stdout is piped"));
        let mut err = Lines::new(child.stderr.take().expect("stderr is piped"));
        let (mut out_open, mut err_open, mut cancelled, mut given_up, mut overdue) = (true, true, false, false, false);
        let mut stderr = String::new();
        let kill_at = tokio::time::sleep(Duration::MAX);
        let over_at = tokio::time::sleep(self.limits.map_or(Duration::MAX, |limits| limits.time));
        tokio::pin!(kill_at, over_at);

        while out_open || err_open {
            tokio::select! {
                line = out.next(), if out_open => match line.map_err(lost)? {
                    Some(line) => on_line(Line::Out(line)),
                    None => out_open = false,
                },
                line = err.next(), if err_open => match line.map_err(lost)? {
                    Some(line) => {
                        push_tail(&mut stderr, &line);
                        on_line(Line::Err(line));
                    }
                    None => err_open = false,
                },
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    signal(group, Signal::INT);
                    kill_at.as_mut().reset(tokio::time::Instant::now() + self.grace);
                }
                () = self.give_up.cancelled(), if !given_up => {
                    given_up = true;
                    signal(group, Signal::INT);
                    kill_at.as_mut().reset(tokio::time::Instant::now() + GRACE);
                }
                () = &mut kill_at, if cancelled || given_up => {
                    signal(group, Signal::KILL);
                    break;
                }
                () = &mut over_at => {
                    overdue = true;
                    signal(group, Signal::KILL);
                    break;
                }
            }
        }
        let status = child.wait().await.map_err(lost)?;
        if status.code().is_none() {
            // Killed, it took none of its own children along: Terraform's provider would go on making things.
            signal(group, Signal::KILL);
        }
        let why = if cancelled { ", cancelled" } else { "" };
        log::info!("{}, process {pid}, ended with {status}{why}", self.path.display());
        Ok(Ended { status, cancelled, given_up, overdue, stderr })
    }

    /// Runs the program and returns its whole standard output.
    pub async fn capture(self, cancel: &CancellationToken) -> Result<(Ended, String), Error> {
        let mut text = String::new();
        let ended = self
            .run(cancel, |line| {
                if let Line::Out(line) = line {
                    text.push_str(&line);
                    text.push('\n');
                }
            })
            .await?;
        Ok((ended, text))
    }
}

/// Starts a program that outlives us, with our own environment, in a session of its own, and returns the first line it prints
/// within `limit`; an empty one when it ended or said nothing.
pub async fn spawn_detached(path: &Path, args: &[&str], limit: Duration) -> Result<String, Error> {
    let mut command = tokio::process::Command::new(path);
    command.args(args).current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: between fork and exec only two system calls are made, which neither allocate nor take locks.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            // What our caller has open, such as a lock or a pipe that somebody waits at, is not to stay open for as long. A
            // kernel without this call (before 5.11) says no, and then it does.
            libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int);
            Ok(())
        });
    }
    let mut child = command.spawn().map_err(|source| Error::Spawn { path: path.to_owned(), source })?;
    log::info!("started {}, process {}, which outlives us", path.display(), child.id().unwrap_or(0));
    let mut out = Lines::new(child.stdout.take().expect("stdout is piped"));
    let line = tokio::time::timeout(limit, out.next()).await.unwrap_or(Ok(None));
    Ok(line.map_err(|source| Error::Lost { path: path.to_owned(), source })?.unwrap_or_default())
}

/// Lines of a stream. What has come of an unfinished line stays in `partial`, so waiting for it can be given up and begun again.
struct Lines<R> {
    reader: BufReader<R>,
    partial: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R) -> Lines<R> {
        Lines { reader: BufReader::with_capacity(64 * 1024, reader), partial: Vec::new() }
    }

    /// The next line without its end; bytes that are no UTF-8 are replaced.
    async fn next(&mut self) -> io::Result<Option<String>> {
        self.reader.read_until(b'\n', &mut self.partial).await?;
        let mut line = std::mem::take(&mut self.partial);
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

fn push_tail(tail: &mut String, line: &str) {
    tail.push_str(line);
    tail.push('\n');
    if tail.len() > STDERR_TAIL {
        let cut = tail.len() - STDERR_TAIL;
        let cut = (cut..tail.len()).find(|i| tail.is_char_boundary(*i)).unwrap_or(0);
        tail.drain(..cut);
    }
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // The group may have ended in this moment: that is what we wanted.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { memory_bytes: 1 << 30, cpu_s: 30, time: Duration::from_secs(60) };

    #[tokio::test]
    async fn who_outlives_us_holds_nothing_of_our_callers() {
        use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
        let (read, write) = io::pipe().unwrap();
        // SAFETY: the descriptor is new, and nobody else's. Unlike `write` it is inherited.
        let inherited = unsafe { OwnedFd::from_raw_fd(libc::dup(write.as_raw_fd())) };
        let said =
            spawn_detached(Path::new("/bin/sh"), &["-c", "echo $$; exec sleep 60"], Duration::from_secs(10)).await.unwrap();
        drop((write, inherited));
        let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        let mut ends = [rustix::event::PollFd::new(&read, rustix::event::PollFlags::HUP)];
        let ended = rustix::event::poll(&mut ends, Some(&limit)).unwrap();
        rustix::process::kill_process(Pid::from_raw(said.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
        assert_eq!(ended, 1, "the other program holds our pipe");
    }

    #[tokio::test]
    async fn limits_hold() {
        let shell = |script: &str| Program::new("/bin/sh", "/").args(["-c", script]);
        let cancel = CancellationToken::new();
        let (ended, text) = shell("ulimit -v; ulimit -t").limits(LIMITS).capture(&cancel).await.unwrap();
        assert_eq!((text.as_str(), ended.overdue), ("1048576\n30\n", false));
        let short = Limits { time: Duration::from_millis(50), ..LIMITS };
        // Also what it started itself is gone: else its output would stay open.
        let ended = shell("sleep 3600 & sleep 3600").limits(short).run(&cancel, |_| {}).await.unwrap();
        assert!(ended.overdue && !ended.cancelled && !ended.status.success());
    }
}
