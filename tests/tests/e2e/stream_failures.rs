//! Once the first byte is out, a failure is told in the stream, in the dialect's own way, and charged for what came.

use std::time::Duration;

use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::places::fixture;
use tollgate_tests::recordings::events;
use tollgate_tests::simulator::{Answer, Gate, Part};
use tollgate_tests::wire::Reply;
use tollgate_tests::world::World;

use crate::byte_identity::request_id;

fn streaming() -> impl Iterator<Item = &'static Endpoint> {
    ENDPOINTS.iter().filter(|endpoint| endpoint.streams)
}

fn stream_of(endpoint: &Endpoint) -> Answer {
    Answer::events(
        String::from_utf8(fixture(&format!("answers/{}.sse", endpoint.operation))).unwrap(),
    )
}

/// The stream ends properly, with exactly one terminal error of its dialect.
pub(crate) fn assert_terminal_error(endpoint: &Endpoint, reply: &Reply) {
    let text = reply.text();
    assert!(
        reply.complete,
        "{}: the stream was cut instead of ended: {text}",
        endpoint.path
    );
    let told = events(&text);
    let last = told.last().unwrap_or_else(|| panic!("no event in {text}"));
    match endpoint.operation {
        "chat-completions" => {
            assert!(last["error"]["message"].is_string(), "{text}");
            assert!(
                !text.contains("\ndata: [DONE]\n"),
                "[DONE] after an error hides it: {text}"
            );
        }
        "responses" => {
            assert_eq!(last["type"], "response.failed", "{text}");
            assert!(last["response"]["error"]["code"].is_string(), "{text}");
            assert!(last["response"]["id"].is_string(), "{text}");
            let before = &told[told.len() - 2];
            let number = last["sequence_number"]
                .as_u64()
                .unwrap_or_else(|| panic!("no sequence number: {text}"));
            assert!(
                before["sequence_number"]
                    .as_u64()
                    .is_none_or(|before| number > before),
                "{text}"
            );
            assert!(text.contains("event: response.failed\n"), "{text}");
        }
        _ => {
            assert_eq!(last["type"], "error", "{text}");
            assert!(
                last["error"]["type"].is_string() && last["error"]["message"].is_string(),
                "{text}"
            );
            assert!(
                text.contains("event: error\n"),
                "SDKs drop events without a name: {text}"
            );
            assert!(!text.contains("message_stop"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_is_told_as_an_error_and_not_tried_elsewhere() {
    let world = World::new().await;
    for endpoint in streaming() {
        // Events that only announce an answer are held back: a cut before its beginning is tried elsewhere.
        for whole_events in [4, 5] {
            world
                .simulator
                .script(stream_of(endpoint).then(whole_events, Part::Cut));
            world.simulator.forget();
            let reply = world.ask(endpoint, true).await;
            assert_eq!(reply.status(), 200);
            assert_terminal_error(endpoint, &reply);
            let before = stream_of(endpoint).then(whole_events, Part::Cut).body();
            assert!(
                reply.body.starts_with(&before),
                "what came before the cut is lost: {}",
                reply.text()
            );
            assert_eq!(
                world.simulator.received().len(),
                1,
                "tried again after the first byte"
            );
            let row = world.management().row_of(&request_id(&reply)).await;
            assert!(row.estimated() && row.tokens().input > 0, "{}", row.0);
            assert!(!row.text("error").is_empty(), "{}", row.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_in_the_middle_of_an_event_ends_in_a_readable_error_all_the_same() {
    let world = World::new().await;
    for endpoint in streaming() {
        let whole = stream_of(endpoint).body();
        // In the middle of an event after the answer has begun.
        let cut = whole
            .windows(5)
            .enumerate()
            .filter(|(_, w)| w == b"data:")
            .nth(4)
            .unwrap()
            .0
            + 30;
        world.simulator.script(Answer::stream(vec![
            Part::Bytes(whole[..cut].to_vec()),
            Part::Cut,
        ]));
        let reply = world.ask(endpoint, true).await;
        assert_terminal_error(endpoint, &reply);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_falls_silent_is_given_up() {
    // Longer than a busy machine takes between two events.
    let setup = Setup::new(&["openai", "anthropic"]).set("upstream", "idle_timeout_ms", "3000");
    let world = World::with(setup).await;
    for endpoint in streaming() {
        world
            .simulator
            .script(stream_of(endpoint).then(4, Part::Hang));
        let reply = world.ask(endpoint, true).await;
        assert_terminal_error(endpoint, &reply);
        assert_eq!(
            world.simulator.wait_for_ending().await,
            tollgate_tests::simulator::Ending::CallerLeft
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_ends_without_its_end_is_an_error() {
    let world = World::new().await;
    for endpoint in streaming() {
        let text = String::from_utf8(stream_of(endpoint).body()).unwrap();
        let events: Vec<&str> = text.split_inclusive("\n\n").collect();
        let ends = |event: &&str| {
            ["\"finish_reason\":\"", "response.completed", "message_stop"]
                .iter()
                .any(|end| event.contains(end))
        };
        let keep = events.iter().position(ends).unwrap();
        world
            .simulator
            .script(Answer::events(events[..keep].concat()));
        let reply = world.ask(endpoint, true).await;
        assert_terminal_error(endpoint, &reply);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_inside_a_200_reaches_the_client_once_and_is_recorded() {
    let world = World::new().await;
    for endpoint in streaming() {
        let whole = String::from_utf8(stream_of(endpoint).body()).unwrap();
        let start = &whole[..whole.match_indices("\n\n").nth(1).unwrap().0 + 2];
        let failure = match endpoint.operation {
            "chat-completions" => {
                "data: {\"error\":{\"message\":\"the model broke\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n"
            }
            "responses" => {
                "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":9,\"response\":{\"id\":\"resp_a\",\"object\":\"response\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"the model broke\"},\"output\":[],\"usage\":{\"input_tokens\":29,\"input_tokens_details\":{\"cached_tokens\":8},\"output_tokens\":13,\"output_tokens_details\":{\"reasoning_tokens\":4},\"total_tokens\":42}}}\n\n"
            }
            _ => {
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"some forty letters that came before it broke\"}}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the model broke\"}}\n\n"
            }
        };
        let sent = format!("{start}{failure}");
        world.simulator.script(Answer::events(&sent));
        let reply = world.ask(endpoint, true).await;
        assert_eq!(reply.text(), sent, "{}", endpoint.path);
        let row = world.management().row_of(&request_id(&reply)).await;
        assert!(
            !row.text("error").is_empty(),
            "{}: recorded as a success: {}",
            endpoint.path,
            row.0
        );
        if endpoint.operation == "messages" {
            // The first event tells one token of output, and says nothing of what came after it.
            let output = row.tokens().output;
            assert!(row.estimated() && output > 1, "{}", row.0);
        }
        if endpoint.operation == "responses" {
            assert_eq!(
                row.tokens(),
                endpoint.tokens,
                "usage also sits in response.failed: {}",
                row.0
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_reach_the_client_as_they_come_not_when_the_stream_ends() {
    let world = World::new().await;
    for endpoint in streaming() {
        let gate = Gate::default();
        world
            .simulator
            .script(stream_of(endpoint).with_part(2, Part::Wait(gate.clone())));
        let mut connection = world.gateway.connect().await;
        let head = connection
            .send(&world.request(endpoint.path, endpoint.body(true)))
            .await
            .unwrap();
        assert_eq!(head.status, 200);
        let first: Vec<u8> = stream_of(endpoint).then(2, Part::Cut).body();
        let mut got = Vec::new();
        // Would wait for ever (and fail) if the gateway collected the stream: the gate is opened only afterwards.
        while got.len() < first.len() {
            got.extend(connection.piece().await.unwrap().expect("more to come"));
        }
        assert!(got == first, "{}", String::from_utf8_lossy(&got));
        gate.open();
        let (rest, complete) = connection.rest().await;
        assert!(complete);
        assert!([got, rest].concat() == stream_of(endpoint).body());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_json_answer_cut_short_is_never_a_success() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let whole = fixture(&format!("answers/{}.json", endpoint.operation));
        // The length says more than comes.
        let answer = Answer::json(200, whole.clone())
            .split_at(whole.len() / 2)
            .with_part(1, Part::Cut);
        world.simulator.always(Some(answer));
        let result = tokio::time::timeout(Duration::from_secs(30), async {
            let mut connection = world.gateway.connect().await;
            connection
                .exchange(&world.request(endpoint.path, endpoint.body(false)))
                .await
        });
        match result.await.expect("an answer in time") {
            Ok(reply) => assert!(
                reply.status() >= 500 || !reply.complete,
                "{}: {}",
                endpoint.path,
                reply.text()
            ),
            Err(_closed) => {}
        }
    }
}
