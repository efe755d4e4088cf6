//! `/v1/responses/compact` and `/v1/responses/input_tokens` on vendors that have them and on those that do not; counting
//! for a client of one dialect at a vendor that counts in another.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{CLAUDE, Endpoint, GPT};
use tollgate_tests::simulator::{ANTHROPIC, Answer, OPENAI, spoken};
use tollgate_tests::wire::Reply;
use tollgate_tests::world::{ALICE, World, model, upstream};

use crate::bridge::foreign;
use crate::byte_identity::request_id;
use crate::money::cost;

const COMPACT: &str = "/v1/responses/compact";
const COUNT: &str = "/v1/responses/input_tokens";

/// A conversation with what must not get lost in it.
fn conversation(name: &str) -> Value {
    json!({
        "model": name, "instructions": "Answer briefly.",
        "input": [
            { "role": "user", "content": "The code word is heron." },
            { "role": "assistant", "content": "Noted." },
            { "type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "call_1", "output": "nothing there" },
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "And now?" }] },
        ],
        "tools": [{ "type": "function", "name": "look", "parameters": { "type": "object", "properties": {} } }],
    })
}

/// The texts of an output's messages, and its compaction item.
fn output(reply: &Reply) -> (Vec<String>, Value) {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let body = reply.json();
    assert_eq!(body["object"], "response.compaction", "{body}");
    assert!(body["id"].as_str().unwrap().starts_with("resp_"), "{body}");
    assert!(
        body["created_at"].as_u64().unwrap() > 1_700_000_000,
        "{body}"
    );
    let mut items = body["output"].as_array().unwrap().clone();
    let compaction = items.pop().unwrap();
    assert_eq!(compaction["type"], "compaction", "{body}");
    let texts = items.iter().map(|item| {
        assert_eq!(item["type"], "message", "{body}");
        assert_eq!(item["role"], "user", "{body}");
        item["content"][0]["text"].as_str().unwrap().to_owned()
    });
    (texts.collect(), compaction)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_summed_up_where_no_vendor_compacts_and_goes_on_at_any_of_them() {
    let world = foreign().await;
    let vendors = [
        ("chat-completions", "chat-only", OPENAI),
        ("responses", "responses-only", OPENAI),
        ("messages", "messages-only", ANTHROPIC),
    ];
    for (operation, name, tokens) in vendors {
        for path in [COMPACT, "/responses/compact"] {
            let summary = "They agreed on a bird as the code word.";
            world.simulator.script(spoken(operation, false, summary));
            let reply = world.post(path, conversation(name).to_string()).await;
            let (kept, item) = output(&reply);
            assert_eq!(kept, ["The code word is heron.", "And now?"], "{name}");
            let sealed = item["encrypted_content"].as_str().unwrap();
            assert!(sealed.starts_with("tg1."), "{name}: {sealed}");
            let received = world.simulator.last();
            assert_eq!(received.path(), Endpoint::of(operation).path, "{name}");
            let sent = received.json();
            assert_eq!(sent["model"], name);
            for said in [
                "heron",
                "Noted.",
                "nothing there",
                "Answer briefly.",
                "summary",
            ] {
                assert!(received.text().contains(said), "{name}: {said}");
            }
            if operation == "responses" {
                assert_eq!(sent["store"], false, "{sent}");
            }
            let row = world.management().row_of(&request_id(&reply)).await;
            assert_eq!(row.text("operation"), "compact");
            assert_eq!(row.tokens(), tokens, "{name}");
            assert_eq!(row.charged(), cost(tokens), "{name}");
            assert!(!row.estimated(), "{name}");
            assert_eq!(
                reply.json()["usage"]["output_tokens"],
                tokens.output,
                "{}",
                reply.text()
            );
            // Whoever goes on reads it: nothing of it may be stripped.
            for (_, next, _) in vendors {
                let mut output = reply.json()["output"].as_array().unwrap().clone();
                output.push(json!({ "role": "user", "content": "What was it?" }));
                let body = json!({ "model": next, "input": output }).to_string();
                let reply = world.post("/v1/responses", body).await;
                assert_eq!(reply.status(), 200, "{name}, {next}: {}", reply.text());
                let sent = world.simulator.last().text();
                assert!(sent.contains(summary), "{name}, {next}: {sent}");
                assert!(!sent.contains("tg1."), "{name}, {next}: {sent}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_compacts_reads_a_summary_made_here_and_all_else_stays_as_it_is() {
    let world = World::new().await;
    let management = world.management();
    let mut record = upstream(&world.simulator, "openai", &[]);
    let mut only = model("elsewhere");
    only["operations"] = json!(["chat-completions"]);
    record["models"] = json!([only]);
    management.upstream("elsewhere", record).await;
    world
        .simulator
        .script(spoken("chat-completions", false, "We spoke of a heron."));
    let reply = world
        .post(COMPACT, conversation("elsewhere").to_string())
        .await;
    let (_, item) = output(&reply);
    for path in ["/v1/responses", COMPACT, COUNT] {
        let body = format!(
            r#"{{"x" : 1.0,"model":"{GPT}","input":[{item} , {{"role":"user","content":"Go on"}}]}}"#
        );
        let reply = world.post(path, body).await;
        assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
        let sent = world.simulator.last();
        assert_eq!(sent.path(), path);
        let text = sent.text();
        assert!(text.starts_with(r#"{"x" : 1.0,"#), "{path}: {text}");
        assert!(text.contains("We spoke of a heron."), "{path}: {text}");
        assert!(!text.contains("tg1."), "{path}: {text}");
    }
    // A vendor's own compaction goes to it as it came.
    let body = format!(
        r#"{{"model":"{GPT}","input":[ {{"type":"compaction","encrypted_content":"gAAAA"}} ]}}"#
    );
    let reply = world.post("/v1/responses", body.as_str()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(world.simulator.last().text(), body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_whole_summary_is_an_error_and_is_charged_as_told() {
    let world = foreign().await;
    let mut broken_off: Value =
        serde_json::from_slice(&spoken("chat-completions", false, "The begin").body()).unwrap();
    broken_off["choices"][0]["finish_reason"] = json!("length");
    for answer in [
        Answer::json(200, broken_off.to_string()),
        spoken("chat-completions", false, " "),
    ] {
        world.simulator.script(answer);
        let reply = world
            .post(COMPACT, conversation("chat-only").to_string())
            .await;
        assert_eq!(reply.status(), 502, "{}", reply.text());
        assert!(
            reply.text().contains("nothing was compacted"),
            "{}",
            reply.text()
        );
        let row = world.management().row_of(&request_id(&reply)).await;
        assert_eq!(row.charged(), cost(OPENAI), "the vendor is paid: {}", row.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_is_named_is_compacted_whole() {
    let world = foreign().await;
    let ask = async |body: Value| world.post("/v1/responses", body.to_string()).await.json();
    let first = ask(json!({ "model": "chat-only", "input": "The code word is heron." })).await;
    let named = json!({ "model": "chat-only", "previous_response_id": first["id"] });
    let reply = world.post(COMPACT, named.to_string()).await;
    let (kept, _) = output(&reply);
    assert_eq!(kept, ["The code word is heron."]);
    assert!(world.simulator.last().text().contains("heron"));
    let counted = world.post(COUNT, named.to_string()).await;
    assert_eq!(counted.status(), 200, "{}", counted.text());
    for path in [COMPACT, COUNT] {
        let body = json!({ "model": "chat-only", "previous_response_id": "resp_nobodys" });
        let reply = world.post(path, body.to_string()).await;
        assert_eq!(reply.status(), 400, "{path}: {}", reply.text());
        assert_eq!(reply.json()["error"]["param"], "previous_response_id");
    }
    // At a vendor that keeps it, it stays named.
    let mut record = upstream(&world.simulator, "openai", &[]);
    record["models"] = json!([model("keeps")]);
    world.management().upstream("keeps", record).await;
    let kept = ask(json!({ "model": "keeps", "input": "hello" })).await;
    for (path, name) in [(COMPACT, "keeps"), (COUNT, "keeps")] {
        let body = json!({ "model": name, "previous_response_id": kept["id"] });
        let reply = world.post(path, body.to_string()).await;
        assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
        let sent = world.simulator.last();
        assert_eq!((sent.path(), sent.json()), (path, body));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cap_that_holds_is_told_to_the_vendor_and_one_that_cannot_matter_is_not() {
    let world = World::new().await;
    let capped = json!({ "output_cap": 2_000 });
    world.management().change(ALICE, capped).await;
    let reply = world.post(COMPACT, conversation(GPT).to_string()).await;
    let (_, item) = output(&reply);
    assert!(
        item["encrypted_content"]
            .as_str()
            .unwrap()
            .starts_with("tg1."),
        "{item}"
    );
    let sent = world.simulator.last();
    assert_eq!(sent.path(), "/v1/responses");
    assert_eq!(sent.json()["max_output_tokens"], 2_000);
    assert_eq!(sent.json()["model"], GPT);
    // As much as the model can answer at most: the vendor compacts, and hears of no cap.
    let capped = json!({ "output_cap": 64_000 });
    world.management().change(ALICE, capped).await;
    let body = conversation(GPT).to_string();
    let reply = world.post(COMPACT, body.as_str()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let sent = world.simulator.last();
    assert_eq!(sent.path(), COMPACT);
    assert_eq!(sent.text(), body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_counted_by_whoever_counts_and_else_estimated() {
    let world = foreign().await;
    // By no vendor.
    for name in ["chat-only", "responses-only", "messages-only"] {
        let body = json!({ "model": name, "input": "Good morning. ".repeat(40) });
        let reply = world.post(COUNT, body.to_string()).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.header("x-tollgate-estimated"), Some("input_tokens"));
        assert_eq!(reply.json()["object"], "response.input_tokens");
        let tokens = reply.json()["input_tokens"].as_u64().unwrap();
        assert!((100..250).contains(&tokens), "{tokens}");
    }
    assert!(world.simulator.received().is_empty());
    // By a vendor that counts in another dialect, both ways.
    let both = World::new().await;
    let body = json!({ "model": CLAUDE, "input": "Hi", "max_output_tokens": 9, "temperature": 1 });
    let reply = both.post(COUNT, body.to_string()).await;
    assert_eq!(
        reply.json(),
        json!({ "object": "response.input_tokens", "input_tokens": 65 })
    );
    assert_eq!(reply.header("x-tollgate-estimated"), None);
    let sent = both.simulator.last();
    assert_eq!(sent.path(), "/v1/messages/count_tokens");
    assert_eq!(sent.json()["model"], CLAUDE);
    assert!(sent.json().get("max_tokens").is_none(), "{}", sent.text());
    let anthropic = Endpoint::of("count-tokens");
    let reply = both
        .post(anthropic.path, anthropic.body_for(GPT, false))
        .await;
    assert_eq!(reply.json(), json!({ "input_tokens": 29 }));
    assert_eq!(reply.header("x-tollgate-estimated"), None);
    let sent = both.simulator.last();
    assert_eq!(sent.path(), COUNT);
    assert!(sent.json()["input"].is_array(), "{}", sent.text());
    // What has no such path after all is estimated; a failure is a failure.
    let missing = Answer::json(404, r#"{"error":{"message":"There is no such path."}}"#);
    both.simulator.script(missing);
    let reply = both
        .post(anthropic.path, anthropic.body_for(GPT, false))
        .await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(reply.header("x-tollgate-estimated"), Some("input_tokens"));
    // Who counts comes before who can only be guessed for, whatever the names.
    let mut record = upstream(&both.simulator, "openai", &[]);
    let mut only = model(CLAUDE);
    only["operations"] = json!(["chat-completions"]);
    record["models"] = json!([only]);
    both.management().upstream("a-first", record).await;
    let reply = both
        .post(COUNT, json!({ "model": CLAUDE, "input": "Hi" }).to_string())
        .await;
    assert_eq!(reply.json()["input_tokens"], 65, "{}", reply.text());
    for (world, count) in [(&world, 3), (&both, 4)] {
        let rows = world.management().wait_for_rows(count).await;
        assert!(rows.iter().all(|row| row.charged() == 0), "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_paths_refuse_as_all_others_do() {
    let world = World::new().await;
    let management = world.management();
    let account = json!({ "endpoints": ["responses"] });
    management.account("root/research", "narrow", account).await;
    let narrow = management.key("root/research/narrow").await;
    world.gateway.keep_secret(&narrow.secret);
    for endpoint in ["compact", "input-tokens"].map(Endpoint::of) {
        let body = json!({ "model": "nobodys", "input": "Hi" }).to_string();
        let reply = world.post(endpoint.path, body).await;
        endpoint.assert_error(&reply, 404, "model_not_found");
        let reply = world.post(endpoint.path, r#"{"model":"x"}"#).await;
        let error = endpoint.assert_error(&reply, 400, "invalid_request_error");
        assert_eq!(error["param"], "input");
        let body = json!({ "model": GPT, "input": 7 }).to_string();
        let reply = world.post(endpoint.path, body).await;
        endpoint.assert_error(&reply, 400, "invalid_request_error");
        let request = tollgate_tests::wire::Request::post(endpoint.path, endpoint.body(false));
        let reply = world.gateway.send(&request.bearer(&narrow.secret)).await;
        assert_eq!(reply.status(), 403, "{}", reply.text());
        let request = tollgate_tests::wire::Request::get(endpoint.path).bearer(&world.key.secret);
        assert_eq!(world.gateway.send(&request).await.status(), 405);
    }
    assert!(world.simulator.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_to_compact_in_the_midst_of_a_response_is_refused_by_name_over_the_bridge() {
    let world = foreign().await;
    let trigger = json!([{ "role": "user", "content": "Hi" }, { "type": "compaction_trigger" }]);
    for name in ["chat-only", "messages-only"] {
        let body = json!({ "model": name, "input": trigger, "stream": true });
        let reply = world.post("/v1/responses", body.to_string()).await;
        assert_eq!(reply.status(), 400, "{}", reply.text());
        let error = &reply.json()["error"];
        assert_eq!(error["param"], "input[1]", "{error}");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains("/v1/responses/compact"), "{told}");
    }
    assert!(world.simulator.received().is_empty());
    let body = json!({ "model": "responses-only", "input": trigger }).to_string();
    let reply = world.post("/v1/responses", body.as_str()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(
        world.simulator.last().text(),
        body,
        "natively it is the vendor's"
    );
}
