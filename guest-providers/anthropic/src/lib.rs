//! Provider component: anthropic.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

use tollgate_guest::{
    Call, CommitAfter, Exchange, FailedAnswer, Failure, Manifest, Plan, classify,
};

/// The Anthropic API with an API key: messages, count_tokens.
#[derive(Default)]
pub struct Anthropic;

tollgate_guest::export!(Anthropic: manifest, exchange);

/// The version assumed for a client that names none: it accepts every field of the older ones.
const DEFAULT_VERSION: &str = "2023-06-01";

impl Manifest for Anthropic {
    fn describe(&self) -> String {
        include_str!("manifest.json").to_owned()
    }
}

impl Exchange for Anthropic {
    fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
        let operation = call.operation();
        let plan = match operation.as_str() {
            // Overload is often told in the first event of a stream, under a 200.
            "messages" => Plan::post("/v1/messages").commit_after(CommitAfter::FirstEvent),
            "count-tokens" => Plan::post("/v1/messages/count_tokens"),
            other => return Err(Failure::unsupported(other)),
        };
        // Version and beta flags say how the body is meant: they travel with it, unchanged.
        Ok(plan
            .header("x-api-key", "{api-key}")
            .forward_or(call, "anthropic-version", DEFAULT_VERSION)
            .forward(call, "anthropic-beta"))
    }

    fn classify(&self, answer: &FailedAnswer) -> Failure {
        classify::anthropic(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_guest::{kind, testing};

    fn plan(call: &testing::Call) -> Plan {
        Anthropic.prepare(&call.view()).expect("a plan")
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_manifest_is_one_that_a_host_accepts() {
        assert_eq!(testing::check_manifest(&Anthropic.describe()), [""; 0]);
    }

    #[test]
    fn each_operation_has_its_path() {
        assert_eq!(plan(&testing::Call::new("messages")).path, "/v1/messages");
        let count = plan(&testing::Call::new("count-tokens"));
        assert_eq!(count.path, "/v1/messages/count_tokens");
        let refused = Anthropic.prepare(&testing::Call::new("responses").view());
        assert_eq!(refused.expect_err("no such path").kind, kind::PERMANENT);
    }

    #[test]
    fn version_and_beta_flags_of_the_client_go_through_unchanged() {
        let call = testing::Call::new("messages")
            .header("anthropic-version", "2026-10-21")
            .header("anthropic-beta", "effort-2025-11-24,context-1m-2025-08-07")
            .header("x-app", "cli");
        let expected = [
            pair("x-api-key", "{api-key}"),
            pair("anthropic-version", "2026-10-21"),
            pair("anthropic-beta", "effort-2025-11-24,context-1m-2025-08-07"),
        ];
        assert_eq!(plan(&call).headers, expected);
    }

    #[test]
    fn a_client_without_a_version_gets_the_one_that_accepts_most() {
        let headers = plan(&testing::Call::new("messages")).headers;
        assert!(headers.contains(&pair("anthropic-version", "2023-06-01")));
        assert_eq!(headers.len(), 2, "and no beta flag");
    }

    #[test]
    fn a_prompt_that_is_too_long_keeps_the_wording_clients_look_for() {
        let message = "prompt is too long: 208904 tokens > 200000 maximum";
        let body = format!(
            r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"{message}"}}}}"#
        );
        let answer = testing::FailedAnswer::new(400).body(body);
        let failure = Anthropic.classify(&answer.view());
        assert_eq!(failure.kind, kind::CONTEXT_LENGTH);
        assert_eq!(failure.message.as_deref(), Some(message));
    }
}
