//! `/api/grants`, `/api/reclaims`, `/api/wallets`, `/api/ledger`: prepaid credit.

use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::{GrantRequest, ReclaimRequest};

use super::Name;
use crate::answer::reply;
use crate::auth::{Managing, Operator};
use crate::body::Body;

pub(super) async fn grant(managing: Managing, Body(request): Body<GrantRequest>) -> Response {
    reply(StatusCode::OK, move || managing.accounts().grant(&request)).await
}

pub(super) async fn reclaim(managing: Managing, Body(request): Body<ReclaimRequest>) -> Response {
    reply(StatusCode::OK, move || {
        managing.accounts().reclaim(&request)
    })
    .await
}

pub(super) async fn wallet(managing: Managing, Name(account): Name) -> Response {
    reply(StatusCode::OK, move || managing.accounts().wallet(&account)).await
}

pub(super) async fn ledger(Operator(control): Operator) -> Response {
    reply(StatusCode::OK, move || control.ledger_status()).await
}
