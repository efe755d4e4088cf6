//! `/api/keys`: inference keys.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tollgate_governance::KeyDraft;

use super::{App, Name};
use crate::answer::reply;
use crate::body::{Body, Query};

/// Which keys to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    account: Option<String>,
}

pub(super) async fn create(State(control): App, Body(new): Body<KeyDraft>) -> Response {
    reply(StatusCode::CREATED, move || control.create_key(&new)).await
}

pub(super) async fn list(State(control): App, Query(filter): Query<Filter>) -> Response {
    reply(StatusCode::OK, move || {
        control.keys(filter.account.as_deref())
    })
    .await
}

pub(super) async fn revoke(State(control): App, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || control.revoke_key(&id)).await
}
