//! `/api/policies`: policy components at work on accounts.

use axum::http::StatusCode;
use axum::response::Response;
use tollgate_governance::AttachmentDraft;

use super::Name;
use crate::answer::reply;
use crate::auth::Operator;
use crate::body::Body;

pub(super) async fn attach(
    Operator(control): Operator,
    Name(id): Name,
    Body(draft): Body<AttachmentDraft>,
) -> Response {
    reply(StatusCode::OK, move || control.attach_policy(&id, draft)).await
}

pub(super) async fn list(Operator(control): Operator) -> Response {
    reply(StatusCode::OK, move || control.policies()).await
}

pub(super) async fn show(Operator(control): Operator, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || control.policy(&id)).await
}

pub(super) async fn detach(Operator(control): Operator, Name(id): Name) -> Response {
    reply(StatusCode::OK, move || control.detach_policy(&id)).await
}
