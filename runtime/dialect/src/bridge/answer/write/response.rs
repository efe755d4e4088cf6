//! The response object: with everything it repeats of its request, for strict clients want all of it.

use super::{Exchange, put};
use crate::bridge::answer::escaped::{line, number};
use crate::bridge::answer::event::Stop;
use crate::bridge::answer::usage;
use crate::json::text::quote;
use crate::{Dialect, Usage};

/// How far a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    /// Why.
    Incomplete(&'static [u8]),
    Failed,
}

impl Status {
    pub(super) fn of(stop: &Stop<'_>) -> Self {
        match stop {
            Stop::Turn | Stop::Sequence(_) => Self::Completed,
            Stop::Length | Stop::Pause => Self::Incomplete(b"max_output_tokens"),
            Stop::Filter => Self::Incomplete(b"content_filter"),
        }
    }

    pub(super) const fn word(self) -> &'static [u8] {
        match self {
            Self::InProgress => b"in_progress",
            Self::Completed => b"completed",
            Self::Incomplete(_) => b"incomplete",
            Self::Failed => b"failed",
        }
    }
}

/// Appends a response object. `served` is the service tier where it is known already: until then the client reads what it
/// asked for. `error` is the JSON of its error; `output` its items without brackets.
pub(super) fn write(
    out: &mut Vec<u8>,
    exchange: Exchange<'_>,
    status: Status,
    served: Option<&str>,
    error: Option<&[u8]>,
    output: &[&[u8]],
    usage: Option<&Usage>,
) {
    let echo = exchange.context.echo.as_deref();
    let member = |out: &mut Vec<u8>, name: &str, otherwise: &[u8]| {
        put(out, &[b",\"", name.as_bytes(), b"\":"]);
        match echo.and_then(|echo| echo.get(name)) {
            Some(value) => line(out, value.get().as_bytes()),
            None => out.extend_from_slice(otherwise),
        }
    };
    out.extend_from_slice(b"{\"id\":");
    quote(out, &exchange.stamp.id("resp_"));
    out.extend_from_slice(b",\"object\":\"response\",\"created_at\":");
    number(out, exchange.stamp.created);
    put(out, &[b",\"status\":\"", status.word(), b"\""]);
    member(out, "background", b"false");
    put(out, &[b",\"error\":", error.unwrap_or(b"null")]);
    match status {
        Status::Incomplete(reason) => put(
            out,
            &[b",\"incomplete_details\":{\"reason\":\"", reason, b"\"}"],
        ),
        _ => out.extend_from_slice(b",\"incomplete_details\":null"),
    }
    member(out, "instructions", b"null");
    member(out, "max_output_tokens", b"null");
    member(out, "max_tool_calls", b"null");
    out.extend_from_slice(b",\"model\":");
    quote(out, &exchange.context.model);
    out.extend_from_slice(b",\"output\":[");
    for (at, item) in output.iter().filter(|item| !item.is_empty()).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(item);
    }
    out.push(b']');
    for (name, otherwise) in MEMBERS {
        match served {
            Some(tier) if name == "service_tier" => {
                put(out, &[b",\"service_tier\":\"", tier.as_bytes(), b"\""]);
            }
            _ => member(out, name, otherwise),
        }
    }
    if echo.is_some_and(|echo| echo.get("conversation").is_some()) {
        member(out, "conversation", b"null");
    }
    out.extend_from_slice(b",\"usage\":");
    match usage {
        Some(usage) => usage::write(out, Dialect::OpenaiResponses, usage, 0),
        None => out.extend_from_slice(b"null"),
    }
    member(out, "user", b"null");
    member(out, "metadata", b"{}");
    out.push(b'}');
}

/// What a response repeats of its request, and what it says where the request said nothing.
const MEMBERS: [(&str, &[u8]); 14] = [
    ("parallel_tool_calls", b"true"),
    ("previous_response_id", b"null"),
    ("prompt_cache_key", b"null"),
    ("reasoning", b"{\"effort\":null,\"summary\":null}"),
    ("safety_identifier", b"null"),
    ("service_tier", b"\"default\""),
    ("store", b"true"),
    ("temperature", b"1.0"),
    ("text", b"{\"format\":{\"type\":\"text\"}}"),
    ("tool_choice", b"\"auto\""),
    ("tools", b"[]"),
    ("top_logprobs", b"0"),
    ("top_p", b"1.0"),
    ("truncation", b"\"disabled\""),
];
