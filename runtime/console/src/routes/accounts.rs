//! `/api/accounts`: the tree.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tollgate_governance::{AccountPatch, DeleteMode};

use super::Name;
use super::listing::Part;
use crate::answer::reply;
use crate::auth::Managing;
use crate::body::{Body, Query};

/// How to delete.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deletion {
    #[serde(default)]
    mode: DeleteMode,
}

pub(super) async fn create(managing: Managing, Body(new): Body<AccountPatch>) -> Response {
    reply(StatusCode::CREATED, move || {
        managing.accounts().create_account(&new)
    })
    .await
}

pub(super) async fn list(managing: Managing, Query(part): Query<Part>) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().accounts(&part.into())
    })
    .await
}

pub(super) async fn archived(managing: Managing) -> Response {
    reply(StatusCode::OK, move || {
        Ok(managing.accounts().archived_accounts())
    })
    .await
}

pub(super) async fn show(managing: Managing, Name(account): Name) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().account(&account)
    })
    .await
}

pub(super) async fn update(
    managing: Managing,
    Name(account): Name,
    Body(patch): Body<AccountPatch>,
) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().update_account(&account, &patch)
    })
    .await
}

pub(super) async fn delete(
    managing: Managing,
    Name(account): Name,
    Query(deletion): Query<Deletion>,
) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().delete_account(&account, deletion.mode)
    })
    .await
}
