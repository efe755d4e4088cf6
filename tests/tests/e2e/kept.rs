//! State for the stateless: `previous_response_id`, `conversation`, and answers that can be asked for again, on vendors
//! that keep nothing and on those that do.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{Endpoint, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{Answer, Gate, Part, spoken};
use tollgate_tests::wire::{Reply, Request};
use tollgate_tests::world::{ALICE, World, model, upstream};

use crate::bridge::{foreign, foreign_with};

async fn ask(world: &World, body: Value) -> Reply {
    let path = Endpoint::of("responses").path;
    world.post(path, body.to_string()).await
}

/// Asks, with the key's owner, without a body.
async fn call(world: &World, secret: &str, method: &str, path: &str) -> Reply {
    let request = Request::new(method, path).bearer(secret);
    let _ = world.key;
    world.gateway.send(&request).await
}

fn id_of(reply: &Reply, stream: bool) -> String {
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
async fn a_conversation_object_grows_with_each_answer() {
    let world = foreign().await;
    let items = json!({ "items": [{ "role": "user", "content": "my name is Ada" }], "metadata": { "k": "v" } });
    let made = world.post("/v1/conversations", items.to_string()).await;
    assert_eq!(made.status(), 200, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    for text in ["first question", "second question"] {
        let reply = ask(
            &world,
            json!({ "model": "messages-only", "input": text, "conversation": id }),
        )
        .await;
        id_of(&reply, false);
    }
    let sent = world.simulator.last().text();
    for said in ["my name is Ada", "first question", "second question"] {
        assert!(sent.contains(said), "{said} is missing in {sent}");
    }
    let own = world.key.secret.clone();
    let path = format!("/v1/conversations/{id}");
    assert_eq!(
        call(&world, &own, "GET", &path).await.json()["metadata"]["k"],
        "v"
    );
    assert_eq!(call(&world, &own, "DELETE", &path).await.status(), 200);
    let gone = ask(
        &world,
        json!({ "model": "messages-only", "input": "x", "conversation": id }),
    )
    .await;
    assert_eq!(gone.status(), 400, "{}", gone.text());
}

/// Two answers at once would both go on from the same one, and the conversation would forget either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_an_answer_is_added_to_a_conversation_no_other_is_and_none_is_lost() {
    let world = foreign().await;
    for model in ["messages-only", "responses-only"] {
        let operation = model.split('-').next().unwrap();
        let made = world.post("/v1/conversations", "{}").await;
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let turn = |input: &str, stream: bool| json!({ "model": model, "input": input, "stream": stream, "conversation": id });
        let gate = Gate::default();
        let answer = spoken(operation, true, "in no hurry");
        world
            .simulator
            .script(answer.with_part(2, Part::Wait(gate.clone())));
        world.simulator.forget();
        let slow = ask(&world, turn("the first question", true));
        let others = async {
            world.simulator.wait_for(1).await;
            let refused = ask(&world, turn("too soon", false)).await;
            let told = refused.json();
            assert_eq!(refused.status(), 400, "{told}");
            assert_eq!(told["error"]["code"], "conversation_locked", "{told}");
            assert_eq!(told["error"]["param"], "conversation", "{told}");
            let items = format!("/v1/conversations/{id}/items");
            let added = json!({ "items": [{ "role": "user", "content": "too soon, too" }] });
            let refused = world.post(&items, added.to_string()).await;
            assert_eq!(refused.status(), 400, "{}", refused.text());
            gate.open();
        };
        let (first, ()) = tokio::join!(slow, others);
        id_of(&first, true);
        // At once: who has seen the end may go on.
        for input in ["the second question", "the third question"] {
            id_of(&ask(&world, turn(input, true)).await, true);
        }
        let sent = world.simulator.last().text();
        assert!(!sent.contains("too soon"), "{sent}");
        if operation == "messages" {
            for said in ["the first question", "in no hurry", "the second question"] {
                assert!(sent.contains(said), "{said} is missing in {sent}");
            }
        }

        // Whoever leaves in the middle leaves the conversation, too.
        let answer = spoken(operation, true, "told to nobody");
        world.simulator.script(answer.then(3, Part::Hang));
        let asked = world.request("/v1/responses", turn("given up", true).to_string());
        let mut connection = world.gateway.connect().await;
        connection.send(&asked).await.unwrap();
        connection.piece().await.unwrap().expect("an event");
        drop(connection);
        world.simulator.wait_for_ending().await;
        id_of(&ask(&world, turn("the last question", true)).await, true);
        let sent = world.simulator.last().text();
        assert!(!sent.contains("given up"), "{sent}");
    }
}

/// As an SDK's sessions use them: listed, added to, taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_of_a_conversation_are_listed_added_and_taken_away_by_its_own_account() {
    let world = foreign().await;
    let items = json!({ "items": [{ "role": "user", "content": "my name is Ada" }] });
    let made = world.post("/v1/conversations", items.to_string()).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let turn =
        |input: &str| json!({ "model": "messages-only", "input": input, "conversation": id });
    id_of(&ask(&world, turn("a question")).await, false);
    let path = format!("/v1/conversations/{id}/items");
    let own = world.key.secret.clone();
    let listed = async |query: &str| {
        let listed = call(&world, &own, "GET", &format!("{path}{query}")).await;
        assert_eq!(listed.status(), 200, "{}", listed.text());
        listed.json()["data"].as_array().unwrap().clone()
    };
    let said = listed("?order=asc").await;
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said[0]["content"][0]["text"], "my name is Ada");
    assert_eq!(said[1]["content"][0]["text"], "a question");
    assert_eq!(said[2]["role"], "assistant");

    let more = json!({ "items": [{ "role": "user", "content": "by the way" }] });
    let added = world.post(&path, more.to_string()).await;
    assert_eq!(added.status(), 200, "{}", added.text());
    let added = added.json()["data"][0].clone();
    assert_eq!(added["content"][0]["text"], "by the way");
    let first = format!("{path}/{}", said[0]["id"].as_str().unwrap());
    assert_eq!(call(&world, &own, "GET", &first).await.json(), said[0]);
    assert_eq!(call(&world, &own, "DELETE", &first).await.status(), 200);
    assert_eq!(call(&world, &own, "GET", &first).await.status(), 404);
    let left: Vec<_> = listed("").await.into_iter().rev().collect();
    let ids = |items: &[Value]| {
        items
            .iter()
            .map(|item| item["id"].clone())
            .collect::<Vec<_>>()
    };
    let expected = [said[1].clone(), said[2].clone(), added];
    assert_eq!(ids(&left), ids(&expected), "they keep their ids");

    // What comes after that gets an id that nothing else has.
    let more = json!({ "items": [{ "role": "user", "content": "at last" }] });
    let added = world.post(&path, more.to_string()).await.json()["data"][0].clone();
    let all = listed("").await;
    let with_its_id = all.iter().filter(|item| item["id"] == added["id"]);
    assert_eq!(with_its_id.count(), 1, "{all:?}");
    let last = format!("{path}/{}", added["id"].as_str().unwrap());
    assert_eq!(call(&world, &own, "GET", &last).await.json(), added);
    // The next answer knows what was added, and nothing of what was taken away.
    id_of(&ask(&world, turn("what now?")).await, false);
    let sent = world.simulator.last().text();
    assert!(
        sent.contains("by the way") && sent.contains("a question"),
        "{sent}"
    );
    assert!(!sent.contains("Ada"), "{sent}");

    let management = world.management();
    management.account("root/research", "bob", json!({})).await;
    let another = management.key("root/research/bob").await;
    for (method, path) in [("GET", &path), ("DELETE", &first)] {
        let refused = call(&world, &another.secret, method, path).await;
        assert_eq!(refused.status(), 404, "{}", refused.text());
    }
    let too_many = json!({ "items": vec![json!({ "role": "user", "content": "x" }); 101] });
    for (body, named) in [
        (too_many.to_string(), "items"),
        ("[]".to_owned(), "object"),
        ("{}".to_owned(), "items"),
        (json!({ "items": [5] }).to_string(), "items[0]"),
        (json!({ "items": [{}] }).to_string(), "items[0]"),
        (json!({ "items": [said[2]] }).to_string(), "items[0]"),
    ] {
        let refused = world.post(&path, body).await;
        assert_eq!(refused.status(), 400, "{}", refused.text());
        assert!(refused.text().contains(named), "{}", refused.text());
    }
    let whole = format!("/v1/conversations/{id}");
    let refused = world.post(&whole, "{}").await;
    assert_eq!(
        (refused.status(), &refused.json()["error"]["param"]),
        (400, &json!("metadata"))
    );
    for items in [json!([5]), json!(["text"]), json!([{}])] {
        let refused = world
            .post("/v1/conversations", json!({ "items": items }).to_string())
            .await;
        assert_eq!(refused.status(), 400, "{}", refused.text());
        assert!(refused.text().contains("items[0]"), "{}", refused.text());
    }
}

/// A vendor that keeps items of its own looks for those that are named, and finds none that was made here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_moves_to_a_vendor_of_responses_takes_no_ids_along_that_were_made_here()
{
    let world = foreign().await;
    let made = world.post("/v1/conversations", "{}").await;
    let conversation = made.json()["id"].as_str().unwrap().to_owned();
    let turn = |model: &str, input: &str| json!({ "model": model, "input": input, "conversation": conversation });
    let first = ask(&world, turn("messages-only", "first")).await.json();
    let id = first["output"][0]["id"].as_str().unwrap().to_owned();
    let items = format!("/v1/conversations/{conversation}/items");
    let own = world.key.secret.clone();
    let listed = call(&world, &own, "GET", &format!("{items}?order=asc"))
        .await
        .json();
    // What is taken away leaves the others with the ids that they were listed under.
    let gone = format!("{items}/{}", listed["data"][0]["id"].as_str().unwrap());
    assert_eq!(call(&world, &own, "DELETE", &gone).await.status(), 200);
    let added = json!({ "items": [{ "role": "user", "content": "between" }] });
    assert_eq!(world.post(&items, added.to_string()).await.status(), 200);
    id_of(&ask(&world, turn("responses-only", "second")).await, false);
    let sent = world.simulator.last();
    let input = sent.json()["input"].as_array().unwrap().clone();
    assert_eq!(input.len(), 3, "{input:?}");
    for item in &input {
        assert!(item.get("id").is_none(), "{item}");
    }
    assert!(!sent.text().contains(&id), "{}", sent.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_grew_too_long_ends_rather_than_to_go_on_from_an_older_answer() {
    let setup = Setup::new(&["openai", "anthropic"]).set("responses", "max_kept_bytes", "4000");
    let world = foreign_with(setup).await;
    // Its input, its input together with its answer, one event of its answer: each may be what is too long.
    for (length, answer) in [(5_000, 10), (3_500, 10), (10, 9_000)] {
        for stream in [false, true] {
            let made = world.post("/v1/conversations", "{}").await;
            let id = made.json()["id"].as_str().unwrap().to_owned();
            let turn = |input: String| json!({ "model": "messages-only", "stream": stream, "input": input, "conversation": id });
            id_of(&ask(&world, turn("short".to_owned())).await, stream);
            let long = spoken("messages", stream, &"a".repeat(answer));
            world.simulator.script(long);
            id_of(&ask(&world, turn("q".repeat(length))).await, stream);
            let next = ask(&world, turn("and?".to_owned())).await;
            let told = next.text();
            assert_eq!(next.status(), 400, "{length} {answer} {stream}: {told}");
            assert!(
                told.contains(&id) && told.contains("too long to be kept"),
                "{told}"
            );
        }
    }
}

/// Its vendor may keep nothing of it, and would refuse every further turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_does_not_move_to_an_answer_that_broke_off() {
    let world = foreign().await;
    let made = world.post("/v1/conversations", "{}").await;
    let conversation = made.json()["id"].as_str().unwrap().to_owned();
    let turn = |input: &str, stream: bool| json!({ "model": "responses-only", "input": input, "stream": stream, "conversation": conversation });
    let first = id_of(&ask(&world, turn("first", false)).await, false);
    let answer = spoken("responses", true, "never told to its end");
    world.simulator.script(answer.then(3, Part::Cut));
    let broken = ask(&world, turn("second", true)).await.text();
    assert!(broken.contains("response.failed"), "{broken}");
    assert_eq!(
        world.simulator.last().json()["previous_response_id"],
        first.as_str()
    );
    // The same of whole answers: one that failed, and one without a name that nobody could go on from.
    let failed = json!({ "id": "resp_failed", "object": "response", "status": "failed", "output": [],
        "error": { "code": "server_error", "message": "no luck" } });
    let nameless = json!({ "object": "response", "status": "completed", "output": [] });
    for answer in [failed, nameless] {
        world
            .simulator
            .script(Answer::json(200, answer.to_string()));
        ask(&world, turn("badly answered", false)).await;
    }
    id_of(&ask(&world, turn("once more", false)).await, false);
    assert_eq!(
        world.simulator.last().json()["previous_response_id"],
        first.as_str()
    );
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
