//! What keeps the adapter true to the vendor's documentation.

use super::*;
use tollgate_guest::json::Json;
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
fn sampling_is_not_asked_of_models_that_refuse_it() {
    let edits = |model: &str| {
        let call = testing::Call::new("chat-completions").model(model);
        Kimi.prepare(&call.view()).expect("a plan").edits
    };
    let removed = SAMPLING.map(|pointer| Edit::Remove(pointer.into()));
    for model in models() {
        // Over the bridge, and within the vendor's own dialect.
        assert!(can(&model, "no-sampling"), "{model:?}");
        assert_eq!(edits(id(&model)), removed, "{model:?}");
    }
    assert!(edits("moonshot-v1-8k").is_empty());
}

#[test]
fn a_call_that_must_be_made_is_asked_of_k3_alone_and_a_certain_one_of_nobody() {
    for model in models() {
        assert!(can(&model, "no-named-tool"), "{model:?}");
        let is_k3 = id(&model).starts_with("kimi-k3");
        assert_eq!(can(&model, "no-required-tool"), !is_k3, "{model:?}");
    }
}

/// What the manifest lists.
fn models() -> Vec<Json> {
    let manifest = Json::parse(&Kimi.describe()).expect("JSON");
    let models = manifest.get("models").and_then(Json::as_array);
    models.expect("models").to_vec()
}

fn id(model: &Json) -> &str {
    model.get("id").and_then(Json::as_str).expect("an id")
}

fn can(model: &Json, ability: &str) -> bool {
    let abilities = model.get("abilities").and_then(Json::as_array);
    abilities.is_some_and(|abilities| {
        abilities
            .iter()
            .any(|listed| listed.as_str() == Some(ability))
    })
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
