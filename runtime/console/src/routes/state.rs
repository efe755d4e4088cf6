//! `/api/components`, `/api/status` and `/api/backup`: what is loaded, how the gateway is, and its copy.

use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::BackupRequest;

use crate::answer::reply;
use crate::auth::Operator;
use crate::body::Body;

pub(super) async fn components(Operator(control): Operator) -> Response {
    reply(StatusCode::OK, move || Ok(control.component_list())).await
}

pub(super) async fn status(Operator(control): Operator) -> Response {
    reply(StatusCode::OK, move || Ok(control.status())).await
}

pub(super) async fn back_up(
    Operator(control): Operator,
    Body(request): Body<BackupRequest>,
) -> Response {
    reply(StatusCode::CREATED, move || control.back_up(&request)).await
}
