//! What a proxy in front of the gateway may do to a request without harm.

use tollgate_tests::endpoints::ENDPOINTS;
use tollgate_tests::wire::Request;
use tollgate_tests::world::World;

/// Clients name their sessions thus; nginx drops every header with an underscore in its name, and says nothing.
const UNDERSCORED: [(&str, &str); 4] = [
    ("session_id", "01a202cb-6d55-77f1-968f-efc31440a2bc"),
    ("conversation_id", "01a202cb-6d55-77f1-968f-efc31440a2bc"),
    ("anthropic_beta", "context-management-2025-06-27"),
    ("openai_beta", "responses=experimental"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_with_underscores_are_taken_and_nothing_depends_on_them_for_proxies_drop_them() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let what = endpoint.operation;
        for stream in [false, true] {
            if stream && !endpoint.streams {
                continue;
            }
            world.simulator.forget();
            let dropped = world.request(endpoint.path, endpoint.body(stream));
            let passed = UNDERSCORED
                .iter()
                .fold(dropped.clone(), |request, (name, value)| {
                    request.header(name, value)
                });
            for request in [dropped, passed] {
                let reply = world.gateway.send(&request).await;
                assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
                // Nor would such a header of ours reach a client behind such a proxy.
                for (name, _) in &reply.head.headers {
                    assert!(!name.contains('_'), "{what}: the client is told {name}");
                }
            }
            let received = world.simulator.received();
            let [dropped, passed] = received.as_slice() else {
                panic!("{what}: the vendor got {} requests", received.len());
            };
            assert_eq!(passed.text(), dropped.text(), "{what}");
            let names = |received: &tollgate_tests::simulator::Received| -> Vec<String> {
                let names = received.headers.iter().map(|(name, _)| name.clone());
                names.collect()
            };
            assert_eq!(names(passed), names(dropped), "{what}");
            for name in names(passed) {
                assert!(!name.contains('_'), "{what}: the vendor is told {name}");
            }
        }
        // Nor is it taken for the one that is written with hyphens: a proxy that lets it pass checks only that one.
        let plain = Request::post(endpoint.path, endpoint.body(false));
        let mistaken = plain.header("x_api_key", &world.key.secret);
        let word = if endpoint.anthropic {
            "authentication_error"
        } else {
            "invalid_api_key"
        };
        let reply = world.gateway.send(&mistaken).await;
        endpoint.assert_error(&reply, 401, word);
    }
}
