//! `/api/usage`: what was used, by whom, at what cost.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tollgate_gateway::control::{Filter, ReportQuery, UsageQuery};

use crate::answer::{Refusal, reply};
use crate::auth::Managing;
use crate::body::Query;
use crate::time::moment;

/// Rows answered when the caller does not say how many.
const DEFAULT_LIMIT: usize = 100;
/// Rows answered at most; totals always count all.
const MAX_LIMIT: usize = 10_000;

/// The query for rows. It repeats the members of a filter, as those of a report and of an export do: serde cannot both take
/// a part in and refuse unknown members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    account: Option<String>,
    since: Option<String>,
    until: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    key: Option<String>,
    tag: Option<String>,
    limit: Option<String>,
}

/// The query for a report.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lines {
    account: Option<String>,
    since: Option<String>,
    until: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    key: Option<String>,
    tag: Option<String>,
    span: Option<String>,
    by: Option<String>,
}

/// Reads the times of a filter.
pub(super) fn within(
    filter: Filter,
    since: Option<String>,
    until: Option<String>,
) -> Result<Filter, Refusal> {
    let since_ms = since.map(|text| moment("since", &text)).transpose()?;
    let until_ms = until.map(|text| moment("until", &text)).transpose()?;
    if since_ms
        .zip(until_ms)
        .is_some_and(|(since, until)| until < since)
    {
        return Err(Refusal::field("until", "is before `since`"));
    }
    Ok(Filter {
        since_ms,
        until_ms,
        ..filter
    })
}

impl Rows {
    fn read(self) -> Result<UsageQuery, Refusal> {
        let limit = match self.limit {
            None => DEFAULT_LIMIT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| *limit <= MAX_LIMIT)
                .ok_or_else(|| {
                    Refusal::field("limit", format!("must be a number from 0 to {MAX_LIMIT}"))
                })?,
        };
        let filter = Filter {
            account: self.account,
            model: self.model,
            provider: self.provider,
            key: self.key,
            tag: self.tag,
            ..Filter::default()
        };
        Ok(UsageQuery {
            filter: within(filter, self.since, self.until)?,
            limit,
        })
    }
}

impl Lines {
    fn read(self) -> Result<ReportQuery, Refusal> {
        let filter = Filter {
            account: self.account,
            model: self.model,
            provider: self.provider,
            key: self.key,
            tag: self.tag,
            ..Filter::default()
        };
        let by = self.by.unwrap_or_default();
        let names = by.split(',').filter(|name| !name.is_empty());
        Ok(ReportQuery {
            filter: within(filter, self.since, self.until)?,
            span: self.span,
            by: names.map(str::to_owned).collect(),
        })
    }
}

pub(super) async fn list(managing: Managing, Query(rows): Query<Rows>) -> Response {
    match rows.read() {
        Ok(query) => {
            reply(StatusCode::OK, move || {
                managing.accounts().usage_page(&query)
            })
            .await
        }
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) async fn report(managing: Managing, Query(lines): Query<Lines>) -> Response {
    match lines.read() {
        Ok(query) => {
            reply(StatusCode::OK, move || {
                managing.accounts().usage_report(&query)
            })
            .await
        }
        Err(refusal) => refusal.into_response(),
    }
}
