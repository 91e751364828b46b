//! `vlm tools`

use serde_json::json;
use vlm_engine::{
    Engine, chain,
    tools::{Error, Pinned, Tool, short},
};

use crate::{End, block_on, print_json, print_line};

/// Shows the programs that labs need, or what a lab was made with; `accept`s the provider that is there now for it.
pub fn run(engine: &Engine, lab: Option<&str>, accept: bool, json: bool) -> Result<(), End> {
    match lab {
        None => all(&block_on(engine.tools().list()), json),
        Some(lab) => {
            engine.labs().get(lab)?;
            if accept {
                engine.tools().accept(lab)?;
                return print_line(&format!(
                    "the libvirt provider that is there now is accepted for `{lab}`; the next deploy notes it"
                ));
            }
            of_lab(engine, lab, json)
        }
    }
}

fn all(tools: &[Tool], json: bool) -> Result<(), End> {
    if json {
        return print_json(&tools);
    }
    for tool in tools {
        let path = tool.path.as_ref().map(|path| path.display().to_string());
        let place = [path, tool.source.map(|source| format!("({})", source.as_str()))]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        line(&tool.name, tool.version.as_deref(), tool.digest.as_deref(), &place)?;
        for text in tool.problem.iter().chain(&tool.remedy) {
            print_line(&format!("  {text}"))?;
        }
    }
    Ok(())
}

fn of_lab(engine: &Engine, lab: &str, json: bool) -> Result<(), End> {
    let pins = engine.tools().of_lab(lab);
    let named = pins
        .into_iter()
        .flat_map(|pin| [Some(("terraform", pin.program)), pin.provider.map(|pinned| ("libvirt provider", pinned))]);
    let named: Vec<(&str, Pinned)> = named.flatten().collect();
    if json {
        let object = |(name, pinned): &(&str, Pinned)| json!({ "name": name, "path": pinned.path, "version": pinned.version, "digest": pinned.digest });
        return print_json(&named.iter().map(object).collect::<Vec<_>>());
    }
    if named.is_empty() {
        return print_line(&format!("`{lab}` was not deployed yet, or by an earlier vlm: nothing is noted"));
    }
    for (name, pinned) in named {
        line(name, Some(&pinned.version), Some(&pinned.digest), &pinned.path.display().to_string())?;
    }
    Ok(())
}

fn line(name: &str, version: Option<&str>, digest: Option<&str>, place: &str) -> Result<(), End> {
    let text = format!("{name:<18} {:<10} {:<12}  {place}", version.unwrap_or("-"), digest.map_or("-", short));
    print_line(text.trim_end())
}

impl From<Error> for End {
    fn from(error: Error) -> End {
        match &error {
            Error::Io { .. } => End::Failed(chain(&error), String::new()),
            _ => End::Refused(chain(&error), error.remedy()),
        }
    }
}
