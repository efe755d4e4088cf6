//! Errors as each dialect's clients expect them: one table, three grammars.

use bytes::Bytes;

use crate::{ApiError, Dialect};

/// An error answer, ready to send. The gateway adds `x-request-id` and the caller's own rate-limit headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Bytes,
    /// `content-type`, and where they apply `retry-after`, `retry-after-ms`, `x-should-retry`.
    pub headers: Vec<(&'static str, String)>,
}

/// Where in a stream an error lands. `StreamTap::position` knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamPosition {
    /// The sequence number of the next event (Responses).
    pub next_sequence: u64,
    /// The id of the response under way (Responses).
    pub response_id: Option<String>,
    /// Whether the stream stopped inside an event, which must be ended first.
    pub mid_event: bool,
}

/// The error as a whole answer.
pub fn render(_dialect: Dialect, _error: &ApiError, _request_id: &str) -> Rendered {
    todo!()
}

/// The error as the last events of a stream that has begun: a failed stream never ends in silence.
pub fn stream_error(_dialect: Dialect, _error: &ApiError, _request_id: &str, _position: &StreamPosition) -> Bytes {
    todo!()
}
