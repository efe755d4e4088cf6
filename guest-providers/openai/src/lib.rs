//! Provider component: openai.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use tollgate_guest::{
    Call, CommitAfter, Exchange, FailedAnswer, Failure, Manifest, Plan, classify,
};

/// The OpenAI API with an API key: chat completions, responses (their compaction and counting, too), embeddings.
#[derive(Default)]
pub struct OpenAi;

tollgate_guest::export!(OpenAi: manifest, exchange);

/// The client's headers that say how the body is meant, and so travel with it.
///
/// What is left out, and why: `openai-organization` and `openai-project` choose who pays, which is the operator's to
/// say with the credential. `originator`, `session-id`, `thread-id`, `x-client-request-id` and the other `x-codex-*`
/// headers tell the vendor which person sits at which machine; the answer does not depend on them (the prompt cache
/// goes by `prompt_cache_key` in the body), and values that change with each turn would make each plan a new one.
const WITH_THE_BODY: [&str; 3] = [
    "openai-beta",
    // Codex speaks Responses alone, and each look at a header is a call to the host.
    "x-codex-beta-features",
    "x-openai-internal-codex-responses-lite",
];

impl Manifest for OpenAi {
    fn describe(&self) -> String {
        include_str!("manifest.json").to_owned()
    }
}

impl Exchange for OpenAi {
    fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
        let operation = call.operation();
        let plan = match operation.as_str() {
            // A stream may fail in its first event, under a 200.
            "chat-completions" => {
                Plan::post("/v1/chat/completions").commit_after(CommitAfter::FirstEvent)
            }
            "responses" => Plan::post("/v1/responses").commit_after(CommitAfter::FirstEvent),
            "compact" => Plan::post("/v1/responses/compact"),
            "input-tokens" => Plan::post("/v1/responses/input_tokens"),
            "embeddings" => Plan::post("/v1/embeddings"),
            other => return Err(Failure::unsupported(other)),
        };
        let plan = plan.header("authorization", "Bearer {api-key}");
        let forwarded = match operation.as_str() {
            "chat-completions" | "embeddings" => &WITH_THE_BODY[..1],
            _ => &WITH_THE_BODY[..],
        };
        Ok(forwarded
            .iter()
            .fold(plan, |plan, name| plan.forward(call, name)))
    }

    fn classify(&self, answer: &FailedAnswer) -> Failure {
        classify::openai(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_guest::{kind, testing};

    fn plan(call: &testing::Call) -> Plan {
        OpenAi.prepare(&call.view()).expect("a plan")
    }

    #[test]
    fn the_manifest_is_one_that_a_host_accepts() {
        assert_eq!(testing::check_manifest(&OpenAi.describe()), [""; 0]);
    }

    #[test]
    fn each_operation_has_its_path() {
        let paths = [
            ("chat-completions", "/v1/chat/completions"),
            ("responses", "/v1/responses"),
            ("compact", "/v1/responses/compact"),
            ("input-tokens", "/v1/responses/input_tokens"),
            ("embeddings", "/v1/embeddings"),
        ];
        for (operation, path) in paths {
            assert_eq!(plan(&testing::Call::new(operation)).path, path);
        }
        let refused = OpenAi.prepare(&testing::Call::new("messages").view());
        assert_eq!(refused.expect_err("no such path").kind, kind::PERMANENT);
    }

    #[test]
    fn no_edit_touches_the_body() {
        assert!(
            plan(&testing::Call::new("chat-completions"))
                .edits
                .is_empty()
        );
    }

    #[test]
    fn only_headers_that_belong_to_the_body_are_passed_on() {
        let call = testing::Call::new("responses")
            .header("openai-beta", "responses=experimental")
            .header("openai-organization", "org-client")
            .header("openai-project", "proj-client")
            .header("originator", "codex_exec")
            .header("session-id", "0190")
            .header("x-codex-turn-metadata", "{}");
        let expected = [
            ("authorization".to_owned(), "Bearer {api-key}".to_owned()),
            (
                "openai-beta".to_owned(),
                "responses=experimental".to_owned(),
            ),
        ];
        assert_eq!(plan(&call).headers, expected);
    }

    #[test]
    fn a_stream_is_committed_after_its_first_event() {
        for operation in ["chat-completions", "responses"] {
            let call = testing::Call::new(operation).streaming(true);
            assert_eq!(plan(&call).commit_after, "first-event");
        }
    }

    #[test]
    fn a_quota_and_a_rate_limit_under_the_same_status_are_told_apart() {
        let kind_of = |code: &str| {
            let body = format!(r#"{{"error":{{"code":"{code}","message":"x"}}}}"#);
            let answer = testing::FailedAnswer::new(429).body(body);
            OpenAi.classify(&answer.view()).kind
        };
        assert_eq!(kind_of("insufficient_quota"), kind::QUOTA_EXHAUSTED);
        assert_eq!(
            kind_of("project_spend_limit_exceeded"),
            kind::QUOTA_EXHAUSTED
        );
        assert_eq!(kind_of("rate_limit_exceeded"), kind::RATE_LIMITED);
    }
}
