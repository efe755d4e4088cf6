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

/// How to replace a key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    #[serde(default)]
    grace_ms: Option<u64>,
}

/// How to revoke a key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    #[serde(default)]
    kill: bool,
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

pub(super) async fn show(State(control): App, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || control.key(&id)).await
}

pub(super) async fn rotate(
    State(control): App,
    Name(id): Name,
    Body(rotation): Body<Rotation>,
) -> Response {
    reply(StatusCode::CREATED, move || {
        control.rotate_key(&id, rotation.grace_ms)
    })
    .await
}

pub(super) async fn revoke(
    State(control): App,
    Name(id): Name,
    Query(revocation): Query<Revocation>,
) -> Response {
    reply(StatusCode::OK, move || {
        control.revoke_key(&id, revocation.kill)
    })
    .await
}
