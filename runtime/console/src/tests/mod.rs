//! The API as its callers see it: over HTTP types, on a real store, vault and component host in a temporary folder.

mod api;
mod audit;
mod auth;
mod credit;
mod export;
mod guests;
mod openapi;
mod secrets;
mod tokens;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tollgate_gateway::config::Config;
use tollgate_gateway::control::Control;
use tollgate_governance::UsageRow;
use tower_service::Service as _;

/// A gateway's control plane in a folder of its own.
struct World {
    // Ends before its folder goes.
    control: Arc<Control>,
    token: String,
    folder: tempfile::TempDir,
}

/// A secret that must not come out anywhere.
const SECRET: &str = "sk-never-to-be-seen-again";

impl World {
    /// With the components `self` (answers by itself), `vendor` (needs `api-key`) and `rule` (a policy).
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let components = folder.path().join("components");
        std::fs::create_dir(&components).unwrap();
        for (name, bytes) in [
            ("self", guests::provider("self", false)),
            ("vendor", guests::provider("vendor", true)),
            ("rule", guests::policy()),
            ("broken", b"not wasm".to_vec()),
        ] {
            std::fs::write(components.join(format!("{name}.wasm")), bytes).unwrap();
        }
        let mut config = Config::default();
        config.data.dir = folder.path().join("data");
        config.components.dir = components;
        let control = Control::open(config).unwrap();
        let token = std::fs::read_to_string(control.data().management_token())
            .unwrap()
            .trim()
            .to_owned();
        Self {
            control,
            token,
            folder,
        }
    }

    /// Writes down a request of an account, as the data plane does; whoever asks finds it.
    fn used(&self, account: &str) {
        let ends = account.match_indices('/').map(|(end, _)| end);
        let path: Vec<_> = ends
            .chain([account.len()])
            .map(|end| {
                let view = self.control.operator().account(&account[..end]);
                view.unwrap().account.id
            })
            .collect();
        let row = UsageRow {
            request: uuid::Uuid::from_u128(account.len() as u128),
            admitted_ms: 1_700_000_000_000,
            path: path.into(),
            names: account.to_owned().into(),
            tags: vec![("cc".into(), "7".into())],
            provider: "self".into(),
            requested_model: "m".into(),
            status: 200,
            ttfb_ms: Some(3),
            policies: vec![Default::default()],
            ..UsageRow::default()
        };
        let mut journal = self.control.journal_writer().unwrap();
        journal.append(&row, &[]).unwrap();
        self.rows_are_stored();
    }

    /// Waits for rows on their way to the store, however busy the machine is.
    fn rows_are_stored(&self) {
        let patience = std::time::Duration::from_secs(60);
        assert!(self.control.sync_usage(patience), "the store is behind");
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = crate::router(Arc::clone(&self.control))
            .call(request)
            .await
            .unwrap();
        let status = response.status();
        assert_eq!(response.headers()["cache-control"], "no-store");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Request<Body> {
        request(&self.token, method, path, body)
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, text) = self.send(self.request(method, path, body)).await;
        (
            status.as_u16(),
            serde_json::from_str(&text)
                .unwrap_or_else(|_| panic!("{method} {path}: {status} {text}")),
        )
    }

    async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(method, path, Some(&body)).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call("GET", path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The status, field and message of a refusal.
    async fn refused(&self, method: &str, path: &str, body: Value) -> (u16, String, String) {
        let (status, answer) = self.call(method, path, Some(&body)).await;
        assert!(status >= 400, "{method} {path}: {status} {answer}");
        let text = |name: &str| {
            answer["error"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        assert!(!text("message").is_empty(), "{answer}");
        (status, text("field"), text("message"))
    }

    /// One of each thing.
    async fn furnish(&self) -> Value {
        self.done(
            "POST",
            "/api/accounts",
            json!({ "name": "sales", "limits": { "rpm": 5 }, "tags": { "cc": "7" } }),
        )
        .await;
        let key = self
            .done(
                "POST",
                "/api/keys",
                json!({ "account": "root/sales", "label": "ci" }),
            )
            .await;
        self.done(
            "PUT",
            "/api/credentials/main",
            json!({ "fields": { "api-key": SECRET } }),
        )
        .await;
        self.done(
            "PUT",
            "/api/upstreams/own",
            json!({ "provider": "self", "priority": 1 }),
        )
        .await;
        self.done(
            "PUT",
            "/api/upstreams/far",
            json!({ "provider": "vendor", "credential": "main" }),
        )
        .await;
        self.done(
            "PUT",
            "/api/policies/p",
            json!({ "component": "rule", "account": "root/sales", "config": {} }),
        )
        .await;
        key
    }
}

/// A request of the bearer of a token.
fn request(token: &str, method: &str, path: &str, body: Option<&Value>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .body(
            body.map(|body| Body::from(body.to_string()))
                .unwrap_or_default(),
        )
        .unwrap()
}
