//! Answers that go wrong in the middle, for clients that cannot be scripted: the user's text asks for them.

use serde_json::json;

use super::answer::{Answer, Part};
use super::dialogue::{Conversation, Say, in_dialect};

/// What happens after half of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// `HANG_PLEASE`: nothing more comes.
    Hang,
    /// `BREAK_PLEASE`: the connection is cut.
    Break,
    /// `OVERLOAD_PLEASE`: the vendor says that it is overloaded.
    Overload,
}

/// What the vendor says of itself.
const OVERLOADED: &str = "The simulator is overloaded.";

impl Trouble {
    /// The trouble that the user's text asks for.
    pub(super) fn asked_for(text: &str) -> Option<Self> {
        [
            ("HANG_PLEASE", Self::Hang),
            ("BREAK_PLEASE", Self::Break),
            ("OVERLOAD_PLEASE", Self::Overload),
        ]
        .into_iter()
        .find(|(wish, _)| text.contains(wish))
        .map(|(_, trouble)| trouble)
    }

    /// A long answer in which it happens.
    pub(super) fn befall(self, operation: &str, mut conversation: Conversation) -> Answer {
        if !conversation.stream {
            return match self {
                Self::Hang => Answer::silence(),
                Self::Break => Answer::hang_up(),
                Self::Overload if operation == "messages" => {
                    super::anthropic_error(529, "overloaded_error", OVERLOADED)
                }
                Self::Overload => super::openai_error(503, "server_error", OVERLOADED),
            };
        }
        conversation.say = Say::Text("It was a dark and stormy night. ".repeat(20));
        let answer = in_dialect(operation, &conversation);
        let half = answer.parts.len() / 2;
        match self {
            Self::Hang => answer.then(half, Part::Hang),
            Self::Break => answer.then(half, Part::Cut),
            Self::Overload => {
                let event = overload(operation, &conversation.model);
                answer.then(half, Part::Bytes(event.into_bytes()))
            }
        }
    }
}

/// The event with which a vendor ends a stream that it cannot go on with.
fn overload(operation: &str, model: &str) -> String {
    let error = json!({ "code": "server_error", "type": "server_error", "message": OVERLOADED });
    match operation {
        "chat-completions" => format!("data: {}\n\n", json!({ "error": error })),
        "responses" => {
            let response = json!({
                "id": "resp_simulated", "object": "response", "created_at": 1_790_000_000, "status": "failed",
                "error": { "code": "server_error", "message": OVERLOADED }, "model": model, "output": [],
            });
            let body =
                json!({ "type": "response.failed", "sequence_number": 1000, "response": response });
            format!("event: response.failed\ndata: {body}\n\n")
        }
        _ => {
            let error = json!({ "type": "overloaded_error", "message": OVERLOADED });
            let body = json!({ "type": "error", "error": error });
            format!("event: error\ndata: {body}\n\n")
        }
    }
}
