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

/// How a client asks for other sampling, in either dialect. `n` is as fixed and is not among them: whoever asks for
/// several answers and would get one is better told so by the vendor's 400.
const SAMPLING: [&str; 5] = [
    "/temperature",
    "/top_p",
    "/top_k",
    "/presence_penalty",
    "/frequency_penalty",
];

// Of the abilities in the manifest: a named tool is refused by every model that thinks, `required` by those before K3
// alone.
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
        // All of this name, K2.6 and K2.7 as well as K3, sample in one fixed way and answer 400 ("only 1 is allowed for
        // this model") to a client that asks for another. Left out it is right, with and without thinking. The models
        // before them can be told.
        if call.model().starts_with("kimi-") {
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
