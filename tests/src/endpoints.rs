//! The endpoints, as one table that drives the tests: a rule that lands on one endpoint only shows at once.

use serde_json::{Value, json};

use crate::simulator::{ANTHROPIC, EMBEDDING, OPENAI, Tokens};
use crate::wire::Reply;

/// A model endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// The operation's name.
    pub operation: &'static str,
    /// The path with `/v1`.
    pub path: &'static str,
    /// The upstream that serves it in [`crate::world::World`], also the provider's name.
    pub upstream: &'static str,
    /// The model that the tests ask for.
    pub model: &'static str,
    /// Whether it can stream.
    pub streams: bool,
    /// Where the content of a conversation is.
    pub content: &'static str,
    /// What the simulator reports for it.
    pub tokens: Tokens,
    /// Errors are told as Anthropic tells them.
    pub anthropic: bool,
}

/// The model of the upstream `openai`.
pub const GPT: &str = "gpt-simulated";
/// The model of the upstream `anthropic`.
pub const CLAUDE: &str = "claude-simulated";
/// The embedding model of the upstream `openai`.
pub const EMBED: &str = "embed-simulated";

/// Every endpoint that takes model traffic.
pub const ENDPOINTS: [Endpoint; 7] = [
    Endpoint {
        operation: "chat-completions",
        path: "/v1/chat/completions",
        upstream: "openai",
        model: GPT,
        streams: true,
        content: "messages",
        tokens: OPENAI,
        anthropic: false,
    },
    Endpoint {
        operation: "responses",
        path: "/v1/responses",
        upstream: "openai",
        model: GPT,
        streams: true,
        content: "input",
        tokens: OPENAI,
        anthropic: false,
    },
    Endpoint {
        operation: "compact",
        path: "/v1/responses/compact",
        upstream: "openai",
        model: GPT,
        streams: false,
        content: "input",
        tokens: OPENAI,
        anthropic: false,
    },
    Endpoint {
        operation: "input-tokens",
        path: "/v1/responses/input_tokens",
        upstream: "openai",
        model: GPT,
        streams: false,
        content: "input",
        tokens: NONE,
        anthropic: false,
    },
    Endpoint {
        operation: "messages",
        path: "/v1/messages",
        upstream: "anthropic",
        model: CLAUDE,
        streams: true,
        content: "messages",
        tokens: ANTHROPIC,
        anthropic: true,
    },
    Endpoint {
        operation: "count-tokens",
        path: "/v1/messages/count_tokens",
        upstream: "anthropic",
        model: CLAUDE,
        streams: false,
        content: "messages",
        tokens: NONE,
        anthropic: true,
    },
    Endpoint {
        operation: "embeddings",
        path: "/v1/embeddings",
        upstream: "openai",
        model: EMBED,
        streams: false,
        content: "input",
        tokens: EMBEDDING,
        anthropic: false,
    },
];

/// Counting costs nothing.
const NONE: Tokens = Tokens {
    input: 0,
    cache_read: 0,
    cache_write_5m: 0,
    cache_write_1h: 0,
    output: 0,
    reasoning: 0,
};

impl Endpoint {
    /// The endpoint of an operation.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(operation: &str) -> &'static Self {
        ENDPOINTS
            .iter()
            .find(|endpoint| endpoint.operation == operation)
            .expect("a known operation")
    }

    /// Whether it only counts tokens: free, and against limits of requests alone.
    pub fn counts(&self) -> bool {
        matches!(self.operation, "count-tokens" | "input-tokens")
    }

    /// The path without `/v1`.
    pub fn short_path(&self) -> &'static str {
        self.path.strip_prefix("/v1").expect("paths begin with /v1")
    }

    /// A small request.
    pub fn body(&self, stream: bool) -> Vec<u8> {
        self.body_for(self.model, stream)
    }

    /// A small request for a model.
    pub fn body_for(&self, model: &str, stream: bool) -> Vec<u8> {
        self.body_with(model, stream, "Good morning.")
    }

    /// A small request for a model that says `text`.
    pub fn body_with(&self, model: &str, stream: bool, text: &str) -> Vec<u8> {
        let content = match self.operation {
            "responses" | "embeddings" | "compact" | "input-tokens" => json!(text),
            _ => json!([{ "role": "user", "content": text }]),
        };
        let mut body = json!({ "model": model, self.content: content });
        if self.operation == "messages" {
            body["max_tokens"] = json!(256);
        }
        if stream {
            body["stream"] = json!(true);
            if self.operation == "chat-completions" {
                body["stream_options"] = json!({ "include_usage": true });
            }
        }
        body.to_string().into_bytes()
    }

    /// Checks that an answer is an error in this endpoint's dialect and returns its `error` object.
    ///
    /// # Panics
    /// When it is not.
    pub fn assert_error(&self, reply: &Reply, status: u16, word: &str) -> Value {
        let what = format!("{}: {} {}", self.operation, reply.status(), reply.text());
        assert_eq!(reply.status(), status, "{what}");
        assert!(reply.complete, "{what}");
        assert!(
            reply
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("application/json")),
            "{what}"
        );
        assert!(
            reply
                .header("x-request-id")
                .is_some_and(|id| !id.is_empty()),
            "no x-request-id: {what}"
        );
        let body = reply.json();
        let error = body["error"].clone();
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{what}"
        );
        if self.anthropic {
            assert_eq!(body["type"], "error", "{what}");
            assert_eq!(error["type"], word, "{what}");
        } else {
            assert!(body.get("type").is_none(), "{what}");
            assert!(error["type"].is_string(), "{what}");
            assert!(error["type"] == word || error["code"] == word, "{what}");
        }
        error
    }
}
