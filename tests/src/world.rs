//! The usual world of a test: a simulator, a gateway on it, an account, a key.

use serde_json::{Value, json};

use crate::endpoints::{CLAUDE, EMBED, Endpoint, GPT};
use crate::gateway::{Gateway, Setup};
use crate::management::{Key, Management};
use crate::simulator::Simulator;
use crate::wire::{Reply, Request};

/// The secret of the credential `openai`.
pub const OPENAI_SECRET: &str = "sk-upstream-secret-openai-7f3a9c";
/// The secret of the credential `anthropic`.
pub const ANTHROPIC_SECRET: &str = "sk-upstream-secret-anthropic-51d0be";

/// The path of the account that the key belongs to.
pub const ALICE: &str = "root/research/alice";

/// Micro-units for a million tokens: $3 in, $15 out, cache reads a tenth, cache writes 1.25 and 2 times the input.
pub fn price() -> Value {
    json!({
        "currency": "USD", "input": 3_000_000, "output": 15_000_000,
        "cache_read": 300_000, "cache_write_5m": 3_750_000, "cache_write_1h": 6_000_000,
    })
}

/// A model entry of an upstream.
pub fn model(id: &str) -> Value {
    json!({ "id": id, "price": price(), "context_window": 200_000, "max_output_tokens": 64_000 })
}

/// The usual world.
pub struct World {
    /// The vendor.
    pub simulator: Simulator,
    /// The gateway.
    pub gateway: Gateway,
    /// A key of [`ALICE`].
    pub key: Key,
}

impl World {
    /// With the components `openai` and `anthropic`, an upstream of each on the simulator, and the accounts
    /// `root/research/alice`.
    pub async fn new() -> Self {
        Self::with(Setup::new(&["openai", "anthropic"])).await
    }

    /// The same with another setup, which must have both components.
    pub async fn with(setup: Setup) -> Self {
        let simulator = Simulator::start().await;
        let gateway = Gateway::start(&setup).await;
        for secret in [OPENAI_SECRET, ANTHROPIC_SECRET] {
            gateway.keep_secret(secret);
        }
        let management = gateway.management();
        management.credential("openai", OPENAI_SECRET).await;
        management.credential("anthropic", ANTHROPIC_SECRET).await;
        let openai = upstream(&simulator, "openai", &[GPT, EMBED]);
        management.upstream("openai", openai).await;
        management
            .upstream("anthropic", upstream(&simulator, "anthropic", &[CLAUDE]))
            .await;
        management.account("root", "research", json!({})).await;
        management
            .account("root/research", "alice", json!({}))
            .await;
        let key = management.key(ALICE).await;
        gateway.keep_secret(&key.secret);
        let ready = gateway.send(&Request::get("/readyz")).await;
        assert_eq!(
            ready.status(),
            200,
            "not ready with upstreams: {}",
            ready.text()
        );
        Self {
            simulator,
            gateway,
            key,
        }
    }

    /// The management API.
    pub fn management(&self) -> &Management {
        self.gateway.management()
    }

    /// A request of the key's owner.
    pub fn request(&self, path: &str, body: impl Into<Vec<u8>>) -> Request {
        Request::post(path, body).bearer(&self.key.secret)
    }

    /// Sends a request of the key's owner.
    pub async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.gateway.send(&self.request(path, body)).await
    }

    /// Sends a small request to an endpoint.
    pub async fn ask(&self, endpoint: &Endpoint, stream: bool) -> Reply {
        self.post(endpoint.path, endpoint.body(stream)).await
    }
}

/// An upstream's record: the provider of that name on a simulator, with the credential of the same name.
pub fn upstream(simulator: &Simulator, provider: &str, models: &[&str]) -> Value {
    let models: Vec<Value> = models.iter().map(|id| model(id)).collect();
    json!({ "provider": provider, "base_url": simulator.base_url(), "credential": provider, "models": models })
}
