//! The columns of a usage row as CSV.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tollgate_governance::UsageRow;

use crate::control::usage::hex;

/// Named as the API names the members. Money is in micro-units, times are RFC 3339.
pub(super) const COLUMNS: [&str; 41] = [
    "request_id",
    "admitted",
    "ended",
    "account",
    "account_id",
    "tags",
    "key",
    "key_label",
    "operation",
    "dialect",
    "dialect_out",
    "requested_model",
    "mapped_model",
    "upstream_model",
    "provider",
    "upstream",
    "credential",
    "stream",
    "status",
    "error",
    "limited_by",
    "counted",
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "estimated",
    "base_cost",
    "factor",
    "price_version",
    "charged",
    "currency",
    "hold",
    "recovered",
    "ttfb_ms",
    "total_ms",
    "retries",
    "session",
    "policies",
];

/// The cells of a row, in the order of [`COLUMNS`].
pub(super) fn cells(row: &UsageRow<'_>, currency: &str) -> [String; COLUMNS.len()] {
    let tokens = &row.tokens;
    let policies = row
        .policies
        .iter()
        .map(|act| format!("{}@{}", act.component, hex(&act.digest)));
    [
        row.request.to_string(),
        moment(row.admitted_ms),
        moment(row.ended_ms),
        row.names.to_string(),
        row.account().map(|id| id.to_string()).unwrap_or_default(),
        tags(row),
        row.key.to_string(),
        row.key_label.to_string(),
        row.operation.to_string(),
        row.dialect.to_string(),
        row.dialect_out.to_string(),
        row.requested_model.to_string(),
        row.mapped_model.to_string(),
        row.upstream_model.to_string(),
        row.provider.to_string(),
        row.upstream.to_string(),
        row.credential.to_string(),
        row.stream.to_string(),
        row.status.to_string(),
        row.error.to_string(),
        row.limited_by.to_string(),
        row.counted.to_string(),
        tokens.input.to_string(),
        tokens.cache_read.to_string(),
        tokens.cache_write_5m.to_string(),
        tokens.cache_write_1h.to_string(),
        tokens.output.to_string(),
        tokens.reasoning.to_string(),
        row.estimated.to_string(),
        row.base_cost.to_string(),
        row.factor.millionths().to_string(),
        row.price_version.to_string(),
        row.charged.to_string(),
        currency.to_owned(),
        row.hold.to_string(),
        row.recovered.to_string(),
        row.ttfb_ms.map(|ms| ms.to_string()).unwrap_or_default(),
        row.total_ms.to_string(),
        row.retries.to_string(),
        row.session.to_string(),
        policies.collect::<Vec<_>>().join(" "),
    ]
}

/// Tags as a JSON object; nothing where there are none.
pub(super) fn tags(row: &UsageRow<'_>) -> String {
    if row.tags.is_empty() {
        return String::new();
    }
    let tags: BTreeMap<&str, &str> = row.tags.iter().map(|(k, v)| (&**k, &**v)).collect();
    // A map of strings always serialises.
    serde_json::to_string(&tags).unwrap_or_default()
}

/// RFC 3339 to the millisecond, UTC; nothing for a moment that no calendar knows.
pub(super) fn moment(ms: u64) -> String {
    let stamp = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    stamp
        .map(|stamp| stamp.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}
