//! Who is let in.

use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::World;
use crate::routes::table;

/// A path of the table with something in its holes.
pub(super) fn concrete(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "x" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[tokio::test]
async fn every_operation_needs_the_management_token_but_those_that_say_so() {
    let world = World::new();
    for route in table() {
        let request = Request::builder()
            .method(route.method.to_uppercase().as_str())
            .uri(concrete(route.path))
            .body(Body::empty())
            .unwrap();
        let (status, text) = world.send(request).await;
        if route.open {
            assert_eq!(status, 200, "{} {}", route.method, route.path);
        } else {
            assert_eq!(status, 401, "{} {}: {text}", route.method, route.path);
            let answer: Value = serde_json::from_str(&text).unwrap();
            assert!(
                answer["error"]["message"]
                    .as_str()
                    .unwrap()
                    .contains("tgm-")
            );
        }
    }
}

#[tokio::test]
async fn an_inference_key_cannot_manage_and_near_misses_are_refused() {
    let world = World::new();
    let key = world
        .done("POST", "/api/keys", json!({ "account": "root" }))
        .await;
    let mut near = world.token.clone();
    near.pop();
    let wrong = [
        key["key"].as_str().unwrap().to_owned(),
        near,
        format!("{}x", world.token),
        String::new(),
    ];
    for token in wrong {
        let request = Request::builder()
            .uri("/api/status")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        let (status, text) = world.send(request).await;
        assert_eq!(status, 401, "{text}");
        assert!(
            token.is_empty() || !text.contains(&token),
            "the answer repeats the token"
        );
        assert_eq!(
            text.contains("inference key cannot manage"),
            token.starts_with("tg-"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn who_has_no_token_cannot_tell_which_paths_exist() {
    let world = World::new();
    for path in ["/api/nothing", "/api/accounts", "/nothing"] {
        let (status, _) = world
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(status, 401, "{path}");
    }
    assert_eq!(world.call("GET", "/api/nothing", None).await.0, 404);
    assert_eq!(world.call("PUT", "/api/accounts", None).await.0, 405);
}

/// Under the lock of changes a look-up waits for the disk; the thread that it was asked on has others to serve.
#[test]
fn a_token_that_is_looked_up_keeps_the_thread_of_the_api_from_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new();
        let made = world
            .done(
                "POST",
                "/api/tokens",
                json!({ "account": "root", "role": "read" }),
            )
            .await;
        // The one thread on which anything may wait is taken.
        let (go_on, wait) = mpsc::channel::<()>();
        let taken = tokio::task::spawn_blocking(move || wait.recv());
        let get = |path: &str, token: &str| {
            let request = Request::builder().uri(path);
            let request = request.header("authorization", format!("Bearer {token}"));
            request.body(Body::empty()).unwrap()
        };
        // It may not see this, which its look-up alone tells: nothing after that would wait.
        let token = made["token"].as_str().unwrap();
        let mut refused = pin!(world.send(get("/api/status", token)));
        for _ in 0..2 {
            let polled =
                std::future::poll_fn(|context| Poll::Ready(refused.as_mut().poll(context)));
            assert!(polled.await.is_pending(), "it was looked up on this thread");
            let (status, _) = world.send(get("/api/openapi.json", token)).await;
            assert_eq!(status, 200);
        }
        drop(go_on);
        assert_eq!(refused.await.0, 403);
        assert!(taken.await.unwrap().is_err());
    });
}
