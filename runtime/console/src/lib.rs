//! The control plane: management API.
//!
//! A thin skin over [`Control`]: it authenticates, reads JSON, asks `Control`, writes JSON. One table
//! ([`routes`]) is the router and the OpenAPI description at once, so that they cannot disagree.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod answer;
mod auth;
mod body;
mod openapi;
mod page;
mod routes;
mod schemas;
mod serve;
#[cfg(test)]
mod tests;
mod time;

pub use serve::{Serving, serve};

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Extension, Router, middleware};
use tollgate_gateway::control::Control;

/// A larger body of a management request is answered 413. Bytes.
const MAX_BODY: usize = 1 << 20;

/// The management API as a service.
pub fn router(control: Arc<Control>) -> Router {
    let mut open = Router::new();
    let mut closed = Router::new();
    for route in routes::table() {
        if route.open {
            open = open.route(route.path, route.handler);
        } else {
            closed = closed.route(route.path, route.handler);
        }
    }
    // Whoever has no token learns nothing about what exists: unknown paths below /api answer 401 too.
    let closed = closed
        .fallback(answer::no_such_path)
        .method_not_allowed_fallback(answer::no_such_method)
        .layer(middleware::from_fn_with_state(control, auth::require_token))
        .layer(Extension(routes::Places::default()));
    open.method_not_allowed_fallback(answer::no_such_method)
        .merge(closed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(answer::harden))
}
