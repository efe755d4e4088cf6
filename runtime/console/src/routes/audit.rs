//! `/api/audit`: what management did.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::answer::{Refusal, reply};
use crate::auth::{Managing, Operator};
use crate::body::Query;

/// Entries answered when the caller does not say how many.
const DEFAULT_LIMIT: usize = 100;
/// Entries answered at most.
const MAX_LIMIT: usize = 1_000;

/// The query for a page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<String>,
}

impl Page {
    fn read(self) -> Result<(u64, usize), Refusal> {
        let after = match self.after {
            None => 0,
            Some(text) => text
                .parse()
                .map_err(|_| Refusal::field("after", "must be the number of an entry, or 0"))?,
        };
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
        Ok((after, limit))
    }
}

pub(super) async fn list(managing: Managing, Query(page): Query<Page>) -> Response {
    match page.read() {
        Ok((after, limit)) => {
            reply(StatusCode::OK, move || {
                managing.accounts().audit_page(after, limit)
            })
            .await
        }
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) async fn checkpoint(Operator(control): Operator) -> Response {
    reply(StatusCode::CREATED, move || control.audit_checkpoint()).await
}
