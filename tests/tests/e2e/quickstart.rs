//! The first command a person types: it serves at once, offline, with the bundled provider.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tollgate_tests::endpoints::ENDPOINTS;
use tollgate_tests::gateway::{Gateway, Setup};
use tollgate_tests::recordings::events;
use tollgate_tests::wire::Request;

/// A gateway as `cargo xtask run` starts it, and what it printed.
pub(crate) struct Quickstart {
    pub(crate) gateway: Gateway,
    printed: String,
}

impl Quickstart {
    /// Starts one without any vendor: `echo` answers.
    pub(crate) async fn start() -> Self {
        let setup = Setup::new(&["echo", "openai", "anthropic"]).argument("--quickstart");
        let gateway = Gateway::start(&setup).await;
        let printed = gateway.log();
        Self { gateway, printed }
    }

    /// What is to be pasted: the indented lines under a heading, without the indentation and nothing else changed.
    pub(crate) fn to_paste(&self, heading: &str) -> String {
        let mut lines = self.printed.lines();
        assert!(
            lines.any(|line| line == heading),
            "no {heading:?} in:\n{}",
            self.printed
        );
        let block: Vec<&str> = lines
            .map_while(|line| {
                line.is_empty()
                    .then_some(line)
                    .or_else(|| line.strip_prefix("    "))
            })
            .collect();
        let block = block.join("\n").trim().to_owned();
        assert!(!block.is_empty(), "nothing to paste under {heading:?}");
        block
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_prints_all_that_a_client_needs_and_the_key_works_on_every_endpoint() {
    let Quickstart {
        mut gateway,
        printed,
    } = Quickstart::start().await;
    let file = gateway.data().join("quickstart-key");
    let key = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for wanted in [
        key.as_str(),
        &format!("{}/v1", gateway.base_url()),
        &gateway.management().address().to_string(),
        "wire_api = \"responses\"",
        "ANTHROPIC_BASE_URL",
        "OPENAI_BASE_URL",
    ] {
        assert!(
            printed.contains(wanted),
            "{wanted} is not printed:\n{printed}"
        );
    }
    let models = gateway
        .send(&Request::get("/v1/models").bearer(&key))
        .await
        .json();
    let model = models["data"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no model: {models}"))
        .to_owned();
    for endpoint in &ENDPOINTS {
        for stream in [false, endpoint.streams] {
            let body = endpoint.body_with(&model, stream, "Echo this, please.");
            let reply = gateway
                .send(&Request::post(endpoint.path, body).bearer(&key))
                .await;
            let what = format!(
                "{} stream {stream}: {} {}",
                endpoint.path,
                reply.status(),
                reply.text()
            );
            assert_eq!(reply.status(), 200, "{what}");
            if stream {
                let said: String = events(&reply.text()).iter().map(said).collect();
                assert!(said.contains("Echo this, please."), "{what}");
            } else if endpoint.streams {
                assert!(reply.text().contains("Echo this, please."), "{what}");
            }
        }
    }
    // A second start keeps the key.
    gateway.terminate();
    gateway.ended().await;
    gateway.restart().await;
    let body = ENDPOINTS[0].body_for(&model, false);
    assert_eq!(
        gateway
            .send(&Request::post(ENDPOINTS[0].path, body).bearer(&key))
            .await
            .status(),
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_echo_says_that_it_used_is_recorded_streamed_or_not() {
    let Quickstart { gateway, .. } = Quickstart::start().await;
    let key = std::fs::read_to_string(gateway.data().join("quickstart-key")).unwrap();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        let mut told = Vec::new();
        for stream in [false, true] {
            let body = endpoint.body_with("echo", stream, "Echo this, please.");
            let mut body: Value = serde_json::from_slice(&body).unwrap();
            // The client does not ask for usage, and must not see it.
            body.as_object_mut().unwrap().remove("stream_options");
            let request = Request::post(endpoint.path, body.to_string()).bearer(key.trim());
            let reply = gateway.send(&request).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            if stream && endpoint.operation == "chat-completions" {
                assert!(!reply.text().contains("prompt_tokens"), "{}", reply.text());
            }
            let id = crate::byte_identity::request_id(&reply);
            let row = gateway.management().row_of(&id).await;
            assert!(!row.estimated(), "{}: {}", endpoint.path, row.0);
            told.push(row.tokens());
        }
        assert_eq!(told[0], told[1], "{}", endpoint.path);
        assert!(told[0].input > 0 && told[0].output > 0, "{:?}", told[0]);
    }
}

/// The text that a stream's event adds.
fn said(event: &Value) -> String {
    let chat = &event["choices"][0]["delta"]["content"];
    let text = [chat, &event["delta"]["text"]]
        .into_iter()
        .find_map(Value::as_str);
    let response = if event["type"] == "response.output_text.delta" {
        event["delta"].as_str()
    } else {
        None
    };
    text.or(response).unwrap_or_default().to_owned()
}
