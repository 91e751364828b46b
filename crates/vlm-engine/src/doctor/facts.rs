//! A computer as `facts.sh` saw it: named facts, each the lines that a command printed and how it ended.

use std::{collections::BTreeMap, net::Ipv4Addr, str::FromStr};

use ipnet::Ipv4Net;

use crate::libvirt::xml::Account;

/// The script that prints the facts. It wants the variables `pool` and `data`; see there.
pub const SCRIPT: &str = include_str!("facts.sh");

/// What the script saw of a computer.
#[derive(Debug, Clone, Default)]
pub struct Computer {
    facts: BTreeMap<String, Fact>,
    complete: bool,
}

#[derive(Debug, Clone, Default)]
struct Fact {
    lines: Vec<String>,
    status: i32,
}

/// What could be seen of something that not everybody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<'a> {
    /// There is no such thing.
    NotThere,
    /// Only root may see it.
    Hidden,
    /// Its lines.
    Lines(&'a [String]),
}

/// A folder and who may pass through it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its permission bits.
    pub mode: u32,
    /// Its owner's id.
    pub user: u32,
    /// Its group's id.
    pub group: u32,
    /// Its path.
    pub path: String,
    /// Users that an access control list lets pass.
    pub passers: Vec<u32>,
}

impl Folder {
    /// Whether `account`, which is also in `groups`, may reach what lies in it.
    pub fn lets_pass(&self, account: Account, groups: &[u32]) -> bool {
        let bits = match account.user {
            0 => return true,
            user if self.passers.contains(&user) => return true,
            user if user == self.user => self.mode >> 6,
            _ if account.group == self.group || groups.contains(&self.group) => self.mode >> 3,
            _ => self.mode,
        };
        bits & 1 == 1
    }
}

impl Computer {
    /// Reads what the script printed. Facts that it did not come to are absent.
    pub fn of(text: &str) -> Computer {
        let mut computer = Computer::default();
        let mut name = String::new();
        let mut fact = Fact::default();
        for line in text.lines() {
            if let Some(next) = line.strip_prefix("== ") {
                next.clone_into(&mut name);
                computer.complete |= next == "end";
            } else if let Some(line) = line.strip_prefix(' ') {
                // What a host prints is shown at a terminal, which obeys control characters.
                fact.lines.push(line.trim_end().replace('\t', " ").replace(char::is_control, "?"));
            } else if let Some(status) = line.strip_prefix("-- ") {
                fact.status = status.trim().parse().unwrap_or(-1);
                computer.facts.insert(std::mem::take(&mut name), std::mem::take(&mut fact));
            }
        }
        computer
    }

    /// Whether the script came to its end.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The lines of a fact; none when it is not there.
    pub fn lines(&self, name: &str) -> &[String] {
        self.facts.get(name).map_or(&[], |fact| &fact.lines)
    }

    /// The first line of a fact.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.lines(name).first().map(String::as_str)
    }

    /// Whether what was asked for is there at all.
    pub fn has(&self, name: &str) -> bool {
        self.facts.get(name).is_some_and(|fact| fact.status != 127)
    }

    /// A fact that may be hidden from ordinary users.
    pub fn seen(&self, name: &str) -> Seen<'_> {
        match self.facts.get(name) {
            None => Seen::NotThere,
            Some(Fact { status: 127, .. }) => Seen::NotThere,
            Some(Fact { status: 0, lines }) => Seen::Lines(lines),
            Some(_) => Seen::Hidden,
        }
    }

    /// The number of the user that the script ran as.
    pub fn uid(&self) -> Option<u32> {
        self.lines("me").get(1)?.parse().ok()
    }

    /// That user's name.
    pub fn user(&self) -> &str {
        self.first("me").unwrap_or("you")
    }

    /// Whether the script ran as root.
    pub fn is_root(&self) -> bool {
        self.uid() == Some(0)
    }

    /// Whether that user is in a group: now, or from the next login on.
    pub fn is_in_group(&self, group: &str, now: bool) -> bool {
        let line = if now { self.lines("me").get(2) } else { self.lines("my-groups").first() };
        line.is_some_and(|line| line.split(' ').any(|word| word == group))
    }

    /// `ID` and `ID_LIKE` of os-release.
    pub fn is_like(&self, family: &str) -> bool {
        let values =
            ["ID=", "ID_LIKE="].iter().filter_map(|key| self.lines("os").iter().find_map(|line| line.strip_prefix(key)));
        values.flat_map(|value| value.trim_matches('"').split(' ')).any(|word| word == family)
    }

    /// The distribution, in words.
    pub fn os(&self) -> Option<&str> {
        self.lines("os").iter().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"'))
    }

    /// The value of a setting in one of libvirt's files, without its quotes.
    pub fn setting(&self, file: &str, name: &str) -> Option<&str> {
        let mut settings = self.lines(file).iter().filter_map(|line| line.split_once('='));
        settings.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// Whether a file of libvirt's settings is there and only root may read it.
    pub fn is_unreadable(&self, file: &str) -> bool {
        self.first(file) == Some("unreadable")
    }

    /// The account that QEMU usually runs as: Debian's, or Fedora's.
    pub fn usual_account(&self) -> Option<Account> {
        let fields: Vec<&str> = self.first("accounts")?.split(':').collect();
        Some(Account { user: fields.get(2)?.parse().ok()?, group: fields.get(3)?.parse().ok()? })
    }

    /// All groups of a user, out of those that matter here: libvirt gives QEMU these too, beside the one that its settings name.
    pub fn groups_of(&self, user: u32) -> Vec<u32> {
        let user = user.to_string();
        let fields = |line: &String| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let accounts = self.lines("accounts").iter().map(fields);
        let Some(account) = accounts.into_iter().find(|account| account.get(2) == Some(&user)) else { return Vec::new() };
        let groups = self.lines("groups").iter().map(fields);
        let listed = groups.filter(|group| group.get(3).is_some_and(|names| names.split(',').any(|name| name == account[0])));
        let ids = listed.filter_map(|group| group.get(2).cloned()).chain(account.get(3).cloned());
        ids.filter_map(|id| id.parse().ok()).collect()
    }

    /// The pool's folder and those above it, as far as they are there, from the inside out.
    pub fn pool_folders(&self) -> Vec<Folder> {
        let mut folders: Vec<Folder> = Vec::new();
        for line in self.lines("pool-path") {
            if let Some(user) = line.strip_prefix("acl ") {
                if let (Some(folder), Ok(user)) = (folders.last_mut(), user.parse()) {
                    folder.passers.push(user);
                }
                continue;
            }
            let mut words = line.splitn(4, ' ');
            let mode = words.next().and_then(|word| u32::from_str_radix(word, 8).ok());
            let (user, group) = (number(words.next()), number(words.next()));
            if let (Some(mode), Some(user), Some(group), Some(path)) = (mode, user, group, words.next()) {
                folders.push(Folder { mode, user, group, path: path.to_owned(), passers: Vec::new() });
            }
        }
        folders
    }

    /// Free space of the file system of `pool-room` or `data-room`, in MiB, and where it is mounted.
    pub fn room_mib(&self, name: &str) -> Option<(u64, &str)> {
        let line = self.lines(name).last()?;
        let mut words = line.split_whitespace();
        let free_kib: u64 = number(words.by_ref().nth(3))?;
        Some((free_kib / 1024, words.nth(1)?))
    }

    /// Subnets that the computer reaches, and through which device; the default route aside.
    pub fn routes(&self) -> Vec<(String, Ipv4Net)> {
        let route = |line: &String| {
            let mut words = line.split_whitespace();
            let to = words.next()?;
            let subnet = to.parse().ok().or_else(|| Some(Ipv4Net::from(to.parse::<Ipv4Addr>().ok()?)))?;
            let device = words.skip_while(|word| *word != "dev").nth(1)?;
            Some((device.to_owned(), subnet))
        };
        self.lines("routes").iter().filter_map(route).collect()
    }

    /// A kernel setting that is on or off.
    pub fn sysctl(&self, name: &str) -> Option<bool> {
        self.lines("sysctl").iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(|value| value != "0")
    }

    /// A line of /proc/meminfo, in MiB.
    pub fn memory_mib(&self, name: &str) -> Option<u64> {
        let line = self.lines("memory").iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        number(line.split_whitespace().next()).map(|kib: u64| kib / 1024)
    }

    /// Commands that install what is missing, by this distribution's ways; `what` is Debian's name, or `libvirt` for all of it.
    pub fn packages(&self, what: &str) -> Vec<String> {
        let (install, all) = if self.is_like("debian") {
            (
                "apt-get install --no-install-recommends",
                "libvirt-daemon-system libvirt-daemon-driver-qemu qemu-system-x86 dnsmasq-base iptables",
            )
        } else if self.is_like("fedora") || self.is_like("rhel") {
            ("dnf install", "libvirt-daemon-kvm")
        } else if self.is_like("suse") || self.is_like("opensuse") {
            ("zypper install", "libvirt-daemon-qemu")
        } else if self.is_like("arch") {
            ("pacman -S", "libvirt qemu-base dnsmasq iptables-nft")
        } else {
            return Vec::new();
        };
        let debian = self.is_like("debian");
        let name = match what {
            "libvirt" => all,
            "openssh-client" if !debian => "openssh",
            "qemu-utils" if !debian => "qemu-img",
            "xsltproc" if !debian => "libxslt",
            other => other,
        };
        vec![format!("{install} {name}")]
    }

    /// The path of a program.
    pub fn program(&self, name: &str) -> Option<&str> {
        self.lines("tools").iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }
}

fn number<T: FromStr>(word: Option<&str>) -> Option<T> {
    word?.parse().ok()
}
