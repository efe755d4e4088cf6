//! `/api/usage`: what was used, by whom, at what cost.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tollgate_gateway::control::UsageFilter;

use super::App;
use crate::answer::{Refusal, work};
use crate::body::Query;
use crate::time::moment;

/// Rows answered when the caller does not say how many.
const DEFAULT_LIMIT: usize = 100;
/// Rows answered at most; totals always count all.
const MAX_LIMIT: usize = 10_000;

/// The query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    account: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<String>,
}

impl Filter {
    fn read(self) -> Result<UsageFilter, Refusal> {
        let since_ms = self.since.map(|text| moment("since", &text)).transpose()?;
        let until_ms = self.until.map(|text| moment("until", &text)).transpose()?;
        if since_ms
            .zip(until_ms)
            .is_some_and(|(since, until)| until < since)
        {
            return Err(Refusal::field("until", "is before `since`"));
        }
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
        Ok(UsageFilter {
            account: self.account,
            since_ms,
            until_ms,
            limit,
        })
    }
}

pub(super) async fn list(State(control): App, Query(filter): Query<Filter>) -> Response {
    let filter = match filter.read() {
        Ok(filter) => filter,
        Err(refusal) => return refusal.into_response(),
    };
    match work(move || control.usage_page(&filter)).await {
        Ok(page) => Json(page).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
