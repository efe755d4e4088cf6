//! Vendors that compress what they say, in chunks that end anywhere, behind the bridge to every other dialect.

use tollgate_tests::simulator::{Coding, Gate, Part, spoken};

use crate::bridge::{foreign, pairs, text};
use crate::stream_failures::assert_terminal_error;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_compresses_and_chunks_oddly_is_told_whole_in_every_other_dialect() {
    let world = foreign().await;
    for (client, (operation, name, tokens)) in pairs() {
        for (coding, stream) in Coding::ALL.iter().flat_map(|c| [(c, true), (c, false)]) {
            let what = format!(
                "{} on {operation}, {coding:?}, stream: {stream}",
                client.operation
            );
            let said = "Good morning to you, too: \"quoted\", \u{1f600} and\na second line.";
            let answer = spoken(operation, stream, said).compressed(*coding).await;
            world.simulator.script(answer);
            let reply = world.post(client.path, client.body_for(name, stream)).await;
            assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
            assert!(reply.complete, "{what}: {}", reply.text());
            assert_eq!(reply.header("content-encoding"), None, "{what}");
            assert_eq!(
                text(client, stream, &reply),
                said,
                "{what}: {}",
                reply.text()
            );
            let row = world
                .management()
                .row_of(reply.header("x-request-id").unwrap())
                .await;
            assert_eq!(row.tokens(), tokens, "{what}");
            assert!(!row.estimated(), "{what}");
        }
    }
}

/// What of a long answer has come before the rest of it: the beginning of its text, in each dialect.
const BEGINNING: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_event_is_told_in_every_other_dialect_before_the_next_has_come() {
    let world = foreign().await;
    for (client, (operation, name, _)) in pairs() {
        for coding in Coding::ALL {
            let what = format!("{} on {operation}, {coding:?}", client.operation);
            let gate = Gate::default();
            let said = "many words, ".repeat(20);
            let answer =
                spoken(operation, true, &said).with_part(BEGINNING, Part::Wait(gate.clone()));
            world.simulator.script(answer.compressed(coding).await);
            let mut connection = world.gateway.connect().await;
            let request = world.request(client.path, client.body_for(name, true));
            let head = connection.send(&request).await;
            let head = head.unwrap_or_else(|error| panic!("{what}: {error:#}"));
            assert_eq!(head.status, 200, "{what}");
            // Would wait in vain if the gateway collected the stream: the gate is opened only afterwards.
            connection.read_until("many wo").await;
            gate.open();
            let (_, complete) = connection.rest().await;
            assert!(complete, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_stream_that_is_cut_ends_in_every_other_dialect_with_its_own_error() {
    let world = foreign().await;
    for (client, (operation, name, _)) in pairs() {
        for coding in Coding::ALL {
            let said = "many words, ".repeat(20);
            let answer = spoken(operation, true, &said).then(BEGINNING, Part::Cut);
            world.simulator.script(answer.compressed(coding).await);
            let reply = world.post(client.path, client.body_for(name, true)).await;
            let what = format!("{} on {operation}, {coding:?}", client.operation);
            assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
            assert!(reply.text().contains("many wo"), "{what}: {}", reply.text());
            assert_terminal_error(client, &reply);
        }
    }
}
