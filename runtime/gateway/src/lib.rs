//! The data plane: the way of one request, one file a stage, each named by its verb.
//!
//! ```text
//! listen ─► identify ─► admit ─► route ─► hold ─► adapt ─► send ─► deliver ─► settle ─► observe
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod adapt;
mod admit;
mod bridge;
pub mod config;
pub mod control;
mod deliver;
mod drain;
mod endpoint;
mod exchange;
mod filters;
mod hold;
mod identify;
mod inform;
mod kept;
mod kills;
mod late;
mod listen;
mod makers;
mod metrics;
mod pace;
mod patience;
mod pipeline;
mod pulse;
mod receive;
mod relay;
mod reply;
mod request;
mod route;
mod seldom;
mod semantic;
mod settle;
mod sign;
mod silence;
mod snapshot;
mod time_text;
mod turn;
mod turns;
mod underway;
mod views;
mod websocket;
mod worded;
mod worker;

pub use config::{Config, ConfigError};
pub use listen::{Serving, serve};
pub use snapshot::{Problem, Snapshot, SnapshotInputs};
