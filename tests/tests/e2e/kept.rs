//! State for the stateless: `previous_response_id`, `conversation`, and answers that can be asked for again, on vendors
//! that keep nothing and on those that do.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{Endpoint, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{Answer, Part, spoken};
use tollgate_tests::wire::{Reply, Request};
use tollgate_tests::world::{ALICE, World, model, upstream};

use crate::bridge::foreign;

pub(crate) async fn ask(world: &World, body: Value) -> Reply {
    let path = Endpoint::of("responses").path;
    world.post(path, body.to_string()).await
}

/// Asks, with the key's owner, without a body.
pub(crate) async fn call(world: &World, secret: &str, method: &str, path: &str) -> Reply {
    let request = Request::new(method, path).bearer(secret);
    let _ = world.key;
    world.gateway.send(&request).await
}

pub(crate) fn id_of(reply: &Reply, stream: bool) -> String {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let id = |body: &Value| body["id"].as_str().unwrap().to_owned();
    match stream {
        false => id(&reply.json()),
        true => {
            let told = tollgate_tests::recordings::events(&reply.text());
            let last = told.last().unwrap();
            assert_eq!(last["type"], "response.completed", "{last}");
            id(&last["response"])
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_goes_on_by_the_id_of_its_last_answer_on_vendors_that_keep_nothing_across_kill_9()
 {
    let mut world = foreign().await;
    for (operation, name) in [
        ("chat-completions", "chat-only"),
        ("messages", "messages-only"),
    ] {
        for stream in [false, true] {
            let what = format!("{operation}, stream: {stream}");
            let mut previous: Option<String> = None;
            for (turn, text) in ["alpha one", "beta two", "gamma three"].iter().enumerate() {
                world
                    .simulator
                    .script(spoken(operation, stream, &format!("answer to {text}")));
                let mut body = json!({ "model": name, "input": text, "stream": stream });
                if let Some(previous) = &previous {
                    body["previous_response_id"] = json!(previous);
                }
                let reply = ask(&world, body).await;
                // The client reads again what it named, though the vendor never heard of it.
                let named = match &previous {
                    Some(id) => format!("\"previous_response_id\":\"{id}\""),
                    None => "\"previous_response_id\":null".to_owned(),
                };
                assert!(reply.text().contains(&named), "{what}: {}", reply.text());
                previous = Some(id_of(&reply, stream));
                let sent = world.simulator.last().text();
                for before in &["alpha one", "beta two", "gamma three"][..=turn] {
                    assert!(
                        sent.contains(before),
                        "{what}: {before} is missing in {sent}"
                    );
                }
                for before in &["alpha one", "beta two", "gamma three"][..turn] {
                    let answer = format!("answer to {before}");
                    assert!(
                        sent.contains(&answer),
                        "{what}: {answer} is missing in {sent}"
                    );
                }
                assert!(!sent.contains("previous_response_id"), "{what}");
                if turn == 1 && stream {
                    // Off the answer's way, but soon on the disk.
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                    world.gateway.kill();
                    world.gateway.restart().await;
                }
            }
        }
    }
    let found = world.gateway.files_with("alpha one");
    assert!(found.is_empty(), "content lies readable in {found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_answer_is_shown_listed_and_deleted_for_its_own_account_only() {
    let world = foreign().await;
    world
        .management()
        .account("root/research", "bob", json!({}))
        .await;
    let bob = world.management().key("root/research/bob").await;
    world.gateway.keep_secret(&bob.secret);
    let reply = ask(
        &world,
        json!({ "model": "chat-only", "input": "remember me" }),
    )
    .await;
    let answer = reply.json();
    let id = id_of(&reply, false);
    let own = world.key.secret.clone();
    for prefix in ["", "/v1"] {
        let shown = call(&world, &own, "GET", &format!("{prefix}/responses/{id}")).await;
        assert_eq!(shown.status(), 200, "{}", shown.text());
        assert_eq!(shown.json(), answer);
        // An SDK that waits for events would read none, and think that nothing was said.
        let path = format!("{prefix}/responses/{id}?stream=true");
        let streamed = call(&world, &own, "GET", &path).await;
        assert_eq!(streamed.status(), 400, "{}", streamed.text());
        assert_eq!(streamed.json()["error"]["param"], "stream");
        let items = call(
            &world,
            &own,
            "GET",
            &format!("{prefix}/responses/{id}/input_items"),
        )
        .await;
        assert_eq!(items.json()["data"][0]["content"][0]["text"], "remember me");
    }
    for path in [
        format!("/v1/responses/{id}"),
        format!("/v1/responses/{id}/input_items"),
    ] {
        let foreign = call(&world, &bob.secret, "GET", &path).await;
        assert_eq!(foreign.status(), 404);
        let never = call(&world, &bob.secret, "GET", &path.replace(&id, "resp_0")).await;
        assert_eq!(foreign.text().replace(&id, "resp_0"), never.text());
        assert_eq!(call(&world, "wrong", "GET", &path).await.status(), 401);
    }
    let body = json!({ "model": "chat-only", "input": "x", "previous_response_id": id });
    let request = Request::post("/v1/responses", body.to_string()).bearer(&bob.secret);
    let reply = world.gateway.send(&request).await;
    let error = Endpoint::of("responses").assert_error(&reply, 400, "previous_response_not_found");
    assert_eq!(error["param"], "previous_response_id");
    let path = format!("/v1/responses/{id}");
    assert_eq!(
        call(&world, &bob.secret, "DELETE", &path).await.status(),
        404
    );
    let deleted = call(&world, &own, "DELETE", &path).await;
    assert_eq!(
        (deleted.status(), &deleted.json()["deleted"]),
        (200, &json!(true))
    );
    assert_eq!(call(&world, &own, "GET", &path).await.status(), 404);
    assert_eq!(ask(&world, body).await.status(), 400);
    assert_eq!(call(&world, &own, "PUT", &path).await.status(), 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_on_from_a_deleted_answer_still_has_what_came_before_it() {
    let world = foreign().await;
    let first = ask(
        &world,
        json!({ "model": "chat-only", "input": "alpha one" }),
    )
    .await;
    let first = id_of(&first, false);
    let body = json!({ "model": "chat-only", "input": "beta two", "previous_response_id": first });
    let second = id_of(&ask(&world, body).await, false);
    let own = world.key.secret.clone();
    let path = format!("/v1/responses/{first}");
    assert_eq!(call(&world, &own, "DELETE", &path).await.status(), 200);
    assert_eq!(call(&world, &own, "GET", &path).await.status(), 404);
    let body =
        json!({ "model": "chat-only", "input": "gamma three", "previous_response_id": second });
    let third = ask(&world, body).await;
    assert_eq!(third.status(), 200, "{}", third.text());
    let sent = world.simulator.last().text();
    for before in ["alpha one", "beta two", "gamma three"] {
        assert!(sent.contains(before), "{before} is missing in {sent}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_client_does_not_want_kept_is_not() {
    let world = foreign().await;
    let reply = ask(
        &world,
        json!({ "model": "chat-only", "input": "forget me", "store": false }),
    )
    .await;
    let id = id_of(&reply, false);
    let own = world.key.secret.clone();
    assert_eq!(
        call(&world, &own, "GET", &format!("/v1/responses/{id}"))
            .await
            .status(),
        404
    );
    let body = json!({ "model": "chat-only", "input": "x", "previous_response_id": id });
    assert_eq!(ask(&world, body).await.status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_of_an_account_that_says_so_and_of_those_below_it() {
    let mut world = foreign().await;
    let own = world.key.secret.clone();
    let management = world.management();
    management.account("root", "sales", json!({})).await;
    let sales = management.key("root/sales").await.secret;
    world.gateway.keep_secret(&sales);
    let responses = Endpoint::of("responses");
    let not_found = |reply: &Reply| {
        responses.assert_error(reply, 400, "previous_response_not_found");
    };
    let after = |id: &str| json!({ "model": "chat-only", "input": "and then?", "previous_response_id": id });
    let at = |id: &str| format!("/v1/responses/{id}");

    // What was kept before stays.
    let early = json!({ "model": "chat-only", "input": "an early secret" });
    let early = id_of(&ask(&world, early).await, false);
    let made = world.post("/v1/conversations", "{}").await;
    let conversation = made.json()["id"].as_str().unwrap().to_owned();
    let turn = |input: &str| json!({ "model": "messages-only", "input": input, "conversation": conversation });
    id_of(&ask(&world, turn("one")).await, false);

    management
        .change("root/research", json!({ "keep_answers": false }))
        .await;
    // Looser than what is above: without effect.
    let looser = management
        .change(ALICE, json!({ "keep_answers": true }))
        .await;
    let expected = json!({ "value": false, "source": "root/research" });
    assert_eq!(looser["effective"]["keep_answers"], expected, "{looser}");

    let mut unkept = Vec::new();
    for model in ["chat-only", "messages-only"] {
        for (stream, store) in [(false, None), (true, None), (false, Some(true))] {
            let mut body = json!({ "model": model, "input": "a late secret", "stream": stream });
            if let Some(store) = store {
                body["store"] = json!(store);
            }
            let id = id_of(&ask(&world, body).await, stream);
            let shown = call(&world, &own, "GET", &at(&id)).await;
            assert_eq!(shown.status(), 404, "{model} {stream}: {}", shown.text());
            let asked = world.simulator.received().len();
            not_found(&ask(&world, after(&id)).await);
            assert_eq!(world.simulator.received().len(), asked, "a vendor heard");
            unkept.push(id);
        }
    }
    let items = json!({ "items": [{ "role": "user", "content": "a late secret" }] });
    let refused = world.post("/v1/conversations", items.to_string()).await;
    let error = responses.assert_error(&refused, 403, "endpoint_not_allowed");
    let why = error["message"].as_str().unwrap();
    assert!(why.contains("keep_answers"), "{why}");

    let shown = call(&world, &own, "GET", &at(&early)).await;
    assert_eq!(shown.status(), 200, "{}", shown.text());
    unkept.push(id_of(&ask(&world, after(&early)).await, false));
    let sent = world.simulator.last().text();
    assert!(sent.contains("an early secret"), "{sent}");
    // A conversation ends, rather than to go on as if the last answer had not been.
    unkept.push(id_of(&ask(&world, turn("two")).await, false));
    let ended = ask(&world, turn("three")).await;
    not_found(&ended);
    assert!(ended.text().contains(&conversation), "{}", ended.text());

    // What a vendor keeps is its own, and whose that is stays known.
    let there = json!({ "model": "responses-only", "input": "to the vendor" });
    let there = id_of(&ask(&world, there).await, false);
    let mut next = after(&there);
    next["model"] = json!("responses-only");
    let request = Request::post(responses.path, next.to_string());
    let foreign = world.gateway.send(&request.bearer(&sales)).await;
    not_found(&foreign);
    id_of(&ask(&world, next).await, false);
    assert_eq!(
        world.simulator.last().json()["previous_response_id"],
        there.as_str()
    );

    // Beside it everything is as before.
    let body = json!({ "model": "chat-only", "input": "sold one" });
    let request = Request::post(responses.path, body.to_string()).bearer(&sales);
    let sold = id_of(&world.gateway.send(&request).await, false);
    let request = Request::post(responses.path, after(&sold).to_string()).bearer(&sales);
    id_of(&world.gateway.send(&request).await, false);
    let sent = world.simulator.last().text();
    assert!(sent.contains("sold one"), "{sent}");

    world.gateway.terminate();
    assert!(world.gateway.ended().await.success());
    let found = world.gateway.files_with("a late secret");
    assert!(found.is_empty(), "content lies readable in {found:?}");
    world.gateway.restart().await;
    for id in &unkept {
        assert_eq!(call(&world, &own, "GET", &at(id)).await.status(), 404);
    }
    for (secret, id) in [(&own, &early), (&sales, &sold)] {
        assert_eq!(call(&world, secret, "GET", &at(id)).await.status(), 200);
    }

    // It is kept again once nobody forbids it.
    let management = world.management();
    management
        .change("root/research", json!({ "keep_answers": null }))
        .await;
    let late = json!({ "model": "chat-only", "input": "late, but kept" });
    let late = id_of(&ask(&world, late).await, false);
    id_of(&ask(&world, after(&late)).await, false);
    let sent = world.simulator.last().text();
    assert!(sent.contains("late, but kept"), "{sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gateway_has_never_seen_is_asked_of_vendors_that_keep_answers_and_of_nobody_else()
{
    let world = foreign().await;
    for (param, id) in [
        ("previous_response_id", "resp_made_before_the_gateway"),
        ("conversation", "conv_made_before_the_gateway"),
    ] {
        // The same with an object, where the vendor takes one.
        let mut names = vec![json!(id)];
        if param == "conversation" {
            names.push(json!({ "id": id }));
        }
        for name in names {
            let body =
                |model: &str| json!({ "model": model, "input": "and then?", param: name.clone() });
            let reply = ask(&world, body("responses-only")).await;
            assert_eq!(reply.status(), 200, "{}", reply.text());
            assert_eq!(world.simulator.last().json(), body("responses-only"));
            let before = world.simulator.received().len();
            for model in ["chat-only", "messages-only"] {
                let reply = ask(&world, body(model)).await;
                let code = "previous_response_not_found";
                let error = Endpoint::of("responses").assert_error(&reply, 400, code);
                assert_eq!(error["param"], param);
                assert!(error["message"].as_str().unwrap().contains(id), "{error}");
            }
            assert_eq!(world.simulator.received().len(), before);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_keeps_goes_back_to_that_vendor_and_for_its_own_account_only() {
    let world = World::with(Setup::new(&["openai", "anthropic", "redact"])).await;
    let other = tollgate_tests::simulator::Simulator::start().await;
    // A second upstream that would be asked first.
    let mut record = upstream(&other, "openai", &[]);
    record["models"] = json!([model(GPT)]);
    record["priority"] = json!(-1);
    world.management().upstream("second", record.clone()).await;
    let reply = ask(&world, json!({ "model": GPT, "input": "hello" })).await;
    let id = id_of(&reply, false);
    record["priority"] = json!(5);
    world.management().upstream("second", record).await;
    let next = json!({ "model": GPT, "input": "and then?", "previous_response_id": id });
    let reply = ask(&world, next.clone()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert!(
        other.received().is_empty(),
        "a vendor was asked that does not have the answer"
    );
    assert_eq!(
        world.simulator.last().json(),
        next,
        "it goes through as it came"
    );
    world
        .management()
        .account("root/research", "bob", json!({}))
        .await;
    let bob = world.management().key("root/research/bob").await;
    world.gateway.keep_secret(&bob.secret);
    let request = Request::post("/v1/responses", next.to_string()).bearer(&bob.secret);
    assert_eq!(world.gateway.send(&request).await.status(), 400);
    // Shown by its vendor, to its owner.
    let body = json!({ "id": id, "object": "response" }).to_string();
    world.simulator.script(Answer::json(200, body.clone()));
    let own = world.key.secret.clone();
    let shown = call(
        &world,
        &own,
        "GET",
        &format!("/v1/responses/{id}?include=x"),
    )
    .await;
    assert_eq!((shown.status(), shown.text()), (200, body));
    let asked = world.simulator.last();
    assert_eq!(
        (&*asked.method, asked.path()),
        ("GET", &*format!("/v1/responses/{id}"))
    );
    let before = world.simulator.received().len();
    let foreign = call(&world, &bob.secret, "GET", &format!("/v1/responses/{id}")).await;
    assert_eq!(foreign.status(), 404);
    // Its vendor is asked under the operator's credential: a limit of requests is one of these, too.
    let management = world.management();
    let limits = json!({ "limits": { "rpm": 1 } });
    management.change("root/research", limits).await;
    let path = format!("/v1/responses/{id}");
    for status in [200, 429] {
        world.simulator.always(Some(Answer::json(200, "{}")));
        let shown = call(&world, &own, "GET", &path).await;
        assert_eq!(shown.status(), status, "{}", shown.text());
    }
    world.simulator.always(None);
    let before = before + 1;
    management
        .change("root/research", json!({ "limits": {} }))
        .await;
    management
        .change("root/research", json!({ "providers": ["anthropic"] }))
        .await;
    let shown = call(&world, &own, "GET", &path).await;
    assert_eq!(shown.status(), 404, "{}", shown.text());
    management
        .change("root/research", json!({ "providers": null }))
        .await;
    // What the vendor keeps no policy has seen.
    let config = json!({ "patterns": [{ "name": "email" }] });
    management.policy("watching", "redact", ALICE, config).await;
    let shown = call(&world, &own, "GET", &format!("/v1/responses/{id}")).await;
    assert_eq!(shown.status(), 400, "{}", shown.text());
    assert_eq!(world.simulator.received().len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_its_client_has_left_is_no_other_accounts() {
    let world = World::new().await;
    world
        .management()
        .account("root/research", "bob", json!({}))
        .await;
    let bob = world.management().key("root/research/bob").await;
    world.gateway.keep_secret(&bob.secret);
    let endpoint = Endpoint::of("responses");
    let answer = spoken("responses", true, "never read to its end");
    world.simulator.script(answer.then(3, Part::Hang));
    let mut connection = world.gateway.connect().await;
    let request = world.request(endpoint.path, endpoint.body(true));
    let head = connection.send(&request).await.unwrap();
    let piece = connection.piece().await.unwrap().expect("an event");
    let told = tollgate_tests::recordings::events(&String::from_utf8_lossy(&piece));
    let id = told[0]["response"]["id"].clone();
    assert!(id.is_string(), "{told:?}");
    let row = head.header("x-request-id").unwrap().to_owned();
    drop(connection);
    world.management().row_of(&row).await;
    let next = json!({ "model": GPT, "input": "and?", "previous_response_id": id }).to_string();
    let request = Request::post(endpoint.path, next.clone()).bearer(&bob.secret);
    let foreign = world.gateway.send(&request).await;
    endpoint.assert_error(&foreign, 400, "previous_response_not_found");
    let own = world.post(endpoint.path, next).await;
    assert_eq!(own.status(), 200, "{}", own.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_about_a_kept_answer_leaves_a_row_and_what_was_asked_of_its_vendor_counts_after_a_restart_too()
 {
    let mut world = foreign().await;
    let own = world.key.secret.clone();
    let turn = |model: &str| json!({ "model": model, "input": "remember me" });
    let limits = json!({ "limits": { "rpd": 5 } });
    world.management().change(ALICE, limits).await;
    // The gateway keeps the one, its vendor the other.
    let here = id_of(&ask(&world, turn("chat-only")).await, false);
    let there = id_of(&ask(&world, turn("responses-only")).await, false);
    let answer = json!({ "id": there, "object": "response" }).to_string();
    world.simulator.always(Some(Answer::json(200, answer)));
    let (at_here, at_there) = (
        format!("/v1/responses/{here}"),
        format!("/v1/responses/{there}"),
    );
    let items = format!("{at_there}/input_items");
    let gone = "/v1/responses/resp_0".to_owned();
    let asked = [
        ("GET", &at_here, "get-response", 200, false),
        ("GET", &at_there, "get-response", 200, true),
        ("GET", &items, "list-input-items", 200, true),
        ("DELETE", &gone, "delete-response", 404, false),
        ("GET", &at_there, "get-response", 200, true),
    ];
    for (method, path, operation, status, counted) in asked {
        let reply = call(&world, &own, method, path).await;
        assert_eq!(reply.status(), status, "{path}: {}", reply.text());
        let id = reply.header("x-request-id").unwrap();
        let row = world.management().row_of(id).await;
        let what = format!("{method} {path}: {}", row.0);
        assert_eq!(row.text("operation"), operation, "{what}");
        assert_eq!(row.status(), u64::from(status), "{what}");
        assert_eq!(row.0["counted"], counted, "{what}");
        assert_eq!((row.tokens(), row.charged()), Default::default(), "{what}");
        assert!(!row.estimated(), "{what}");
        let upstream = if counted { "responses-only" } else { "" };
        assert_eq!(row.text("upstream"), upstream, "{what}");
    }
    let refused = call(&world, &own, "GET", &at_there).await;
    assert_eq!(refused.status(), 429, "{}", refused.text());
    let row = refused.header("x-request-id").unwrap();
    let row = world.management().row_of(row).await;
    assert_eq!(row.text("limited_by"), format!("rpd@{ALICE}"), "{}", row.0);
    world.gateway.terminate();
    assert!(world.gateway.ended().await.success());
    world.gateway.restart().await;
    let refused = call(&world, &own, "GET", &at_there).await;
    assert_eq!(refused.status(), 429, "{}", refused.text());
    assert_eq!(ask(&world, turn("chat-only")).await.status(), 429);
    assert_eq!(call(&world, &own, "GET", &at_here).await.status(), 200);
    // Reports and exports have them: as requests that cost nothing.
    let management = world.management();
    let report = management.get("/api/usage/report?by=provider").await;
    let (totals, rows) = (&report["totals"], management.rows().await);
    assert_eq!(totals["requests"], rows.len(), "{report}");
    let export = |format: &str| {
        let path = format!("/api/usage/export?format={format}");
        Request::get(&path).bearer(management.token())
    };
    let told = tollgate_tests::wire::send(management.address(), &export("otel")).await;
    let told = told.text();
    assert!(
        told.contains(r#""gen_ai.operation.name":"list_input_items""#),
        "{told}"
    );
    let charges = tollgate_tests::wire::send(management.address(), &export("focus")).await;
    // The heading, and what cost something: the two answers.
    assert_eq!(charges.text().lines().count(), 3, "{}", charges.text());
}
