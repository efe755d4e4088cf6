//! `/api/keys`: inference keys.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tollgate_governance::KeyDraft;

use super::Name;
use super::listing::Part;
use crate::answer::reply;
use crate::auth::Managing;
use crate::body::{Body, Query};

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

pub(super) async fn create(managing: Managing, Body(new): Body<KeyDraft>) -> Response {
    reply(StatusCode::CREATED, move || {
        managing.accounts().create_key(&new)
    })
    .await
}

pub(super) async fn list(managing: Managing, Query(part): Query<Part>) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().keys(&part.into())
    })
    .await
}

pub(super) async fn show(managing: Managing, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || managing.accounts().key(&id)).await
}

pub(super) async fn rotate(
    managing: Managing,
    Name(id): Name,
    Body(rotation): Body<Rotation>,
) -> Response {
    reply(StatusCode::CREATED, move || {
        managing.accounts().rotate_key(&id, rotation.grace_ms)
    })
    .await
}

pub(super) async fn revoke(
    managing: Managing,
    Name(id): Name,
    Query(revocation): Query<Revocation>,
) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().revoke_key(&id, revocation.kill)
    })
    .await
}
