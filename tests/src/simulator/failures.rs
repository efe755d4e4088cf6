//! Errors as vendors word them.

use serde_json::json;

use super::answer::Answer;

/// An error of a vendor that speaks an OpenAI dialect.
pub fn openai_error(status: u16, code: &str, message: &str) -> Answer {
    let body =
        json!({ "error": { "message": message, "type": code, "param": null, "code": code } });
    Answer::json(status, body.to_string())
}

/// An error of a vendor that speaks the Anthropic dialect.
pub fn anthropic_error(status: u16, kind: &str, message: &str) -> Answer {
    let body = json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_vendor_internal" });
    Answer::json(status, body.to_string())
}
