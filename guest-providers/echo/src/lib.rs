//! Provider component: echo. Answers by itself, in whatever dialect it is asked, with what the user said last.
//!
//! It makes a gateway useful in its first minute, without credentials and without a network. A line `!tool NAME {json}`
//! in what the user says is answered with that tool call, and the tool's result with its text: a round trip that any
//! client can be shown with.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use tollgate_guest::json::Json;
use tollgate_guest::{
    Answer, Call, Exchange, FailedAnswer, Failure, Manifest, Plan, Responder, classify, clock, kind,
};

mod chat;
mod conversation;
mod embeddings;
mod messages;
mod reply;
mod responses;
mod sse;
#[cfg(test)]
mod tests;
mod tokens;

use reply::Reply;

/// The provider that needs no vendor.
#[derive(Default)]
pub struct Echo;

tollgate_guest::export!(Echo: manifest, exchange, responder);

impl Manifest for Echo {
    fn describe(&self) -> String {
        include_str!("manifest.json").to_owned()
    }
}

impl Exchange for Echo {
    fn prepare(&self, _call: &Call) -> Result<Plan, Failure> {
        let why = "echo answers by itself and has nothing to send anywhere";
        Err(Failure::new(kind::PERMANENT).with_message(why))
    }

    fn classify(&self, answer: &FailedAnswer) -> Failure {
        Failure::new(classify::of_status(answer.status()))
    }
}

impl Responder for Echo {
    fn respond(&self, call: &Call, body: Vec<u8>) -> Answer {
        let operation = call.operation();
        let body = match Json::parse_bytes(&body) {
            Ok(body @ Json::Object(_)) => body,
            Ok(_) => return refusal(&operation, "the body must be a JSON object"),
            Err(why) => return refusal(&operation, &format!("the body is not JSON: {why}")),
        };
        let reply = || Reply::to(&body, call.model(), clock::now());
        match (operation.as_str(), call.streaming()) {
            ("chat-completions", true) => sse::answer(chat::stream(&reply())),
            ("chat-completions", false) => whole(&chat::body(&reply())),
            ("responses", true) => sse::answer(responses::stream(&reply())),
            ("responses", false) => whole(&responses::body(&reply())),
            ("messages", true) => sse::answer(messages::stream(&reply())),
            ("messages", false) => whole(&messages::body(&reply())),
            ("count-tokens", _) => {
                let tokens = conversation::read(&body).input_tokens;
                whole(&Json::object([("input_tokens", tokens.into())]))
            }
            ("embeddings", _) => match embeddings::body(&body, &call.model()) {
                Ok(list) => whole(&list),
                Err(why) => refusal(&operation, &why),
            },
            _ => refusal(&operation, &format!("echo does not know `{operation}`")),
        }
    }
}

fn whole(body: &Json) -> Answer {
    Answer::json(200, body.to_string())
}

/// A 400 in the words of the dialect.
fn refusal(operation: &str, why: &str) -> Answer {
    let body = match operation {
        "messages" | "count-tokens" => Json::object([
            ("type", "error".into()),
            (
                "error",
                Json::object([
                    ("type", "invalid_request_error".into()),
                    ("message", why.into()),
                ]),
            ),
        ]),
        _ => Json::object([(
            "error",
            Json::object([
                ("message", why.into()),
                ("type", "invalid_request_error".into()),
                ("param", Json::Null),
                ("code", Json::Null),
            ]),
        )]),
    };
    Answer::json(400, body.to_string())
}
