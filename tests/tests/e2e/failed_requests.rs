//! What fails is written down once and costs nothing: each kind of failure on each endpoint.

use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{Answer, Tokens, anthropic_error, openai_error};
use tollgate_tests::wire::{Connection, Request};
use tollgate_tests::world::World;

/// The longest body that is read in these tests.
const LONGEST: usize = 10_000;

/// One way in which a request fails.
struct Failure {
    what: &'static str,
    body: fn(&Endpoint) -> Vec<u8>,
    /// What the vendor says; none: it must not be asked.
    vendor: Option<fn(&Endpoint) -> Answer>,
    /// The status in the OpenAI dialects and in Anthropic's.
    status: [u16; 2],
    /// The kind of failure in the usage row.
    error: &'static str,
}

const FAILURES: [Failure; 5] = [
    Failure {
        what: "a body that is no JSON",
        body: |_| br#"{"model": "#.to_vec(),
        vendor: None,
        status: [400, 400],
        error: "invalid-request",
    },
    Failure {
        what: "a model that is not there",
        body: |endpoint| endpoint.body_for("no-such-model", endpoint.streams),
        vendor: None,
        status: [404, 404],
        error: "model-not-found",
    },
    Failure {
        what: "a body that is too large",
        body: |endpoint| {
            endpoint.body_with(endpoint.model, endpoint.streams, &"long ".repeat(LONGEST))
        },
        vendor: None,
        status: [413, 413],
        error: "body-too-large",
    },
    Failure {
        what: "a request that the vendor finds wrong",
        body: |endpoint| endpoint.body(endpoint.streams),
        vendor: Some(|endpoint| vendors(endpoint, 400, "invalid_request_error")),
        status: [400, 400],
        error: "upstream-rejected",
    },
    Failure {
        what: "no upstream that can serve",
        body: |endpoint| endpoint.body(endpoint.streams),
        vendor: Some(|endpoint| vendors(endpoint, 500, "api_error")),
        status: [503, 529],
        error: "upstream-transient",
    },
];

fn vendors(endpoint: &Endpoint, status: u16, kind: &str) -> Answer {
    match endpoint.anthropic {
        true => anthropic_error(status, kind, "no"),
        false => openai_error(status, kind, "no"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_failure_leaves_one_row_that_costs_nothing_on_every_endpoint() {
    let setup =
        Setup::new(&["openai", "anthropic"]).set("server", "max_body_bytes", &LONGEST.to_string());
    let world = World::with(setup).await;
    let mut rows = 0;
    for failure in &FAILURES {
        for endpoint in &ENDPOINTS {
            let what = format!("{} on {}", failure.what, endpoint.path);
            let asked = world.simulator.received().len();
            world
                .simulator
                .always(failure.vendor.map(|vendor| vendor(endpoint)));
            let reply = world.post(endpoint.path, (failure.body)(endpoint)).await;
            let status = failure.status[usize::from(endpoint.anthropic)];
            assert_eq!(reply.status(), status, "{what}: {}", reply.text());
            if failure.vendor.is_none() {
                assert_eq!(world.simulator.received().len(), asked, "{what}");
            } else {
                assert!(world.simulator.received().len() > asked, "{what}");
            }
            rows += 1;
            let all = world.management().wait_for_rows(rows).await;
            let id = reply.header("x-request-id").unwrap();
            let own = all.iter().filter(|row| row.text("request_id") == id);
            let [row] = own.collect::<Vec<_>>()[..] else {
                panic!("{what}: not one row of {id}");
            };
            assert_eq!(row.text("operation"), endpoint.operation, "{what}");
            assert_eq!(row.status(), u64::from(status), "{what}: {}", row.0);
            assert_eq!(row.text("error"), failure.error, "{what}: {}", row.0);
            assert_eq!(row.tokens(), Tokens::default(), "{what}: {}", row.0);
            assert_eq!(
                (row.charged(), &row.0["base_cost"]),
                (0, &0.into()),
                "{what}"
            );
            assert!(!row.estimated(), "{what}: {}", row.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hammers_at_a_refusal_fills_no_disk() {
    const TRIES: usize = 1_500;
    let world = World::new().await;
    let refused = world.request(ENDPOINTS[0].path, ENDPOINTS[0].body_for("not-there", false));
    // One connection, so one worker: each counts for itself.
    let began = std::time::Instant::now();
    let mut connection = Connection::open(world.gateway.address()).await.unwrap();
    for _ in 0..TRIES {
        assert_eq!(connection.exchange(&refused).await.unwrap().status(), 404);
    }
    // Requests that are admitted leave a row each all the same.
    let served = connection
        .exchange(&world.request(ENDPOINTS[0].path, ENDPOINTS[0].body(false)))
        .await
        .unwrap();
    let id = served.header("x-request-id").unwrap();
    world.management().row_of(id).await;
    let seconds = began.elapsed().as_secs() as usize + 1;
    let rows = world.management().rows().await.len();
    assert!((1_001..=1_001 + seconds).contains(&rows), "{rows} rows");
    // The metrics have seen them all.
    let metrics = world.gateway.send(&Request::get("/metrics")).await.text();
    let counted = metrics
        .lines()
        .filter(|line| line.starts_with("tollgate_requests_total") && line.contains("4xx"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
    assert_eq!(counted.sum::<usize>(), TRIES, "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_known_leaves_no_row() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        // Whose row should it be? It is counted, with the status, in the metrics alone.
        let request = Request::post(endpoint.path, endpoint.body(false)).bearer("tg-nobody");
        assert_eq!(world.gateway.send(&request).await.status(), 401);
    }
    // What comes afterwards is written after it: were there any row, it would be there by now.
    assert_eq!(world.ask(&ENDPOINTS[0], false).await.status(), 200);
    world.management().wait_for_rows(1).await;
}
