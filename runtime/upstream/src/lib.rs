//! The HTTP client towards vendors: pools, TLS, coalescing bodies, WebSockets.
//!
//! One [`Client`] belongs to one worker (a current-thread runtime on one core); nothing in it is shared, so
//! nothing in it is locked. A [`Target`] (where to send) and [`Tls`] (whom to trust) are made once by the
//! control plane and shared. A connection has no task of its own: whoever waits for its answer drives it, so
//! a chunk of a stream costs no hand-over between tasks.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod body;
mod client;
mod coalesce;
mod connect;
mod decode;
mod drive;
mod error;
mod head;
mod health;
mod hygiene;
mod pool;
mod target;
mod tls;
mod websocket;

pub use body::UpstreamBody;
pub use client::{Client, ClientConfig};
pub use coalesce::Coalesce;
pub use error::{ErrorKind, Phase, UpstreamError};
pub use head::RequestHead;
pub use health::{Breaker, BreakerConfig, BreakerState};
pub use hygiene::{UPSTREAM_REQUEST_ID, may_go_upstream, scrub_request, scrub_response};
pub use target::{Target, TargetError};
pub use tls::{Tls, TlsError};
pub use websocket::{Upgrade, WebSocket, websocket_accept};
