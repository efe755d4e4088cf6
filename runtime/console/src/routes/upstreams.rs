//! `/api/upstreams`: where model traffic goes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollgate_governance::UpstreamDraft;

use super::{App, Name};
use crate::answer::reply;
use crate::body::Body;

pub(super) async fn set(
    State(control): App,
    Name(name): Name,
    Body(draft): Body<UpstreamDraft>,
) -> Response {
    reply(StatusCode::OK, move || control.set_upstream(&name, draft)).await
}

pub(super) async fn list(State(control): App) -> Response {
    reply(StatusCode::OK, move || control.upstreams()).await
}

pub(super) async fn show(State(control): App, Name(name): Name) -> Response {
    reply(StatusCode::OK, move || control.upstream(&name)).await
}

pub(super) async fn delete(State(control): App, Name(name): Name) -> Response {
    reply(StatusCode::OK, move || control.delete_upstream(&name)).await
}
