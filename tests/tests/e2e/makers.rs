//! What one vendor signed or encrypted goes to no other vendor of the same dialect, and back to its own.

use serde_json::{Value, json};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{Answer, Part, anthropic_error};
use tollgate_tests::world::{World, model, upstream};

const FIRST: &str = "EqQBCkgIChABGAIiQL2UoU0b1OHYi0first";
const SECOND: &str = "Cl8KIKdOqBm1x0QkS9rBqHuVfY7d2Zsecond";

/// Two vendors of one model, each asked by a component of its own.
async fn two_vendors() -> World {
    let providers = ["anthropic", "kimi"];
    let world = World::with(Setup::new(&["openai", "anthropic", "kimi"])).await;
    for (place, provider) in providers.into_iter().enumerate() {
        let mut record = upstream(&world.simulator, provider, &[]);
        let mut only = model("thinker");
        only["operations"] = json!(["messages"]);
        record["models"] = json!([only]);
        record["priority"] = json!(10 - place);
        record["credential"] = json!("anthropic");
        world.management().upstream(provider, record).await;
    }
    world
}

fn message(signature: &str, stream: bool) -> Answer {
    let usage = json!({ "input_tokens": 3, "output_tokens": 4 });
    let block = json!({ "type": "thinking", "thinking": "hm", "signature": signature });
    let text = json!({ "type": "text", "text": "so" });
    if !stream {
        let whole = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "thinker",
            "content": [block, text], "stop_reason": "end_turn", "stop_sequence": null, "usage": usage });
        return Answer::json(200, whole.to_string());
    }
    let start = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "thinker",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage });
    let all = [
        json!({ "type": "message_start", "message": start }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "hm" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "signature_delta", "signature": signature } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": "so" } }),
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": usage }),
        json!({ "type": "message_stop" }),
    ];
    streamed(&all)
}

fn streamed(all: &[Value]) -> Answer {
    let event = |event: &Value| {
        format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )
    };
    let parts = all.iter().map(|all| Part::Bytes(event(all).into_bytes()));
    Answer::stream(parts.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_goes_back_to_the_vendor_that_made_it_and_to_no_other_of_its_dialect() {
    let world = two_vendors().await;
    for stream in [false, true] {
        let (first, second) = (format!("{FIRST}{stream}"), format!("{SECOND}{stream}"));
        let thought = |signature: &str| {
            json!({ "role": "assistant", "content": [
                { "type": "thinking", "thinking": "hm", "signature": signature },
                { "type": "text", "text": "so" } ] })
        };
        let said = json!({ "role": "user", "content": "go on" });
        let ask = async |turns: &[&Value]| {
            let body = json!({ "model": "thinker", "max_tokens": 4096, "stream": stream, "messages": turns });
            let reply = world.post("/v1/messages", body.to_string()).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            let asked = world.simulator.last().text();
            (asked.contains(&first), asked.contains(&second))
        };
        world.simulator.script(message(&first, stream));
        ask(&[&said]).await;
        // The second vendor serves the next turn.
        world
            .simulator
            .script(anthropic_error(529, "overloaded_error", "busy"));
        world.simulator.script(message(&second, stream));
        let turns = [&said, &thought(&first), &said];
        assert_eq!(ask(&turns).await, (false, false), "stream: {stream}");
        let turns = [&said, &thought(&first), &said, &thought(&second), &said];
        world
            .simulator
            .script(message("no more of that, please", stream));
        assert_eq!(ask(&turns).await, (true, false), "stream: {stream}");
        world
            .simulator
            .script(anthropic_error(529, "overloaded_error", "busy"));
        world
            .simulator
            .script(message("nor of that, if you please", stream));
        assert_eq!(ask(&turns).await, (false, true), "stream: {stream}");
    }
}
