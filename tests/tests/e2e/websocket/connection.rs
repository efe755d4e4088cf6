//! How a WebSocket ends, and what ends an answer on it.

use serde_json::json;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{Answer, Ending, Gate, Part};
use tollgate_tests::socket::Socket;
use tollgate_tests::world::World;

use super::{create, kinds, open, stream};

fn setup() -> Setup {
    Setup::new(&["openai", "anthropic"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_is_refused_at_the_next_request() {
    let world = World::new().await;
    for warm_up in [false, true] {
        let key = world.management().key(tollgate_tests::world::ALICE).await;
        world.gateway.keep_secret(&key.secret);
        let mut socket = Socket::open(world.gateway.address(), &key.secret).await;
        socket.send(&create("Hello")).await;
        socket.answer().await;
        let sent = world.simulator.received().len();
        world.management().revoke(&key).await;
        let mut next = create("Hello");
        next["generate"] = json!(!warm_up);
        socket.send(&next).await;
        let told = socket.answer().await;
        assert_eq!(kinds(&told), ["error"]);
        assert_eq!(told[0]["status"], 401);
        assert_eq!(told[0]["error"]["code"], "invalid_api_key");
        assert_eq!(socket.closed().await.0, 1008);
        assert_eq!(world.simulator.received().len(), sent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_a_key_ends_its_answer() {
    let world = World::new().await;
    let gate = Gate::default();
    world
        .simulator
        .script(stream().with_part(6, Part::Wait(gate.clone())));
    let mut socket = open(&world).await;
    socket.send(&create("Hello")).await;
    for _ in 0..6 {
        socket.event().await;
    }
    let path = format!("/api/keys/{}?kill=true", world.key.id);
    world.management().done("DELETE", &path, None).await;
    let told = socket.answer().await;
    assert_eq!(kinds(&told), ["error"]);
    assert_eq!(told[0]["status"], 401, "{told:?}");
    assert_eq!(world.simulator.wait_for_ending().await, Ending::CallerLeft);
    let rows = world.management().wait_for_rows(1).await;
    assert_eq!(rows[0].text("error"), "key-revoked");
    assert!(rows[0].charged() > 0);
    gate.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_closes_ends_its_answer_and_pays_for_what_came() {
    let world = World::new().await;
    for (rows, (first, farewell)) in [(true, true), (true, false), (false, true), (false, false)]
        .into_iter()
        .enumerate()
    {
        world.simulator.script(match first {
            true => stream().then(6, Part::Hang),
            false => Answer::silence(),
        });
        let mut socket = open(&world).await;
        socket.send(&create("Hello")).await;
        world.simulator.wait_for(rows + 1).await;
        if first {
            socket.event().await;
        }
        match farewell {
            true => socket.close().await,
            false => drop(socket),
        }
        assert_eq!(world.simulator.wait_for_ending().await, Ending::CallerLeft);
        let rows = world.management().wait_for_rows(rows + 1).await;
        assert!(rows.iter().all(|row| !row.text("error").is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_closes_the_connection_under_its_code() {
    let world = World::with(setup().set("server", "max_body_bytes", "100000")).await;
    let large = Message::text(create(&"x".repeat(150_000)).to_string());
    for (message, code) in [
        (large, 1009),
        (Message::Binary(Bytes::from_static(b"{}")), 1003),
    ] {
        let mut socket = open(&world).await;
        socket.send(&create("Hello")).await;
        socket.answer().await;
        socket.send_as(message).await;
        assert_eq!(socket.closed().await.0, code);
    }
    // What becomes too large only together with what was before is refused, and the connection goes on.
    let mut socket = open(&world).await;
    socket.send(&create(&"x".repeat(60_000))).await;
    let told = socket.answer().await;
    let mut next = create(&"y".repeat(60_000));
    next["previous_response_id"] = told.last().unwrap()["response"]["id"].clone();
    socket.send(&next).await;
    let told = socket.answer().await;
    assert_eq!(
        (kinds(&told), &told[0]["status"]),
        (vec!["error"], &json!(413))
    );
    socket.send(&create("Hello")).await;
    assert_eq!(socket.answer().await[0]["type"], "response.created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_pieces_is_one_message() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let world = World::new().await;
    let mut socket = open(&world).await;
    let text = create("Hello").to_string();
    let (left, right) = text.split_at(20);
    let piece = |text: &str, code, last| {
        Message::Frame(Frame::message(text.to_owned().into_bytes(), code, last))
    };
    socket
        .send_as(piece(left, OpCode::Data(Data::Text), false))
        .await;
    socket
        .send_as(Message::Ping(Bytes::from_static(b"between")))
        .await;
    socket
        .send_as(piece(right, OpCode::Data(Data::Continue), true))
        .await;
    assert_eq!(
        socket.answer().await.last().unwrap()["type"],
        "response.completed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_stops_finishes_the_answer_and_goes_away() {
    let mut world = World::new().await;
    let gate = Gate::default();
    world
        .simulator
        .script(stream().with_part(6, Part::Wait(gate.clone())));
    let mut idle = open(&world).await;
    let mut busy = open(&world).await;
    busy.send(&create("Hello")).await;
    for _ in 0..6 {
        busy.event().await;
    }
    world.gateway.terminate();
    assert_eq!(idle.closed().await.0, 1001);
    gate.open();
    let told = busy.answer().await;
    assert_eq!(told.last().unwrap()["type"], "response.completed");
    assert_eq!(busy.closed().await.0, 1001);
    assert!(world.gateway.ended().await.success());
    world.gateway.restart().await;
    let rows = world.management().wait_for_rows(1).await;
    assert_eq!(rows[0].tokens(), tollgate_tests::simulator::OPENAI);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_does_not_grow_old() {
    let world = World::with(setup().set("server", "websocket_max_age_ms", "1500")).await;
    let gate = Gate::default();
    world
        .simulator
        .script(stream().with_part(6, Part::Wait(gate.clone())));
    let mut idle = open(&world).await;
    let mut busy = open(&world).await;
    busy.send(&create("Hello")).await;
    let told = idle.answer().await;
    assert_eq!(told[0]["status"], 400);
    assert_eq!(
        told[0]["error"]["code"],
        "websocket_connection_limit_reached"
    );
    assert_eq!(idle.closed().await.0, 1000);
    // An answer under way is not cut.
    gate.open();
    let told = busy.answer().await;
    assert_eq!(told.last().unwrap()["type"], "response.completed");
    let told = busy.answer().await;
    assert_eq!(
        told[0]["error"]["code"],
        "websocket_connection_limit_reached"
    );
    assert_eq!(busy.closed().await.0, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_nobody_uses_is_closed_but_not_one_that_waits_for_its_answer() {
    let world = World::with(setup().set("server", "websocket_idle_timeout_ms", "700")).await;
    let mut idle = open(&world).await;
    let mut busy = open(&world).await;
    let pause = std::time::Duration::from_millis(1500);
    world
        .simulator
        .script(stream().with_part(0, Part::Pause(pause)));
    busy.send(&create("Hello")).await;
    assert_eq!(idle.closed().await, (1000, "idle".to_owned()));
    let told = busy.answer().await;
    assert_eq!(told.last().unwrap()["type"], "response.completed");
    assert_eq!(busy.closed().await.0, 1000);
}
