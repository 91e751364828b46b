//! `vlm host …`

use std::{env, io::IsTerminal, path::PathBuf};

use clap::Subcommand;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine, chain,
    hosts::{Error, HostStatus},
    ssh::link::{self, Remote, Trust},
};

use crate::{End, block_on, print_json, print_line, runs};

/// What can be done with hosts.
#[derive(Subcommand)]
pub enum Command {
    /// Add a computer that is reached by SSH; it needs sshd and libvirt, and nothing else
    #[command(
        after_help = "Examples:\n  vlm host add lab1 root@lab1.example.org\n  vlm host add lab1 ada@10.0.0.7:2222 --identity ~/.ssh/lab --host-key SHA256:…\n\nA host key that is not in your known_hosts is shown and asked about; without a terminal, --host-key has to name it."
    )]
    Add {
        /// Its name in lab files
        name: String,
        /// [USER@]ADDRESS[:PORT]; your own user name and port 22 unless said otherwise
        #[arg(value_parser = parse_target)]
        target: Remote,
        /// The private key to log in with; your agent's keys and usual files unless said otherwise
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// The fingerprint of the host's key, SHA256:…
        #[arg(long, value_name = "FINGERPRINT")]
        host_key: Option<String>,
    },
    /// List hosts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Connect to a host and show what it is and has
    Check {
        /// The host
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a host
    Remove {
        /// The host
        name: String,
    },
}

/// Does it.
pub fn run(engine: &Engine, command: Command) -> Result<(), End> {
    match command {
        Command::Add { name, target, identity, host_key } => {
            block_on(add(engine, &name, Remote { identity, ..target }, host_key.as_deref()))
        }
        Command::List { json } => {
            let hosts = engine.hosts().list().map_err(Error::from)?;
            if json {
                let hosts: Vec<_> = hosts
                    .iter()
                    .map(|host| json!({ "name": host.name, "address": host.remote.as_ref().map(Remote::to_string) }))
                    .collect();
                return print_json(&hosts);
            }
            for host in hosts {
                let address = host.remote.map_or("this computer".to_owned(), |remote| remote.to_string());
                print_line(&format!("{:<20} {address}", host.name))?;
            }
            Ok(())
        }
        Command::Check { name, json } => {
            let status = block_on(engine.hosts().check(&name))?;
            if json { print_json(&status) } else { show(&status) }
        }
        Command::Remove { name } => {
            engine.hosts().remove(&name)?;
            print_line(&format!("removed host `{name}`"))
        }
    }
}

async fn add(engine: &Engine, name: &str, remote: Remote, host_key: Option<&str>) -> Result<(), End> {
    let trust = host_key.map_or(Trust::Known, Trust::Fingerprint);
    let added = match engine.hosts().add(name, &remote, trust).await {
        Err(Error::Link(link::Error::UnknownHostKey { fingerprint, other_types, .. })) if std::io::stdin().is_terminal() => {
            if !other_types.is_empty() {
                print_line(&format!("warning: your known_hosts has other keys of this host: {}", other_types.join(", ")))?;
            }
            let question = format!("{remote} shows the host key {fingerprint}. Is it the right one?");
            // Nothing is under way that Ctrl+C would have to wait for: it ends us.
            runs::ask(&question, &CancellationToken::new()).await?;
            engine.hosts().add(name, &remote, Trust::Fingerprint(&fingerprint)).await
        }
        added => added,
    };
    let status = added?;
    print_line(&format!("added host `{name}`: {remote}"))?;
    show(&status)
}

fn show(status: &HostStatus) -> Result<(), End> {
    print_line(&format!("  libvirt {}", status.libvirt))?;
    print_line(&format!(
        "  {} processors, {} of {} MiB of memory free",
        status.cpus, status.free_memory_mib, status.memory_mib
    ))?;
    print_line(&format!("  guests run on {}: {}", runs::accelerator(status.kvm), status.why))
}

/// `[USER@]ADDRESS[:PORT]`, an IPv6 address in brackets.
fn parse_target(text: &str) -> Result<Remote, String> {
    let form = || format!("`{text}` is no [USER@]ADDRESS[:PORT], such as root@lab1.example.org or ada@[fd00::7]:2222");
    let (user, place) = match text.rsplit_once('@') {
        Some((user, place)) => (user.to_owned(), place),
        None => (env::var("USER").or_else(|_| env::var("LOGNAME")).unwrap_or_else(|_| "root".into()), text),
    };
    let (address, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or_else(form)?;
            (address, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("22")).ok_or_else(form)?)
        }
        None => place.split_once(':').unwrap_or((place, "22")),
    };
    let plain = |text: &str, more: &str| {
        !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    // What other programs would take for an option, a path or a part of a URI is no name.
    if !plain(&user, "._-") || !plain(address, if place.starts_with('[') { ":.%" } else { ".-_" }) {
        return Err(form());
    }
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(form)?;
    Ok(Remote { address: address.to_owned(), port, user, identity: None, host_key: None })
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        if let Some(link) = error.link() {
            return of_link(link);
        }
        match &error {
            Error::Unknown(_) | Error::Taken(_) | Error::Name(_) | Error::IsLocal | Error::InUse { .. } => {
                End::Refused(error.to_string(), String::new())
            }
            _ => End::Failed(chain(&error), String::new()),
        }
    }
}

fn of_link(error: &link::Error) -> End {
    let (message, hint) = (chain(error), error.remedy());
    match error {
        link::Error::UnknownHostKey { .. } | link::Error::WrongHostKey { .. } => End::Refused(message, hint),
        _ => End::Failed(message, hint),
    }
}
