//! `/api/limits`: limits of accounts, as a resource of their own.

use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::LimitsChange;

use super::Name;
use crate::answer::reply;
use crate::auth::Managing;
use crate::body::Body;

pub(super) async fn show(managing: Managing, Name(account): Name) -> Response {
    reply(StatusCode::OK, move || managing.accounts().limits(&account)).await
}

pub(super) async fn change(
    managing: Managing,
    Name(account): Name,
    Body(change): Body<LimitsChange>,
) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().change_limits(&account, &change)
    })
    .await
}
