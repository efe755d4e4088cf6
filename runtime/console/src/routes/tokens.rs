//! `/api/tokens`: management tokens that are bound to accounts.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tollgate_governance::TokenDraft;

use super::Name;
use crate::answer::reply;
use crate::auth::Managing;
use crate::body::{Body, Query};

/// Which tokens to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    account: Option<String>,
}

pub(super) async fn create(managing: Managing, Body(new): Body<TokenDraft>) -> Response {
    reply(StatusCode::CREATED, move || {
        managing.accounts().create_token(&new)
    })
    .await
}

pub(super) async fn list(managing: Managing, Query(filter): Query<Filter>) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().tokens(filter.account.as_deref())
    })
    .await
}

pub(super) async fn show(managing: Managing, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || managing.accounts().token(&id)).await
}

pub(super) async fn revoke(managing: Managing, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().revoke_token(&id)
    })
    .await
}
