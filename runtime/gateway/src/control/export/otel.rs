//! Usage under the names of OpenTelemetry's semantic conventions for generative AI: a request in a line, its attributes as
//! members. What the conventions have no name for begins with `tollgate.`. No prompt and no answer is among it.

use serde_json::{Map, Value, json};
use tollgate_dialect::Operation;
use tollgate_governance::UsageRow;

use super::rows::moment;
use crate::semantic::operation_name;

/// The attributes of a request. What is not known of it is left out.
pub(super) fn attributes(row: &UsageRow<'_>, currency: &str) -> Map<String, Value> {
    let tokens = &row.tokens;
    let operation = match Operation::from_name(&row.operation) {
        Some(operation) => operation_name(operation).to_owned(),
        // A request about a kept answer. The conventions have no name for it, and write theirs so.
        None => row.operation.replace('-', "_"),
    };
    // The vendor answered: before that nobody had generated anything.
    let answered = row.ttfb_ms.is_some();
    let cache_writes = tokens.cache_write_5m.saturating_add(tokens.cache_write_1h);
    let texts = [
        ("gen_ai.operation.name", &*operation),
        ("gen_ai.provider.name", &*row.provider),
        ("gen_ai.request.model", &*row.requested_model),
        ("gen_ai.conversation.id", &*row.session),
        ("error.type", error_type(row)),
        ("tollgate.account.path", &*row.names),
        ("tollgate.key.label", &*row.key_label),
        ("tollgate.operation", &*row.operation),
        ("tollgate.dialect", &*row.dialect),
        ("tollgate.upstream.dialect", &*row.dialect_out),
        ("tollgate.upstream.name", &*row.upstream),
        ("tollgate.mapped_model", &*row.mapped_model),
        ("tollgate.limited_by", &*row.limited_by),
        ("tollgate.price.version", &*row.price_version),
        ("tollgate.currency", currency),
    ];
    let texts = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let mut told: Map<String, Value> = texts
        .map(|(name, text)| (name.to_owned(), json!(text)))
        .collect();
    if answered && !row.upstream_model.is_empty() {
        tell(&mut told, "gen_ai.response.model", &row.upstream_model);
    }
    if let Some(ms) = row.ttfb_ms.filter(|_| row.stream) {
        tell(
            &mut told,
            "gen_ai.response.time_to_first_chunk",
            seconds(ms),
        );
    }
    if let Some(account) = row.account() {
        tell(&mut told, "tollgate.account.id", account);
    }
    tell(&mut told, "gen_ai.request.stream", row.stream);
    // The conventions count what comes from and goes to a cache as input, and reasoning as output.
    tell(&mut told, "gen_ai.usage.input_tokens", tokens.total_input());
    tell(&mut told, "gen_ai.usage.output_tokens", tokens.output);
    for (name, count) in [
        ("gen_ai.usage.cache_read.input_tokens", tokens.cache_read),
        ("gen_ai.usage.cache_creation.input_tokens", cache_writes),
        ("gen_ai.usage.reasoning.output_tokens", tokens.reasoning),
    ] {
        if count > 0 {
            tell(&mut told, name, count);
        }
    }
    tell(&mut told, "http.response.status_code", row.status);
    tell(&mut told, "tollgate.request.id", row.request.to_string());
    tell(&mut told, "tollgate.key.id", row.key);
    tell(&mut told, "tollgate.start_time", moment(row.admitted_ms));
    tell(&mut told, "tollgate.end_time", moment(row.ended_ms));
    tell(&mut told, "tollgate.duration", seconds(row.total_ms));
    tell(&mut told, "tollgate.retries", row.retries);
    tell(&mut told, "tollgate.usage.estimated", row.estimated);
    tell(&mut told, "tollgate.recovered", row.recovered);
    tell(&mut told, "tollgate.base_cost", row.base_cost);
    tell(&mut told, "tollgate.charged", row.charged);
    for (name, value) in &row.tags {
        tell(&mut told, &format!("tollgate.tag.{name}"), value);
    }
    told
}

fn tell(told: &mut Map<String, Value>, name: &str, value: impl serde::Serialize) {
    // Strings, numbers and flags always serialise.
    told.insert(
        name.to_owned(),
        serde_json::to_value(value).unwrap_or_default(),
    );
}

/// The class of failure, from a closed set; empty if none.
fn error_type<'a>(row: &'a UsageRow<'_>) -> &'a str {
    match &*row.error {
        "" if row.status >= 400 => "_OTHER",
        error => error,
    }
}

/// Exact: the milliseconds of a request are far below 2^53.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
