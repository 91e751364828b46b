//! Machines of labs, one by one: what each is and has, its power, what it uses, what it shows and says.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, task::JoinSet};
use vlm_lab::{Lab, Machine, lifecycle::DomainState, model::Size};

use crate::{
    Engine, Resource, chain,
    deploy::Error,
    export,
    hosts::Host,
    labs::{self, FirmwareKind},
    libvirt::{Connection, xml},
    lock::Lock,
    meters::MachineSample,
    picture,
    ports::LabPort,
    store::{LabRow, LabState, rfc3339},
};

/// How much of a serial console is read at once, in bytes; and how much of its end by who asks for the end.
const PIECE: u64 = 256 * 1024;
/// How wide the picture of a screen is at most, in pixels.
const WIDEST: usize = 320;

/// What can be asked of machines.
pub struct Machines<'a> {
    pub(crate) engine: &'a Engine,
}

/// A machine with all that there is to know of it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct MachineDetails {
    /// Its name.
    pub name: String,
    /// Its lab.
    pub lab: String,
    /// The host it is placed on.
    pub host: String,
    /// Its domain's state; none when there is no domain, or none is known.
    pub state: Option<DomainState>,
    /// Whether it was ready and configured after it was last started.
    pub configured: bool,
    /// The address it is reached at.
    pub address: Option<String>,
    /// Its image.
    pub image: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// How it boots.
    pub firmware: FirmwareKind,
    /// The account that is made in it.
    pub user: String,
    /// What its author says of it.
    pub description: Option<String>,
    /// Its disks: `system`, then the extra ones.
    pub disks: Vec<MachineDisk>,
    /// Its network cards, in order.
    pub nics: Vec<MachineNic>,
    /// Ports of this computer that lead to it.
    pub ports: Vec<LabPort>,
    /// Machines that must be configured before it starts.
    pub depends_on: Vec<String>,
    /// The command that enters it.
    pub ssh_command: String,
    /// What cloud-init reads in it, without keys.
    pub cloud_init: Option<String>,
    /// What Ansible plays on it; none where it plays nothing.
    pub ansible: Option<String>,
    /// libvirt's definition of its domain; none where there is no domain, or it is not known.
    pub xml: Option<String>,
    /// When a run started it last, RFC 3339 in UTC; none where it is off, or no run started it.
    pub started: Option<String>,
    /// Why its host could not be asked, if it could not.
    pub unknown: Option<String>,
}

/// A disk of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct MachineDisk {
    /// `system`, or its name in the lab file.
    pub name: String,
    /// Its size as designed, in words.
    pub size: String,
    /// Its file on the host.
    pub path: Option<String>,
    /// What it takes up there, in MiB.
    pub allocated_mib: Option<u32>,
    /// Its size there, in MiB.
    pub capacity_mib: Option<u32>,
}

/// A network card of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct MachineNic {
    /// The network that it is on.
    pub network: String,
    /// Its MAC address.
    pub mac: String,
    /// Its IPv4 address, where it is known.
    pub address: Option<String>,
    /// Its device on the host, while the machine is on.
    pub device: Option<String>,
}

/// What is done to a machine's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum PowerAction {
    /// On; a held one goes on.
    Start,
    /// Asked to power off.
    ShutDown,
    /// The power is taken away.
    ForceOff,
    /// Asked to start anew.
    Reboot,
    /// The reset button.
    Reset,
    /// Held where it is.
    Pause,
    /// A held one goes on.
    Resume,
}

impl PowerAction {
    /// The word in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            PowerAction::Start => "start",
            PowerAction::ShutDown => "shut_down",
            PowerAction::ForceOff => "force_off",
            PowerAction::Reboot => "reboot",
            PowerAction::Reset => "reset",
            PowerAction::Pause => "pause",
            PowerAction::Resume => "resume",
        }
    }
}

/// What became of a machine's power.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PowerResult {
    /// The machine.
    pub machine: String,
    /// Why it could not be done, if it could not.
    pub error: Option<String>,
}

/// A piece of what a machine wrote on its serial console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SerialPiece {
    /// What it wrote.
    pub text: String,
    /// Where to ask for more, in bytes.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub next: u64,
    /// How much there is, in bytes.
    #[cfg_attr(feature = "specta", specta(type = u32))]
    pub size: u64,
}

/// What the machines of a lab use, until this is dropped.
pub struct Usage {
    remembered: Option<Vec<MachineSample>>,
    rounds: mpsc::Receiver<Vec<MachineSample>>,
    _work: JoinSet<()>,
}

impl Usage {
    /// First what is remembered of the last ten minutes, oldest first; then, every two seconds, what each host's machines did
    /// since. None when no more will come.
    pub async fn next(&mut self) -> Option<Vec<MachineSample>> {
        match self.remembered.take() {
            Some(remembered) => Some(remembered),
            None => self.rounds.recv().await,
        }
    }
}

impl Machines<'_> {
    /// A machine with all that there is to know of it. A host that cannot be asked is no failure.
    pub async fn details(&self, lab: &str, machine: &str) -> Result<MachineDetails, Error> {
        let (row, design, machine) = self.find(lab, machine)?;
        let known = self.engine.store().machines(row.id)?.into_iter().find(|row| row.name == machine.name);
        let mut seen = Seen::default();
        let mut unknown = None;
        if row.state != LabState::Designed {
            match self.look(&row, &machine).await {
                Ok(found) => seen = found,
                Err(error) => unknown = Some(chain(&error)),
            }
        }
        let disk = |name: &str, size: Size, end: &str| {
            let file = seen.volumes.get(&format!("{lab}.{}.{end}.qcow2", machine.name));
            MachineDisk {
                name: name.to_owned(),
                size: size.to_string(),
                path: file.map(|file| file.path.clone()),
                allocated_mib: file.map(|file| file.allocated_bytes.div_ceil(1 << 20) as u32),
                capacity_mib: file.map(|file| (file.capacity_bytes >> 20) as u32),
            }
        };
        let mut disks = vec![disk("system", machine.disk, "system")];
        disks.extend(machine.disks.iter().map(|(name, size)| disk(name, *size, &format!("disk-{name}"))));
        let address = known.as_ref().and_then(|row| row.address.clone());
        let mut nics: Vec<MachineNic> = labs::nics_of(&machine)
            .into_iter()
            .map(|nic| MachineNic {
                device: seen.devices.get(&nic.mac.to_ascii_lowercase()).cloned(),
                network: nic.network,
                mac: nic.mac,
                address: nic.address,
            })
            .collect();
        // Where the design does not know it, it is reached at its first card.
        if let Some(first) = nics.first_mut().filter(|nic| nic.address.is_none()) {
            first.address.clone_from(&address);
        }
        let is_on = seen.state.is_some_and(DomainState::is_active);
        let started = self.engine.store().last_done(lab, &format!("start/{}", machine.name))?.filter(|_| is_on);
        let (cloud_init, ansible) = export::of_machine(self.engine, &row, &design, &machine)?;
        let ports = self.engine.ports().list(lab)?.into_iter().filter(|port| port.machine == machine.name).collect();
        Ok(MachineDetails {
            lab: row.name,
            state: seen.state,
            configured: known.is_some_and(|row| row.ready && row.configured.is_some()),
            address: address.or(machine.address().map(|address| address.to_string())),
            memory_mib: machine.memory.as_mib() as u32,
            firmware: machine.firmware.into(),
            disks,
            nics,
            ports,
            ssh_command: format!("vlm ssh {lab}/{}", machine.name),
            cloud_init: Some(cloud_init),
            ansible,
            xml: seen.xml,
            started: started.map(rfc3339),
            unknown,
            name: machine.name,
            host: machine.host,
            image: machine.image,
            vcpus: machine.vcpus,
            user: machine.user,
            description: machine.description,
            depends_on: machine.depends_on,
        })
    }

    /// Does something to the power of machines of a deployed lab, and tells of each what became of it. Refused while a run of the
    /// lab is at work; no order is kept, and nobody waits for a guest.
    pub async fn power(&self, lab: &str, machines: &[String], action: PowerAction) -> Result<Vec<PowerResult>, Error> {
        let _lock = Lock::take(&self.engine.dirs().data.join("locks"), lab)?;
        self.engine.runs().note_cut_off(lab)?;
        let (row, design) = self.engine.labs().read(lab)?;
        if row.state == LabState::Designed {
            let message = format!("lab `{lab}` is not deployed");
            return Err(Error::Refused { message, remedy: "deploy it first".into() });
        }
        let placed = labs::placed(&row, &design);
        let mut todo = Vec::new();
        for name in machines {
            let found = placed.iter().find(|machine| machine.name == *name);
            todo.push(found.ok_or_else(|| no_machine(lab, name))?);
        }
        self.engine.store().audit(action.as_str(), lab, &machines.join(", "))?;
        let mut work = JoinSet::new();
        for (index, machine) in todo.into_iter().enumerate() {
            let host = self.engine.hosts().get(&machine.host);
            let (domain, machine) = (format!("{lab}.{}", machine.name), machine.name.clone());
            work.spawn(async move {
                let done = async {
                    let connection = host?.connection().await?;
                    switch(&connection, &domain, action).await?;
                    Ok::<_, crate::hosts::Error>(())
                };
                (index, PowerResult { machine, error: done.await.err().map(|error| chain(&error)) })
            });
        }
        let mut results = work.join_all().await;
        results.sort_by_key(|(index, _)| *index);
        self.engine.stale(Resource::Labs);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Follows what the machines of a lab use.
    pub async fn follow_usage(&self, lab: &str) -> Result<Usage, Error> {
        let (row, design) = self.engine.labs().read(lab)?;
        let mut hosts: Vec<String> = labs::placed(&row, &design).into_iter().map(|machine| machine.host).collect();
        hosts.sort();
        hosts.dedup();
        if row.state == LabState::Designed {
            hosts.clear(); // nothing of it is anywhere
        }
        let prefix = format!("{lab}.");
        let of_lab = |prefix: &str, sample: &MachineSample| {
            let machine = sample.machine.strip_prefix(prefix)?.to_owned();
            Some(MachineSample { machine, ..sample.clone() })
        };
        let (tell, rounds) = mpsc::channel(16);
        let mut work = JoinSet::new();
        let mut all = Vec::new();
        for name in hosts {
            let host = self.engine.hosts().get(&name).map_err(|error| Error::of_host(&name, error))?;
            let mut followed = self.engine.meters().follow(&host, &prefix);
            all.extend(followed.remembered.iter().filter_map(|sample| of_lab(&prefix, sample)));
            let (tell, prefix) = (tell.clone(), prefix.clone());
            work.spawn(async move {
                while let Some(round) = followed.next().await {
                    let ours = round.iter().filter_map(|sample| of_lab(&prefix, sample)).collect();
                    if tell.send(ours).await.is_err() {
                        return;
                    }
                }
            });
        }
        all.sort_by_key(|sample| sample.at_ms);
        Ok(Usage { remembered: Some(all), rounds, _work: work })
    }

    /// What a machine's screen shows, as PNG of at most 320 pixels' width; none where it is off or has no screen.
    pub async fn screenshot(&self, lab: &str, machine: &str) -> Result<Option<Vec<u8>>, Error> {
        let (row, _, machine) = self.find(lab, machine)?;
        if row.state == LabState::Designed {
            return Ok(None);
        }
        let connection = self.connection(&machine).await?;
        let domain = format!("{lab}.{}", machine.name);
        let is_there = connection.domains().await?.into_iter().any(|there| there.name == domain && there.state.is_active());
        let Some(picture) = (if is_there { connection.screenshot(&domain).await? } else { None }) else { return Ok(None) };
        let scaled = tokio::task::spawn_blocking(move || picture::scaled(&picture, WIDEST)).await;
        let scaled = scaled.expect("scaling does not panic");
        let wrong = |error| Error::Io { what: format!("show the screen of {}", machine.name), source: io::Error::other(error) };
        scaled.map(Some).map_err(wrong)
    }

    /// What a machine wrote on its serial console while it came up, from the byte `from` on; from before 0, its end. A console that
    /// has begun anew is read from its beginning.
    pub fn serial(&self, lab: &str, machine: &str, from: i64) -> Result<SerialPiece, Error> {
        let (_, _, machine) = self.find(lab, machine)?;
        let path = self.engine.dirs().lab(lab).join("serial").join(format!("{}.log", machine.name));
        piece(&path, from).map_err(|source| Error::Io { what: format!("read {}", path.display()), source })
    }

    /// A lab as it is stored, and a machine of it where it stands.
    fn find(&self, lab: &str, machine: &str) -> Result<(LabRow, Lab, Machine), Error> {
        let (row, design) = self.engine.labs().read(lab)?;
        let found = labs::placed(&row, &design).into_iter().find(|known| known.name == machine);
        let found = found.ok_or_else(|| no_machine(lab, machine))?;
        Ok((row, design, found))
    }

    async fn connection(&self, machine: &Machine) -> Result<Connection, Error> {
        let of_host = |error| Error::of_host(&machine.host, error);
        let host: std::sync::Arc<Host> = self.engine.hosts().get(&machine.host).map_err(of_host)?;
        host.connection().await.map_err(of_host)
    }

    /// What the host knows of a machine.
    async fn look(&self, row: &LabRow, machine: &Machine) -> Result<Seen, Error> {
        let connection = self.connection(machine).await?;
        let domain = format!("{}.{}", row.name, machine.name);
        let state = connection.domains().await?.into_iter().find(|there| there.name == domain).map(|there| there.state);
        let xml = match state {
            // It may have gone in this moment.
            Some(_) => connection.definition(&domain).await.ok(),
            None => None,
        };
        let volumes = connection.volume_files(self.engine.settings().pool()).await?;
        Ok(Seen {
            state,
            devices: xml.as_deref().map(xml::nic_devices).unwrap_or_default(),
            xml,
            volumes: volumes.into_iter().map(|volume| (volume.name.clone(), volume)).collect(),
        })
    }
}

/// What a host knows of a machine.
#[derive(Default)]
struct Seen {
    state: Option<DomainState>,
    xml: Option<String>,
    devices: BTreeMap<String, String>,
    volumes: BTreeMap<String, crate::libvirt::VolumeFile>,
}

async fn switch(connection: &Connection, domain: &str, action: PowerAction) -> Result<(), crate::libvirt::Error> {
    match action {
        PowerAction::Start => connection.start(domain).await,
        PowerAction::ShutDown => connection.shut_down(domain).await,
        PowerAction::ForceOff => connection.force_off(domain).await,
        PowerAction::Reboot => connection.reboot(domain).await,
        PowerAction::Reset => connection.reset(domain).await,
        PowerAction::Pause => connection.suspend(domain).await,
        PowerAction::Resume => connection.resume(domain).await,
    }
}

fn no_machine(lab: &str, machine: &str) -> Error {
    labs::Error::NoMachine { lab: lab.to_owned(), machine: machine.to_owned() }.into()
}

fn piece(path: &PathBuf, from: i64) -> io::Result<SerialPiece> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(SerialPiece { text: String::new(), next: 0, size: 0 });
        }
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    let start = match u64::try_from(from) {
        Ok(from) if from <= size => from,
        Ok(_) => 0,
        Err(_) => size.saturating_sub(PIECE),
    };
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(PIECE).read_to_end(&mut bytes)?;
    // A character that is cut in two is left to the next piece, and one whose beginning is missing to nobody.
    let mut begin = 0;
    if from < 0 && start > 0 {
        begin = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    }
    let end = match std::str::from_utf8(&bytes[begin..]) {
        Err(error) if error.error_len().is_none() => begin + error.valid_up_to(),
        _ => {
            let tail = bytes.len().saturating_sub(3).max(begin);
            cut(&bytes[tail..]).map_or(bytes.len(), |at| tail + at)
        }
    };
    Ok(SerialPiece {
        text: String::from_utf8_lossy(&bytes[begin..end]).into_owned(),
        next: start + end as u64,
        size: size.max(start + end as u64),
    })
}

/// Where a character begins that is not whole, in the last bytes of a text.
fn cut(tail: &[u8]) -> Option<usize> {
    let at = tail.iter().rposition(|byte| *byte & 0xC0 != 0x80)?;
    let length = match tail[at] {
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0..0xF8 => 4,
        _ => 1,
    };
    (tail.len() - at < length).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn a_console_is_read_piece_by_piece_and_no_character_is_cut() {
        let text = "é".repeat(PIECE as usize) + "\u{fffd} end";
        let (_dir, path) = log(text.as_bytes());
        let (mut got, mut from) = (String::new(), 0);
        loop {
            let piece = piece(&path, from).unwrap();
            assert_eq!(piece.size, text.len() as u64);
            if piece.text.is_empty() {
                break;
            }
            got += &piece.text;
            from = piece.next as i64;
        }
        assert_eq!(from, text.len() as i64);
        assert!(got == text);
    }

    #[test]
    fn the_end_is_what_is_asked_for_first() {
        let text = "x".to_owned() + &"é".repeat(PIECE as usize);
        let (_dir, path) = log(text.as_bytes());
        let end = piece(&path, -1).unwrap();
        assert_eq!((end.next, end.size), (text.len() as u64, text.len() as u64));
        assert!(end.text.chars().all(|c| c == 'é'), "it begins with a whole character");
        assert_eq!(piece(&path, end.next as i64).unwrap().text, "");
    }

    #[test]
    fn a_console_that_began_anew_and_one_that_is_not_there() {
        let (dir, path) = log(b"new\xff\n");
        assert_eq!(piece(&path, 1000).unwrap(), SerialPiece { text: "new\u{fffd}\n".into(), next: 5, size: 5 });
        let nothing = SerialPiece { text: String::new(), next: 0, size: 0 };
        assert_eq!(piece(&dir.path().join("none"), -1).unwrap(), nothing);
        // Half a character, and nothing after it yet.
        std::fs::write(&path, "ab\u{20ac}".as_bytes().split_last().unwrap().1).unwrap();
        let first = piece(&path, 0).unwrap();
        assert_eq!((first.text.as_str(), first.next, first.size), ("ab", 2, 4));
        assert_eq!(piece(&path, 2).unwrap().next, 2, "its other half may come");
    }
}
