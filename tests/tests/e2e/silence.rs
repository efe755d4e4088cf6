//! While a vendor is silent the client of a stream hears that somebody is there, whoever speaks which dialect, and what the
//! vendor says at last is an answer like any other.

use std::time::Duration;

use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::recordings::events;
use tollgate_tests::simulator::{Answer, Part, anthropic_error, openai_error, spoken};
use tollgate_tests::world::World;

use crate::bridge::{VENDORS, foreign_with, speaking, text};
use crate::stream_failures::assert_terminal_error;

/// A gateway that gives a sign every tenth of a second, in front of a vendor for each dialect.
async fn attentive() -> World {
    let setup = Setup::new(&["openai", "anthropic"]).set("server", "keep_alive_ms", "100");
    foreign_with(setup).await
}

/// Each client's endpoint with each vendor, its own among them: the vendor's operation, and its model.
fn pairs() -> impl Iterator<Item = (&'static Endpoint, &'static str, &'static str)> {
    let clients = ENDPOINTS.iter().filter(|endpoint| endpoint.streams);
    clients.flat_map(|client| {
        VENDORS
            .into_iter()
            .map(move |(operation, name, _)| (client, operation, name))
    })
}

/// A sign of life in a client's dialect.
fn sign(client: &Endpoint) -> &'static str {
    match client.anthropic {
        true => "event: ping\n",
        false => ": keep-alive\n",
    }
}

fn pause() -> Part {
    Part::Pause(Duration::from_millis(350))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_vendor_is_silent_the_client_hears_that_somebody_is_there() {
    let world = attentive().await;
    for (client, operation, name) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        let native = client.operation == operation;
        let still = || Part::Bytes(b": still here\n\n".to_vec());
        let little = || Part::Pause(Duration::from_millis(60));
        // Before its first byte, after its head, after what it announces, in the middle of its words and of an event, and
        // where it only says that it is still there.
        for case in ["begin", "head", "announced", "middle", "event", "still"] {
            let answer = spoken(operation, true, "many words at last");
            let body = String::from_utf8(answer.body()).unwrap();
            let within = body.rfind("data: {").unwrap() + 8;
            let answer = match case {
                "begin" => answer.before(pause()),
                "head" => answer.with_part(0, pause()),
                "announced" => answer.with_part(1, pause()),
                "middle" => answer.with_part(3, pause()),
                "event" => answer.split_at(within).with_part(1, pause()),
                _ => (0..6).fold(answer, |answer, _| {
                    answer.with_part(3, still()).with_part(3, little())
                }),
            };
            world.simulator.script(answer);
            let reply = world.post(client.path, client.body_for(name, true)).await;
            assert_eq!(reply.status(), 200, "{what}, {case}");
            // Those of its own that a vendor of the client's dialect gives come as they are.
            let own = match native {
                true => body.matches(sign(client)).count(),
                false => 0,
            };
            let signs = reply.text().matches(sign(client)).count() - own;
            let expected = match case {
                // What the vendor began itself is not broken into, and its own signs are its client's.
                "event" | "still" if native => 0..=0,
                _ => 2..=4,
            };
            assert!(
                expected.contains(&signs),
                "{what}, {case}: {signs}: {}",
                reply.text()
            );
            assert_eq!(
                text(client, true, &reply),
                "many words at last",
                "{what}, {case}"
            );
            assert!(reply.header("x-request-id").is_some(), "{what}, {case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_vendor_that_fails_is_followed_by_another_and_the_last_failure_is_told_in_the_stream()
 {
    let world = attentive().await;
    for (client, operation, name) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        let failure = || match operation {
            "messages" => anthropic_error(500, "api_error", "A secret of the vendor's."),
            _ => openai_error(500, "server_error", "A secret of the vendor's."),
        };
        // Two upstreams serve the same model.
        let twice = format!("{}-{operation}-twice", client.operation);
        for number in ["one", "two"] {
            let record = speaking(&world, operation, &twice);
            world
                .management()
                .upstream(&format!("{twice}-{number}"), record)
                .await;
        }
        world.simulator.script(failure().before(pause()));
        world
            .simulator
            .script(spoken(operation, true, "from the other one"));
        let reply = world.post(client.path, client.body_for(&twice, true)).await;
        assert_eq!(reply.status(), 200, "{what}");
        assert!(reply.text().contains(sign(client)), "{what}");
        assert_eq!(text(client, true, &reply), "from the other one", "{what}");
        world.simulator.script(failure().before(pause()));
        let reply = world.post(client.path, client.body_for(name, true)).await;
        assert_eq!(reply.status(), 200, "{what}");
        assert!(!reply.text().contains("A secret"), "{what}");
        assert_terminal_error(client, &reply);
        let id = crate::byte_identity::request_id(&reply);
        let row = world.management().row_of(&id).await;
        assert_eq!(row.charged(), 0, "{what}: {}", row.0);
    }
}

/// Claude Code makes its conversation shorter when it reads this.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_says_late_about_the_request_is_told_in_the_stream_in_its_own_words() {
    let world = attentive().await;
    for (client, operation, name) in pairs() {
        let what = format!("{} on {operation}", client.operation);
        let sentence = "prompt is too long: 210000 tokens > 200000 maximum";
        let refusal = match operation {
            "messages" => anthropic_error(400, "invalid_request_error", sentence),
            _ => openai_error(400, "invalid_request_error", sentence),
        };
        world.simulator.script(refusal.before(pause()));
        let reply = world.post(client.path, client.body_for(name, true)).await;
        assert_eq!(reply.status(), 200, "{what}");
        assert!(reply.text().contains(sentence), "{what}: {}", reply.text());
        assert_terminal_error(client, &reply);
    }
}

/// Its client reads events and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_answers_whole_at_once_or_late_is_told_as_the_stream_that_was_asked_for() {
    let world = attentive().await;
    for (client, operation, name) in pairs() {
        for late in [false, true] {
            let what = format!("{} on {operation}, late: {late}", client.operation);
            let whole = spoken(operation, false, "all at once");
            let answer: Answer = match late {
                true => whole.before(pause()),
                false => whole,
            };
            world.simulator.script(answer);
            let reply = world.post(client.path, client.body_for(name, true)).await;
            assert_eq!(reply.status(), 200, "{what}");
            assert_eq!(
                reply.header("content-type"),
                Some("text/event-stream"),
                "{what}"
            );
            assert_eq!(text(client, true, &reply), "all at once", "{what}");
            assert!(!events(&reply.text()).is_empty(), "{what}");
            let id = crate::byte_identity::request_id(&reply);
            let row = world.management().row_of(&id).await;
            assert!(row.charged() > 0, "{what}: {}", row.0);
        }
    }
}
