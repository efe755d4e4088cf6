//! Errors as each dialect's clients expect them: one table, three grammars.

use bytes::Bytes;

use crate::json::text::quote;
use crate::{ApiError, Dialect, ErrorKind};

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

/// What the clients of each dialect see of one kind of error.
struct Row {
    /// Chat Completions and Embeddings: status, `type`, `code` (empty: null).
    chat: (u16, &'static str, &'static str),
    /// Responses: the same.
    responses: (u16, &'static str, &'static str),
    /// Messages: status, `type`.
    messages: (u16, &'static str),
    /// Whether SDKs are told not to repeat what cannot succeed.
    permanent: bool,
}

/// The table.
const fn row(kind: ErrorKind) -> Row {
    const INVALID: &str = "invalid_request_error";
    const fn all(
        chat: (u16, &'static str, &'static str),
        messages: (u16, &'static str),
        permanent: bool,
    ) -> Row {
        Row {
            chat,
            responses: chat,
            messages,
            permanent,
        }
    }
    match kind {
        ErrorKind::RateLimited => all(
            (429, "rate_limit_error", "rate_limit_exceeded"),
            (429, "rate_limit_error"),
            false,
        ),
        ErrorKind::QuotaExceeded => Row {
            chat: (429, "insufficient_quota", "insufficient_quota"),
            responses: (429, "usage_limit_reached", "insufficient_quota"),
            messages: (429, "rate_limit_error"),
            permanent: true,
        },
        // Of 413 Claude Code says that images and attachments are too many, and Codex tries six times: of 400 both show
        // what is wrong, once.
        ErrorKind::LargerThanLimit => {
            all((400, INVALID, "request_too_large"), (400, INVALID), true)
        }
        ErrorKind::WalletEmpty => all(
            (429, "insufficient_quota", "insufficient_quota"),
            (402, "billing_error"),
            true,
        ),
        ErrorKind::ModelNotFound => all(
            (404, INVALID, "model_not_found"),
            (404, "not_found_error"),
            true,
        ),
        ErrorKind::EndpointForbidden => all(
            (403, "permission_error", "endpoint_not_allowed"),
            (403, "permission_error"),
            true,
        ),
        ErrorKind::AddressForbidden => all(
            (403, "permission_error", "address_not_allowed"),
            (403, "permission_error"),
            true,
        ),
        ErrorKind::InvalidKey => all(
            (401, "authentication_error", "invalid_api_key"),
            (401, "authentication_error"),
            true,
        ),
        ErrorKind::DeniedByPolicy => all(
            (403, "permission_error", "denied_by_policy"),
            (403, "permission_error"),
            true,
        ),
        ErrorKind::Overloaded => all(
            (503, "server_error", "server_is_overloaded"),
            (529, "overloaded_error"),
            false,
        ),
        ErrorKind::InvalidRequest => all((400, INVALID, ""), (400, INVALID), false),
        ErrorKind::Unsupported => all(
            (400, INVALID, "unsupported_parameter"),
            (400, INVALID),
            false,
        ),
        ErrorKind::BodyTooLarge => all(
            (413, INVALID, "request_too_large"),
            (413, "request_too_large"),
            true,
        ),
        ErrorKind::RequestTimeout => all(
            (408, INVALID, "request_timeout"),
            (408, "timeout_error"),
            false,
        ),
        ErrorKind::TurnNotFound => Row {
            chat: (404, INVALID, ""),
            // Clients that have the conversation send it whole when they read this code.
            responses: (400, INVALID, "previous_response_not_found"),
            messages: (404, "not_found_error"),
            permanent: true,
        },
        ErrorKind::ConversationLocked => {
            all((400, INVALID, "conversation_locked"), (400, INVALID), false)
        }
        ErrorKind::AnswerNotFound => all((404, INVALID, ""), (404, "not_found_error"), true),
        ErrorKind::NotFound => all(
            (404, INVALID, "unknown_url"),
            (404, "not_found_error"),
            true,
        ),
        ErrorKind::MethodNotAllowed => {
            all((405, INVALID, "method_not_allowed"), (405, INVALID), true)
        }
        ErrorKind::UpstreamRejected => all((400, INVALID, ""), (400, INVALID), false),
        ErrorKind::ContextLength => all(
            (400, INVALID, "context_length_exceeded"),
            (400, INVALID),
            false,
        ),
        ErrorKind::ContentFiltered => Row {
            chat: (400, INVALID, "content_filter"),
            // In a stream only this code makes Codex stop instead of sending the turn again.
            responses: (400, INVALID, "invalid_prompt"),
            messages: (400, INVALID),
            permanent: false,
        },
        ErrorKind::UpstreamTimeout => all(
            (504, "server_error", "upstream_timeout"),
            (504, "timeout_error"),
            false,
        ),
        ErrorKind::UpstreamFailed => all(
            (502, "server_error", "upstream_error"),
            (502, "api_error"),
            false,
        ),
        ErrorKind::Internal => all(
            (500, "server_error", "internal_error"),
            (500, "api_error"),
            false,
        ),
    }
}

/// Waiting time told where nobody knows it and the client needs one: two seconds.
const SHORT_WAIT_MS: u64 = 2_000;

/// The error as a whole answer.
pub fn render(dialect: Dialect, error: &ApiError, request_id: &str) -> Rendered {
    let row = row(error.kind);
    let status = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => row.chat.0,
        Dialect::OpenaiResponses => row.responses.0,
        Dialect::AnthropicMessages => row.messages.0,
    };
    let mut body = Vec::with_capacity(256);
    match dialect {
        Dialect::AnthropicMessages => anthropic(&mut body, &row, error, request_id),
        _ => {
            body.extend_from_slice(b"{\"error\":");
            openai(&mut body, dialect, &row, error);
            body.push(b'}');
        }
    }
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let Some(wait) = wait_ms(error) {
        headers.push(("retry-after", wait.div_ceil(1_000).to_string()));
        headers.push(("retry-after-ms", wait.to_string()));
    }
    if row.permanent {
        headers.push(("x-should-retry", "false".to_owned()));
    }
    Rendered {
        status,
        body: body.into(),
        headers,
    }
}

/// The error as the last events of a stream that has begun: a failed stream never ends in silence. An event that was
/// cut off is ended first.
pub fn stream_error(
    dialect: Dialect,
    error: &ApiError,
    request_id: &str,
    position: &StreamPosition,
) -> Bytes {
    let row = row(error.kind);
    let mut out = Vec::with_capacity(512);
    if position.mid_event {
        out.extend_from_slice(b"\n\n");
    }
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => {
            out.extend_from_slice(b"data: {\"error\":");
            openai(&mut out, dialect, &row, error);
            out.extend_from_slice(b"}\n\n");
        }
        Dialect::OpenaiResponses => responses_events(&mut out, &row, error, request_id, position),
        Dialect::AnthropicMessages => {
            out.extend_from_slice(b"event: error\ndata: ");
            anthropic(&mut out, &row, error, request_id);
            out.extend_from_slice(b"\n\n");
        }
    }
    out.into()
}

/// Codex understands only `response.failed`; SDKs understand only `error`. So both, in this order.
fn responses_events(
    out: &mut Vec<u8>,
    row: &Row,
    error: &ApiError,
    request_id: &str,
    position: &StreamPosition,
) {
    let sequence = position.next_sequence;
    out.extend_from_slice(
        format!("event: error\ndata: {{\"type\":\"error\",\"sequence_number\":{sequence},")
            .as_bytes(),
    );
    error_event(out, row, error);
    out.extend_from_slice(b"}\n\nevent: response.failed\ndata: {\"type\":\"response.failed\",");
    out.extend_from_slice(
        format!(
            "\"sequence_number\":{},\"response\":{{\"id\":",
            sequence.saturating_add(1)
        )
        .as_bytes(),
    );
    match &position.response_id {
        Some(id) => quote(out, id),
        None => quote(out, &format!("resp_{request_id}")),
    }
    out.extend_from_slice(b",\"object\":\"response\",\"status\":\"failed\",\"error\":{\"code\":");
    quote(out, failed_code(row, error.kind));
    out.extend_from_slice(b",\"message\":");
    quote(out, &message(Dialect::OpenaiResponses, error));
    out.extend_from_slice(b"},\"incomplete_details\":null,\"output\":[],\"usage\":null}}\n\n");
}

/// The members of an `error` event: flat, as the types of the SDKs have them, and once more in `error`, where the SDKs look.
fn error_event(out: &mut Vec<u8>, row: &Row, error: &ApiError) {
    out.extend_from_slice(b"\"code\":");
    let code = row.responses.2;
    optional(out, Some(code).filter(|code| !code.is_empty()));
    out.extend_from_slice(b",\"message\":");
    quote(out, &message(Dialect::OpenaiResponses, error));
    out.extend_from_slice(b",\"param\":");
    optional(out, error.param.as_deref());
    out.extend_from_slice(b",\"error\":");
    openai(out, Dialect::OpenaiResponses, row, error);
}

/// The members of an `error` event, and the error of the failed response after it, as JSON.
pub(crate) fn response_errors(error: &ApiError) -> (Vec<u8>, Vec<u8>) {
    let row = row(error.kind);
    let mut told = Vec::with_capacity(128);
    error_event(&mut told, &row, error);
    let mut failed = b"{\"code\":".to_vec();
    let code = match failed_code(&row, error.kind) {
        // The dialect's own word for a failure that is nobody's fault; the `error` event has the true code.
        "upstream_error" | "upstream_timeout" | "internal_error" => "server_error",
        code => code,
    };
    quote(&mut failed, code);
    failed.extend_from_slice(b",\"message\":");
    quote(&mut failed, &message(Dialect::OpenaiResponses, error));
    failed.push(b'}');
    (told, failed)
}

/// The code of a failed response. Codex sends the whole turn again unless it knows the code as final, so what a vendor would
/// be asked in vain again says `invalid_prompt`; the `error` event before it has the true code. A key that is revoked is
/// no fault of the prompt: the turn that is sent again gets 401 before a vendor is asked, and Codex shows that.
fn failed_code(row: &Row, kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::QuotaExceeded
        | ErrorKind::WalletEmpty
        | ErrorKind::ContextLength
        | ErrorKind::InvalidKey => row.responses.2,
        _ if row.permanent || row.responses.0 == 400 => "invalid_prompt",
        _ => row.responses.2,
    }
}

/// The object inside `error`.
fn openai(out: &mut Vec<u8>, dialect: Dialect, row: &Row, error: &ApiError) {
    let (_, kind, code) = if dialect == Dialect::OpenaiResponses {
        row.responses
    } else {
        row.chat
    };
    out.extend_from_slice(b"{\"message\":");
    quote(out, &message(dialect, error));
    out.extend_from_slice(b",\"type\":");
    quote(out, kind);
    out.extend_from_slice(b",\"param\":");
    optional(out, error.param.as_deref());
    out.extend_from_slice(b",\"code\":");
    optional(out, Some(code).filter(|code| !code.is_empty()));
    if dialect == Dialect::OpenaiResponses && error.kind == ErrorKind::QuotaExceeded {
        if let Some(at) = error.resets_at {
            out.extend_from_slice(format!(",\"resets_at\":{}", at.div_ceil(1_000)).as_bytes());
        }
        if let Some(wait) = error.retry_after_ms {
            out.extend_from_slice(
                format!(",\"resets_in_seconds\":{}", wait.div_ceil(1_000)).as_bytes(),
            );
        }
    }
    out.push(b'}');
}

fn anthropic(out: &mut Vec<u8>, row: &Row, error: &ApiError, request_id: &str) {
    out.extend_from_slice(b"{\"type\":\"error\",\"error\":{\"type\":");
    quote(out, row.messages.1);
    out.extend_from_slice(b",\"message\":");
    quote(out, &message(Dialect::AnthropicMessages, error));
    // The vendor's SDK begins a thread by itself where it runs tools, and sends the conversation whole when it reads this.
    if error.kind == ErrorKind::Unsupported && error.param.as_deref() == Some("thread") {
        out.extend_from_slice(
            b",\"details\":{\"error_code\":\"thread_unsupported_request\",\"unsupported\":[\"thread\"]}",
        );
    }
    out.extend_from_slice(b"},\"request_id\":");
    quote(out, request_id);
    out.push(b'}');
}

fn optional(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => quote(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

fn wait_ms(error: &ApiError) -> Option<u64> {
    match error.kind {
        ErrorKind::Overloaded => Some(error.retry_after_ms.unwrap_or(SHORT_WAIT_MS)),
        _ => error.retry_after_ms,
    }
}

/// The message, in the wording that the dialect's clients look for.
fn message(dialect: Dialect, error: &ApiError) -> String {
    let said = &error.message;
    match (error.kind, dialect) {
        (ErrorKind::RateLimited, _) if !said.contains("try again in") => match error.retry_after_ms
        {
            Some(wait) => format!(
                "{} Please try again in {}s.",
                sentence(said),
                wait.div_ceil(1_000)
            ),
            None => said.clone(),
        },
        // Claude Code compacts the conversation when it reads these words, and reads both numbers where it finds them.
        (ErrorKind::ContextLength, Dialect::AnthropicMessages)
            if !said.starts_with("prompt is too long") =>
        {
            match two_sizes(said) {
                Some((asked, most)) => {
                    format!("prompt is too long: {asked} tokens > {most} maximum")
                }
                None => format!("prompt is too long: {said}"),
            }
        }
        _ => said.clone(),
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?']) || text.is_empty() {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// The first two numbers in a vendor's message that can be token counts: what was asked and what is allowed.
fn two_sizes(text: &str) -> Option<(u64, u64)> {
    let plain = text.replace(',', "");
    let mut numbers = plain
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.' && letter != '-')
        .filter_map(|word| word.trim_end_matches('.').parse::<u64>().ok())
        .filter(|number| *number >= 256);
    let (first, second) = (numbers.next()?, numbers.next()?);
    (first != second).then_some((first.max(second), first.min(second)))
}

#[cfg(test)]
mod tests;
