//! Conversations that the gateway keeps: they grow with each answer, have items of their own, and go on from one answer at
//! a time.

use serde_json::{Value, json};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{Answer, Gate, Part, spoken};

use crate::bridge::{foreign, foreign_with};
use crate::kept::{ask, call, id_of};

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
