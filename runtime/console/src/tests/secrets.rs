//! What never leaves through the API, and what the data plane and a reader get to see.

use super::*;

#[tokio::test]
async fn no_secret_ever_comes_back() {
    let world = World::new();
    let key = world.furnish().await;
    let key = key["key"].as_str().unwrap();
    world
        .done(
            "PUT",
            "/api/credentials/other",
            json!({ "fields": { "id": "visible?", "api-key": SECRET } }),
        )
        .await;
    for path in [
        "accounts",
        "accounts/root/sales",
        "archived-accounts",
        "limits/root/sales",
        "wallets/root/sales",
        "ledger",
        "usage/report?by=key",
        "keys",
        "tokens",
        "credentials",
        "upstreams",
        "upstreams/far",
        "policies",
        "components",
        "usage",
        "usage/export?format=csv",
        "usage/export?format=jsonl",
        "usage/export?format=focus",
        "usage/export?format=otel",
        "audit?limit=1000",
        "status",
    ] {
        let (status, text) = world
            .send(world.request("GET", &format!("/api/{path}"), None))
            .await;
        assert_eq!(status, 200, "{path}: {text}");
        for secret in [SECRET, "visible?", key, &world.token] {
            assert!(!text.contains(secret), "{path} shows a secret");
        }
        assert!(
            !text.contains("\"mac\"") && !text.contains("\"sealed\""),
            "{path}: {text}"
        );
    }
    // Nor in an error, whatever is wrong.
    for body in [
        format!(r#"{{"fields":{{"api-key":"{SECRET}"}},"more":1}}"#),
        format!(r#"{{"fields":{{"api-key":["{SECRET}"]}}}}"#),
        format!(r#"{{"fields":"{SECRET}"}}"#),
        format!(r#"{{"fields":{{"api-key":"{SECRET} "}}}}"#),
        format!(r#"{{"fields":{{"api-key":"{SECRET}""#),
    ] {
        let mut request = world.request("PUT", "/api/credentials/main", None);
        *request.body_mut() = Body::from(body);
        let (status, text) = world.send(request).await;
        assert!(status == 400 && !text.contains(SECRET), "{status} {text}");
    }
    // Nor on the disk.
    for file in files(&world.folder.path().join("data")) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [SECRET, key] {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes()),
                "{}",
                file.display()
            );
        }
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test]
async fn a_revoked_key_is_gone_from_what_the_data_plane_reads() {
    let world = World::new();
    let key = world.furnish().await;
    assert_eq!(world.get("/api/status").await["counts"]["active_keys"], 1);
    let revoked = world
        .done(
            "DELETE",
            &format!("/api/keys/{}", key["id"].as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert!(revoked["revoked_ms"].is_u64() && revoked["state"] == "revoked");
    assert_eq!(world.get("/api/status").await["counts"]["active_keys"], 0);
    let listed = world.get("/api/keys?account=root/sales").await;
    assert_eq!(
        listed["keys"][0]["revoked_ms"], revoked["revoked_ms"],
        "it stays in the list"
    );
}

#[tokio::test]
async fn keys_are_listed_by_subtree() {
    let world = World::new();
    world.furnish().await;
    world
        .done("POST", "/api/keys", json!({ "account": "root" }))
        .await;
    assert_eq!(
        world.get("/api/keys").await["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let of_sales = world.get("/api/keys?account=root/sales").await;
    assert_eq!(of_sales["keys"].as_array().unwrap().len(), 1);
    assert_eq!(of_sales["keys"][0]["label"], "ci");
}

#[tokio::test]
async fn components_tell_what_is_loaded_and_why_others_are_not() {
    let world = World::new();
    let components = world.get("/api/components").await;
    let loaded = components["loaded"].as_array().unwrap();
    let ids: Vec<_> = loaded.iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["self", "vendor", "rule"]);
    assert_eq!(loaded[0]["manifest"]["models"][0]["id"], "self-model");
    assert!(
        loaded[2]["exports"]
            .as_array()
            .unwrap()
            .contains(&json!("admission"))
    );
    assert_eq!(components["failed"].as_array().unwrap().len(), 1);
    assert!(
        components["failed"][0]["file"]
            .as_str()
            .unwrap()
            .contains("broken")
    );
    assert!(
        !components["failed"][0]["reason"]
            .as_str()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn the_page_says_what_this_is_and_nothing_about_the_installation() {
    let world = World::new();
    let (status, text) = world
        .send(Request::get("/").body(Body::empty()).unwrap())
        .await;
    assert_eq!(status, 200);
    assert!(text.contains("Tollgate") && text.contains("/api/openapi.json"));
}
