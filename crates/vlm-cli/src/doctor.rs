//! `vlm doctor`

use std::io::IsTerminal;

use clap::Args;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine, chain,
    doctor::{Error, Finding, Fix, Report, Severity},
};

use crate::{End, print_json, print_line, runs};

/// What `vlm doctor --help` ends with.
pub const EXAMPLES: &str = "\
Examples:
  vlm doctor                      this computer and all hosts
  vlm doctor lab1                 one host
  sudo vlm doctor local --deep    also try whether a network passes packets
  vlm doctor local --fix          ask for each remedy that can be undone, and do it

docs/doctor.md has every check. Exit status 1 when there is a problem.";

/// What can be said after `vlm doctor`.
#[derive(Args)]
pub struct Arguments {
    /// The host, `local` for this computer; all of them unless said otherwise
    host: Option<String>,
    /// Do what helps, as far as it can be undone, each after a question
    #[arg(long)]
    fix: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Try a network of libvirt's for some seconds (this computer, root)
    #[arg(long)]
    deep: bool,
    /// Remove what is left of a lab that is gone: the domain, network or volume of this name. It cannot be undone
    #[arg(long, value_name = "NAME", requires = "host", conflicts_with_all = ["fix", "deep", "json"])]
    remove_orphan: Option<String>,
    /// Print JSON
    #[arg(long, conflicts_with = "fix")]
    json: bool,
}

/// Looks, and mends what it may.
pub async fn run(engine: &Engine, arguments: Arguments) -> Result<(), End> {
    if let (Some(name), Some(host)) = (&arguments.remove_orphan, &arguments.host) {
        return remove_orphan(engine, host, name, arguments.yes).await;
    }
    if arguments.fix && !arguments.yes && !std::io::stdin().is_terminal() {
        return Err(End::Refused("nobody is here to ask".into(), "say --yes to go on without asking".into()));
    }
    let hosts = match &arguments.host {
        Some(host) => vec![host.clone()],
        None => engine.hosts().list().map_err(Error::from)?.into_iter().map(|host| host.name).collect(),
    };
    // What is begun is brought to its end, and a trial takes its things away: Ctrl+C ends us after that.
    let cancel = if arguments.deep || arguments.fix { runs::cancel_on_interrupt() } else { CancellationToken::new() };
    let mut reports = look(engine, hosts, arguments.deep).await?;
    if arguments.json {
        print_json(&reports)?;
    } else {
        for report in &reports {
            show(report)?;
        }
    }
    if arguments.fix {
        for report in &mut reports {
            let tried = mend(engine, report, arguments.yes, &cancel).await?;
            if tried.is_empty() || cancel.is_cancelled() {
                continue;
            }
            let again = engine.doctor().look(&report.host, arguments.deep).await?;
            print_line(&format!("{}: looked again", title(&again)))?;
            for tried in tried {
                let stays = again.findings.iter().any(|now| now.check == tried.check && now.message == tried.message);
                let word = if stays { "still so:" } else { "mended:  " };
                print_line(&format!("  {word} {}: {}", tried.check, tried.message))?;
            }
            *report = again;
        }
    }
    if cancel.is_cancelled() {
        return Err(End::Cancelled);
    }
    let worst = reports.iter().map(Report::worst).max().unwrap_or(Severity::Ok);
    if worst == Severity::Problem { Err(End::Status(1)) } else { Ok(()) }
}

/// Looks at all hosts at once: one that does not answer holds no other up. In the order of `hosts`.
async fn look(engine: &Engine, hosts: Vec<String>, deep: bool) -> Result<Vec<Report>, End> {
    let mut looks = JoinSet::new();
    for (index, host) in hosts.into_iter().enumerate() {
        let engine = engine.clone();
        looks.spawn(async move { (index, engine.doctor().look(&host, deep).await) });
    }
    let mut reports = Vec::new();
    for (index, report) in looks.join_all().await {
        reports.push((index, report?));
    }
    reports.sort_by_key(|(index, _)| *index);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

fn title(report: &Report) -> String {
    report.address.as_ref().map_or_else(|| report.host.clone(), |address| format!("{} ({address})", report.host))
}

fn show(report: &Report) -> Result<(), End> {
    let os = report.os.as_ref().map_or(String::new(), |os| format!(": {os}"));
    print_line(&format!("{}{os}", title(report)))?;
    for finding in &report.findings {
        let word = match finding.severity {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Problem => "PROBLEM",
        };
        print_line(&format!("  {word:<7} {:<16} {}", finding.check, finding.message))?;
        if finding.severity == Severity::Ok {
            continue;
        }
        for line in finding.evidence.lines() {
            print_line(&format!("          {:<16} | {line}", ""))?;
        }
        show_fix(finding.fix.as_ref())?;
    }
    Ok(())
}

fn show_fix(fix: Option<&Fix>) -> Result<(), End> {
    let Some(fix) = fix else { return Ok(()) };
    for (index, command) in fix.commands.iter().enumerate() {
        let how = match (index, fix.can_be_done) {
            (0, true) => "--fix does:",
            (0, false) => "by hand:",
            _ => "",
        };
        print_line(&format!("          {how:<16} {}{command}", if fix.root { "# " } else { "$ " }))?;
    }
    Ok(())
}

fn can_be_mended(finding: &Finding) -> bool {
    finding.severity > Severity::Ok && finding.fix.as_ref().is_some_and(|fix| fix.can_be_done)
}

/// Mends what a person says yes to, one after the other. Returns what something was done about.
async fn mend(engine: &Engine, report: &Report, yes: bool, cancel: &CancellationToken) -> Result<Vec<Finding>, End> {
    let mut tried = Vec::new();
    for finding in report.findings.iter().filter(|finding| can_be_mended(finding)) {
        let Some(fix) = &finding.fix else { continue };
        if cancel.is_cancelled() {
            break;
        }
        print_line(&format!("{}, {}: {}", title(report), finding.check, finding.message))?;
        for command in &fix.commands {
            print_line(&format!("    {command}"))?;
        }
        if !yes && runs::ask("Run this?", cancel).await.is_err() {
            print_line("  left as it is")?;
            continue;
        }
        match engine.doctor().fix(&report.host, finding).await {
            Ok(()) => print_line("  done. To undo it:")?,
            Err(Error::Command { done: 0, command, reason }) => {
                eprintln!("vlm: could not run `{command}`: {reason}");
                continue;
            }
            // What was done before the command that failed stays, with the way back.
            Err(error @ Error::Command { .. }) => {
                eprintln!("vlm: {}", chain(&error));
                print_line("  done in part. To undo it:")?;
            }
            Err(error) => {
                eprintln!("vlm: {}", chain(&error));
                continue;
            }
        }
        for command in &fix.undo {
            print_line(&format!("    {command}"))?;
        }
        tried.push(finding.clone());
    }
    Ok(tried)
}

/// Removes what is called `name`, each thing after a question.
async fn remove_orphan(engine: &Engine, host: &str, name: &str, yes: bool) -> Result<(), End> {
    let asks = std::io::stdin().is_terminal();
    for (orphan, is_running) in engine.doctor().orphans(host, name).await? {
        print_line(&format!("{} {}: {}", orphan.thing, orphan.why, orphan.evidence))?;
        if is_running && !asks {
            return Err(Error::Runs(orphan.thing).into());
        }
        if !yes && !asks {
            return Err(End::Refused("nobody is here to ask".into(), "say --yes to go on without asking".into()));
        }
        if is_running || !yes {
            let end = if is_running { ", though a guest runs in it" } else { "" };
            // Nothing is under way that Ctrl+C would have to wait for: it ends us.
            let question = format!("Remove {} on `{host}` for good{end}?", orphan.thing);
            runs::ask(&question, &CancellationToken::new()).await?;
        }
        engine.doctor().remove_orphan(host, &orphan.thing, is_running).await?;
        print_line(&format!("removed {}", orphan.thing))?;
    }
    Ok(())
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        match error {
            Error::Host(error) => error.into(),
            Error::NoOrphan { .. } | Error::Runs(_) | Error::ByHand | Error::Lock(_) => {
                End::Refused(chain(&error), String::new())
            }
            Error::Store(_) | Error::Libvirt(_) | Error::Command { .. } => End::Failed(chain(&error), String::new()),
        }
    }
}
