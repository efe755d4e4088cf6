//! `/api/credentials`: upstream credentials. Secrets go in and never come out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::CredentialRequest;

use super::{App, Name};
use crate::answer::reply;
use crate::body::Body;

pub(super) async fn set(
    State(control): App,
    Name(name): Name,
    Body(new): Body<CredentialRequest>,
) -> Response {
    reply(StatusCode::OK, move || control.set_credential(&name, &new)).await
}

pub(super) async fn list(State(control): App) -> Response {
    reply(StatusCode::OK, move || control.credentials()).await
}

pub(super) async fn delete(State(control): App, Name(name): Name) -> Response {
    reply(StatusCode::OK, move || control.delete_credential(&name)).await
}
