//! The data plane: the way of one request, one file a stage, each named by its verb.
//!
//! ```text
//! listen ─► identify ─► admit ─► route ─► hold ─► adapt ─► send ─► deliver ─► settle ─► observe
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly"))]

pub mod config;
