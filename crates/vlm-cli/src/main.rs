//! `vlm`: Virtual Lab Manager in a terminal. It says what the engine does; it decides nothing about labs.
//!
//! Exit status: 0 done, 1 failed, 2 refused before anything was touched, 130 cancelled.

mod doctor;
mod follow;
mod hosts;
mod images;
mod labs;
mod runs;
mod store;
mod terminal;
mod tools;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use vlm_engine::{Dirs, Engine, chain, ssh::ask::Asker};

#[derive(Parser)]
#[command(name = "vlm", version, about = "Labs of virtual machines: designed, deployed, entered and taken away again.", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  vlm check lab.yaml            what is wrong with a lab file, line by line
  vlm up lab.yaml               plan it, ask, deploy it
  vlm status hello              its machines now
  vlm ssh hello/web             a shell in one of them
  vlm destroy hello             take it away without a trace

Exit status: 0 done, 1 failed, 2 refused before anything was touched, 130 cancelled.";

#[derive(Subcommand)]
enum Command {
    /// Say what is wrong with a lab file
    #[command(
        after_help = "Each problem is a line FILE:LINE:COLUMN: SENTENCE. Exit status 2 when there is an error.\n\nExample:\n  vlm check examples/hello.yaml"
    )]
    Check {
        /// The lab file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the lab file, for editors
    Schema,
    /// Show what a deploy would do, and change nothing on the host
    #[command(after_help = "Examples:\n  vlm plan lab.yaml\n  vlm plan hello --json")]
    Plan {
        /// A lab file, or the name of a lab
        lab: String,
        /// The host for machines that name none; said more than once, they are spread by the memory that is left
        #[arg(long = "host", value_name = "NAME")]
        hosts: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Deploy a lab: make the host have what the lab says
    #[command(
        after_help = "Examples:\n  vlm up lab.yaml\n  vlm up hello --yes        without asking\n  vlm up hello --wait 30m   for slow hosts\n  vlm up hello --host lab1  on a host that `vlm host add` has added"
    )]
    Up {
        /// A lab file, or the name of a lab
        lab: String,
        /// The host for machines that name none; said more than once, they are spread by the memory that is left
        #[arg(long = "host", value_name = "NAME")]
        hosts: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// How long each machine may take to be ready, such as 90s, 10m or 1h
        #[arg(long, value_parser = parse_duration)]
        wait: Option<std::time::Duration>,
    },
    /// Take up what the last run of a lab has left undone, be it cut off, failed or cancelled
    #[command(after_help = "Examples:\n  vlm resume hello\n  vlm resume hello --yes   without asking")]
    Resume {
        /// The lab
        lab: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Take what an earlier deploy left on a host as the lab's again, where all records of it are lost
    #[command(
        after_help = "Nothing on the host is changed. `vlm plan` then shows what differs from the design.\n\nExample:\n  vlm adopt hello"
    )]
    Adopt {
        /// The lab
        lab: String,
        /// Where it was, if the lab does not say: as for `up`
        #[arg(long = "host", value_name = "NAME")]
        hosts: Vec<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// List labs
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a lab's machines as they are now
    Status {
        /// The lab
        lab: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the last run of a lab said
    #[command(
        after_help = "Examples:\n  vlm logs hello\n  vlm logs hello -f          go on until the run ends\n  vlm logs hello --serial web   the serial console's log of a machine"
    )]
    Logs {
        /// The lab
        lab: String,
        /// Go on with what comes, until the run ends
        #[arg(long, short)]
        follow: bool,
        /// The number of the run; the last unless said otherwise
        #[arg(long)]
        run: Option<u32>,
        /// Show the serial console's log of this machine instead
        #[arg(long, value_name = "MACHINE", conflicts_with_all = ["follow", "run", "json"])]
        serial: Option<String>,
        /// Print JSON, an event a line
        #[arg(long)]
        json: bool,
    },
    /// Shut a lab's machines down
    Stop {
        /// The lab
        lab: String,
        /// Take the power at once, without asking the guests
        #[arg(long)]
        force: bool,
    },
    /// Power a lab's machines on
    Start {
        /// The lab
        lab: String,
    },
    /// Take a lab away: machines, disks, networks. The design stays
    Destroy {
        /// The lab
        lab: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Forget the design of a lab that is not deployed
    Forget {
        /// The lab
        lab: String,
    },
    /// Enter a machine, or run a command in it
    #[command(
        after_help = "Examples:\n  vlm ssh hello/web\n  vlm ssh hello/web -- hostname\n\nThe exit status is the command's."
    )]
    Ssh {
        /// LAB/MACHINE
        machine: String,
        /// The command; a shell without one
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Write a lab as a Terraform directory and an Ansible project that work without vlm
    Export {
        /// The lab
        lab: String,
        /// A new folder
        dir: PathBuf,
    },
    /// Say what stands in the way of labs on this computer and on hosts, and what helps
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::Arguments),
    /// Computers that run libvirt
    #[command(subcommand)]
    Host(hosts::Command),
    /// Base images
    #[command(subcommand)]
    Image(images::Command),
    /// Copy the database, verified; list the copies that are there
    #[command(
        after_help = "Examples:\n  vlm backup                      among the copies that vlm keeps\n  vlm backup /mnt/stick/vlm.sqlite3\n  vlm backup --list\n\nA copy holds designs, runs, hosts and the audit. It does not hold keys, Terraform states and images."
    )]
    Backup {
        /// A new file
        file: Option<PathBuf>,
        /// List the copies that are there
        #[arg(long, conflicts_with = "file")]
        list: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a copy of the database in its place; what is there now is kept beside
    #[command(
        after_help = "Examples:\n  vlm restore last               the newest good copy\n  vlm restore /mnt/stick/vlm.sqlite3 --yes"
    )]
    Restore {
        /// A copy, or `last`
        file: PathBuf,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Show who changed what, newest first
    #[command(
        after_help = "Examples:\n  vlm audit --lab hello\n  vlm audit --verify     does each line follow from the one before it? Exit status 1 if not"
    )]
    Audit {
        /// Follow the chain of hashes and name the first line that does not fit
        #[arg(long, conflicts_with_all = ["lab", "limit"])]
        verify: bool,
        /// Only lines about this lab and its runs
        #[arg(long)]
        lab: Option<String>,
        /// How many lines, at most
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the programs that labs need: versions, digests and where they are
    #[command(
        after_help = "Examples:\n  vlm tools\n  vlm tools hello            what the lab was last deployed with\n  vlm tools hello --accept   go on with the libvirt provider that is there now"
    )]
    Tools {
        /// Show what this lab was last deployed with instead
        lab: Option<String>,
        /// Accept the libvirt provider that is there now for the lab
        #[arg(long, requires = "lab", conflicts_with = "json")]
        accept: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep a lab's published ports open: started by `up` and `start`, ended by `stop` and `destroy`
    #[command(hide = true)]
    Keep {
        /// The lab
        lab: String,
    },
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  vlm completions bash > ~/.local/share/bash-completion/completions/vlm")]
    Completions {
        /// bash, zsh, fish …
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one per command, for scripts/package
    #[command(hide = true)]
    Man {
        /// A folder that is there
        dir: PathBuf,
    },
}

/// What a command ended with, other than success.
#[derive(Debug)]
pub enum End {
    /// It failed: what happened, and what to do.
    Failed(String, String),
    /// It was refused before anything was touched.
    Refused(String, String),
    /// It was cancelled.
    Cancelled,
    /// Another program's exit status.
    Status(u8),
}

impl From<vlm_engine::deploy::Error> for End {
    fn from(error: vlm_engine::deploy::Error) -> End {
        let vlm_engine::deploy::Explained { message, mut hint, evidence } = vlm_engine::deploy::explain(&error, "");
        // What a tool said goes where a person looks for what to do.
        for line in evidence.iter().flat_map(|evidence| evidence.lines()) {
            hint.push_str(&format!("\n       | {line}"));
        }
        match error {
            error if error.is_cancel() => End::Cancelled,
            vlm_engine::deploy::Error::Refused { message, remedy } => End::Refused(message, remedy),
            error if error.is_refusal() => End::Refused(message, hint),
            _ => End::Failed(message, hint),
        }
    }
}

impl From<vlm_engine::labs::Error> for End {
    fn from(error: vlm_engine::labs::Error) -> End {
        vlm_engine::deploy::Error::from(error).into()
    }
}

impl From<vlm_engine::images::Error> for End {
    fn from(error: vlm_engine::images::Error) -> End {
        if error.is_refusal() {
            return End::Refused(chain(&error), String::new());
        }
        vlm_engine::deploy::Error::from(error).into()
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Rust ignores SIGPIPE, and a print to a closed pipe would then panic: `vlm list | head` just ends.
    let result = run(cli.command);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if terminal::cancelled() => complain("cancelled", "", 130),
        Err(End::Failed(message, hint)) => complain(&message, &hint, 1),
        Err(End::Refused(message, hint)) => complain(&message, &hint, 2),
        Err(End::Cancelled) => complain("cancelled", "", 130),
        Err(End::Status(status)) => ExitCode::from(status),
    }
}

fn complain(message: &str, hint: &str, status: u8) -> ExitCode {
    eprintln!("vlm: {message}");
    if !hint.is_empty() && !message.contains(hint) {
        eprintln!("     {hint}");
    }
    ExitCode::from(status)
}

fn run(command: Command) -> Result<(), End> {
    match command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "vlm", &mut std::io::stdout());
            return Ok(());
        }
        Command::Man { dir } => {
            return clap_mangen::generate_to(Cli::command(), &dir)
                .map_err(|error| End::Failed(format!("{}: {error}", dir.display()), String::new()));
        }
        Command::Schema => return print_json(&vlm_lab::file::schema()),
        // What has to work when the database does not open.
        Command::Backup { list: true, json, .. } => return store::list(&Dirs::of_user(), json),
        Command::Restore { file, yes } => return store::restore(&Dirs::of_user(), &file, yes),
        Command::Audit { verify: true, json, .. } => return store::verify(&Dirs::of_user(), json),
        _ => {}
    }
    let engine = Engine::open(Dirs::of_user()).map_err(|error| match error {
        vlm_engine::OpenError::Damaged { .. } => End::Failed(chain(&error), String::new()),
        error => End::Refused(chain(&error), String::new()),
    })?;
    let engine = engine.with_asker(Asker::new(terminal::Terminal::default()));
    match command {
        // What only reads the database starts no runtime: it is done before that would be.
        Command::Check { file, json } => labs::check(&engine, &file, json),
        Command::List { json } => labs::list(&engine, json),
        Command::Forget { lab } => Ok(engine.labs().remove(&lab)?),
        Command::Export { lab, dir } => labs::export(&engine, &lab, &dir),
        Command::Ssh { machine, command } => labs::ssh(&engine, &machine, &command),
        Command::Backup { file, json, .. } => store::backup(&engine, file.as_deref(), json),
        Command::Audit { lab, limit, json, .. } => store::audit(&engine, lab.as_deref(), limit, json),
        Command::Doctor(arguments) => block_on(doctor::run(&engine, arguments)),
        Command::Host(command) => hosts::run(&engine, command),
        Command::Image(command) => images::run(&engine, command),
        Command::Tools { lab, accept, json } => tools::run(&engine, lab.as_deref(), accept, json),
        Command::Logs { lab, serial: Some(machine), .. } => labs::serial(&engine, &lab, &machine),
        Command::Logs { lab, follow, run, json, .. } => follow::logs(&engine, &lab, follow, run, json),
        Command::Status { lab, json } => block_on(labs::status(&engine, &lab, json)),
        Command::Plan { lab, hosts, json } => block_on(runs::plan(&engine, &lab, &hosts, json)),
        Command::Up { lab, hosts, yes, wait } => {
            let engine = match wait {
                Some(wait) => engine.with_ready_limit(wait),
                None => engine,
            };
            block_on(runs::up(&engine, &lab, &hosts, yes))
        }
        Command::Adopt { lab, hosts, yes } => block_on(runs::adopt(&engine, &lab, &hosts, yes)),
        Command::Resume { lab, yes } => block_on(runs::resume(&engine, &lab, yes)),
        Command::Stop { lab, force } => block_on(runs::stop(&engine, &lab, force)),
        Command::Start { lab } => block_on(runs::start(&engine, &lab)),
        Command::Keep { lab } => block_on(engine.ports().keep(&lab, |line| drop(print_line(line))))
            .map_err(|error| End::Failed(chain(&error), String::new())),
        Command::Destroy { lab, yes } => block_on(runs::destroy(&engine, &lab, yes)),
        Command::Completions { .. } | Command::Man { .. } | Command::Schema | Command::Restore { .. } => {
            unreachable!("handled before the engine was opened")
        }
    }
}

/// Runs async work to its end.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be started");
    let result = runtime.block_on(work);
    // A libvirt call that hangs must not hold the command back at its end.
    runtime.shutdown_background();
    result
}

/// Prints a value as JSON, readable.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), End> {
    print_line(&serde_json::to_string_pretty(value).expect("what we print serialises"))
}

/// Prints a line; a reader that went away ends us quietly.
pub fn print_line(line: &str) -> Result<(), End> {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}").map_err(|_| End::Status(0))
}

fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("`{text}` is no time: write a number and s, m or h, such as 90s or 10m")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no time: write 90s, 10m or 1h"))?;
    let seconds = number.checked_mul(seconds).ok_or_else(|| format!("`{text}` is too long"))?;
    Ok(std::time::Duration::from_secs(seconds))
}
