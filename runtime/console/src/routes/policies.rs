//! `/api/policies`: policy components at work on accounts.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollgate_governance::AttachmentDraft;

use super::{App, Name};
use crate::answer::reply;
use crate::body::Body;

pub(super) async fn attach(
    State(control): App,
    Name(id): Name,
    Body(draft): Body<AttachmentDraft>,
) -> Response {
    reply(StatusCode::OK, move || control.attach_policy(&id, draft)).await
}

pub(super) async fn list(State(control): App) -> Response {
    reply(StatusCode::OK, move || control.policies()).await
}

pub(super) async fn show(State(control): App, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || control.policy(&id)).await
}

pub(super) async fn detach(State(control): App, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || control.detach_policy(&id)).await
}
