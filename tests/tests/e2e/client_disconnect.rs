//! A client that leaves: the vendor is let go at once, and what was used is recorded.

use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::places::fixture;
use tollgate_tests::simulator::{Answer, Ending, Part};
use tollgate_tests::world::World;

fn stream_of(endpoint: &Endpoint) -> Answer {
    Answer::events(
        String::from_utf8(fixture(&format!("answers/{}.sse", endpoint.operation))).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_in_the_middle_of_a_stream_closes_the_upstream_and_writes_the_row() {
    let world = World::new().await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        world
            .simulator
            .script(stream_of(endpoint).then(3, Part::Hang));
        let mut connection = world.gateway.connect().await;
        let head = connection
            .send(&world.request(endpoint.path, endpoint.body(true)))
            .await
            .unwrap();
        let id = head.header("x-request-id").unwrap().to_owned();
        connection.piece().await.unwrap().expect("an event");
        drop(connection);
        assert_eq!(
            world.simulator.wait_for_ending().await,
            Ending::CallerLeft,
            "{}",
            endpoint.path
        );
        let row = world.management().row_of(&id).await;
        assert!(
            row.tokens().input > 0,
            "the input was billed by the vendor: {}",
            row.0
        );
        assert!(row.charged() > 0, "{}", row.0);
        assert!(!row.text("error").is_empty(), "{}", row.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_before_the_first_byte_closes_the_upstream_and_writes_the_row() {
    let world = World::new().await;
    let mut rows = 0;
    for endpoint in &ENDPOINTS {
        world.simulator.forget();
        world.simulator.script(Answer::silence());
        let mut connection = world.gateway.connect().await;
        let request = world.request(endpoint.path, endpoint.body(endpoint.streams));
        connection.write(&request.to_bytes("x")).await.unwrap();
        world.simulator.wait_for(1).await;
        drop(connection);
        assert_eq!(
            world.simulator.wait_for_ending().await,
            Ending::CallerLeft,
            "{}",
            endpoint.path
        );
        rows += 1;
        world.management().wait_for_rows(rows).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_read_to_its_end_by_a_client_that_then_leaves_is_complete() {
    let world = World::new().await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        let mut connection = world.gateway.connect().await;
        let head = connection
            .send(&world.request(endpoint.path, endpoint.body(true)))
            .await
            .unwrap();
        let id = head.header("x-request-id").unwrap().to_owned();
        let last = match endpoint.operation {
            "chat-completions" => "[DONE]\n\n",
            "responses" => "event: response.completed",
            _ => "\"type\":\"message_stop\"",
        };
        connection.read_until(last).await;
        // Clients hang up at the dialect's end, before the transport's.
        drop(connection);
        let row = world.management().row_of(&id).await;
        assert_eq!(row.tokens(), endpoint.tokens, "{}", row.0);
        assert!(!row.estimated(), "{}", row.0);
    }
}
