//! `vlm backup|restore|audit`

use std::path::{Path, absolute};

use serde_json::json;
use vlm_engine::{
    Dirs, Engine, chain,
    store::{
        Error,
        backups::{self, Copy, Restore},
    },
};

use crate::{End, block_on, print_json, print_line, runs};

impl From<Error> for End {
    fn from(error: Error) -> End {
        match &error {
            Error::Lock(_) | Error::TooNew { .. } | Error::Copy { .. } => End::Refused(chain(&error), String::new()),
            _ => End::Failed(chain(&error), String::new()),
        }
    }
}

fn line_of(copy: &Copy) -> String {
    let reason = copy.reason.map_or("", |reason| reason.as_str());
    let (path, kib) = (copy.path.display(), copy.bytes.div_ceil(1024));
    format!("{}  {reason:<9}  version {}  audit line {:<6} {kib:>8} KiB  {path}", copy.made, copy.version, copy.audit_line)
}

/// `vlm backup`
pub fn backup(engine: &Engine, to: Option<&Path>, json: bool) -> Result<(), End> {
    let copy = engine.backup(to)?;
    if json { print_json(&copy) } else { print_line(&format!("copied and verified: {}", copy.path.display())) }
}

/// `vlm backup --list`
pub fn list(dirs: &Dirs, json: bool) -> Result<(), End> {
    let copies = backups::list(&dirs.database())?;
    if json {
        return print_json(&copies);
    }
    if copies.is_empty() {
        return print_line("no copies yet; one is made with the first change of a day, and by `vlm backup`");
    }
    copies.iter().try_for_each(|copy| print_line(&line_of(copy)))
}

/// `vlm restore`
pub fn restore(dirs: &Dirs, file: &Path, yes: bool) -> Result<(), End> {
    let database = dirs.database();
    let last = file == Path::new("last");
    let restore = Restore::prepare(&database, (!last).then_some(file)).map_err(|error| match error {
        Error::Copy { source, .. } if last && source.kind() == std::io::ErrorKind::NotFound => {
            End::Refused("there is no good copy of the database".into(), "name a file: `vlm restore FILE`".into())
        }
        Error::Damaged { what } => {
            End::Refused(format!("{} is no good copy: {what}", file.display()), "`vlm backup --list` shows others".into())
        }
        error => error.into(),
    })?;
    print_line(&format!("{} is whole, of {}", restore.copy.path.display(), restore.copy.made))?;
    print_line(&format!("lost would be: {}", restore.loss))?;
    print_line("keys, Terraform states and images are not part of it and stay as they are")?;
    let question = format!("Put it in the place of {}?", absolute(&database).unwrap_or(database).display());
    block_on(async { runs::confirm(&question, yes, &runs::cancel_on_interrupt()).await })?;
    match restore.carry_out()? {
        Some(kept) => print_line(&format!("restored; the database of before is kept as {}", kept.display())),
        None => print_line("restored"),
    }
}

/// `vlm audit`
pub fn audit(engine: &Engine, lab: Option<&str>, limit: u32, json: bool) -> Result<(), End> {
    let rows = engine.audit(lab, "", limit)?;
    if json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        return print_line("nothing was changed yet");
    }
    rows.iter().try_for_each(|row| {
        let line = format!("{:>6}  {}  {:<12} {:<14} {:<24} {}", row.line, row.at, row.who, row.action, row.object, row.detail);
        print_line(line.trim_end())
    })
}

/// `vlm audit --verify`
pub fn verify(dirs: &Dirs, json: bool) -> Result<(), End> {
    let check = backups::check_audit(&dirs.database())?;
    if json {
        print_json(&json!({
            "lines": check.lines,
            "first_misfit": check.misfit.as_ref().map(|misfit| misfit.id),
            "what": check.misfit.as_ref().map(ToString::to_string),
        }))?;
    }
    match check.misfit {
        Some(_) if json => Err(End::Status(1)),
        Some(misfit) => Err(End::Failed(misfit.to_string(), String::new())),
        None if json => Ok(()),
        None => print_line(&format!("{} lines, each follows from the one before it", check.lines)),
    }
}
