//! Provider component: kimi. The example to copy for the next vendor; `manifest.json` beside it is the other half.

use tollgate_guest::classify::{self, ErrorBody};
use tollgate_guest::{Call, Exchange, FailedAnswer, Failure, Manifest, Plan, kind};

/// Kimi, the models of Moonshot AI.
#[derive(Default)]
pub struct Kimi;

tollgate_guest::export!(Kimi: manifest, exchange);

impl Manifest for Kimi {
    fn describe(&self) -> String {
        include_str!("manifest.json").to_owned()
    }
}

impl Exchange for Kimi {
    fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
        let operation = call.operation();
        let plan = match operation.as_str() {
            "chat-completions" => Plan::post("/v1/chat/completions"),
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
            return Ok([
                "/temperature",
                "/top_p",
                "/top_k",
                "/presence_penalty",
                "/frequency_penalty",
            ]
            .into_iter()
            .fold(plan, Plan::remove));
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

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_guest::{Edit, testing};

    #[test]
    fn the_manifest_is_one_that_a_host_accepts() {
        assert_eq!(testing::check_manifest(&Kimi.describe()), [""; 0]);
    }

    #[test]
    fn each_dialect_has_its_path_and_the_key_is_only_named() {
        for (operation, path) in [
            ("chat-completions", "/v1/chat/completions"),
            ("messages", "/anthropic/v1/messages"),
        ] {
            let plan = Kimi
                .prepare(&testing::Call::new(operation).view())
                .expect(operation);
            assert_eq!(plan.path, path);
            assert!(
                plan.headers
                    .contains(&("authorization".into(), "Bearer {api-key}".into()))
            );
        }
        assert!(
            Kimi.prepare(&testing::Call::new("embeddings").view())
                .is_err()
        );
    }

    #[test]
    fn sampling_is_left_to_k3_and_to_no_other_model() {
        let plan =
            |model| Kimi.prepare(&testing::Call::new("chat-completions").model(model).view());
        assert!(
            plan("kimi-k3")
                .expect("a plan")
                .edits
                .contains(&Edit::Remove("/temperature".into()))
        );
        assert!(plan("kimi-k2.6").expect("a plan").edits.is_empty());
    }

    #[test]
    fn failures_mean_what_the_vendor_documents() {
        let cases = [
            (
                401,
                "invalid_authentication_error",
                "Invalid Authentication",
                kind::AUTH,
            ),
            (
                429,
                "exceeded_current_quota_error",
                "check your plan",
                kind::QUOTA_EXHAUSTED,
            ),
            (
                429,
                "rate_limit_reached_error",
                "max RPM",
                kind::RATE_LIMITED,
            ),
            (
                429,
                "engine_overloaded_error",
                "currently overloaded",
                kind::OVERLOADED,
            ),
            (
                404,
                "resource_not_found_error",
                "Not found the model",
                kind::MODEL_NOT_FOUND,
            ),
            (
                400,
                "invalid_request_error",
                "Your request exceeded model token limit: 262144",
                kind::CONTEXT_LENGTH,
            ),
            (
                400,
                "content_filter",
                "The request was rejected because it was considered high risk",
                kind::CONTENT_FILTERED,
            ),
            (
                400,
                "invalid_request_error",
                "invalid temperature",
                kind::INVALID_REQUEST,
            ),
            (502, "", "", kind::TRANSIENT),
        ];
        for (status, error, message, meaning) in cases {
            let body = format!(r#"{{"error":{{"type":"{error}","message":"{message}"}}}}"#);
            let answer = testing::FailedAnswer::new(status).body(body);
            assert_eq!(
                Kimi.classify(&answer.view()).kind,
                meaning,
                "{status} {error}"
            );
        }
    }
}
