//! `/api/limits`: limits of accounts, as a resource of their own.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::LimitsChange;

use super::{App, Name};
use crate::answer::reply;
use crate::body::Body;

pub(super) async fn show(State(control): App, Name(account): Name) -> Response {
    reply(StatusCode::OK, move || control.limits(&account)).await
}

pub(super) async fn change(
    State(control): App,
    Name(account): Name,
    Body(change): Body<LimitsChange>,
) -> Response {
    reply(StatusCode::OK, move || {
        control.change_limits(&account, &change)
    })
    .await
}
