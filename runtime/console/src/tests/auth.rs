//! Who is let in.

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
