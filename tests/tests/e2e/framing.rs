//! However a vendor's answer arrives, the client gets the same bytes and the same usage is recorded.

use std::time::Duration;

use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::places::fixture;
use tollgate_tests::simulator::Answer;
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

async fn passes(
    world: &World,
    endpoint: &Endpoint,
    stream: bool,
    answer: Answer,
    wanted: &[u8],
    what: &str,
) {
    world.simulator.script(answer);
    let reply = world.ask(endpoint, stream).await;
    assert_eq!(
        reply.status(),
        200,
        "{what} on {}: {}",
        endpoint.path,
        reply.text()
    );
    assert!(reply.complete, "{what} on {}: broken off", endpoint.path);
    assert!(
        reply.body == wanted,
        "{what} on {}: got {}",
        endpoint.path,
        reply.text()
    );
    let row = world.management().row_of(&request_id(&reply)).await;
    assert_eq!(
        row.tokens(),
        endpoint.tokens,
        "{what} on {}: {}",
        endpoint.path,
        row.0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_may_end_anywhere() {
    let world = World::new().await;
    for endpoint in streaming() {
        let answer = stream_of(endpoint);
        let body = answer.body();
        for size in [1, 2, 3, 7, 61, 4096] {
            passes(
                &world,
                endpoint,
                true,
                answer.clone().split_every(size),
                &body,
                &format!("chunks of {size}"),
            )
            .await;
        }
        // Every place inside the event that tells the usage, the worst one to lose.
        let at = body
            .windows(7)
            .rposition(|window| window == b"\"usage\"")
            .unwrap();
        for place in (at - 12..at + 16).step_by(3) {
            passes(
                &world,
                endpoint,
                true,
                answer.clone().split_at(place),
                &body,
                &format!("split at {place}"),
            )
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_may_end_with_carriage_returns_split_over_chunks() {
    let world = World::new().await;
    for endpoint in streaming() {
        let answer = stream_of(endpoint).with_crlf();
        let body = answer.body();
        passes(&world, endpoint, true, answer.clone(), &body, "CRLF").await;
        for size in [1, 3, 5] {
            passes(
                &world,
                endpoint,
                true,
                answer.clone().split_every(size),
                &body,
                "CRLF in small chunks",
            )
            .await;
        }
        let between = body
            .windows(4)
            .rposition(|window| window == b"\r\n\r\n")
            .unwrap();
        for place in between..between + 4 {
            passes(
                &world,
                endpoint,
                true,
                answer.clone().split_at(place),
                &body,
                "CRLF split",
            )
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_need_not_say_what_it_sends() {
    let world = World::new().await;
    for endpoint in streaming() {
        let answer = stream_of(endpoint).without_content_type();
        let body = answer.body();
        world.simulator.script(answer.clone());
        let reply = world.ask(endpoint, true).await;
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(
            kind.starts_with("text/event-stream"),
            "{}: the client is told {kind:?}",
            endpoint.path
        );
        passes(&world, endpoint, true, answer, &body, "no content type").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compression_nobody_asked_for_is_undone() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let answer = Answer::json(
            200,
            fixture(&format!("answers/{}.json", endpoint.operation)),
        );
        let body = answer.body();
        passes(
            &world,
            endpoint,
            false,
            answer.gzipped(),
            &body,
            "gzip JSON",
        )
        .await;
        if endpoint.streams {
            let answer = stream_of(endpoint);
            let body = answer.body();
            passes(
                &world,
                endpoint,
                true,
                answer.gzipped(),
                &body,
                "gzip stream",
            )
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_client_takes_as_encoding_is_not_what_the_vendor_is_asked_for() {
    let world = World::new().await;
    let endpoint = Endpoint::of("messages");
    let request = world
        .request(endpoint.path, endpoint.body(true))
        .header("accept-encoding", "gzip, deflate, br, zstd");
    let reply = world.gateway.send(&request).await;
    assert_eq!(reply.status(), 200);
    assert!(
        reply.header("content-encoding").is_none(),
        "{:?}",
        reply.head.headers
    );
    let asked = world
        .simulator
        .last()
        .header("accept-encoding")
        .unwrap_or("identity")
        .to_owned();
    assert_eq!(asked, "identity");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_drip_arrives_whole() {
    let world = World::new().await;
    for endpoint in streaming() {
        let answer = stream_of(endpoint);
        let body = answer.body();
        passes(
            &world,
            endpoint,
            true,
            answer.dripping(Duration::from_millis(15)),
            &body,
            "a drip",
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_event_passes() {
    let world = World::new().await;
    let big = "x".repeat(3 << 20);
    for endpoint in streaming() {
        let stream = String::from_utf8(stream_of(endpoint).body()).unwrap();
        let (place, padded) = match endpoint.operation {
            "responses" => (
                "response.vendor_invention\",",
                format!("response.vendor_invention\",\"pad\":\"{big}\","),
            ),
            "messages" => (
                "vendor_invention\",",
                format!("vendor_invention\",\"pad\":\"{big}\","),
            ),
            _ => ("\"unknown\":", format!("\"pad\":\"{big}\",\"unknown\":")),
        };
        assert!(stream.contains(place));
        let answer = Answer::events(stream.replacen(place, &padded, 1));
        let body = answer.body();
        passes(&world, endpoint, true, answer, &body, "an event of 3 MiB").await;
    }
}
