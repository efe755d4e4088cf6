//! Credit, limits, keys and deletion as callers of the API see them.

use serde_json::{Value, json};

use super::World;

#[tokio::test]
async fn credit_is_granted_once_and_shown_with_its_lots() {
    let world = World::new();
    world.furnish().await;
    let grant = |account: &str, amount: u64, key: &str| json!({ "account": account, "amount": amount, "idempotency_key": key });
    let first = world
        .done("POST", "/api/grants", grant("root", 100, "a"))
        .await;
    assert_eq!(
        (
            &first["repeated"],
            &first["amount"],
            &first["wallet"]["available"]
        ),
        (&json!(false), &json!(100), &json!(100))
    );
    let again = world
        .done("POST", "/api/grants", grant("root", 100, "a"))
        .await;
    assert_eq!(
        (&again["repeated"], &again["wallet"]["available"]),
        (&json!(true), &json!(100))
    );
    let (status, field, _) = world
        .refused("POST", "/api/grants", grant("root", 99, "a"))
        .await;
    assert_eq!((status, field.as_str()), (409, "idempotency_key"));
    world
        .done("POST", "/api/grants", grant("root/sales", 30, "b"))
        .await;
    let wallet = world.get("/api/wallets/root/sales").await;
    assert_eq!(
        (&wallet["lots"][0]["left"], &wallet["pays"]),
        (&json!(30), &json!(false))
    );
    world
        .done("POST", "/api/reclaims", grant("root/sales", 10, "c"))
        .await;
    let ledger = world.get("/api/ledger").await;
    assert_eq!(
        (
            &ledger["imbalance"],
            &ledger["totals"]["treasury"],
            &ledger["totals"]["wallets"]
        ),
        (&json!(0), &json!(-100), &json!(100))
    );
    assert_eq!(world.get("/api/wallets/root").await["available"], 80);
    // Numbers are micro-units, sentences are for people.
    let (status, field, message) = world
        .refused("POST", "/api/grants", grant("root/sales", 2_500_000, "d"))
        .await;
    assert_eq!((status, field.as_str()), (409, "amount"));
    assert_eq!(message, "2.50 asked for, 0.00008 available");
}

#[tokio::test]
async fn limits_are_set_and_unset_one_by_one_and_for_models() {
    let world = World::new();
    world.furnish().await;
    let set = json!({ "limits": { "tpd": 7 }, "model_limits": { "m*": { "concurrency": 2 } } });
    let limits = world.done("PATCH", "/api/limits/root/sales", set).await;
    assert_eq!(limits["limits"], json!({ "rpm": 5, "tpd": 7 }));
    assert_eq!(
        limits["model_limits"],
        json!({ "m*": { "concurrency": 2 } })
    );
    assert!(limits["effective"].as_array().unwrap().contains(&json!({
        "source": "root/sales", "kind": "concurrency", "models": "m*", "value": 2, "used": 0, "decides": true,
        "idle": "no model that is served matches `m*`"
    })));
    let unset = json!({ "limits": { "rpm": null }, "model_limits": { "m*": null } });
    let limits = world.done("PATCH", "/api/limits/root/sales", unset).await;
    assert_eq!(
        (&limits["limits"], &limits["model_limits"]),
        (&json!({ "tpd": 7 }), &json!({}))
    );
    assert_eq!(world.get("/api/limits/root/sales").await, limits);
}

#[tokio::test]
async fn a_rotated_key_comes_with_its_successor_and_is_shown_as_it_is_now() {
    let world = World::new();
    let key = world.furnish().await;
    let path = format!("/api/keys/{}", key["id"].as_str().unwrap());
    let new = world
        .done("POST", &format!("{path}/rotate"), json!({}))
        .await;
    assert!(new["key"].as_str().unwrap().starts_with("tg-") && new["key"] != key["key"]);
    assert_eq!(new["label"], "ci");
    let old = world.get(&path).await;
    assert_eq!(old, new["replaces"]);
    assert_eq!(
        (&old["state"], &old["successor"]),
        (&json!("active"), &new["id"])
    );
    assert!(old["expires_ms"].as_u64().unwrap() > old["created_ms"].as_u64().unwrap());
    let (status, ..) = world
        .refused("POST", &format!("{path}/rotate"), json!({}))
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn a_deletion_says_what_became_of_the_account_and_history_keeps_it() {
    let world = World::new();
    world.furnish().await;
    world.used("root/sales");
    let sales = world.get("/api/accounts/root/sales").await;
    let gone = world
        .done(
            "DELETE",
            "/api/accounts/root/sales?mode=cascade",
            Value::Null,
        )
        .await;
    assert_eq!(
        gone,
        json!({ "deleted": sales["id"], "path": "root/sales", "accounts": 1, "state": "archived" })
    );
    let archived = world.get("/api/archived-accounts").await;
    assert_eq!(archived["accounts"][0]["name"], "sales");
    assert_eq!(world.get("/api/keys").await["keys"], json!([]));
    let id = sales["id"].as_str().unwrap();
    let report = world
        .get(&format!("/api/usage/report?by=account&account={id}"))
        .await;
    assert_eq!(report["lines"][0]["account"], "root/sales");
    let rows = world
        .get(&format!(
            "/api/usage?account={id}&model=m&provider=self&tag=cc%3D7"
        ))
        .await;
    assert_eq!(rows["totals"]["requests"], 1);
}
