//! What machines use, as long as somebody looks: one question to each host every two seconds, whatever the number of machines and
//! of those who look, and the last ten minutes of each machine.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{chain, hosts::Host, libvirt::Measured, store::now_ms};

/// How often hosts are asked.
const EVERY: Duration = Duration::from_secs(2);
/// How many samples of a machine are kept: ten minutes.
const KEPT: usize = 300;
/// How many rounds a slow follower may lag behind.
const ROUNDS: usize = 16;

/// What a machine did since the sample before. `cpu_percent` is of one processor; `bps` are bytes a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct MachineSample {
    /// The machine.
    pub machine: String,
    /// When, in milliseconds since 1970 (UTC).
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub at_ms: i64,
    /// Percent of one processor; more than 100 where it has several.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub cpu_percent: f64,
    /// Memory in use, in MiB: by the guest's own word where it tells, else what its process holds on the host, at most all of it.
    pub memory_used_mib: Option<u32>,
    /// Memory that it has, in MiB.
    pub memory_mib: u32,
    /// Read from its disks.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub disk_read_bps: u64,
    /// Written to its disks.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub disk_write_bps: u64,
    /// Received on its network cards.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub net_rx_bps: u64,
    /// Sent on its network cards.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub net_tx_bps: u64,
}

/// The meters of all hosts.
#[derive(Default)]
pub(crate) struct Meters(Mutex<HashMap<String, Arc<Meter>>>);

/// The meter of a host: samples by domain.
struct Meter {
    remembered: Mutex<HashMap<String, VecDeque<MachineSample>>>,
    rounds: broadcast::Sender<Arc<Vec<MachineSample>>>,
    /// At work as long as somebody holds it.
    work: Mutex<Weak<DropGuard>>,
}

/// Samples of a lab's machines on one host, until this is dropped.
pub(crate) struct Followed {
    /// What is remembered, oldest first. Machines are named as domains are.
    pub(crate) remembered: Vec<MachineSample>,
    rounds: broadcast::Receiver<Arc<Vec<MachineSample>>>,
    _work: Arc<DropGuard>,
}

impl Followed {
    /// What all domains of the host did since the round before; none when no more will come.
    pub(crate) async fn next(&mut self) -> Option<Arc<Vec<MachineSample>>> {
        loop {
            match self.rounds.recv().await {
                Ok(round) => return Some(round),
                Err(RecvError::Lagged(_)) => {} // what is missing, is in what is remembered
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Meters {
    /// Follows what the domains of a host use whose names begin with `prefix`.
    pub(crate) fn follow(&self, host: &Arc<Host>, prefix: &str) -> Followed {
        let mut meters = self.0.lock().expect(UNBROKEN);
        let meter = meters.entry(host.name.clone()).or_insert_with(|| {
            let (rounds, _) = broadcast::channel(ROUNDS);
            Arc::new(Meter { remembered: Default::default(), rounds, work: Default::default() })
        });
        // Before what is remembered is read: a round in between comes twice rather than never.
        let rounds = meter.rounds.subscribe();
        let mut work = meter.work.lock().expect(UNBROKEN);
        let guard = work.upgrade().unwrap_or_else(|| {
            let cancel = CancellationToken::new();
            tokio::spawn(measure(host.clone(), meter.clone(), cancel.clone()));
            Arc::new(cancel.drop_guard())
        });
        *work = Arc::downgrade(&guard);
        let remembered = meter.remembered.lock().expect(UNBROKEN);
        let mut remembered: Vec<MachineSample> =
            remembered.iter().filter(|(name, _)| name.starts_with(prefix)).flat_map(|(_, samples)| samples.clone()).collect();
        remembered.sort_by_key(|sample| sample.at_ms);
        Followed { remembered, rounds, _work: guard }
    }
}

/// Asks a host over and over.
async fn measure(host: Arc<Host>, meter: Arc<Meter>, cancel: CancellationToken) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: HashMap<String, (Instant, Measured)> = HashMap::new();
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = cancel.cancelled() => return,
        }
        let measured = async { Ok::<_, crate::hosts::Error>(host.connection().await?.measured().await?) };
        let measured = tokio::select! {
            measured = measured => measured,
            () = cancel.cancelled() => return,
        };
        let measured = match measured {
            Ok(measured) => measured,
            Err(error) => {
                log::debug!("could not measure what machines of host {} use: {}", host.name, chain(&error));
                before.clear();
                continue;
            }
        };
        let (now, at_ms) = (Instant::now(), now_ms());
        let mut round = Vec::new();
        let mut seen = HashMap::new();
        for measured in measured.into_iter().filter(|measured| measured.domain.state.is_active()) {
            let name = measured.domain.name.clone();
            // Of another UUID or of less time used, it is another one, or was off meanwhile.
            let last = before.remove(&name).filter(|(_, last)| {
                last.domain.uuid == measured.domain.uuid && last.number("cpu.time") <= measured.number("cpu.time")
            });
            if let Some((then, last)) = last {
                round.push(sample(&last, &measured, now - then, at_ms));
            }
            seen.insert(name, (now, measured));
        }
        before = seen;
        meter.remember(&round, at_ms);
        let _ = meter.rounds.send(Arc::new(round)); // the last follower may have gone in this moment
    }
}

impl Meter {
    fn remember(&self, round: &[MachineSample], at_ms: i64) {
        let mut remembered = self.remembered.lock().expect(UNBROKEN);
        for sample in round {
            let samples = remembered.entry(sample.machine.clone()).or_default();
            samples.push_back(sample.clone());
            while samples.len() > KEPT {
                samples.pop_front();
            }
        }
        let oldest = at_ms - EVERY.as_millis() as i64 * KEPT as i64;
        remembered.retain(|_, samples| {
            samples.retain(|sample| sample.at_ms >= oldest);
            !samples.is_empty()
        });
    }
}

fn sample(last: &Measured, now: &Measured, elapsed: Duration, at_ms: i64) -> MachineSample {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate =
        |group: &str, name: &str| (now.sum(group, name).saturating_sub(last.sum(group, name)) as f64 / seconds).round() as u64;
    let cpu_ns = now.number("cpu.time").saturating_sub(last.number("cpu.time")) as f64;
    let mib = |name: &str| now.numbers.get(name).map(|kib| kib / 1024);
    let told = now.number("balloon.last-update") > 0;
    let by_guest = mib("balloon.available").zip(mib("balloon.usable").or(mib("balloon.unused"))).filter(|_| told);
    // An emulator needs memory of its own, too.
    let by_host = mib("balloon.rss").map(|rss| rss.min(now.memory_mib()));
    let used = by_guest.map(|(has, free)| has.saturating_sub(free)).or(by_host);
    MachineSample {
        machine: now.domain.name.clone(),
        at_ms,
        cpu_percent: (cpu_ns / seconds / 1e7 * 10.0).round() / 10.0,
        memory_used_mib: used.map(|used| used as u32),
        memory_mib: now.memory_mib() as u32,
        disk_read_bps: rate("block", "rd.bytes"),
        disk_write_bps: rate("block", "wr.bytes"),
        net_rx_bps: rate("net", "rx.bytes"),
        net_tx_bps: rate("net", "tx.bytes"),
    }
}

const UNBROKEN: &str = "no panic while samples are noted";

#[cfg(test)]
mod tests {
    use tokio::time::timeout;
    use vlm_lab::lifecycle::DomainState;

    use super::*;
    use crate::libvirt::{Connection, Domain, Target};

    fn measured(numbers: &[(&str, u64)]) -> Measured {
        let domain = Domain { name: "hello.web".into(), uuid: "u".into(), state: DomainState::Running };
        Measured { domain, numbers: numbers.iter().map(|(name, number)| (name.to_string(), *number)).collect() }
    }

    #[test]
    fn a_sample_is_what_was_used_between_two_looks() {
        let before = measured(&[
            ("cpu.time", 1_000_000_000),
            ("block.count", 2),
            ("block.0.rd.bytes", 100),
            ("block.1.rd.bytes", 0),
            ("net.count", 1),
            ("net.0.rx.bytes", 7),
        ]);
        let after = measured(&[
            ("cpu.time", 4_000_000_000),
            ("block.count", 2),
            ("block.0.rd.bytes", 300),
            ("block.1.rd.bytes", 50),
            ("block.0.wr.bytes", 8),
            ("net.count", 1),
            ("net.0.rx.bytes", 5),
            ("balloon.current", 524_288),
            ("balloon.rss", 204_800),
        ]);
        let sample = sample(&before, &after, Duration::from_secs(2), 5);
        assert_eq!(
            sample,
            MachineSample {
                machine: "hello.web".into(),
                at_ms: 5,
                cpu_percent: 150.0,
                memory_used_mib: Some(200),
                memory_mib: 512,
                disk_read_bps: 125,
                disk_write_bps: 4,
                net_rx_bps: 0,
                net_tx_bps: 0,
            }
        );
    }

    #[test]
    fn the_guests_own_word_on_its_memory_goes_first() {
        let numbers = [
            ("balloon.rss", 1 << 20),
            ("balloon.current", 900 << 10),
            ("balloon.available", 500 << 10),
            ("balloon.usable", 300 << 10),
        ];
        let used = |more: &[(&str, u64)]| {
            let now = measured(&[&numbers[..], more].concat());
            sample(&now, &now, EVERY, 0).memory_used_mib
        };
        assert_eq!(used(&[("balloon.last-update", 1)]), Some(200));
        assert_eq!(used(&[]), Some(900), "what the guest never updated says nothing, and no process holds more than all of it");
        let nothing = measured(&[]);
        assert_eq!(sample(&nothing, &nothing, EVERY, 0).memory_used_mib, None);
    }

    #[tokio::test]
    async fn a_host_is_asked_as_long_as_somebody_follows() {
        let host = Host::of(Connection::open(&Target::Test).await.unwrap());
        let meters = Meters::default();
        let mut followed = meters.follow(&host, "te");
        let mut other = meters.follow(&host, "te");
        assert_eq!(followed.remembered, []);
        // Two looks make a sample.
        let first = async |followed: &mut Followed| loop {
            let round = timeout(Duration::from_secs(30), followed.next()).await.expect("rounds come").unwrap();
            if let Some(sample) = round.first() {
                return sample.machine.clone();
            }
        };
        assert_eq!(first(&mut followed).await, "test");
        drop(followed);
        assert_eq!(first(&mut other).await, "test", "another still follows");
        let meter = meters.0.lock().unwrap()[&host.name].clone();
        assert!(meter.work.lock().unwrap().upgrade().is_some());
        drop(other);
        assert!(meter.work.lock().unwrap().upgrade().is_none(), "nobody follows");
        assert!(!meters.follow(&host, "te").remembered.is_empty());
        assert_eq!(meters.follow(&host, "other").remembered, []);
    }

    #[test]
    fn ten_minutes_are_remembered() {
        let (rounds, _) = broadcast::channel(1);
        let meter = Meter { remembered: Default::default(), rounds, work: Default::default() };
        let now = measured(&[]);
        for round in 0..400 {
            let at_ms = round * 2000;
            meter.remember(&[sample(&now, &now, EVERY, at_ms)], at_ms);
        }
        let count = |meter: &Meter| meter.remembered.lock().unwrap().get("hello.web").map_or(0, VecDeque::len);
        assert_eq!(count(&meter), KEPT);
        // One that is gone is forgotten.
        meter.remember(&[], 400 * 2000 + 600_000);
        assert_eq!(count(&meter), 0);
    }
}
