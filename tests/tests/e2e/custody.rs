//! Secrets stay where they belong: not in logs, metrics, errors, answers, nor in clear on the disk.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::simulator::{Answer, openai_error};
use tollgate_tests::wire::Request;
use tollgate_tests::world::{ANTHROPIC_SECRET, OPENAI_SECRET, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_anywhere_a_reader_might_look() {
    let mut world = World::new().await;
    let key = world.key.secret.clone();
    let secrets = [OPENAI_SECRET, ANTHROPIC_SECRET, key.as_str()];
    let mut seen = String::new();
    for endpoint in &ENDPOINTS {
        for stream in [false, endpoint.streams] {
            let reply = world.ask(endpoint, stream).await;
            seen.push_str(&format!("{:?}{}", reply.head.headers, reply.text()));
        }
        // A vendor that repeats the credential in its error, as some do.
        for (status, secret) in [
            (401, OPENAI_SECRET),
            (400, OPENAI_SECRET),
            (500, ANTHROPIC_SECRET),
        ] {
            let message = format!("Incorrect API key provided: {secret}.");
            world
                .simulator
                .script(openai_error(status, "invalid_api_key", &message));
            let reply = world.ask(endpoint, false).await;
            if status != 400 {
                seen.push_str(&reply.text());
            }
        }
        world.simulator.script(Answer::hang_up());
        seen.push_str(&world.ask(endpoint, false).await.text());
    }
    seen.push_str(&world.gateway.send(&Request::get("/metrics")).await.text());
    for path in [
        "accounts",
        "keys",
        "credentials",
        "upstreams",
        "policies",
        "components",
        "usage",
        "status",
    ] {
        seen.push_str(
            &world
                .management()
                .get(&format!("/api/{path}"))
                .await
                .to_string(),
        );
    }
    world.gateway.terminate();
    world.gateway.ended().await;
    seen.push_str(&world.gateway.log());
    for secret in secrets {
        assert!(!seen.contains(secret), "a secret was shown");
        let files = world.gateway.files_with(secret);
        assert!(files.is_empty(), "a secret lies in clear in {files:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vendor_that_repeats_our_credential_to_the_caller_is_silenced() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let secret = if endpoint.anthropic {
            ANTHROPIC_SECRET
        } else {
            OPENAI_SECRET
        };
        let message = format!("the header said {secret}");
        world
            .simulator
            .script(openai_error(400, "invalid_request_error", &message));
        let reply = world.ask(endpoint, false).await;
        assert!(
            !reply.text().contains(secret),
            "{}: {}",
            endpoint.path,
            reply.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_directory_is_its_owners_alone() {
    let world = World::new().await;
    let mut folders = vec![world.gateway.data()];
    while let Some(folder) = folders.pop() {
        let mode = std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
        // What lies below a closed folder is closed.
        if folder == world.gateway.data() {
            assert_eq!(mode, 0o700, "{}", folder.display());
        }
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.contains("key") || name.contains("token") {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", path.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_replaced_is_used_from_the_next_request_on() {
    let world = World::new().await;
    let endpoint = Endpoint::of("chat-completions");
    let fresh = "sk-upstream-secret-rotated-90ab12";
    world.gateway.keep_secret(fresh);
    assert_eq!(world.ask(endpoint, false).await.status(), 200);
    world.management().credential("openai", fresh).await;
    assert_eq!(world.ask(endpoint, false).await.status(), 200);
    assert_eq!(
        world.simulator.last().header("authorization"),
        Some(format!("Bearer {fresh}").as_str())
    );
    let listed = world.management().get("/api/credentials").await.to_string();
    assert!(
        listed.contains("api-key") && !listed.contains(fresh),
        "{listed}"
    );
}

/// A credential may have lines: a key file that only signs is one. What goes into a header may not: nothing is sent
/// then, the caller is told that nobody can serve it, and the log tells the operator which upstream and header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_could_break_a_header_never_leaves() {
    let world = World::new().await;
    for value in [
        "line\nbreak-31f0",
        "nul\u{0}byte-31f0",
        "carriage\r\nx-evil: 31f0",
    ] {
        for (credential, endpoint) in ["openai", "anthropic"].into_iter().flat_map(|name| {
            let served = ENDPOINTS.iter().filter(move |of| of.upstream == name);
            served.map(move |endpoint| (name, endpoint))
        }) {
            let body = json!({ "fields": { "api-key": value } });
            let path = format!("/api/credentials/{credential}");
            let stored = world.management().call("PUT", &path, Some(&body)).await;
            assert_eq!(stored.0, 200, "{}", stored.1);
            let (status, word) = if endpoint.anthropic {
                (529, "overloaded_error")
            } else {
                (503, "server_is_overloaded")
            };
            let reply = world.ask(endpoint, false).await;
            let error = endpoint.assert_error(&reply, status, word);
            assert!(!error.to_string().contains("31f0"), "{error}");
        }
    }
    assert!(
        world.simulator.received().is_empty(),
        "{:?}",
        world.simulator.received()
    );
    let log = world.gateway.log();
    for words in [
        "upstream=\"openai\" header=\"authorization\"",
        "upstream=\"anthropic\" header=\"x-api-key\"",
    ] {
        assert!(log.contains(words), "the log does not tell {words}:\n{log}");
    }
    assert!(!log.contains("31f0"), "the log shows the credential");
}
