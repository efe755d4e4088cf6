//! Items that a request refers to by the ids that the gateway gave them (`item_reference`), as clients do that let answers
//! be stored: on vendors that know no such ids.

use serde_json::{Value, json};
use tollgate_tests::endpoints::Endpoint;
use tollgate_tests::simulator::SIGNATURE;
use tollgate_tests::socket::Socket;
use tollgate_tests::wire::{Reply, Request};

use crate::bridge::foreign;
use crate::kept::{ask, call, id_of};

/// A request that makes its vendor reason, call tools twice, and tell what they said.
fn asking(model: &str, stream: bool, input: &[Value]) -> Value {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let tool = json!({ "type": "function", "name": "get_weather", "parameters": parameters });
    json!({
        "model": model, "stream": stream, "input": input, "tools": [tool],
        "reasoning": { "effort": "medium", "summary": "auto" },
    })
}

fn said(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

fn to(item: &Value) -> Value {
    json!({ "type": "item_reference", "id": item["id"].as_str().unwrap() })
}

/// The response object that an answer ends with.
fn response(reply: &Reply, stream: bool) -> Value {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    match stream {
        false => reply.json(),
        true => tollgate_tests::recordings::events(&reply.text())
            .last()
            .unwrap()["response"]
            .clone(),
    }
}

/// What a client says to an answer: what the tools that it called gave, or something new.
fn reply_to(output: &[Value]) -> Vec<Value> {
    let calls = output.iter().filter(|item| item["type"] == "function_call");
    let results: Vec<_> = calls
        .map(|call| json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "rain" }))
        .collect();
    match results.is_empty() {
        true => vec![said("And now?")],
        false => results,
    }
}

fn kinds(items: &[Value]) -> Vec<&str> {
    let kinds = items.iter().map(|item| item["type"].as_str());
    kinds.map(Option::unwrap_or_default).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_reaches_a_vendor_as_the_item_itself_would_and_the_item_is_what_is_kept() {
    let world = foreign().await;
    let own = world.key.secret.clone();
    for model in ["chat-only", "messages-only"] {
        for stream in [false, true] {
            let what = format!("{model}, stream: {stream}");
            let mut referring = vec![said("ROUNDS_PLEASE: what is the weather?")];
            let mut sending = referring.clone();
            let mut last = String::new();
            for turn in 0..4 {
                let reply = ask(&world, asking(model, stream, &sending)).await;
                response(&reply, stream);
                let sent = world.simulator.last().json();
                let reply = ask(&world, asking(model, stream, &referring)).await;
                let answer = response(&reply, stream);
                assert_eq!(world.simulator.last().json(), sent, "{what}, turn {turn}");
                if model == "messages-only" {
                    let thoughts = sent.to_string().matches(SIGNATURE).count();
                    assert_eq!(thoughts, turn, "{what}: {sent}");
                }
                let output = answer["output"].as_array().unwrap();
                referring.extend(output.iter().map(to));
                sending.extend(output.iter().cloned());
                referring.extend(reply_to(output));
                sending.extend(reply_to(output));
                last = answer["id"].as_str().unwrap().to_owned();
            }
            assert!(kinds(&sending).contains(&"function_call"), "{sending:?}");
            assert!(kinds(&sending).contains(&"message"), "{sending:?}");
            let items = format!("/v1/responses/{last}/input_items?order=asc&limit=100");
            let listed = call(&world, &own, "GET", &items).await.json();
            let listed = listed["data"].as_array().unwrap();
            assert!(listed.len() > 8, "{what}: {listed:?}");
            assert!(!kinds(listed).contains(&"item_reference"), "{listed:?}");
            // Who names what he sent, as it was listed, is understood as well.
            let first = to(&listed[0]);
            response(&ask(&world, asking(model, stream, &[first])).await, stream);
            let sent = world.simulator.last().text();
            assert!(sent.contains("ROUNDS_PLEASE"), "{what}: {sent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_of_responses_gets_the_items_that_were_made_here_and_its_own_ids_as_they_came() {
    let world = foreign().await;
    let question = said("ROUNDS_PLEASE: what is the weather?");
    let first = asking("messages-only", false, std::slice::from_ref(&question));
    let answer = response(&ask(&world, first).await, false);
    let output = answer["output"].as_array().unwrap();
    let with = |items: Vec<Value>| {
        let results = reply_to(output);
        let input = [vec![question.clone()], items, results].concat();
        asking("responses-only", false, &input)
    };
    let sending = ask(&world, with(output.clone())).await;
    response(&sending, false);
    let sent = world.simulator.last().json();
    let referring = ask(&world, with(output.iter().map(to).collect())).await;
    response(&referring, false);
    assert_eq!(world.simulator.last().json(), sent);
    assert!(!sent.to_string().contains("item_reference"), "{sent}");

    let theirs = json!({ "type": "item_reference", "id": "msg_68c1f2a0b7b48190a1d4f0a9c2f3e4d5" });
    let body = asking("responses-only", false, &[theirs.clone(), said("Go on.")]);
    response(&ask(&world, body.clone()).await, false);
    assert_eq!(world.simulator.last().text(), body.to_string());
    let refused = ask(&world, asking("chat-only", false, &[theirs])).await;
    let error = Endpoint::of("responses").assert_error(&refused, 400, "unsupported_parameter");
    assert_eq!(error["param"], "input[0]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_found_for_its_own_account_only_and_where_it_is_kept() {
    let world = foreign().await;
    let management = world.management();
    management.account("root/research", "bob", json!({})).await;
    let bob = management.key("root/research/bob").await.secret;
    management
        .account("root/research", "shy", json!({ "keep_answers": false }))
        .await;
    let shy = management.key("root/research/shy").await.secret;
    world.gateway.keep_secret(&bob);
    world.gateway.keep_secret(&shy);
    let own = world.key.secret.clone();
    let post = async |secret: &str, body: &Value| {
        let request = Request::post("/v1/responses", body.to_string()).bearer(secret);
        world.gateway.send(&request).await
    };
    let hello = json!({ "model": "messages-only", "input": "hello" });
    let unstored = json!({ "model": "messages-only", "input": "hello", "store": false });
    let kept = post(&own, &hello).await.json();
    let deleted = post(&own, &hello).await.json();
    let path = format!("/v1/responses/{}", id_of(&post(&own, &hello).await, false));
    assert_eq!(call(&world, &own, "GET", &path).await.status(), 200);
    let path = format!("/v1/responses/{}", deleted["id"].as_str().unwrap());
    assert_eq!(call(&world, &own, "DELETE", &path).await.status(), 200);
    let not_stored = post(&own, &unstored).await.json();
    let not_kept = post(&shy, &hello).await.json();

    let asked = world.simulator.received().len();
    let referring = |answer: &Value| {
        let input = [said("hello"), to(&answer["output"][0]), said("And now?")];
        json!({ "model": "messages-only", "input": input })
    };
    let mut told = Vec::new();
    for (what, secret, answer) in [
        ("another's", &bob, &kept),
        ("deleted", &own, &deleted),
        ("not stored", &own, &not_stored),
        ("not kept", &shy, &not_kept),
    ] {
        let reply = post(secret, &referring(answer)).await;
        let id = answer["output"][0]["id"].as_str().unwrap();
        let error = reply.json()["error"].clone();
        assert_eq!(reply.status(), 404, "{what}: {error}");
        assert_eq!(error["param"], "input[1]", "{what}: {error}");
        assert_eq!(error["type"], "invalid_request_error", "{what}: {error}");
        assert!(error["message"].as_str().unwrap().contains(id), "{error}");
        told.push(error.to_string().replace(id, "x"));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "it tells which are there: {told:?}");
    assert_eq!(world.simulator.received().len(), asked, "a vendor heard");
    response(&post(&own, &referring(&kept)).await, false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_compacted_and_what_is_counted_may_refer_to_items() {
    let world = foreign().await;
    for model in ["chat-only", "messages-only"] {
        let first = json!({ "model": model, "input": "hello" });
        let answer = response(&ask(&world, first).await, false);
        let text = answer["output"][0]["content"][0]["text"].as_str().unwrap();
        let input = [said("hello"), to(&answer["output"][0]), said("And now?")];
        let body = json!({ "model": model, "input": input }).to_string();
        for path in ["/v1/responses/compact", "/v1/responses/input_tokens"] {
            // Of what no vendor counts the gateway tells an estimate.
            if (model, path) == ("chat-only", "/v1/responses/input_tokens") {
                continue;
            }
            let reply = world.post(path, body.clone()).await;
            assert_eq!(reply.status(), 200, "{model} {path}: {}", reply.text());
            let sent = world.simulator.last().text();
            assert!(sent.contains("And now?"), "{model} {path}: {sent}");
            assert!(sent.contains(text), "{model} {path}: {sent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_websocket_items_are_referred_to_as_over_http_also_by_what_goes_on_from_it() {
    let world = foreign().await;
    let mut socket = Socket::open(world.gateway.address(), &world.key.secret).await;
    let create = |rest: Value| {
        let mut body = json!({ "type": "response.create", "model": "messages-only" });
        let members = rest.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(members);
        body
    };
    let mut told = async |body: Value| {
        socket.send(&body).await;
        let told = socket.answer().await;
        let last = told.last().unwrap();
        assert_eq!(last["type"], "response.completed", "{last}");
        last["response"].clone()
    };
    let first = told(create(json!({ "input": [said("hello")] }))).await;
    // A thought and a text.
    let output = first["output"].as_array().unwrap();
    let text = output[1]["content"][0]["text"].as_str().unwrap();
    let referring = output.iter().map(to).collect();
    let input = [vec![said("hello")], referring, vec![said("And now?")]].concat();
    let second = told(create(json!({ "input": input }))).await;
    let sent = world.simulator.last().json();
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3, "{sent}");
    assert!(sent["messages"][1].to_string().contains(text), "{sent}");
    assert!(
        sent["messages"][1].to_string().contains(SIGNATURE),
        "{sent}"
    );
    let rest = json!({ "previous_response_id": second["id"], "input": [said("And then?")] });
    told(create(rest)).await;
    let after = world.simulator.last().json();
    assert_eq!(after["messages"].as_array().unwrap().len(), 5, "{after}");
    assert!(after["messages"][1].to_string().contains(text), "{after}");
}
