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
        match &error {
            Error::Link(link) => {
                let (refused, hint) = advice(link, false);
                if refused { End::Refused(chain(&error), hint) } else { End::Failed(chain(&error), hint) }
            }
            Error::Store(_) | Error::Libvirt(_) => End::Failed(chain(&error), String::new()),
            Error::Unknown(_) | Error::Taken(_) | Error::Name(_) | Error::IsLocal | Error::InUse { .. } => {
                End::Refused(error.to_string(), String::new())
            }
        }
    }
}

/// Whether nothing was touched over there, and what to do; `on_the_way` to the host that was meant.
fn advice(error: &link::Error, on_the_way: bool) -> (bool, String) {
    use link::Error;
    match error {
        Error::Through { source, .. } => advice(source, true),
        Error::UnknownHostKey { .. } if on_the_way => (
            true,
            "say vlm host add at a terminal, where you are asked, or `ssh` there once, so that your known_hosts has its key"
                .into(),
        ),
        Error::UnknownHostKey { fingerprint, .. } => {
            (true, format!("compare it with `ssh-keygen -lf` of the host's key over there, then say --host-key {fingerprint}"))
        }
        Error::WrongHostKey { .. } => {
            (true, "if the host was installed anew, remove its old key, or the host here, first".into())
        }
        Error::Config(_) | Error::JumpName { .. } | Error::Circle { .. } => (true, String::new()),
        Error::NotLetIn { takes, .. }
            if takes.iter().any(|method| method == "password" || method == "keyboard-interactive") =>
        {
            (
                false,
                "at a terminal you are asked for a password; otherwise your key has to be in its ~/.ssh/authorized_keys".into(),
            )
        }
        Error::NotLetIn { .. } => {
            (false, "your public key has to be in the ~/.ssh/authorized_keys of that user over there".into())
        }
        Error::Ended { .. } => {
            let hint = "--identity FILE offers one key alone, and so does IdentitiesOnly with IdentityFile in ~/.ssh/config";
            (false, hint.into())
        }
        Error::NoLibvirt { .. } => {
            let hint = "install libvirt there and start it, let this user use its socket (group libvirt), and let its sshd forward \
                        it (AllowStreamLocalForwarding)";
            (false, hint.into())
        }
        Error::Unreachable { .. }
        | Error::NotSsh { .. }
        | Error::Protocol { .. }
        | Error::Identity { .. }
        | Error::Socket { .. } => (false, String::new()),
    }
}
