//! The query for a list that may be long: all of it, or page by page.

use std::num::NonZeroUsize;

use serde::Deserialize;
use tollgate_gateway::control::Listing;
use uuid::Uuid;

/// Which part of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    account: Option<String>,
    after: Option<Uuid>,
    limit: Option<NonZeroUsize>,
}

impl From<Part> for Listing {
    fn from(part: Part) -> Self {
        Self {
            account: part.account,
            after: part.after,
            limit: part.limit.map(NonZeroUsize::get),
        }
    }
}
