//! `vlm`: Virtual Lab Manager in a terminal. It says what the engine does; it decides nothing about labs.
//!
//! Exit status: 0 done, 1 failed, 2 refused before anything was touched, 130 cancelled.

mod follow;
mod hosts;
mod images;
mod labs;
mod runs;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use vlm_engine::{Dirs, Engine, chain};

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
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Deploy a lab: make the host have what the lab says
    #[command(
        after_help = "Examples:\n  vlm up lab.yaml\n  vlm up hello --yes        without asking\n  vlm up hello --wait 30m   for slow hosts"
    )]
    Up {
        /// A lab file, or the name of a lab
        lab: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// How long each machine may take to be ready, such as 90s, 10m or 1h
        #[arg(long, value_parser = parse_duration)]
        wait: Option<std::time::Duration>,
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
    /// Computers that run libvirt
    #[command(subcommand)]
    Host(hosts::Command),
    /// Base images
    #[command(subcommand)]
    Image(images::Command),
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
        let (message, hint) = vlm_engine::deploy::explain(&error, "");
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
        Command::Schema => return print_json(&vlm_lab::file::schema()),
        _ => {}
    }
    let engine = Engine::open(Dirs::of_user()).map_err(|error| End::Refused(chain(&error), String::new()))?;
    match command {
        // What only reads the database starts no runtime: it is done before that would be.
        Command::Check { file, json } => labs::check(&engine, &file, json),
        Command::List { json } => labs::list(&engine, json),
        Command::Forget { lab } => Ok(engine.labs().remove(&lab)?),
        Command::Export { lab, dir } => labs::export(&engine, &lab, &dir),
        Command::Ssh { machine, command } => labs::ssh(&engine, &machine, &command),
        Command::Host(command) => hosts::run(&engine, command),
        Command::Image(command) => images::run(&engine, command),
        Command::Logs { lab, serial: Some(machine), .. } => labs::serial(&engine, &lab, &machine),
        Command::Logs { lab, follow, run, json, .. } => follow::logs(&engine, &lab, follow, run, json),
        Command::Status { lab, json } => block_on(labs::status(&engine, &lab, json)),
        Command::Plan { lab, json } => block_on(runs::plan(&engine, &lab, json)),
        Command::Up { lab, yes, wait } => {
            let engine = match wait {
                Some(wait) => engine.with_ready_limit(wait),
                None => engine,
            };
            block_on(runs::up(&engine, &lab, yes))
        }
        Command::Stop { lab, force } => block_on(runs::stop(&engine, &lab, force)),
        Command::Start { lab } => block_on(runs::start(&engine, &lab)),
        Command::Keep { lab } => block_on(engine.ports().keep(&lab, |line| drop(print_line(line))))
            .map_err(|error| End::Failed(chain(&error), String::new())),
        Command::Destroy { lab, yes } => block_on(runs::destroy(&engine, &lab, yes)),
        Command::Completions { .. } | Command::Schema => unreachable!("handled before the engine was opened"),
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
