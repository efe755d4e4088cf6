//! `/api/components`, `/api/status` and `/api/backup`: what is loaded, how the gateway is, and its copy.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::BackupRequest;

use super::App;
use crate::answer::reply;
use crate::body::Body;

pub(super) async fn components(State(control): App) -> Response {
    reply(StatusCode::OK, move || Ok(control.component_list())).await
}

pub(super) async fn status(State(control): App) -> Response {
    reply(StatusCode::OK, move || Ok(control.status())).await
}

pub(super) async fn back_up(State(control): App, Body(request): Body<BackupRequest>) -> Response {
    reply(StatusCode::CREATED, move || control.back_up(&request)).await
}
