//! `/api/upstreams`: where model traffic goes.

use axum::http::StatusCode;
use axum::response::Response;
use tollgate_governance::UpstreamDraft;

use super::Name;
use crate::answer::reply;
use crate::auth::Operator;
use crate::body::Body;

pub(super) async fn set(
    Operator(control): Operator,
    Name(name): Name,
    Body(draft): Body<UpstreamDraft>,
) -> Response {
    reply(StatusCode::OK, move || control.set_upstream(&name, draft)).await
}

pub(super) async fn list(Operator(control): Operator) -> Response {
    reply(StatusCode::OK, move || control.upstreams()).await
}

pub(super) async fn show(Operator(control): Operator, Name(name): Name) -> Response {
    reply(StatusCode::OK, move || control.upstream(&name)).await
}

pub(super) async fn delete(Operator(control): Operator, Name(name): Name) -> Response {
    reply(StatusCode::OK, move || control.delete_upstream(&name)).await
}
