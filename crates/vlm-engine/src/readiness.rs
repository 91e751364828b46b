//! From "powered on" to "cloud-init is done", watched by several means at once, with the reason when a machine is stuck.
//!
//! Each watcher looks through one window only (the domain's state, its serial console, leases and ARP, its SSH port) and sends
//! what it sees; one loop folds that into an [`Observation`], says which phases were reached, and asks
//! [`phase::why_stuck`] when time passes without progress.

use std::{
    collections::HashMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use vlm_lab::{
    lifecycle::DomainState,
    phase::{self, Observation, Phase, SshAnswer, Stuck},
    render::KeyPair,
};

use crate::{
    libvirt::{AddressSource, Connection},
    ssh::{self, Session, Way},
};

/// Pause after an attempt at the SSH port that cost the guest nothing: what a person does not notice.
const SSH_EVERY: Duration = Duration::from_millis(25);
/// Pause after one that cost it a key exchange, which an emulated guest has better things to do than to repeat.
const SSH_AGAIN: Duration = Duration::from_millis(250);
/// Pause before a serial console that has ended is opened again.
const SERIAL_AGAIN: Duration = Duration::from_secs(2);
/// Pause between two looks at leases and ARP.
const ADDRESS_EVERY: Duration = Duration::from_secs(1);
/// Pause between two looks at cloud-init's files.
const CLOUD_INIT_EVERY: Duration = Duration::from_secs(1);
/// How long nothing may change before we say why.
const SAY_AFTER: Duration = Duration::from_secs(30);
/// How long an answer that time does not mend must last before we believe it: a guest's SSH server may run before
/// cloud-init has given it its keys.
const SURE_AFTER: Duration = Duration::from_secs(30);
/// How long after its start a domain that was never seen running may still be listed as it was before.
const START_SHOWS_AFTER: Duration = Duration::from_secs(10);
/// How much of the serial console is kept in memory as evidence, in bytes.
const TAIL: usize = 8 * 1024;

/// States of the host's domains, by name, as often as somebody lists them.
pub type States = watch::Receiver<Arc<HashMap<String, DomainState>>>;

/// What to watch, and with what.
pub struct Watch {
    /// The host.
    pub connection: Connection,
    /// The host's domains.
    pub states: States,
    /// The domain's name.
    pub domain: String,
    /// The address it should have, if it is known beforehand.
    pub address: Option<Ipv4Addr>,
    /// The way to it.
    pub way: Way,
    /// The account, our key and the guest's pinned host key.
    pub login: Login,
    /// Where its serial console is written to.
    pub serial_log: PathBuf,
    /// How long it may take.
    pub limit: Duration,
}

/// How to log in to a guest.
#[derive(Clone)]
pub struct Login {
    /// The account.
    pub user: String,
    /// Our key.
    pub key: Arc<KeyPair>,
    /// The guest's host key, pinned: one line in OpenSSH's form.
    pub host_key: String,
}

/// What is worth telling while a machine comes up.
pub enum Seen {
    /// It reached a phase.
    Phase(Phase, Option<Ipv4Addr>),
    /// Nothing has changed for a while, and this is why.
    Waiting(Stuck),
}

/// Why a machine did not become ready.
#[derive(Debug, Clone, thiserror::Error)]
#[error("stuck at {}: {}", phase.as_str(), stuck.reason)]
pub struct NotReady {
    /// The last phase it reached.
    pub phase: Phase,
    /// What keeps it.
    pub stuck: Stuck,
    /// The end of its serial console.
    pub serial_tail: String,
}

enum Sign {
    Serial(Vec<u8>),
    Address(Ipv4Addr),
    Ssh(SshAnswer, Ipv4Addr),
    CloudInit(CloudInit),
}

/// Watches until cloud-init is done. The domain has been started. Returns the address it was reached at.
pub async fn until_ready(watch: Watch, mut tell: impl FnMut(Seen)) -> Result<Ipv4Addr, NotReady> {
    let (signs, mut inbox) = mpsc::channel(256);
    let (addresses, address) = watch::channel(watch.address);
    let mut watchers = JoinSet::new(); // dropped, and its tasks with it, when we return
    watchers.spawn(watch_serial(watch.connection.clone(), watch.domain.clone(), watch.serial_log, signs.clone()));
    watchers.spawn(watch_addresses(watch.connection.clone(), watch.domain.clone(), watch.address, signs.clone()));
    watchers.spawn(watch_ssh(address, watch.way, watch.login, signs));

    let mut states = watch.states;
    let begun = Instant::now();
    let mut changed = Instant::now();
    let mut said = None;
    let mut ssh_since = Instant::now();
    let mut serial_at = Instant::now();
    let mut seen = Observation {
        phase: Phase::Booting,
        domain: Some(DomainState::Running),
        up: Duration::ZERO,
        address_seen: false,
        ssh: SshAnswer::NotTried,
        cloud_init: None,
        serial_bytes: 0,
        serial_quiet: Duration::ZERO,
        serial_tail: String::new(),
    };
    let mut reached = None;
    let mut active = false;
    tell(Seen::Phase(Phase::Booting, None));
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut reach = |seen: &mut Observation, phase: Phase, at: Option<Ipv4Addr>| {
            if phase > seen.phase {
                seen.phase = phase;
                changed = Instant::now();
                said = None;
                tell(Seen::Phase(phase, at));
            }
        };
        tokio::select! {
            Some(sign) = inbox.recv() => match sign {
                Sign::Serial(bytes) => {
                    seen.serial_bytes += bytes.len() as u64;
                    serial_at = Instant::now();
                    push_serial(&mut seen.serial_tail, &bytes);
                }
                Sign::Address(found) => {
                    seen.address_seen = true;
                    addresses.send_if_modified(|known| known.is_none() && { *known = Some(found); true });
                    reach(&mut seen, Phase::Address, Some(found));
                }
                Sign::Ssh(answer, at) => {
                    if answer != SshAnswer::Silence {
                        seen.address_seen = true;
                        reach(&mut seen, Phase::Address, Some(at));
                    }
                    if answer == SshAnswer::Accepted {
                        reached = Some(at);
                        reach(&mut seen, Phase::Ssh, Some(at));
                    }
                    if std::mem::discriminant(&answer) != std::mem::discriminant(&seen.ssh) {
                        ssh_since = Instant::now();
                    }
                    seen.ssh = answer;
                }
                Sign::CloudInit(state) => match state {
                    CloudInit::Done => {
                        reach(&mut seen, Phase::CloudInit, reached);
                        return Ok(reached.expect("cloud-init was asked through an address"));
                    }
                    CloudInit::Failed(words) => {
                        seen.cloud_init = Some(format!("it failed: {words}"));
                        return Err(give_up(&seen));
                    }
                    CloudInit::Running(stage) => {
                        if seen.cloud_init.as_ref() != Some(&stage) {
                            changed = Instant::now();
                        }
                        seen.cloud_init = Some(stage);
                    }
                },
            },
            Ok(()) = states.changed() => {
                let state = states.borrow_and_update().get(&watch.domain).copied();
                active |= state.is_some_and(DomainState::is_active);
                // A list that was made before the start shows it as off.
                if !active && begun.elapsed() < START_SHOWS_AFTER {
                    continue;
                }
                if seen.domain != state {
                    changed = Instant::now();
                }
                seen.domain = state;
            }
            _ = tick.tick() => {}
        }
        (seen.up, seen.serial_quiet) = (begun.elapsed(), serial_at.elapsed());
        let over = match seen.domain {
            // A guest that reboots itself on the way is off for no moment that libvirt shows; one that is off stays off.
            None | Some(DomainState::ShutOff | DomainState::Crashed) => true,
            _ => {
                matches!(seen.ssh, SshAnswer::OtherHostKey | SshAnswer::KeyRejected) && ssh_since.elapsed() > SURE_AFTER
                    || seen.phase == Phase::Booting
                        && phase::boot_failure(&seen.serial_tail).is_some()
                        && seen.serial_quiet > Duration::from_secs(5)
            }
        };
        if over || begun.elapsed() > watch.limit {
            return Err(give_up(&seen));
        }
        if changed.elapsed() > SAY_AFTER {
            let stuck = phase::why_stuck(&seen);
            // Said once, and again only when it is another reason: the seconds in it do not make one.
            let kind = std::mem::discriminant(&seen.ssh);
            if said != Some((kind, seen.address_seen, seen.serial_bytes > 0)) {
                said = Some((kind, seen.address_seen, seen.serial_bytes > 0));
                tell(Seen::Waiting(stuck));
            }
        }
    }
}

fn give_up(seen: &Observation) -> NotReady {
    NotReady { phase: seen.phase, stuck: phase::why_stuck(seen), serial_tail: seen.serial_tail.clone() }
}

async fn watch_serial(connection: Connection, domain: String, log: PathBuf, signs: mpsc::Sender<Sign>) {
    let mut file = log.parent().and_then(|dir| crate::terraform::create_private_dir(dir).ok()).and_then(|()| {
        use std::os::unix::fs::OpenOptionsExt;
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&log).ok()
    });
    // Again when it ends: the daemon was restarted, perhaps, or the link to the host cut.
    loop {
        if let Ok(mut serial) = connection.serial(&domain).await {
            while let Some(bytes) = serial.bytes.recv().await {
                // A log that cannot be written (a full disk) must not end the watching.
                file = file.filter(|mut file| file.write_all(&bytes).is_ok());
                if signs.send(Sign::Serial(bytes)).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(SERIAL_AGAIN).await;
    }
}

/// Asks leases and ARP, and the guest's agent where the address is not known beforehand.
async fn watch_addresses(connection: Connection, domain: String, expected: Option<Ipv4Addr>, signs: mpsc::Sender<Sign>) {
    let mut every = interval(ADDRESS_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0u32;
    // Leases and ARP entries outlive a power cycle: those that were there before are no sign of life where we know
    // anyway which address to try.
    let before = match expected {
        Some(_) => connection.addresses(&domain).await.unwrap_or_default(),
        None => Vec::new(),
    };
    loop {
        every.tick().await;
        round += 1;
        let mut found = connection.addresses(&domain).await.unwrap_or_default();
        found.retain(|seen| !before.contains(seen));
        // An ARP entry may be another machine's of earlier: it only counts for the address that this one must have.
        found.retain(|(source, address)| {
            *source == AddressSource::Lease || expected.is_none_or(|expected| expected == *address)
        });
        let mut address = found.iter().find(|(_, a)| Some(*a) == expected).or(found.first()).map(|(_, address)| *address);
        if address.is_none() && expected.is_none() && round.is_multiple_of(5) {
            address = connection.agent_addresses(&domain).await.ok().and_then(|list| list.first().copied());
        }
        if let Some(address) = address {
            let _ = signs.send(Sign::Address(address)).await;
            return;
        }
    }
}

async fn watch_ssh(mut address: watch::Receiver<Option<Ipv4Addr>>, way: Way, login: Login, signs: mpsc::Sender<Sign>) {
    loop {
        let Some(at) = *address.borrow_and_update() else {
            if address.changed().await.is_err() {
                return;
            }
            continue;
        };
        let attempt = Session::connect(&way, SocketAddr::from((at, 22)), &login.user, &login.key, &login.host_key).await;
        let (answer, session) = match attempt {
            Ok(session) => (SshAnswer::Accepted, Some(session)),
            Err(ssh::Error::Silence(_)) => (SshAnswer::Silence, None),
            Err(ssh::Error::Refused(_)) => (SshAnswer::Refused, None),
            Err(ssh::Error::OtherHostKey(_)) => (SshAnswer::OtherHostKey, None),
            Err(ssh::Error::KeyRejected(_)) => (SshAnswer::KeyRejected, None),
            Err(error @ (ssh::Error::Protocol(_) | ssh::Error::Key(_) | ssh::Error::Forbidden)) => {
                (SshAnswer::Broken(error.to_string()), None)
            }
        };
        let pause = match answer {
            SshAnswer::NotTried | SshAnswer::Silence | SshAnswer::Refused => SSH_EVERY,
            SshAnswer::OtherHostKey | SshAnswer::KeyRejected | SshAnswer::Broken(_) | SshAnswer::Accepted => SSH_AGAIN,
        };
        if signs.send(Sign::Ssh(answer, at)).await.is_err() {
            return;
        }
        if let Some(session) = session
            && ask_cloud_init(&session, &signs).await.is_none()
        {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

/// How far cloud-init is.
#[derive(Debug, PartialEq)]
enum CloudInit {
    Running(String),
    Done,
    Failed(String),
}

/// Reads cloud-init's own files: `cloud-init status` says the same, but starts a Python that takes an emulated guest seconds,
/// and so delays what it asks about. See "status.json" and "result.json" in cloud-init's documentation of its status
/// files. An image whose cloud-init keeps none is asked, and one without cloud-init has nothing to wait for.
const ASK_CLOUD_INIT: &str = "d=/run/cloud-init; \
    if [ -e $d/result.json ]; then echo result; cat $d/result.json; \
    elif [ -e $d/disabled ] || ! command -v cloud-init >/dev/null; then echo disabled; \
    elif [ -e $d/status.json ]; then echo status; cat $d/status.json; \
    elif [ -d $d ]; then echo status; else cloud-init status; fi";

/// Asks over and over while the session lives; `None` when nobody wants to know any more.
async fn ask_cloud_init(session: &Session, signs: &mpsc::Sender<Sign>) -> Option<()> {
    let mut every = interval(CLOUD_INIT_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        match session.command(ASK_CLOUD_INIT).await {
            Ok((_, text)) => signs.send(Sign::CloudInit(cloud_init_state(&text))).await.ok()?,
            Err(_) => return Some(()), // the guest rebooted, perhaps: connect again
        }
    }
}

fn cloud_init_state(answer: &str) -> CloudInit {
    let (kind, json) = answer.split_once('\n').unwrap_or((answer, ""));
    let file: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let v1 = &file["v1"];
    match kind.trim() {
        "disabled" | "status: done" | "status: disabled" => CloudInit::Done,
        "result" => {
            let errors: Vec<String> = v1["errors"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|error| error.as_str().map_or(error.to_string(), str::to_owned))
                .collect();
            if errors.is_empty() { CloudInit::Done } else { CloudInit::Failed(errors.join("; ")) }
        }
        "status" => {
            CloudInit::Running(v1["stage"].as_str().map_or("it has not begun".to_owned(), |stage| format!("it is at {stage}")))
        }
        other => CloudInit::Running(other.trim_start_matches("status:").trim().to_owned()),
    }
}

/// Adds to the tail what a person would read: no escape sequences, no carriage returns.
fn push_serial(tail: &mut String, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            // A control sequence (ECMA-48) ends with a letter or one of @ [ ] ^ _ ` { | } ~.
            '\u{1b}' => {
                if chars.next() == Some('[') {
                    for c in chars.by_ref() {
                        if ('@'..='~').contains(&c) {
                            break;
                        }
                    }
                }
            }
            '\n' | '\t' => tail.push(c),
            c if c.is_control() => {}
            c => tail.push(c),
        }
    }
    if tail.len() > TAIL {
        let cut = (tail.len() - TAIL..tail.len()).find(|i| tail.is_char_boundary(*i)).unwrap_or(0);
        tail.drain(..cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloud_init_is_read_from_its_files() {
        let check = |answer: &str, expected: CloudInit| assert_eq!(cloud_init_state(answer), expected, "{answer}");
        check("result\n{\"v1\": {\"datasource\": \"DataSourceNoCloud\", \"errors\": []}}\n", CloudInit::Done);
        check("result\n{\"v1\": {\"errors\": [\"no module x\", \"y\"]}}", CloudInit::Failed("no module x; y".into()));
        check("status\n{\"v1\": {\"stage\": \"modules-final\"}}", CloudInit::Running("it is at modules-final".into()));
        check("status\n{\"v1\": {\"stage\": null}}", CloudInit::Running("it has not begun".into()));
        check("status\n", CloudInit::Running("it has not begun".into()));
        check("disabled\n", CloudInit::Done);
        check("status: done\n", CloudInit::Done);
        check("status: running\n", CloudInit::Running("running".into()));
    }

    #[test]
    fn a_serial_tail_is_what_a_person_reads() {
        let mut tail = String::new();
        push_serial(&mut tail, b"\x1b[2J\x1b[01;01HBooting\r\n[  \x1b[0;32mOK\x1b[0m  ] up\x07\n");
        assert_eq!(tail, "Booting\n[  OK  ] up\n");
    }
}
