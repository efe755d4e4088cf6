//! The simulator itself: a test bench that lies proves nothing.

use tollgate_tests::endpoints::ENDPOINTS;
use tollgate_tests::simulator::{Answer, Ending, Gate, Part, Simulator};
use tollgate_tests::wire::{Connection, Request, send};

#[tokio::test]
async fn it_keeps_what_it_was_sent_and_answers_in_the_paths_dialect() {
    let simulator = Simulator::start().await;
    for endpoint in &ENDPOINTS {
        let body = endpoint.body(false);
        let reply = send(
            simulator.address(),
            &Request::post(endpoint.path, body.clone()).header("X-Mixed", "Case"),
        )
        .await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert!(reply.json().is_object());
        let received = simulator.last();
        assert_eq!(received.body, body);
        assert_eq!(received.header("x-mixed"), Some("Case"));
        assert_eq!(received.path(), endpoint.path);
        if endpoint.streams {
            let reply = send(
                simulator.address(),
                &Request::post(endpoint.path, endpoint.body(true)),
            )
            .await;
            assert!(
                reply.complete
                    && reply
                        .text()
                        .starts_with(if endpoint.operation == "chat-completions" {
                            "data:"
                        } else {
                            "event:"
                        })
            );
        }
    }
}

#[tokio::test]
async fn it_misbehaves_as_told() {
    let simulator = Simulator::start().await;
    let request = Request::post("/v1/messages", "{}");
    let events = Answer::events("data: one\n\ndata: two\n\ndata: three\n\n");

    simulator.script(events.clone().then(1, Part::Cut));
    let reply = send(simulator.address(), &request).await;
    assert_eq!(
        (reply.text().as_str(), reply.complete),
        ("data: one\n\n", false)
    );

    simulator.script(Answer::hang_up());
    assert!(
        Connection::open(simulator.address())
            .await
            .unwrap()
            .exchange(&request)
            .await
            .is_err()
    );

    simulator.script(events.clone().with_crlf().split_every(4));
    let mut connection = Connection::open(simulator.address()).await.unwrap();
    connection.send(&request).await.unwrap();
    assert_eq!(connection.piece().await.unwrap().unwrap(), b"data");
    assert_eq!(
        connection.rest().await,
        (
            b": one\r\n\r\ndata: two\r\n\r\ndata: three\r\n\r\n".to_vec(),
            true
        )
    );

    let gate = Gate::default();
    simulator.script(events.clone().with_part(1, Part::Wait(gate.clone())));
    let mut connection = Connection::open(simulator.address()).await.unwrap();
    connection.send(&request).await.unwrap();
    assert_eq!(connection.read_until("one\n\n").await, b"data: one\n\n");
    assert_eq!(simulator.last().ending(), None);
    gate.open();
    assert!(connection.rest().await.1);
    assert_eq!(simulator.wait_for_ending().await, Ending::Answered);

    simulator.script(events.then(1, Part::Hang));
    let mut connection = Connection::open(simulator.address()).await.unwrap();
    connection.send(&request).await.unwrap();
    connection.read_until("one").await;
    drop(connection);
    assert_eq!(simulator.wait_for_ending().await, Ending::CallerLeft);
}

#[tokio::test]
async fn its_gzip_is_gzip() {
    let simulator = Simulator::start().await;
    simulator.script(Answer::json(200, "{\"a\":1}").gzipped());
    let reply = send(simulator.address(), &Request::post("/v1/messages", "{}")).await;
    let mut plain = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(reply.body.as_slice()),
        &mut plain,
    )
    .unwrap();
    assert_eq!(plain, "{\"a\":1}");
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
}
