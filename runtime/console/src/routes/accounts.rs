//! `/api/accounts`: the tree.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollgate_governance::{AccountPatch, DeleteMode};

use super::{App, Name};
use crate::answer::reply;
use crate::body::Body;

pub(super) async fn create(State(control): App, Body(new): Body<AccountPatch>) -> Response {
    reply(StatusCode::CREATED, move || control.create_account(&new)).await
}

pub(super) async fn list(State(control): App) -> Response {
    reply(StatusCode::OK, move || control.accounts()).await
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

pub(super) async fn delete(State(control): App, Name(account): Name) -> Response {
    reply(StatusCode::OK, move || {
        control.delete_account(&account, DeleteMode::Refuse)
    })
    .await
}
