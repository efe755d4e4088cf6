//! Errors in every dialect, as a whole answer, as the last events of a stream and as a message: JSON, whatever the words.

use tollgate_dialect::websocket::refusal;
use tollgate_dialect::{ApiError, Dialect, ErrorKind, StreamPosition, render, stream_error};

use crate::input::Input;
use crate::stream::{events, is_json, shown};

const KINDS: [ErrorKind; 24] = [
    ErrorKind::RateLimited,
    ErrorKind::QuotaExceeded,
    ErrorKind::LargerThanLimit,
    ErrorKind::WalletEmpty,
    ErrorKind::ModelNotFound,
    ErrorKind::EndpointForbidden,
    ErrorKind::AddressForbidden,
    ErrorKind::InvalidKey,
    ErrorKind::DeniedByPolicy,
    ErrorKind::Overloaded,
    ErrorKind::InvalidRequest,
    ErrorKind::Unsupported,
    ErrorKind::BodyTooLarge,
    ErrorKind::RequestTimeout,
    ErrorKind::TurnNotFound,
    ErrorKind::AnswerNotFound,
    ErrorKind::NotFound,
    ErrorKind::MethodNotAllowed,
    ErrorKind::UpstreamRejected,
    ErrorKind::ContextLength,
    ErrorKind::ContentFiltered,
    ErrorKind::UpstreamTimeout,
    ErrorKind::UpstreamFailed,
    ErrorKind::Internal,
];

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let text = String::from_utf8_lossy(input.payload);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (message, param, request_id, response_id, wait) = (line(), line(), line(), line(), line());
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let mut error = ApiError::new(input.pick(0, &KINDS), message);
    error.param = (!param.is_empty()).then(|| param.to_owned());
    error.retry_after_ms = number(wait);
    error.resets_at = number(line());
    let position = StreamPosition {
        next_sequence: number(line()).unwrap_or(u64::from(input.byte(1))),
        response_id: input.bit(2, 0).then(|| response_id.to_owned()),
        mid_event: input.bit(2, 1),
    };
    for dialect in Dialect::ALL {
        let rendered = render(dialect, &error, request_id);
        assert!(is_json(&rendered.body), "{}", shown(&rendered.body));
        assert!((400..600).contains(&rendered.status));
        for (name, value) in &rendered.headers {
            let plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(plain(name) && plain(value), "{name}: {value}");
        }
        let headers = rendered.headers.iter();
        let headers = headers.map(|(name, value)| (*name, value.as_str()));
        let message = refusal(rendered.status, &rendered.body, headers, Some("lane_1"));
        assert!(is_json(&message), "{}", shown(&message));
        last_words(dialect, &error, request_id, &position);
    }
    let message = refusal(500, input.payload, std::iter::empty(), None);
    assert!(is_json(&message), "{}", shown(&message));
}

/// What ends a stream: whole events whose data is JSON, and nothing of the event that was cut off.
fn last_words(dialect: Dialect, error: &ApiError, request_id: &str, position: &StreamPosition) {
    let told = stream_error(dialect, error, request_id, position);
    let begun: &[u8] = match position.mid_event {
        true => b"data: {\"cut",
        false => b"data: {}\n\n",
    };
    let stream = [begun, &told].concat();
    let (found, rest) = events(&stream);
    assert!(rest.is_empty(), "{}", shown(&told));
    assert!(found.len() > 1, "{}", shown(&told));
    for (name, data) in &found[1..] {
        assert!(is_json(data), "{name:?}: {}", shown(data));
    }
}
