//! `tollgate usage`: rows, reports, and exports.

mod export;
mod lines;
mod rows;

use std::process::ExitCode;

use clap::ValueEnum as _;

use crate::api::{Api, segment};
use crate::args::{Filter, Lines, Place, Rows, Usage, UsageCommand};
use crate::{configuration, report};

/// Prints what was used.
///
/// # Errors
/// No gateway answers, or it refuses the filter.
pub(crate) fn run(place: &Place, usage: &Usage) -> anyhow::Result<ExitCode> {
    let config = configuration::load(place)?;
    let api = Api::find(&config, place.management.as_deref())?;
    let (answer, text) = match &usage.command {
        None => rows_of(&api, &usage.rows)?,
        Some(UsageCommand::Rows(rows)) => rows_of(&api, rows)?,
        Some(UsageCommand::Report(lines)) => report_of(&api, lines)?,
        Some(UsageCommand::Export(wanted)) => {
            export::run(api, wanted)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    if place.json {
        report::json(&answer)?;
    } else {
        report::print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rows_of(api: &Api, rows: &Rows) -> anyhow::Result<(serde_json::Value, String)> {
    let limit = rows.limit.to_string();
    let answer = api.get(&query("/api/usage", &rows.filter, &[("limit", &limit)]))?;
    let text = rows::show(&answer);
    Ok((answer, text))
}

fn report_of(api: &Api, lines: &Lines) -> anyhow::Result<(serde_json::Value, String)> {
    let by = lines.by.join(",");
    let span = lines.span.and_then(|span| span.to_possible_value());
    let span = span.as_ref().map_or("", |span| span.get_name());
    let more = [("by", by.as_str()), ("span", span)];
    let answer = api.get(&query("/api/usage/report", &lines.filter, &more))?;
    let text = lines::show(&answer, &lines.by, lines.span.is_some());
    Ok((answer, text))
}

/// A path with those parameters that were given.
fn query(path: &str, filter: &Filter, more: &[(&str, &str)]) -> String {
    let given = [
        ("account", &filter.account),
        ("since", &filter.since.map(|moment| moment.to_string())),
        ("until", &filter.until.map(|moment| moment.to_string())),
        ("model", &filter.model),
        ("provider", &filter.provider),
        ("key", &filter.key),
        ("tag", &filter.tag),
    ];
    let given = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let more = more.iter().copied().filter(|(_, value)| !value.is_empty());
    let mut out = path.to_owned();
    for (name, value) in given.chain(more) {
        out.push(if out.contains('?') { '&' } else { '?' });
        out.push_str(&format!("{name}={}", segment(value)));
    }
    out
}
