//! The wire dialects: scanning, splicing, usage, errors. Pure functions on bytes.
//!
//! Nothing here waits, opens anything or knows an account. Same-dialect traffic is scanned and spliced, never parsed
//! into a tree and written again, so what nobody edited leaves byte for byte as it came.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod aggregate;
pub mod bridge;
mod document;
mod edit;
mod error;
mod facts;
mod invalid;
mod json;
pub mod models;
mod named;
mod opaque;
mod operation;
mod render;
mod segments;
mod sse;
mod stream;
mod unfold;
mod usage;
pub mod websocket;

pub use aggregate::{Aggregator, Incomplete};
pub use document::Document;
pub use edit::Edit;
pub use error::{ApiError, ErrorKind};
pub use facts::{Facts, facts, lower_output_cap};
pub use invalid::Invalid;
pub use models::ModelCard;
pub use named::{NamedInput, named_input};
pub use opaque::opaque_marks;
pub use operation::{Dialect, Operation};
pub use render::{Rendered, StreamPosition, render, stream_error};
pub use segments::{
    AnswerRewriter, Channel, Denied, Kind, Role, Segment, TextFilter, answer_segments,
    output_text_bytes, replace, replace_answer, segments,
};
pub use stream::{
    Commit, Ended, LastResponse, StreamFilter, StreamSummary, StreamTap, commit_check,
    first_event_failure, sniff_event_stream,
};
pub use unfold::unfold;
pub use usage::{Usage, UsageHints, read_usage};
