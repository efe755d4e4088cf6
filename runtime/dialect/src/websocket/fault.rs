//! Errors over a WebSocket: one event, with the status that HTTP would have had.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::addressed;
use crate::Invalid;

/// Something is wrong with a message or with the connection; no request was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    status: u16,
    code: Option<&'static str>,
    message: String,
    param: Option<String>,
    lane: Option<String>,
}

impl Fault {
    /// A message that cannot be served.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: None,
            message: message.into(),
            param: None,
            lane: None,
        }
    }

    /// The response that a request goes on from is not in the connection's memory. Clients send the whole then.
    pub(super) fn not_found(id: &str) -> Self {
        let id: String = id.chars().take(200).collect();
        Self::invalid(format!("Previous response with id '{id}' not found."))
            .at("previous_response_id")
            .code("previous_response_not_found")
    }

    /// The connection is as old as it may become. Clients open another one then.
    pub fn too_old(minutes: u64) -> Self {
        Self::invalid(format!(
            "Responses websocket connection limit reached ({minutes} minutes). Create a new websocket connection to continue."
        ))
        .code("websocket_connection_limit_reached")
    }

    /// More responses wait for their turn than the gateway holds.
    pub fn too_many_waiting(lane: Option<&str>) -> Self {
        Self {
            status: 429,
            ..Self::invalid(
                "too many responses of this connection wait for their turn; send the next one when one has ended",
            )
        }
        .code("websocket_queue_full")
        .on(lane)
    }

    /// The same, naming the field at fault.
    pub(super) fn at(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    /// The same, with a code that clients look for.
    pub(super) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The same, for a stream that the client has named.
    pub(super) fn on(mut self, lane: Option<&str>) -> Self {
        self.lane = lane.map(str::to_owned);
        self
    }

    /// The message to send.
    pub fn message(&self) -> Bytes {
        let kind = match self.status {
            429 => "rate_limit_error",
            _ => "invalid_request_error",
        };
        let error = json!({
            "type": kind, "code": self.code, "message": self.message, "param": self.param,
        });
        event(self.status, error, Map::new(), self.lane.as_deref())
    }
}

impl From<Invalid> for Fault {
    fn from(invalid: Invalid) -> Self {
        Self {
            param: invalid.param,
            ..Self::invalid(invalid.message)
        }
    }
}

/// The answer to a request that was refused, as a message: its status, its error, its headers.
pub fn refusal<'a>(
    status: u16,
    body: &[u8],
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    lane: Option<&str>,
) -> Bytes {
    let told: Option<Value> = serde_json::from_slice(body).ok();
    let error = told.and_then(|mut told| told.get_mut("error").map(Value::take));
    let error = error.unwrap_or_else(|| {
        json!({ "type": "server_error", "code": null, "message": "the request failed", "param": null })
    });
    let headers = headers.map(|(name, value)| (name.to_owned(), value.into()));
    event(status, error, headers.collect(), lane)
}

/// An error that a stream told, which has no status, as the message that has one.
pub(super) fn in_stream(event_data: &[u8], lane: Option<&str>) -> Bytes {
    let (status, error) = told(event_data);
    event(status, error, Map::new(), lane)
}

/// The status and the error of an `error` event.
pub(super) fn told(event_data: &[u8]) -> (u16, Value) {
    let mut told: Map<String, Value> = serde_json::from_slice(event_data).unwrap_or_default();
    let error = match told.remove("error") {
        Some(error @ Value::Object(_)) => error,
        // As vendors write it: the members of the error are those of the event.
        _ => {
            let mut member = |name: &str| told.remove(name).unwrap_or(Value::Null);
            json!({
                "type": "server_error", "code": member("code"), "message": member("message"), "param": member("param"),
            })
        }
    };
    let said = told.get("status").and_then(Value::as_u64);
    let said = said.and_then(|status| u16::try_from(status).ok());
    let status = said
        .filter(|status| (400..600).contains(status))
        .unwrap_or_else(|| status_of(&error));
    (status, error)
}

/// The status under which HTTP has errors of this kind: clients decide by it whether to try again.
fn status_of(error: &Value) -> u16 {
    let word = |name: &str| error[name].as_str().unwrap_or_default();
    match (word("type"), word("code")) {
        (_, "server_is_overloaded" | "slow_down") => 503,
        (_, "upstream_timeout") => 504,
        (_, "upstream_error") => 502,
        (_, "rate_limit_exceeded" | "insufficient_quota")
        | ("rate_limit_error" | "usage_limit_reached" | "insufficient_quota", _) => 429,
        ("authentication_error", _) => 401,
        ("permission_error", _) => 403,
        ("not_found_error", _) => 404,
        ("invalid_request_error", _) => 400,
        _ => 500,
    }
}

fn event(status: u16, error: Value, headers: Map<String, Value>, lane: Option<&str>) -> Bytes {
    let mut event = json!({ "type": "error", "status": status, "error": error });
    if !headers.is_empty() {
        event["headers"] = Value::Object(headers);
    }
    addressed(event.to_string().as_bytes(), lane).into()
}
