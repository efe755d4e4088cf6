//! `tollgate audit`: the log of management, read, verified and signed.

mod list;
mod verify;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use crate::api::Api;
use crate::args::{Audit, Place};
use crate::{configuration, fresh, report};

/// Runs one of its commands.
///
/// # Errors
/// No gateway answers, or a file cannot be read or written.
pub(crate) fn run(place: &Place, command: &Audit) -> anyhow::Result<ExitCode> {
    let config = configuration::load(place)?;
    let api = Api::find(&config, place.management.as_deref())?;
    match command {
        Audit::List { after, limit } => list::run(&api, place.json, *after, *limit),
        Audit::Verify { checkpoint } => verify::run(&api, place.json, checkpoint.as_deref()),
        Audit::Checkpoint { output } => {
            let made = api.send("POST", "/api/audit/checkpoint", None)?;
            match output {
                // It is a file for programs either way.
                None => report::json(&made)?,
                Some(file) => {
                    keep(&made, file)
                        .with_context(|| format!("the checkpoint in {}", file.display()))?;
                    match place.json {
                        true => report::json(&made)?,
                        false => report::print(&format!(
                            "Checkpoint of the audit log up to entry {}, written to {}.\n",
                            report::text(&made, "sequence"),
                            file.display()
                        ))?,
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Writes a checkpoint to a new file: an older one is not replaced, it may be the one that is missed later.
fn keep(checkpoint: &Value, file: &Path) -> anyhow::Result<()> {
    let mut out = fresh::create(file, 0o644)?;
    writeln!(out, "{checkpoint:#}")?;
    Ok(out.sync_all()?)
}

/// Asks for a page.
fn page(api: &Api, after: u64, limit: u64) -> anyhow::Result<Value> {
    api.get(&format!("/api/audit?after={after}&limit={limit}"))
}

/// The first page after `after` and those that follow, until `visit` has enough.
fn pages(
    api: &Api,
    mut after: u64,
    size: u64,
    visit: &mut dyn FnMut(&Value) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    loop {
        let page = page(api, after, size)?;
        let goes_on = visit(&page)?;
        match page["next"].as_u64() {
            // It always goes up: no answer makes this walk go round.
            Some(next) if goes_on && next > after => after = next,
            _ => return Ok(()),
        }
    }
}

/// What is stored under the numbers of a page, entries and what cannot be read.
fn items(page: &Value) -> impl Iterator<Item = &Value> {
    page["entries"].as_array().into_iter().flatten()
}
