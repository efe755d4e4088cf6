//! Same-dialect traffic is the client's and the vendor's, byte for byte; the usage told in it is recorded exactly.

use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::places::fixture;
use tollgate_tests::simulator::Answer;
use tollgate_tests::wire::Reply;
use tollgate_tests::world::{ALICE, ANTHROPIC_SECRET, OPENAI_SECRET, World};

use crate::money::cost;

/// The hand-written request of an endpoint: odd spacing, odd numbers, unknown members, an odd order.
fn request(endpoint: &Endpoint, stream: bool) -> String {
    let text =
        String::from_utf8(fixture(&format!("requests/{}.json", endpoint.operation))).unwrap();
    let wanted = match (stream, endpoint.operation) {
        (true, "chat-completions") => {
            "  \"stream\" : true , \"stream_options\":{\"include_usage\":true},\n"
        }
        (true, _) => "  \"stream\" : true ,\n",
        (false, _) => "",
    };
    text.replace("@STREAM@", wanted)
}

fn answer(endpoint: &Endpoint, stream: bool) -> Answer {
    if stream {
        Answer::events(
            String::from_utf8(fixture(&format!("answers/{}.sse", endpoint.operation))).unwrap(),
        )
    } else {
        Answer::json(
            200,
            fixture(&format!("answers/{}.json", endpoint.operation)),
        )
    }
}

/// Every endpoint, streamed or not, with and without `/v1`.
fn cases() -> Vec<(&'static Endpoint, bool, &'static str)> {
    let mut cases = Vec::new();
    for endpoint in &ENDPOINTS {
        for stream in [false, true] {
            if stream && !endpoint.streams {
                continue;
            }
            cases.extend(
                [endpoint.path, endpoint.short_path()].map(|path| (endpoint, stream, path)),
            );
        }
    }
    cases
}

fn assert_same(what: &str, got: &[u8], wanted: &[u8]) {
    if got != wanted {
        let at = got
            .iter()
            .zip(wanted)
            .take_while(|(got, wanted)| got == wanted)
            .count();
        let near = |bytes: &[u8]| {
            String::from_utf8_lossy(
                &bytes[at.saturating_sub(60).min(bytes.len())..(at + 60).min(bytes.len())],
            )
            .into_owned()
        };
        panic!(
            "{what} differs at byte {at}:\n     got …{:?}…\n  wanted …{:?}…",
            near(got),
            near(wanted)
        );
    }
}

async fn all_cases_cross_byte_for_byte(setup: Setup) {
    let world = World::with(setup).await;
    for (endpoint, stream, path) in cases() {
        let what = format!("{path}, stream {stream}");
        let (request, answer) = (request(endpoint, stream), answer(endpoint, stream));
        let wanted = answer.body();
        world.simulator.script(answer);
        let reply = world.post(path, request.as_str()).await;
        assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
        assert!(reply.complete, "{what}");
        assert_same(
            &format!("{what}: what the client got"),
            &reply.body,
            &wanted,
        );
        let received = world.simulator.last();
        assert_eq!(received.path(), endpoint.path, "{what}");
        assert_same(
            &format!("{what}: what the vendor got"),
            &received.body,
            request.as_bytes(),
        );
    }
}

fn usual() -> Setup {
    Setup::new(&["openai", "anthropic"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_and_answers_cross_byte_for_byte_on_every_endpoint() {
    all_cases_cross_byte_for_byte(usual()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_with_a_fresh_instance_for_each_request() {
    all_cases_cross_byte_for_byte(usual().set("components", "isolation", "\"per-request\"")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_without_remembered_plans() {
    all_cases_cross_byte_for_byte(usual().set("components", "memoise", "false")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_usage_told_is_recorded_and_charged_exactly_on_every_endpoint() {
    let world = World::new().await;
    let mut asked = Vec::new();
    for (endpoint, stream, path) in cases() {
        world.simulator.script(answer(endpoint, stream));
        let reply = world.post(path, request(endpoint, stream)).await;
        asked.push((endpoint, stream, request_id(&reply)));
    }
    let rows = world.management().wait_for_rows(asked.len()).await;
    for (endpoint, stream, id) in asked {
        let row = rows
            .iter()
            .find(|row| row.text("request_id") == id)
            .unwrap_or_else(|| panic!("no row of {id}"));
        let what = format!("{}, stream {stream}: {}", endpoint.operation, row.0);
        assert_eq!(row.tokens(), endpoint.tokens, "{what}");
        assert!(!row.estimated(), "{what}");
        assert_eq!(row.charged(), cost(endpoint.tokens), "{what}");
        assert_eq!(row.status(), 200, "{what}");
        assert_eq!(row.text("requested_model"), endpoint.model, "{what}");
        assert_eq!(row.text("upstream"), endpoint.upstream, "{what}");
        assert_eq!(row.text("operation"), endpoint.operation, "{what}");
        assert_eq!(row.0["stream"], stream, "{what}");
        assert_eq!(row.text("account"), ALICE, "{what}");
    }
}

/// The gateway's id of an answer.
pub(crate) fn request_id(reply: &Reply) -> String {
    reply
        .header("x-request-id")
        .expect("an x-request-id")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_stream_without_usage_is_asked_for_it_and_the_client_sees_none() {
    let world = World::new().await;
    let endpoint = Endpoint::of("chat-completions");
    for options in [
        "",
        r#","stream_options":{"include_usage":false}"#,
        r#","stream_options":{"include_obfuscation":true}"#,
        r#","stream_options":{}"#,
        r#","stream_options":null"#,
    ] {
        let start = format!(r#"{{"model":"{}","stream":true,"x" : 1.0"#, endpoint.model);
        let body = format!(r#"{start}{options},"messages":[{{"role":"user","content":"Hi"}}]}}"#);
        let reply = world.post(endpoint.path, body.as_str()).await;
        assert_eq!(reply.status(), 200, "{options}: {}", reply.text());
        let received = world.simulator.last();
        let sent = received.json();
        assert_eq!(
            sent["stream_options"]["include_usage"],
            true,
            "{}",
            received.text()
        );
        assert!(
            received.text().contains(r#""x" : 1.0"#),
            "{}",
            received.text()
        );
        if options.contains("obfuscation") {
            assert_eq!(
                sent["stream_options"]["include_obfuscation"],
                true,
                "{}",
                received.text()
            );
        }
        for event in tollgate_tests::recordings::events(&reply.text()) {
            assert!(
                event["choices"]
                    .as_array()
                    .is_some_and(|choices| !choices.is_empty()),
                "{options}: {event}"
            );
        }
        assert!(
            reply.text().ends_with("data: [DONE]\n\n"),
            "{}",
            reply.text()
        );
        let row = world.management().row_of(&request_id(&reply)).await;
        assert_eq!(row.tokens(), endpoint.tokens, "{options}");
        assert!(!row.estimated(), "{options}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendor_gets_the_custody_credential_and_never_the_clients_own() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        for header in ["authorization", "x-api-key"] {
            let value = if header == "x-api-key" {
                world.key.secret.clone()
            } else {
                format!("Bearer {}", world.key.secret)
            };
            let request = tollgate_tests::wire::Request::post(endpoint.path, endpoint.body(false))
                .header(header, &value)
                .header("cookie", "session=private")
                .header("anthropic-version", "2023-06-01")
                .header("anthropic-beta", "beta-one,beta-two")
                .header("x-forwarded-for", "10.1.2.3");
            let reply = world.gateway.send(&request).await;
            assert_eq!(
                reply.status(),
                200,
                "{header} on {}: {}",
                endpoint.path,
                reply.text()
            );
            let received = world.simulator.last();
            let all = format!("{:?}", received.headers);
            assert!(
                !all.contains(&world.key.secret),
                "the client's key went upstream: {all}"
            );
            assert!(
                !all.contains("session=private"),
                "the client's cookie went upstream: {all}"
            );
            assert!(
                !all.contains("10.1.2.3"),
                "the client's address went upstream: {all}"
            );
            let (name, secret) = if endpoint.upstream == "anthropic" {
                ("x-api-key", ANTHROPIC_SECRET.to_owned())
            } else {
                ("authorization", format!("Bearer {OPENAI_SECRET}"))
            };
            assert_eq!(
                received.header(name),
                Some(secret.as_str()),
                "{}",
                endpoint.path
            );
            if endpoint.upstream == "anthropic" {
                assert_eq!(received.header("anthropic-beta"), Some("beta-one,beta-two"));
                assert_eq!(received.header("anthropic-version"), Some("2023-06-01"));
            }
        }
    }
}
