//! Bad input: each kind gets a clear error in the caller's dialect, and nobody else notices.

use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::wire::{Connection, Reply, Request};
use tollgate_tests::world::World;

/// `body` with the text replaced, as bytes.
fn replaced(endpoint: &Endpoint, from: &str, to: &str) -> Vec<u8> {
    let body = String::from_utf8(endpoint.body(false)).unwrap();
    assert!(body.contains(from), "{body}");
    body.replace(from, to).into_bytes()
}

/// What comes back on a connection on which a request was written by hand.
async fn answer(connection: &mut Connection) -> Reply {
    let head = connection.read_head(false).await.unwrap();
    let (body, complete) = connection.rest().await;
    Reply {
        head,
        body,
        complete,
    }
}

/// Checks the answer to what is no request: in the dialect of the path that it names, and the door shut.
async fn assert_refused(connection: &mut Connection, endpoint: &Endpoint, status: u16, what: &str) {
    let reply = answer(connection).await;
    println!("{what}");
    endpoint.assert_error(&reply, status, "invalid_request_error");
    assert_eq!(reply.header("connection"), Some("close"), "{what}");
    assert!(connection.closed().await.unwrap(), "{what}: still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_a_request_is_refused_in_the_callers_dialect() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let whole = endpoint.body(false);
        let model = format!("\"model\":\"{}\"", endpoint.model);
        let mut invalid_utf8 = replaced(endpoint, "Good morning.", "Good @ morning.");
        let place = invalid_utf8.iter().position(|byte| *byte == b'@').unwrap();
        invalid_utf8[place] = 0xff;
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("empty", Vec::new()),
            ("cut short", whole[..whole.len() - 1].to_vec()),
            ("followed by more", [whole.as_slice(), b" {}"].concat()),
            ("not JSON", b"model=gpt".to_vec()),
            ("a list", b"[1,2]".to_vec()),
            ("a text", b"\"hello\"".to_vec()),
            ("null", b"null".to_vec()),
            (
                "bare control character",
                replaced(endpoint, "Good morning.", "Good\nmorning."),
            ),
            (
                "a trailing comma",
                replaced(endpoint, &model, &format!("{model},,")),
            ),
            ("invalid UTF-8", invalid_utf8),
            ("no model", replaced(endpoint, &model, "\"x\":1")),
            (
                "a model that is a number",
                replaced(endpoint, &model, "\"model\":7"),
            ),
            (
                "a model that is null",
                replaced(endpoint, &model, "\"model\":null"),
            ),
            (
                "two models",
                replaced(endpoint, &model, &format!("{model},\"model\":\"other\"")),
            ),
            (
                "two models, one escaped",
                replaced(
                    endpoint,
                    &model,
                    &format!("{model},\"m\\u006fdel\":\"other\""),
                ),
            ),
            ("a hundred thousand brackets", vec![b'['; 100_000]),
            (
                "deep nesting",
                replaced(
                    endpoint,
                    &model,
                    &format!(
                        "{model},\"deep\":{}1{}",
                        "[".repeat(100_000),
                        "]".repeat(100_000)
                    ),
                ),
            ),
        ];
        for (what, body) in cases {
            println!("{what} on {}", endpoint.path);
            let reply = world.post(endpoint.path, body).await;
            endpoint.assert_error(&reply, 400, "invalid_request_error");
        }
        if endpoint.streams {
            let reply = world
                .post(
                    endpoint.path,
                    replaced(endpoint, &model, &format!("{model},\"stream\":\"yes\"")),
                )
                .await;
            let error = endpoint.assert_error(&reply, 400, "invalid_request_error");
            assert!(
                error["message"].as_str().unwrap().contains("stream"),
                "the field is not named: {error}"
            );
        }
    }
    assert!(
        world.simulator.received().is_empty(),
        "{:?}",
        world.simulator.received()
    );
    assert_eq!(world.ask(&ENDPOINTS[0], false).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_cap_that_is_no_count_is_refused_or_left_to_the_vendor_but_never_believed() {
    let world = World::new().await;
    for (operation, name) in [
        ("chat-completions", "max_completion_tokens"),
        ("chat-completions", "max_tokens"),
        ("responses", "max_output_tokens"),
        ("messages", "max_tokens"),
    ] {
        let endpoint = Endpoint::of(operation);
        let model = format!("\"model\":\"{}\"", endpoint.model);
        for value in ["-1", "\"many\"", "1e400", "1.5"] {
            let cap = format!("\"{name}\":{value}");
            let body = match endpoint.anthropic {
                true => replaced(endpoint, "\"max_tokens\":256", &cap),
                false => replaced(endpoint, &model, &format!("{model},{cap}")),
            };
            let reply = world.post(endpoint.path, body).await;
            println!("{name}: {value} on {}", endpoint.path);
            endpoint.assert_error(&reply, 400, "invalid_request_error");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_megabytes_are_refused_and_others_are_served_meanwhile() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let body = replaced(endpoint, "Good morning.", &"x".repeat(50 << 20));
        let large = world.post(endpoint.path, body);
        let others = async {
            for _ in 0..5 {
                assert_eq!(world.ask(endpoint, false).await.status(), 200);
            }
        };
        let (reply, ()) = tokio::join!(large, others);
        endpoint.assert_error(&reply, 413, "request_too_large");
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
    }
    let resident = world.gateway.resident();
    assert!(
        resident < 400 << 20,
        "{resident} bytes resident after refusing large bodies"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_of_unknown_length_is_refused_too() {
    let world =
        World::with(Setup::new(&["openai", "anthropic"]).set("server", "max_body_bytes", "100000"))
            .await;
    for endpoint in &ENDPOINTS {
        let mut connection = world.gateway.connect().await;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
            endpoint.path, world.key.secret
        );
        connection.write(head.as_bytes()).await.unwrap();
        let chunk = [
            format!("{:x}\r\n", 10_000).into_bytes(),
            vec![b' '; 10_000],
            b"\r\n".to_vec(),
        ]
        .concat();
        for _ in 0..20 {
            // The gateway may close while we still talk.
            if connection.write(&chunk).await.is_err() {
                break;
            }
        }
        let error = endpoint.assert_error(&answer(&mut connection).await, 413, "request_too_large");
        assert!(
            error["message"].as_str().unwrap().contains("100000"),
            "the limit is not told: {error}"
        );
        // Just below the limit all is well.
        let body = replaced(endpoint, "Good morning.", &"x".repeat(90_000));
        assert_eq!(
            world.post(endpoint.path, body).await.status(),
            200,
            "{}",
            endpoint.path
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_ends_its_headers_is_disconnected_and_others_are_served() {
    let world =
        World::with(Setup::new(&["openai", "anthropic"]).set("server", "header_timeout_ms", "700"))
            .await;
    let mut slow = Vec::new();
    for _ in 0..64 {
        let mut connection = world.gateway.connect().await;
        connection
            .write(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-slow: ")
            .await
            .unwrap();
        slow.push(connection);
    }
    for endpoint in &ENDPOINTS {
        assert_eq!(
            world.ask(endpoint, false).await.status(),
            200,
            "{}",
            endpoint.path
        );
    }
    for connection in &mut slow {
        // A byte now and then does not buy more time.
        let _ = connection.write(b"x").await;
    }
    for mut connection in slow {
        assert!(
            connection.closed().await.unwrap(),
            "something was answered to what is no request yet"
        );
    }
    let log = world.gateway.log();
    assert!(
        log.contains("no whole head of a request came in time"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_ends_its_body_is_told_and_others_are_served() {
    let world =
        World::with(Setup::new(&["openai", "anthropic"]).set("server", "body_timeout_ms", "500"))
            .await;
    for endpoint in &ENDPOINTS {
        let mut connection = world.gateway.connect().await;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 1000\r\n\r\n{{\"model\":",
            endpoint.path, world.key.secret
        );
        connection.write(head.as_bytes()).await.unwrap();
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
        let word = if endpoint.anthropic {
            "timeout_error"
        } else {
            "request_timeout"
        };
        endpoint.assert_error(&answer(&mut connection).await, 408, word);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_cannot_be_taken_is_refused_in_the_dialect_of_its_path() {
    let world = World::new().await;
    let long = format!("x-long: {}\r\n", "x".repeat(8000)).repeat(40);
    let many = "x-many: 1\r\n".repeat(200) + "\r\n";
    let target = format!("?{}", "x".repeat(70_000));
    for endpoint in &ENDPOINTS {
        for (status, what, target, headers) in [
            (431, "too long", "", long.as_str()),
            (431, "too many", "", &many),
            (414, "a target without end", &target, "\r\n"),
            (400, "a bad length", "", "content-length: 1x\r\n\r\n"),
            (400, "a bad name", "", "x y: 1\r\n\r\n"),
        ] {
            let mut connection = world.gateway.connect().await;
            let path = endpoint.path;
            let head = format!("POST {path}{target} HTTP/1.1\r\nhost: x\r\n{headers}");
            // The gateway may hang up while we still talk; what it said counts.
            let _ = connection.write(head.as_bytes()).await;
            assert_refused(&mut connection, endpoint, status, what).await;
        }
    }
    assert!(world.simulator.received().is_empty());
    // What is refused after an answer on the same connection is told in its own dialect.
    let mut connection = world.gateway.connect().await;
    let chat = Endpoint::of("chat-completions");
    let request = world.request(chat.path, chat.body(false));
    assert_eq!(connection.exchange(&request).await.unwrap().status(), 200);
    let head = b"POST /v1/messages HTTP/1.1\r\ncontent-length: -1\r\n\r\n";
    connection.write(head).await.unwrap();
    assert_refused(&mut connection, Endpoint::of("messages"), 400, "kept alive").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_http_is_refused_and_disturbs_nobody() {
    let world = World::new().await;
    for (what, garbage) in [
        ("TLS", &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..]),
        ("no path", b"GET\r\n\r\n"),
        ("noise", &[0xff; 300]),
    ] {
        let mut connection = world.gateway.connect().await;
        connection.write(garbage).await.unwrap();
        let nearest = Endpoint::of("chat-completions");
        assert_refused(&mut connection, nearest, 400, what).await;
    }
    // Empty lines before a request are no request; what follows them is one.
    let mut connection = world.gateway.connect().await;
    connection.write(b"\r\n\r\n\r\n").await.unwrap();
    let reply = connection.exchange(&Request::get("/healthz")).await;
    assert_eq!(reply.unwrap().status(), 200);
    assert_eq!(world.ask(&ENDPOINTS[0], false).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_url_with_a_slash_or_a_version_too_many_works_and_another_spelling_is_told_in_its_dialect()
 {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let path = endpoint.path;
        for path in [format!("/{path}"), format!("/v1{path}"), format!("{path}/")] {
            let reply = world.post(&path, endpoint.body(false)).await;
            assert_eq!(reply.status(), 200, "{path}: {}", reply.text());
        }
    }
    for (operation, path) in [
        ("messages", "/V1/MESSAGES"),
        ("messages", "/anthropic/v1/messages"),
        ("responses", "/openai/responses"),
        ("chat-completions", "/v2/chat/completions"),
    ] {
        let endpoint = Endpoint::of(operation);
        let word = match endpoint.anthropic {
            true => "not_found_error",
            false => "unknown_url",
        };
        println!("{path}");
        endpoint.assert_error(&world.post(path, endpoint.body(false)).await, 404, word);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_and_wrong_methods_are_told_in_the_nearest_dialect() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        for path in [endpoint.path, endpoint.short_path()] {
            for method in ["GET", "PUT", "DELETE"] {
                let reply = world
                    .gateway
                    .send(&Request::new(method, path).bearer(&world.key.secret))
                    .await;
                println!("{method} {path}");
                endpoint.assert_error(&reply, 405, "invalid_request_error");
                assert_eq!(reply.header("allow"), Some("POST"));
            }
        }
    }
    let openai = Endpoint::of("chat-completions");
    for path in [
        "/v1/nothing",
        "/v2/chat/completions",
        "/v1/audio/speech",
        "/../etc/passwd",
    ] {
        let reply = world.post(path, "{}").await;
        println!("{path}");
        assert_eq!(reply.status(), 404, "{}", reply.text());
        assert!(reply.json()["error"]["message"].is_string());
    }
    let reply = world.post("/v1/nothing", "{}").await;
    assert!(
        reply.json().get("type").is_none() && !openai.anthropic,
        "{}",
        reply.text()
    );
    let anthropic = world
        .request("/v1/nothing", "{}")
        .header("anthropic-version", "2023-06-01");
    assert_eq!(world.gateway.send(&anthropic).await.json()["type"], "error");
}
