//! `/api/accounts`: the tree.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tollgate_governance::{AccountPatch, DeleteMode};

use super::{App, Name};
use crate::answer::reply;
use crate::body::{Body, Query};

/// Which accounts to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Top {
    account: Option<String>,
}

/// How to delete.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deletion {
    #[serde(default)]
    mode: DeleteMode,
}

pub(super) async fn create(State(control): App, Body(new): Body<AccountPatch>) -> Response {
    reply(StatusCode::CREATED, move || control.create_account(&new)).await
}

pub(super) async fn list(State(control): App, Query(top): Query<Top>) -> Response {
    reply(StatusCode::OK, move || {
        control.accounts(top.account.as_deref())
    })
    .await
}

pub(super) async fn archived(State(control): App) -> Response {
    reply(StatusCode::OK, move || Ok(control.archived_accounts())).await
}

pub(super) async fn show(State(control): App, Name(account): Name) -> Response {
    reply(StatusCode::OK, move || control.account(&account)).await
}

pub(super) async fn update(
    State(control): App,
    Name(account): Name,
    Body(patch): Body<AccountPatch>,
) -> Response {
    reply(StatusCode::OK, move || {
        control.update_account(&account, &patch)
    })
    .await
}

pub(super) async fn delete(
    State(control): App,
    Name(account): Name,
    Query(deletion): Query<Deletion>,
) -> Response {
    reply(StatusCode::OK, move || {
        control.delete_account(&account, deletion.mode)
    })
    .await
}
