//! What is there besides model traffic: probes, health, metrics.

use tollgate_tests::endpoints::ENDPOINTS;
use tollgate_tests::gateway::{Gateway, Setup};
use tollgate_tests::wire::Request;
use tollgate_tests::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_only_look_whether_somebody_is_there_find_somebody() {
    let world = World::new().await;
    for path in ["/", "/api/hello"] {
        let reply = world.gateway.send(&Request::new("HEAD", path)).await;
        assert!(
            (200..300).contains(&reply.status()),
            "HEAD {path}: {}",
            reply.status()
        );
        assert!(reply.body.is_empty());
    }
    for path in ["/healthz", "/readyz"] {
        let reply = world.gateway.send(&Request::get(path)).await;
        assert_eq!(reply.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_gateway_is_alive_and_ready_to_be_configured() {
    let gateway = Gateway::start(&Setup::new(&["openai"])).await;
    assert_eq!(gateway.send(&Request::get("/healthz")).await.status(), 200);
    assert_eq!(gateway.send(&Request::get("/readyz")).await.status(), 200);
    let world = World::new().await;
    assert_eq!(
        world.gateway.send(&Request::get("/readyz")).await.status(),
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_requests_and_no_client_can_mint_a_series() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        assert_eq!(world.ask(endpoint, endpoint.streams).await.status(), 200);
    }
    let before = scrape(&world).await;
    for number in 0..300 {
        let body = ENDPOINTS[0].body_for(&format!("invented-model-{number}"), false);
        let request = world
            .request(ENDPOINTS[0].path, body)
            .header("user-agent", &format!("invented-agent-{number}"))
            .header("x-session-id", &format!("invented-session-{number}"));
        assert_eq!(world.gateway.send(&request).await.status(), 404);
        let path = format!("/invented-path-{number}");
        assert_eq!(world.gateway.send(&Request::get(&path)).await.status(), 404);
    }
    let after = scrape(&world).await;
    assert!(
        !after.contains("invented"),
        "a client's text became a label"
    );
    let growth = after.lines().count() as i64 - before.lines().count() as i64;
    assert!(
        growth < 60,
        "{growth} more lines after 600 refused requests"
    );
    // Every endpoint is seen.
    for endpoint in &ENDPOINTS {
        assert!(
            after.contains(endpoint.operation),
            "{} is not in the metrics:\n{after}",
            endpoint.operation
        );
    }
    for line in after
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let (_, value) = line
            .rsplit_once(' ')
            .unwrap_or_else(|| panic!("not a sample: {line}"));
        assert!(value.parse::<f64>().is_ok(), "not a sample: {line}");
    }
}

async fn scrape(world: &World) -> String {
    let reply = world.gateway.send(&Request::get("/metrics")).await;
    assert_eq!(reply.status(), 200);
    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    reply.text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_waits_to_be_told_to_go_on_is_told() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let body = endpoint.body(false);
        let mut connection = world.gateway.connect().await;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            endpoint.path,
            world.key.secret,
            body.len()
        );
        connection.write(head.as_bytes()).await.unwrap();
        assert_eq!(
            connection.raw_status_line().await,
            "HTTP/1.1 100 Continue",
            "{}",
            endpoint.path
        );
        connection.write(&body).await.unwrap();
        assert_eq!(
            connection.read_head(false).await.unwrap().status,
            200,
            "{}",
            endpoint.path
        );
    }
}
