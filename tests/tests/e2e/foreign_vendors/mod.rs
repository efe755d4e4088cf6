//! Real clients on vendors of every dialect, their own and the foreign ones: what the client reports, and what the vendor
//! received. Each client is a row of a table that makes it a test, each test goes through all vendors.

mod catalogue;
mod command_lines;
mod commands;
mod sdks;

use serde_json::{Value, json};
use tollgate_tests::endpoints::Endpoint;
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{ENCRYPTED_CONTENT, REASONING_CONTENT, SIGNATURE};
use tollgate_tests::world::{World, model, upstream};

/// A vendor that speaks one dialect.
pub(crate) struct Vendor {
    /// The operation of its dialect.
    pub(crate) operation: &'static str,
    /// The model's name here.
    pub(crate) model: &'static str,
    provider: &'static str,
    /// The model of the provider's list whose abilities it has: each of them reasons.
    listed: &'static str,
    /// Its reasoning, as it wants it back.
    pub(crate) reasoning: &'static str,
}

pub(crate) const VENDORS: [Vendor; 3] = [
    Vendor {
        operation: "chat-completions",
        model: "chat-only",
        provider: "kimi",
        listed: "kimi-k3",
        reasoning: REASONING_CONTENT,
    },
    Vendor {
        operation: "responses",
        model: "responses-only",
        provider: "openai",
        listed: "gpt-5.2",
        reasoning: ENCRYPTED_CONTENT,
    },
    Vendor {
        operation: "messages",
        model: "messages-only",
        provider: "anthropic",
        listed: "claude-sonnet-4-5",
        reasoning: SIGNATURE,
    },
];

/// What the gateway's own sealed strings begin with: they are for clients, never for vendors.
const SEAL: &str = "tg1.";

impl Vendor {
    pub(crate) fn path(&self) -> &'static str {
        Endpoint::of(self.operation).path
    }

    /// Nothing in a request is another vendor's, or the gateway's own.
    fn assert_not_anothers(&self, body: &str, what: &str) {
        let others = VENDORS
            .iter()
            .filter(|other| other.operation != self.operation);
        // Readable reasoning may be told as such; what is opaque may not.
        let opaque = others
            .map(|other| other.reasoning)
            .filter(|reasoning| *reasoning != REASONING_CONTENT);
        for foreign in opaque.chain([SEAL]) {
            assert!(!body.contains(foreign), "{what}: {foreign} in {body}");
        }
    }

    /// The ids of the calls in a request, message by message, and those of the results, as its dialect has them.
    fn calls_and_results(&self, body: &Value) -> (Vec<Vec<String>>, Vec<String>) {
        let id = |value: &Value| {
            value
                .as_str()
                .unwrap_or_else(|| panic!("no id in {body}"))
                .to_owned()
        };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (mut calls, mut results) = (Vec::new(), Vec::new());
        for turn in list(&body["messages"]) {
            let parts = list(&turn["content"]);
            let made = list(&turn["tool_calls"]).into_iter();
            let made = made.chain(
                parts
                    .iter()
                    .filter(|part| part["type"] == "tool_use")
                    .cloned(),
            );
            let made: Vec<_> = made.map(|call| id(&call["id"])).collect();
            if !made.is_empty() {
                calls.push(made);
            }
            if turn["role"] == "tool" {
                results.push(id(&turn["tool_call_id"]));
            }
            let told = parts.iter().filter(|part| part["type"] == "tool_result");
            results.extend(told.map(|part| id(&part["tool_use_id"])));
        }
        let mut together = false;
        for item in list(&body["input"]) {
            let call = item["type"] == "function_call";
            match (call, together) {
                (true, true) => calls.last_mut().unwrap().push(id(&item["call_id"])),
                (true, false) => calls.push(vec![id(&item["call_id"])]),
                (false, _) if item["type"] == "function_call_output" => {
                    results.push(id(&item["call_id"]))
                }
                _ => {}
            }
            together = call;
        }
        (calls, results)
    }
}

/// A world with these vendors.
pub(crate) async fn vendors() -> World {
    let world = World::with(Setup::new(&["openai", "anthropic", "kimi"])).await;
    let secret = "sk-upstream-secret-kimi-b07e42";
    world.gateway.keep_secret(secret);
    world.management().credential("kimi", secret).await;
    for vendor in &VENDORS {
        let mut record = upstream(&world.simulator, vendor.provider, &[]);
        let mut only = model(vendor.model);
        only["upstream_id"] = json!(vendor.listed);
        only["operations"] = json!([vendor.operation]);
        record["models"] = json!([only]);
        world.management().upstream(vendor.model, record).await;
    }
    world
}

/// The schema of a structured answer in a request to a vendor: as the dialect demands one, or, from clients that know no
/// other way, that of the one tool which must be called.
fn schema<'a>(vendor: &Vendor, body: &'a Value) -> &'a Value {
    let tool = &body["tools"][0];
    let (format, tool) = match vendor.operation {
        "chat-completions" => (
            &body["response_format"]["json_schema"]["schema"],
            &tool["function"]["parameters"],
        ),
        "responses" => (&body["text"]["format"]["schema"], &tool["parameters"]),
        _ => (
            &body["output_config"]["format"]["schema"],
            &tool["input_schema"],
        ),
    };
    if format.is_null() { tool } else { format }
}

/// What a client must read of a stream that its vendor cut.
pub(crate) const BROKE_OFF: &str = "the upstream broke off in the middle of its answer";

/// A picture, small.
pub(crate) const IMAGE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
