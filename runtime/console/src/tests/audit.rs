//! The audit log as callers of the API read it.

use serde_json::{Value, json};

use super::{SECRET, World};

async fn acts(world: &World) -> Vec<(String, String)> {
    let page = world.get("/api/audit?limit=1000").await;
    let entries = page["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (text("act"), text("actor"))
        })
        .collect()
}

#[tokio::test]
async fn what_is_done_through_the_api_is_told_in_its_order() {
    let world = World::new();
    let before = acts(&world).await;
    // What lies in the folder of components, and the first start's own acts.
    for (act, actor) in [
        ("component.load", "components-folder"),
        ("management-token.create", "gateway"),
    ] {
        assert!(before.contains(&(act.to_owned(), actor.to_owned())));
    }
    world.furnish().await;
    world
        .done("PUT", "/api/upstreams/own", json!({ "provider": "self" }))
        .await;
    world.done("DELETE", "/api/policies/p", Value::Null).await;
    let told: Vec<_> = acts(&world).await.split_off(before.len());
    assert!(told.iter().all(|(_, actor)| actor == "management-token"));
    let told: Vec<_> = told.iter().map(|(act, _)| act.as_str()).collect();
    assert_eq!(
        told,
        [
            "account.create",
            "key.create",
            "credential.create",
            "upstream.create",
            "upstream.create",
            "policy.attach",
            "upstream.change",
            "policy.detach"
        ]
    );
    // What is read or refused leaves nothing.
    world.get("/api/keys").await;
    world
        .refused("POST", "/api/accounts", json!({ "name": "sales" }))
        .await;
    assert_eq!(acts(&world).await.len(), before.len() + told.len());
}

#[tokio::test]
async fn a_component_that_is_replaced_or_taken_away_is_told_of() {
    let world = World::new();
    let file = world.folder.path().join("components/rule.wasm");
    std::fs::remove_file(&file).unwrap();
    // Naming what is not there makes the gateway look at the folder.
    world
        .refused("PUT", "/api/policies/p", json!({ "component": "none" }))
        .await;
    let page = world.get("/api/audit?limit=1000").await;
    let last = page["entries"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["act"], &last["actor"], &last["subject"]["id"]),
        (
            &json!("component.unload"),
            &json!("components-folder"),
            &json!("policy/rule")
        )
    );
    assert_eq!(
        last["changes"]["digest"]["from"].as_str().unwrap().len(),
        64
    );
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_with_its_field() {
    let world = World::new();
    for (query, field) in [
        ("after=x", "after"),
        ("after=-1", "after"),
        ("limit=1001", "limit"),
        ("limit=", "limit"),
    ] {
        let path = format!("/api/audit?{query}");
        let (status, named, _) = world.refused("GET", &path, Value::Null).await;
        assert_eq!((status, named.as_str()), (400, field), "{query}");
    }
}

#[tokio::test]
async fn no_entry_holds_what_a_caller_gave_as_a_secret_or_configuration() {
    let world = World::new();
    let key = world.furnish().await;
    let (_, text) = world
        .send(world.request("GET", "/api/audit?limit=1000", None))
        .await;
    let key = key["key"].as_str().unwrap();
    for secret in [SECRET, key, &key[..9], &world.token] {
        assert!(!text.contains(secret), "{text}");
    }
    // Of the policy's configuration.
    assert!(text.contains("sha256:"));
}
