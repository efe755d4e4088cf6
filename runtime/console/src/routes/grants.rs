//! `/api/grants`, `/api/reclaims`, `/api/wallets`, `/api/ledger`: prepaid credit.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tollgate_gateway::control::{GrantRequest, ReclaimRequest};

use super::{App, Name};
use crate::answer::reply;
use crate::body::Body;

pub(super) async fn grant(State(control): App, Body(request): Body<GrantRequest>) -> Response {
    reply(StatusCode::OK, move || control.grant(&request)).await
}

pub(super) async fn reclaim(State(control): App, Body(request): Body<ReclaimRequest>) -> Response {
    reply(StatusCode::OK, move || control.reclaim(&request)).await
}

pub(super) async fn wallet(State(control): App, Name(account): Name) -> Response {
    reply(StatusCode::OK, move || control.wallet(&account)).await
}

pub(super) async fn ledger(State(control): App) -> Response {
    reply(StatusCode::OK, move || control.ledger_status()).await
}
