//! `/api/components` and `/api/status`: what is loaded and how the gateway is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::App;
use crate::answer::reply;

pub(super) async fn components(State(control): App) -> Response {
    reply(StatusCode::OK, move || Ok(control.component_list())).await
}

pub(super) async fn status(State(control): App) -> Response {
    reply(StatusCode::OK, move || Ok(control.status())).await
}
