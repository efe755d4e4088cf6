//! A provider for a vendor that does not exist: Acme. Its dialect is that of chat completions, nearly.

use tollgate_guest::classify::{self, ErrorBody};
use tollgate_guest::json::Json;
use tollgate_guest::{
    Call, Catalogue, CommitAfter, Exchange, FailedAnswer, Failure, Listing, Manifest, Page, Plan,
    kind,
};

/// One type is the component. It needs `Default`, or a configuration to be made from.
#[derive(Default)]
pub struct Acme;

// What is listed here is exported, and nothing else. `catalogue` is optional, and this version of the host does not ask yet.
tollgate_guest::export!(Acme: manifest, exchange, catalogue);

impl Manifest for Acme {
    fn describe(&self) -> String {
        include_str!("manifest.json").to_owned()
    }
}

impl Exchange for Acme {
    // Say what to send; the host sends it. The body is not here: edits are said by JSON Pointer, and what no edit
    // touches goes out byte for byte as the client wrote it.
    fn prepare(&self, call: &Call) -> Result<Plan, Failure> {
        let operation = call.operation();
        let plan = match operation.as_str() {
            "chat-completions" => Plan::post("/api/v2/chat")
                // Acme has the older name for the cap, and refuses what it does not know.
                .rename("/max_completion_tokens", "max_tokens")
                .remove("/store")
                .set_default("/safety/level", "standard")
                // Acme answers 200 and puts the failure into the first event or the body.
                .commit_after(if call.streaming() {
                    CommitAfter::FirstEvent
                } else {
                    CommitAfter::Body
                }),
            "embeddings" => Plan::post("/api/v2/embeddings"),
            other => return Err(Failure::unsupported(other)),
        };
        // Braces name fields of the credential. The host fills them in after this has returned: a component never
        // holds a secret, so it can be written by anyone.
        Ok(plan
            .header("authorization", "Acme {workspace}:{api-key}")
            .forward(call, "acme-preview"))
    }

    // Say what a failure means; the router acts on that and never on a vendor's words.
    fn classify(&self, answer: &FailedAnswer) -> Failure {
        let error = ErrorBody::of(answer);
        match error.code.as_str() {
            "workspace_frozen" => error.failure(kind::QUOTA_EXHAUSTED, answer),
            "try_later" => error.failure(kind::OVERLOADED, answer),
            "unknown_model" => error.failure(kind::MODEL_NOT_FOUND, answer),
            // The rest is as with everybody else.
            _ => classify::openai(answer),
        }
    }
}

impl Catalogue for Acme {
    fn request(&self, _endpoint: &str) -> Listing {
        Listing::get("/api/v2/models").header("authorization", "Acme {workspace}:{api-key}")
    }

    fn read(&self, body: &[u8]) -> Result<Page, String> {
        let answer =
            Json::parse_bytes(body).map_err(|why| format!("the list is not JSON: {why}"))?;
        let models = answer.get("models").and_then(Json::as_array);
        let models = models.ok_or("the list has no `models`")?;
        let names = models.iter().filter_map(Json::as_str);
        Ok(Page::last(names.map(str::to_owned)))
    }
}

// Tests run natively: `cargo test`, no wasm and no gateway needed.
#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_guest::{Edit, testing};

    #[test]
    fn the_manifest_is_one_that_a_host_accepts() {
        assert_eq!(testing::check_manifest(&Acme.describe()), [""; 0]);
    }

    #[test]
    fn a_chat_is_sent_as_acme_wants_it() {
        let call = testing::Call::new("chat-completions")
            .model("acme-large")
            .streaming(true);
        let plan = Acme.prepare(&call.view()).unwrap();
        assert_eq!(plan.path, "/api/v2/chat");
        assert_eq!(
            plan.headers,
            [("authorization".into(), "Acme {workspace}:{api-key}".into())]
        );
        assert_eq!(plan.edits[1], Edit::Remove("/store".into()));
        assert_eq!(plan.commit_after, "first-event");
    }

    #[test]
    fn a_failure_under_a_200_is_understood() {
        let answer = testing::FailedAnswer::new(200)
            .body(r#"{"error":{"code":"try_later","message":"Busy."}}"#);
        let failure = Acme.classify(&answer.view());
        assert_eq!(failure.kind, kind::OVERLOADED);
        assert_eq!(failure.message.as_deref(), Some("Busy."));
    }

    #[test]
    fn the_list_of_models_is_read() {
        assert_eq!(
            Acme.read(br#"{"models":["acme-large"]}"#).unwrap(),
            Page::last(["acme-large".to_owned()])
        );
        assert!(Acme.read(b"{}").is_err());
    }
}
