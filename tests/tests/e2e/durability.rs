//! What is written stays: across kill -9, across an orderly stop.

use std::time::Duration;

use serde_json::json;
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::places::fixture;
use tollgate_tests::simulator::{Answer, Gate, Part, Tokens, spoken};
use tollgate_tests::wire::{Connection, PATIENCE, Request};
use tollgate_tests::world::{ALICE, World};

/// Durable against the death of the process, and as it is shipped: against that of the machine, too.
fn both_ways() -> [Setup; 2] {
    let usual = Setup::new(&["openai", "anthropic"]);
    [usual.clone(), usual.durable_as_shipped()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_no_account_key_credential_or_usage_row() {
    for setup in both_ways() {
        loses_nothing(setup).await;
    }
}

async fn loses_nothing(setup: Setup) {
    let mut world = World::with(setup).await;
    world
        .management()
        .change(
            "root/research",
            json!({ "limits": { "daily_limit": 900_000_000 } }),
        )
        .await;
    let revoked = world.management().key(ALICE).await;
    world.gateway.keep_secret(&revoked.secret);
    world.management().revoke(&revoked).await;
    let mut charged = 0;
    let asked = 4 * ENDPOINTS.len();
    for round in 0..4 {
        for endpoint in &ENDPOINTS {
            assert_eq!(
                world.ask(endpoint, endpoint.streams).await.status(),
                200,
                "round {round}"
            );
        }
    }
    let rows = world.management().wait_for_rows(asked).await;
    charged += rows.iter().map(|row| row.charged()).sum::<u64>();
    for _ in 0..3 {
        world.gateway.kill();
        world.gateway.restart().await;
        let rows = world.management().rows().await;
        assert_eq!(rows.len(), asked, "usage rows were lost");
        assert_eq!(rows.iter().map(|row| row.charged()).sum::<u64>(), charged);
    }
    for endpoint in &ENDPOINTS {
        assert_eq!(
            world.ask(endpoint, false).await.status(),
            200,
            "the key, the upstream or the credential is gone"
        );
        let old = Request::post(endpoint.path, endpoint.body(false)).bearer(&revoked.secret);
        assert_eq!(
            world.gateway.send(&old).await.status(),
            401,
            "a revoked key came back"
        );
    }
    // What was spent today still counts.
    let account = world.management().get("/api/accounts/root/research").await;
    assert!(
        account["effective"]["spent_today"].as_u64().unwrap() >= charged,
        "{account}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_used_up_before_kill_9_is_used_up_after_it() {
    for setup in both_ways() {
        stays_used_up(setup).await;
    }
}

async fn stays_used_up(setup: Setup) {
    let mut world = World::with(setup).await;
    world
        .management()
        .change("root/research", json!({ "limits": { "rpm": 3 } }))
        .await;
    let endpoint = &ENDPOINTS[0];
    for _ in 0..3 {
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
    }
    world.management().wait_for_rows(3).await;
    world.gateway.kill();
    world.gateway.restart().await;
    assert_eq!(
        world.ask(endpoint, false).await.status(),
        429,
        "a restart gave the minute's requests anew"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_the_middle_of_traffic_loses_no_charge_and_charges_nothing_twice() {
    for setup in both_ways() {
        charges_once(setup).await;
    }
}

async fn charges_once(setup: Setup) {
    const KILLS: u32 = 12;
    let mut world = World::with(setup).await;
    let endpoint = &ENDPOINTS[0];
    let requests = [false, true].map(|stream| world.request(endpoint.path, endpoint.body(stream)));
    let mut answered = Vec::new();
    for kill in 0..KILLS {
        let mut tasks = tokio::task::JoinSet::new();
        for worker in 0..2 {
            let (address, request) = (world.gateway.address(), requests[worker % 2].clone());
            tasks.spawn(async move {
                let mut whole = Vec::new();
                while let Ok(mut connection) = Connection::open(address).await {
                    match connection.exchange(&request).await {
                        Ok(reply) if reply.status() == 200 && reply.complete => {
                            whole.push(reply.header("x-request-id").unwrap().to_owned());
                        }
                        _ => break,
                    }
                }
                whole
            });
        }
        // Never at the same point of a request's life.
        tokio::time::sleep(Duration::from_millis(50 + u64::from(kill) * 37 % 70)).await;
        world.gateway.kill();
        answered.extend(tasks.join_all().await.into_iter().flatten());
        world.gateway.restart().await;
    }
    assert!(!answered.is_empty());
    let rows = world.management().rows().await;
    assert!(rows.len() < 10_000, "there are more than are listed");
    for row in &rows {
        assert!(row.charged() > 0, "{}", row.0);
    }
    let mut ids: Vec<&str> = rows.iter().map(|row| row.text("request_id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rows.len(), "a request was charged twice");
    println!(
        "{KILLS} kills: {} rows of {} answered requests",
        rows.len(),
        answered.len()
    );
    answered.retain(|id| ids.binary_search(&id.as_str()).is_err());
    assert!(
        answered.is_empty(),
        "answered and not charged: {answered:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_at_kill_9_is_charged_its_hold_and_flagged() {
    for setup in both_ways() {
        charges_its_hold(setup).await;
    }
}

async fn charges_its_hold(setup: Setup) {
    let mut world = World::with(setup).await;
    let endpoint = Endpoint::of("chat-completions");
    let gate = Gate::default();
    world.simulator.script(Answer::json(200, "{}").after(&gate));
    let journaled = world.gateway.journaled();
    let mut connection = world.gateway.connect().await;
    let request = world.request(endpoint.path, endpoint.body(false));
    connection.write(&request.to_bytes("x")).await.unwrap();
    world.simulator.wait_for(1).await;
    world.gateway.wait_for_journal(journaled).await;
    world.gateway.kill();
    gate.open();
    world.gateway.restart().await;
    let rows = world.management().rows().await;
    let [row] = &rows[..] else {
        panic!("{} rows", rows.len());
    };
    assert_eq!(row.0["recovered"], true, "{}", row.0);
    assert_eq!(row.charged(), row.0["hold"].as_u64().unwrap(), "{}", row.0);
    assert!(row.charged() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_by_kill_9_is_charged_what_was_streamed_by_its_last_checkpoint() {
    let text = "Some bytes of text, all of them. ".repeat(15);
    for setup in both_ways() {
        let mut world = World::with(setup).await;
        // Held for: what is charged otherwise.
        let budget = json!({ "limits": { "daily_limit": 900_000_000 } });
        world.management().change("root/research", budget).await;
        let mut before = 0;
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
            let (noted, gate) = (Gate::default(), Gate::default());
            let answer = spoken(endpoint.operation, true, &text);
            // All that is text, and nothing that tells the end or the usage.
            let whole = String::from_utf8(answer.body()).unwrap();
            let delta = match endpoint.operation {
                "chat-completions" => "\"delta\":{\"content\":\"",
                "responses" => "\"response.output_text.delta\"",
                _ => "\"text_delta\"",
            };
            let events: Vec<&str> = whole.split_inclusive("\n\n").collect();
            let last = events.iter().rposition(|event| event.contains(delta));
            let last = last.unwrap();
            let answer = answer
                .then(last + 1, Part::Wait(gate.clone()))
                // The journal hears of the request before there is anything to charge but its hold.
                .with_part(0, Part::Wait(noted.clone()));
            world.simulator.script(answer);
            let body = endpoint.body(true);
            let input = crate::money::input_estimate(&body);
            let journaled = world.gateway.journaled();
            let mut connection = world.gateway.connect().await;
            let request = world.request(endpoint.path, body);
            connection.write(&request.to_bytes("x")).await.unwrap();
            world.gateway.wait_for_journal(journaled).await;
            noted.open();
            let head = connection.read_head(false).await.unwrap();
            let id = head.header("x-request-id").unwrap().to_owned();
            let sent = events[..=last].concat();
            // All text that has gone to the client when the process dies; four bytes count as a token.
            let streamed: usize = tollgate_tests::recordings::events(&sent)
                .iter()
                .flat_map(|event| {
                    let (choice, delta) = (&event["choices"][0]["delta"], &event["delta"]);
                    let places = [
                        &choice["content"],
                        delta,
                        &delta["text"],
                        &delta["thinking"],
                    ];
                    places.map(|text| text.as_str().map_or(0, str::len))
                })
                .sum();
            assert!(streamed >= text.len());
            let mut got = 0;
            while got < sent.len() {
                got += connection.piece().await.unwrap().unwrap().len();
            }
            // A checkpoint comes each second; none if the last one had all of it, as it may on a slow machine.
            let checkpoint = world.gateway.wait_for_journal(world.gateway.journaled());
            let _ = tokio::time::timeout(Duration::from_secs(10), checkpoint).await;
            world.gateway.kill();
            gate.open();
            world.gateway.restart().await;
            let row = world.management().row_of(&id).await;
            assert_eq!(row.0["recovered"], true, "{}", row.0);
            let reckoned = Tokens {
                input,
                output: (streamed as u64).div_ceil(4),
                ..Tokens::default()
            };
            assert_eq!(row.tokens(), reckoned, "{}", row.0);
            assert!(row.estimated(), "{}", row.0);
            assert_eq!(row.charged(), crate::money::cost(reckoned), "{}", row.0);
            assert!(row.0["hold"].as_u64().unwrap() > row.charged(), "{}", row.0);
            before += row.charged();
            let account = world.management().get("/api/accounts/root/research").await;
            assert_eq!(account["effective"]["spent_today"], before, "{account}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_stop_lets_open_streams_finish_and_takes_no_new_connection() {
    let mut world = World::new().await;
    let mut open = Vec::new();
    let gate = Gate::default();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        let answer = Answer::events(
            String::from_utf8(fixture(&format!("answers/{}.sse", endpoint.operation))).unwrap(),
        );
        let body = answer.body();
        world
            .simulator
            .script(answer.with_part(2, Part::Wait(gate.clone())));
        let mut connection = world.gateway.connect().await;
        connection
            .send(&world.request(endpoint.path, endpoint.body(true)))
            .await
            .unwrap();
        let got = connection.piece().await.unwrap().unwrap();
        open.push((endpoint, connection, got, body));
    }
    world.gateway.terminate();
    // It has closed the door once nobody can connect any more.
    let began = std::time::Instant::now();
    while Connection::open(world.gateway.address()).await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "the door stays open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    gate.open();
    for (endpoint, mut connection, got, body) in open {
        let (rest, complete) = connection.rest().await;
        assert!(complete, "{}: the stream was cut", endpoint.path);
        assert!([got, rest].concat() == body, "{}", endpoint.path);
    }
    assert!(world.gateway.ended().await.success());
    world.gateway.restart().await;
    let rows = world.management().wait_for_rows(3).await;
    for row in rows {
        let endpoint = Endpoint::of(row.text("operation"));
        assert_eq!(row.tokens(), endpoint.tokens, "{}", row.0);
        assert!(!row.estimated());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_ever() {
    let mut world =
        World::with(Setup::new(&["openai", "anthropic"]).set("server", "drain_timeout_ms", "500"))
            .await;
    let endpoint = Endpoint::of("messages");
    let answer = Answer::events(String::from_utf8(fixture("answers/messages.sse")).unwrap())
        .then(2, Part::Hang);
    world.simulator.script(answer);
    let mut connection = world.gateway.connect().await;
    connection
        .send(&world.request(endpoint.path, endpoint.body(true)))
        .await
        .unwrap();
    connection.piece().await.unwrap().unwrap();
    world.gateway.terminate();
    world.gateway.ended().await;
    world.gateway.restart().await;
    let rows = world.management().wait_for_rows(1).await;
    assert!(
        rows[0].charged() > 0,
        "the cut stream was not charged: {}",
        rows[0].0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_refuses_new_requests_with_503_loses_nothing_and_goes_on_when_there_is_room()
 {
    const ROOM: u64 = 1 << 30;
    let folder = tempfile::tempdir().unwrap();
    let disk = rustix::fs::statvfs(folder.path()).unwrap();
    let free = disk.f_bavail * disk.f_frsize;
    assert!(free > 3 * ROOM, "this test needs 3 GiB on the disk");
    let setup = Setup::new(&["openai", "anthropic"])
        .set("data", "keep_free_bytes", &(free - ROOM).to_string())
        .set("server", "workers", "1");
    let mut world = World::with(setup).await;
    // Rows of some size: what the journal set aside when there was room is used up soon.
    let tags: serde_json::Map<_, _> = (0..24)
        .map(|number| (format!("tag-{number}"), "t".repeat(250).into()))
        .collect();
    world
        .management()
        .change(ALICE, json!({ "tags": tags }))
        .await;
    let endpoint = Endpoint::of("chat-completions");
    assert_eq!(world.ask(endpoint, false).await.status(), 200);

    let ballast = std::fs::File::create(folder.path().join("ballast")).unwrap();
    let all = rustix::fs::FallocateFlags::empty();
    rustix::fs::fallocate(&ballast, all, 0, 2 * ROOM).unwrap();
    let mut served = 1;
    let refused = loop {
        let reply = world.ask(endpoint, false).await;
        if reply.status() != 200 {
            break reply;
        }
        served += 1;
        assert!(served < 20_000, "a full disk refuses nothing");
    };
    for endpoint in &ENDPOINTS {
        let reply = world.ask(endpoint, endpoint.streams).await;
        let (status, word) = match endpoint.anthropic {
            true => (529, "overloaded_error"),
            false => (503, "server_is_overloaded"),
        };
        endpoint.assert_error(&reply, status, word);
        assert!(reply.header("retry-after").is_some());
    }
    assert_eq!(refused.status(), 503);
    let ready = world.gateway.send(&Request::get("/readyz")).await;
    assert_eq!(ready.status(), 503, "{}", ready.text());
    std::fs::remove_file(folder.path().join("ballast")).unwrap();
    drop(ballast);
    let began = std::time::Instant::now();
    while world.ask(endpoint, false).await.status() != 200 {
        assert!(
            began.elapsed().as_secs() < 60,
            "it does not go on when there is room"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.gateway.kill();
    world.gateway.restart().await;
    let rows = world.management().rows().await;
    assert!(rows.len() < 10_000, "there are more than are listed");
    let answered = rows.iter().filter(|row| row.status() == 200).count();
    assert_eq!(answered, served + 1);
}
