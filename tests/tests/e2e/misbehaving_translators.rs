//! Translators and signers that loop, grow, trap or talk nonsense: their attempt fails or their stream ends with an error,
//! and nothing else is affected.

use tollgate_tests::endpoints::Endpoint;
use tollgate_tests::guests::{self, Place};
use tollgate_tests::simulator::{Gate, Part, spoken};
use tollgate_tests::world::World;

use crate::misbehaving_guests::{BAD, load, others_are_served, register, setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_translator_or_signer_fails_its_attempt_and_the_next_upstream_answers() {
    let world = World::with(setup()).await;
    let endpoint = Endpoint::of("chat-completions");
    let places = [
        Place::Sign,
        Place::TranslateRequest,
        Place::TranslateResponse,
    ];
    let cases = places
        .iter()
        .flat_map(|place| BAD.iter().map(move |deed| (*place, deed)));
    for (number, (place, deed)) in cases.enumerate() {
        let what = format!("{deed:?} at {place:?}");
        let (id, model) = (format!("tongue-{number}"), format!("shared-{number}"));
        load(&world, &id, &guests::provider_at(&id, place, deed)).await;
        register(&world, &id, &model, 10).await;
        let asked = world.simulator.received().len();
        let body = endpoint.body_for(&model, false);
        let alone = world.post(endpoint.path, body.clone()).await;
        endpoint.assert_error(&alone, 503, "server_is_overloaded");
        let sent = usize::from(place == Place::TranslateResponse);
        assert_eq!(world.simulator.received().len(), asked + sent, "{what}");
        let row = world
            .management()
            .row_of(&crate::byte_identity::request_id(&alone))
            .await;
        assert_eq!((row.status(), row.charged()), (503, 0), "{what}: {}", row.0);
        // With another upstream for the model, its clients notice nothing.
        let record = tollgate_tests::world::upstream(&world.simulator, "openai", &[&model]);
        let good = format!("good-{number}");
        world.management().upstream(&good, record).await;
        let reply = world.post(endpoint.path, body).await;
        assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
        others_are_served(&world).await;
        assert!(
            world.gateway.log().contains(&id),
            "the log does not name {id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_translator_that_fails_in_the_middle_of_a_stream_ends_it_with_the_dialects_error() {
    let world = World::with(setup()).await;
    for (number, deed) in BAD.iter().enumerate() {
        let (id, model) = (format!("stutter-{number}"), format!("model-{number}"));
        let bytes = guests::provider_at(&id, Place::TranslateStream, deed);
        load(&world, &id, &bytes).await;
        register(&world, &id, &model, 10).await;
        for (operation, begins, error) in [
            (
                "chat-completions",
                "chat.completion.chunk",
                "data: {\"error\":{",
            ),
            (
                "messages",
                "message_start",
                "event: error\ndata: {\"type\":\"error\"",
            ),
        ] {
            let endpoint = Endpoint::of(operation);
            let what = format!("{deed:?} on {operation}");
            let gate = Gate::default();
            let answer = spoken(operation, true, "one two three four five six seven");
            let answer = answer.with_part(1, Part::Wait(gate.clone()));
            world.simulator.script(answer);
            let mut connection = world.gateway.connect().await;
            let request = world.request(endpoint.path, endpoint.body_for(&model, true));
            let head = connection.send(&request).await.unwrap();
            assert_eq!(head.status, 200, "{what}");
            let mut body = connection.read_until(begins).await;
            gate.open();
            let (rest, complete) = connection.rest().await;
            body.extend(rest);
            let text = String::from_utf8(body).unwrap();
            assert!(complete, "{what}: {text}");
            let (_, after) = text
                .split_once(error)
                .unwrap_or_else(|| panic!("{what}: {text}"));
            // Nothing after the error: neither text nor an end that looks like a good one.
            assert_eq!(after.matches("data:").count(), 0, "{what}: {text}");
            assert!(!text.contains("seven"), "{what}: {text}");
            let id = head.header("x-request-id").unwrap();
            let row = world.management().row_of(id).await;
            assert_eq!(row.text("error"), "upstream-failed", "{what}: {}", row.0);
            assert!(row.estimated() && row.charged() > 0, "{what}: {}", row.0);
        }
        others_are_served(&world).await;
    }
}
