//! Provider component: kimi. The example to copy for the next vendor; `manifest.json` beside it is the other half.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use tollgate_guest::classify::{self, ErrorBody};
use tollgate_guest::{Call, CommitAfter, Exchange, FailedAnswer, Failure, Manifest, Plan, kind};

#[cfg(test)]
mod tests;

/// Kimi, the models of Moonshot AI.
#[derive(Default)]
pub struct Kimi;

tollgate_guest::export!(Kimi: manifest, exchange);

/// How a client asks for other sampling, in either dialect.
const SAMPLING: [&str; 5] = [
    "/temperature",
    "/top_p",
    "/top_k",
    "/presence_penalty",
    "/frequency_penalty",
];

impl Manifest for Kimi {
    fn describe(&self) -> String {
        include_str!("manifest.json").to_owned()
    }
}

impl Exchange for Kimi {
    fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
        let operation = call.operation();
        let plan = match operation.as_str() {
            // A stream may fail in its first event, under a 200.
            "chat-completions" => {
                Plan::post("/v1/chat/completions").commit_after(CommitAfter::FirstEvent)
            }
            "messages" => Plan::post("/anthropic/v1/messages").forward_or(
                call,
                "anthropic-version",
                "2023-06-01",
            ),
            other => return Err(Failure::unsupported(other)),
        };
        let plan = plan.header("authorization", "Bearer {api-key}");
        // The K3 models sample in one fixed way and answer 400 to a client that asks for another.
        if call.model().starts_with("kimi-k3") {
            return Ok(SAMPLING.into_iter().fold(plan, Plan::remove));
        }
        Ok(plan)
    }

    fn classify(&self, answer: &FailedAnswer) -> Failure {
        let error = ErrorBody::of(answer);
        let meaning = match error.kind.as_str() {
            _ if error.says("exceeded model token limit") => kind::CONTEXT_LENGTH,
            _ if error.says("high risk") => kind::CONTENT_FILTERED,
            "invalid_authentication_error" | "permission_denied_error" => kind::AUTH,
            "exceeded_current_quota_error" => kind::QUOTA_EXHAUSTED,
            "rate_limit_reached_error" => kind::RATE_LIMITED,
            "engine_overloaded_error" => kind::OVERLOADED,
            "resource_not_found_error" => kind::MODEL_NOT_FOUND,
            // The Anthropic-shaped endpoint, and whatever a proxy in between says.
            _ if answer.operation() == "messages" => return classify::anthropic(answer),
            _ => return classify::openai(answer),
        };
        error.failure(meaning, answer)
    }
}
