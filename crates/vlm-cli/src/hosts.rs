//! `vlm host …`

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use vlm_engine::{
    Engine, chain,
    hosts::{Error, HostStatus},
    ssh::{
        Target,
        link::{self, Remote, Trust},
    },
};

use crate::{End, block_on, print_json, print_line, runs};

/// What can be done with hosts.
#[derive(Subcommand)]
pub enum Command {
    /// Add a computer that is reached by SSH; it needs sshd and libvirt, and nothing else
    #[command(
        after_help = "Examples:\n  vlm host add lab1 root@lab1.example.org\n  vlm host add lab1 ada@10.0.0.7:2222 --identity ~/.ssh/lab --host-key SHA256:…\n\nADDRESS may be a Host of your ~/.ssh/config, which also says what is left out (User, Port, IdentityFile, ProxyJump …).\nA host key that is not in your known_hosts is shown and asked about; without a terminal, --host-key has to name it."
    )]
    Add {
        /// Its name in lab files
        name: String,
        /// [USER@]ADDRESS[:PORT]; your own user name and port 22 unless your ssh configuration says otherwise
        target: Target,
        /// The private key to log in with; your agent's keys and usual files unless said otherwise
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// The fingerprint of the host's key, SHA256:…
        #[arg(long, value_name = "FINGERPRINT", value_parser = parse_fingerprint)]
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
            // It is to be found from everywhere.
            let identity = identity.map(|path| std::path::absolute(&path).unwrap_or(path));
            block_on(add(engine, &name, &Target { identity, ..target }, host_key.as_deref()))
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

async fn add(engine: &Engine, name: &str, target: &Target, host_key: Option<&str>) -> Result<(), End> {
    let trust = host_key.map_or(Trust::Known, Trust::Fingerprint);
    let (remote, status) = engine.hosts().add(name, target, trust).await?;
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
    if error.is_refusal() { End::Refused(message, hint) } else { End::Failed(message, hint) }
}

/// `SHA256:` and 43 digits of base64, as `ssh-keygen -l` prints them.
fn parse_fingerprint(text: &str) -> Result<String, String> {
    let digits = |digits: &str| digits.len() == 43 && digits.chars().all(|c| c.is_ascii_alphanumeric() || "+/".contains(c));
    match text.strip_prefix("SHA256:").is_some_and(digits) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no fingerprint, such as `ssh-keygen -lf KEY` prints: SHA256: and 43 characters")),
    }
}
