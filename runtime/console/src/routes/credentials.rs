//! `/api/credentials`: upstream credentials. Secrets go in and never come out.

use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::CredentialRequest;

use super::Name;
use crate::answer::reply;
use crate::auth::Operator;
use crate::body::Body;

pub(super) async fn set(
    Operator(control): Operator,
    Name(name): Name,
    Body(new): Body<CredentialRequest>,
) -> Response {
    reply(StatusCode::OK, move || control.set_credential(&name, &new)).await
}

pub(super) async fn list(Operator(control): Operator) -> Response {
    reply(StatusCode::OK, move || control.credentials()).await
}

pub(super) async fn delete(Operator(control): Operator, Name(name): Name) -> Response {
    reply(StatusCode::OK, move || control.delete_credential(&name)).await
}
