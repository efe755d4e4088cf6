//! When a vendor fails before the first byte, the next one answers; what is about our credential is never the caller's.

use serde_json::json;
use std::collections::BTreeSet;
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::simulator::{Answer, Simulator, Tokens, anthropic_error, openai_error};
use tollgate_tests::world::{World, upstream};

use crate::byte_identity::request_id;

/// What no client may ever read.
const PRIVATE: &str = "org-private-4711";

fn failure(endpoint: &Endpoint, status: u16) -> Answer {
    let kind = match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        429 => "rate_limit_exceeded",
        _ => "api_error",
    };
    let message = format!("{PRIVATE} is in trouble");
    if endpoint.anthropic {
        anthropic_error(status, kind, &message)
    } else {
        openai_error(status, kind, &message)
    }
}

/// A second upstream for the same models on a vendor of its own, asked after the first.
async fn second(world: &World) -> Simulator {
    let simulator = Simulator::start().await;
    for provider in ["openai", "anthropic"] {
        let models: Vec<&str> = ENDPOINTS
            .iter()
            .filter(|e| e.upstream == provider)
            .map(|e| e.model)
            .collect();
        let models: Vec<&str> = BTreeSet::from_iter(models).into_iter().collect();
        let mut record = upstream(&simulator, provider, &models);
        record["priority"] = json!(-10);
        world
            .management()
            .upstream(&format!("{provider}-second"), record)
            .await;
    }
    simulator
}

/// A world of its own for each failure: a failing upstream may be left alone for a while afterwards.
async fn fails_over(setup: Setup, what: &str, failure: impl Fn(&Endpoint) -> Answer) {
    fails_over_asked(setup, what, true, failure).await;
}

/// The same, of answers that are asked for as streams where there are streams, or whole.
async fn fails_over_asked(
    setup: Setup,
    what: &str,
    streams: bool,
    failure: impl Fn(&Endpoint) -> Answer,
) {
    for operation in [
        "chat-completions",
        "responses",
        "messages",
        "count-tokens",
        "embeddings",
    ] {
        let endpoint = Endpoint::of(operation);
        let world = World::with(setup.clone()).await;
        let second = second(&world).await;
        world.simulator.always(Some(failure(endpoint)));
        let reply = world.ask(endpoint, streams && endpoint.streams).await;
        assert_eq!(
            reply.status(),
            200,
            "{what} on {operation}: {}",
            reply.text()
        );
        assert!(reply.complete, "{what} on {operation}");
        assert!(!reply.text().contains(PRIVATE));
        assert!(
            !world.simulator.received().is_empty(),
            "{what}: the first upstream was not asked"
        );
        assert_eq!(second.received().len(), 1, "{what} on {operation}");
        let row = world.management().row_of(&request_id(&reply)).await;
        assert_eq!(
            row.tokens(),
            endpoint.tokens,
            "{what} on {operation}: {}",
            row.0
        );
        assert_eq!(
            row.text("upstream"),
            format!("{}-second", endpoint.upstream),
            "{what}"
        );
        assert!(
            row.0["retries"]
                .as_u64()
                .is_some_and(|retries| retries >= 1),
            "{what}: {}",
            row.0
        );
        assert_eq!(
            world.management().rows().await.len(),
            1,
            "{what}: one request, one row"
        );
    }
}

fn usual() -> Setup {
    Setup::new(&["openai", "anthropic"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_500() {
    fails_over(usual(), "500", |endpoint| failure(endpoint, 500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_an_html_502() {
    let html = |_: &Endpoint| Answer::json(502, "<html>bad gateway</html>").labelled("text/html");
    fails_over(usual(), "502", html).await;
}

/// What a captive portal, a proxy's page and a wrong base URL say: it was passed on as a success, and charged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_a_success_that_is_no_answer() {
    type Page = (&'static str, fn() -> Answer);
    let pages: [Page; 4] = [
        ("a page", || {
            Answer::json(200, "<html>Log in, please</html>").labelled("text/html")
        }),
        ("a sentence", || {
            Answer::json(200, "no healthy upstream").labelled("text/plain")
        }),
        ("nothing", || Answer::json(200, "")),
        ("no content", || {
            Answer::json(204, "").without_content_type()
        }),
    ];
    for (what, page) in pages {
        for streams in [false, true] {
            let what = format!("{what}, stream {streams}");
            fails_over_asked(usual(), &what, streams, |_| page()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_429_with_a_time() {
    fails_over(usual(), "429", |endpoint| {
        failure(endpoint, 429).header("retry-after", "30")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_401_about_our_credential() {
    fails_over(usual(), "401", |endpoint| failure(endpoint, 401)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_402_about_our_bill() {
    fails_over(usual(), "402", |endpoint| failure(endpoint, 402)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_a_connection_closed_without_a_word() {
    fails_over(usual(), "hang up", |_| Answer::hang_up()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_silence() {
    fails_over(
        // Longer than a busy machine takes for the second vendor's answer, which it binds, too.
        usual().set("upstream", "first_byte_timeout_ms", "3000"),
        "silence",
        |_| Answer::silence(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_to_another_price_holds_for_the_dearest_and_charges_what_served() {
    const DEARER: u64 = 3;
    for operation in [
        "chat-completions",
        "responses",
        "messages",
        "embeddings",
        "count-tokens",
    ] {
        let endpoint = Endpoint::of(operation);
        for second_times in [DEARER, 1] {
            let what = format!("{operation}, the second one at {second_times} x the price");
            let world = World::new().await;
            let management = world.management();
            let second = Simulator::start().await;
            for (simulator, times, name, priority) in [
                (
                    &world.simulator,
                    DEARER + 1 - second_times,
                    endpoint.upstream,
                    0,
                ),
                (&second, second_times, "second", -10),
            ] {
                let mut record = upstream(simulator, endpoint.upstream, &[endpoint.model]);
                record["priority"] = json!(priority);
                let price = record["models"][0]["price"].as_object_mut().unwrap();
                for value in price.values_mut().filter(|value| value.is_u64()) {
                    *value = json!(value.as_u64().unwrap() * times);
                }
                management.upstream(name, record).await;
            }
            // Where money is limited its hold is on the row.
            let budget = json!({ "limits": { "monthly_limit": 900_000_000 } });
            management.change("root/research", budget).await;
            world.simulator.always(Some(failure(endpoint, 500)));
            let mut body: serde_json::Value =
                serde_json::from_slice(&endpoint.body(endpoint.streams)).unwrap();
            let cap = match operation {
                "chat-completions" => "max_completion_tokens",
                "responses" => "max_output_tokens",
                _ => "max_tokens",
            };
            let output = match endpoint.streams {
                true => 777,
                false => 0,
            };
            if endpoint.streams {
                body[cap] = json!(output);
            }
            let body = body.to_string();
            let input = crate::money::input_estimate(body.as_bytes());
            let reply = world.post(endpoint.path, body).await;
            assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
            assert_eq!(second.received().len(), 1, "{what}");
            let row = management.row_of(&request_id(&reply)).await;
            let hold = row.0["hold"].as_u64().unwrap();
            let counts = endpoint.counts();
            let dearest = Tokens {
                input,
                output,
                ..Tokens::default()
            };
            let (dearest, charged) = match counts {
                true => (0, 0),
                false => (
                    crate::money::cost_at(dearest, DEARER),
                    crate::money::cost_at(endpoint.tokens, second_times),
                ),
            };
            assert!(hold >= dearest, "{what}: {hold} for {dearest}");
            assert_eq!(row.charged(), charged, "{what}: {}", row.0);
            let account = management.get("/api/accounts/root/research").await;
            assert_eq!(account["effective"]["spent_month"], charged, "{what}");
        }
    }
}

/// Vendors tell overload in the first event of a stream that began with a 200.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_after_a_failure_in_a_streams_first_event() {
    let told = [
        (
            "messages",
            format!(
                "event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"overloaded_error\",\"message\":\"{PRIVATE}\"}}}}\n\n"
            ),
        ),
        (
            "responses",
            format!(
                "event: response.failed\ndata: {{\"type\":\"response.failed\",\"sequence_number\":0,\"response\":{{\"id\":\"r\",\"status\":\"failed\",\"error\":{{\"code\":\"server_error\",\"message\":\"{PRIVATE}\"}}}}}}\n\n"
            ),
        ),
        (
            "chat-completions",
            format!(
                "data: {{\"error\":{{\"type\":\"server_error\",\"code\":\"engine_overloaded\",\"message\":\"{PRIVATE}\"}}}}\n\n"
            ),
        ),
    ];
    for (operation, event) in told {
        let endpoint = Endpoint::of(operation);
        let world = World::new().await;
        let second = second(&world).await;
        world
            .simulator
            .script(Answer::events(&event).split_every(9));
        let reply = world.ask(endpoint, true).await;
        assert_eq!(reply.status(), 200, "{operation}: {}", reply.text());
        assert!(
            !reply.text().contains(PRIVATE),
            "{operation}: {}",
            reply.text()
        );
        assert_eq!(second.received().len(), 1, "{operation}");
        let row = world.management().row_of(&request_id(&reply)).await;
        assert_eq!(row.tokens(), endpoint.tokens, "{operation}: {}", row.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_vendor_has_closed_meanwhile_is_no_failure() {
    let world = World::with(usual().set("server", "workers", "1")).await;
    for endpoint in &ENDPOINTS {
        for _ in 0..3 {
            let answer =
                tollgate_tests::places::fixture(&format!("answers/{}.json", endpoint.operation));
            world
                .simulator
                .script(Answer::json(200, answer).closing_silently());
            assert_eq!(
                world.ask(endpoint, false).await.status(),
                200,
                "{}",
                endpoint.path
            );
            let reply = world.ask(endpoint, false).await;
            assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_the_vendor_are_used_again() {
    let world = World::with(usual().set("server", "workers", "1")).await;
    for endpoint in &ENDPOINTS {
        for stream in [false, endpoint.streams] {
            for _ in 0..3 {
                assert_eq!(world.ask(endpoint, stream).await.status(), 200);
            }
        }
    }
    let mut connections: Vec<usize> = world
        .simulator
        .received()
        .iter()
        .map(|received| received.connection)
        .collect();
    connections.dedup();
    connections.sort_unstable();
    connections.dedup();
    assert!(
        connections.len() <= 3,
        "{} connections for 30 requests in a row",
        connections.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_when_nobody_listens() {
    let world = World::new().await;
    let second = second(&world).await;
    for endpoint in &ENDPOINTS {
        let mut record = upstream(&world.simulator, endpoint.upstream, &[endpoint.model]);
        // Reserved for documentation, and the discard port: nobody is there.
        record["base_url"] = json!("http://127.0.0.1:9");
        world.management().upstream(endpoint.upstream, record).await;
        let reply = world.ask(endpoint, endpoint.streams).await;
        assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
        assert_eq!(second.last().path(), endpoint.path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_another_upstream_the_caller_reads_overloaded_and_nothing_of_our_account() {
    for status in [401, 402, 403, 429, 500, 529] {
        for operation in ["chat-completions", "responses", "messages", "embeddings"] {
            let endpoint = Endpoint::of(operation);
            let world = World::new().await;
            world.simulator.always(Some(
                failure(endpoint, status)
                    .header("retry-after", "7")
                    .header("x-should-retry", "false"),
            ));
            let reply = world.ask(endpoint, endpoint.streams).await;
            println!("{status} on {operation}");
            assert!(!reply.text().contains(PRIVATE), "{}", reply.text());
            if endpoint.anthropic {
                assert!(
                    [529, 502, 500, 504].contains(&reply.status()),
                    "{} {}",
                    reply.status(),
                    reply.text()
                );
                assert_eq!(reply.json()["type"], "error");
            } else {
                assert!(
                    [503, 502, 500, 504].contains(&reply.status()),
                    "{} {}",
                    reply.status(),
                    reply.text()
                );
            }
            if [401, 402, 403, 429].contains(&status) {
                let (wanted, word) = if endpoint.anthropic {
                    (529, "overloaded_error")
                } else {
                    (503, "server_is_overloaded")
                };
                endpoint.assert_error(&reply, wanted, word);
                assert!(
                    reply.header("retry-after").is_some(),
                    "{:?}",
                    reply.head.headers
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_the_vendor_finds_wrong_is_the_callers_to_mend_and_asked_once() {
    let world = World::new().await;
    let second = second(&world).await;
    for endpoint in &ENDPOINTS {
        world.simulator.forget();
        let message = "prompt is too long: 208904 tokens > 200000 maximum";
        let answer = if endpoint.anthropic {
            anthropic_error(400, "invalid_request_error", message)
        } else {
            openai_error(400, "invalid_request_error", message)
        };
        world.simulator.script(answer);
        let reply = world.ask(endpoint, false).await;
        // Clients match on the vendor's wording, so it must come through.
        assert_eq!(reply.status(), 400, "{}", reply.text());
        assert!(
            reply.json()["error"]["message"]
                .as_str()
                .unwrap()
                .contains(message),
            "{}",
            reply.text()
        );
        assert_eq!(world.simulator.received().len(), 1);
    }
    assert!(
        second.received().is_empty(),
        "a wrong request was sent to another vendor too"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_about_our_account_at_the_vendor_stay_here() {
    let world = World::new().await;
    let private = [
        ("x-ratelimit-remaining-requests", "4711"),
        ("x-ratelimit-reset-tokens", "4711s"),
        ("anthropic-ratelimit-requests-remaining", "4711"),
        ("anthropic-ratelimit-unified-5h-utilization", "0.4711"),
        ("anthropic-organization-id", PRIVATE),
        ("openai-organization", PRIVATE),
        ("openai-project", PRIVATE),
        ("x-codex-primary-used-percent", "47.11"),
        ("set-cookie", "__cf_bm=4711; path=/"),
        ("retry-after", "4711"),
        ("openai-model", "gpt-4711"),
    ];
    for endpoint in &ENDPOINTS {
        for stream in [false, endpoint.streams] {
            world.simulator.script(Answer::json(200, "{}"));
            let answer = private.iter().fold(
                if stream {
                    Answer::events("data: {}\n\ndata: [DONE]\n\n")
                } else {
                    Answer::json(
                        200,
                        tollgate_tests::places::fixture(&format!(
                            "answers/{}.json",
                            endpoint.operation
                        )),
                    )
                },
                |answer, (name, value)| answer.header(name, value),
            );
            let _ = world.ask(endpoint, false).await;
            world.simulator.script(answer);
            let reply = world.ask(endpoint, stream).await;
            let headers = format!("{:?}", reply.head.headers);
            assert!(
                !headers.contains("4711") && !headers.contains("47.11"),
                "{}: {headers}",
                endpoint.path
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_cannot_send_us_elsewhere() {
    let world = World::new().await;
    let elsewhere = Simulator::start().await;
    for endpoint in &ENDPOINTS {
        for status in [301, 302, 307, 308] {
            let place = format!("{}{}", elsewhere.base_url(), endpoint.path);
            world
                .simulator
                .script(Answer::json(status, "{}").header("location", &place));
            let reply = world.ask(endpoint, false).await;
            assert!(reply.status() >= 500, "{} {}", reply.status(), reply.text());
            assert!(reply.header("location").is_none());
        }
    }
    assert!(
        elsewhere.received().is_empty(),
        "the credential was carried elsewhere"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_says_of_our_credential_in_another_familys_words_is_not_the_callers() {
    let world = World::new().await;
    let words = format!("Incorrect API key provided: {PRIVATE}.");
    for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.counts()) {
        // Whose family it is the vendor's proxy does not know.
        let answer = match endpoint.anthropic {
            true => openai_error(401, "invalid_request_error", &words),
            false => anthropic_error(401, "invalid_request_error", &words),
        };
        world.simulator.script(answer);
        let reply = world.post(endpoint.path, endpoint.body(false)).await;
        assert_eq!(
            reply.status() / 100,
            5,
            "{}: {}",
            endpoint.path,
            reply.text()
        );
        assert!(!reply.text().contains(PRIVATE), "{}", reply.text());
    }
}
