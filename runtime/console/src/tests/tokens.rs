//! Tokens of accounts: every route either is the operator's or works on what the token sees, and tells nothing of the rest.

use serde_json::{Value, json};

use super::auth::concrete;
use super::{World, request};
use crate::openapi::describe;
use crate::routes::table;

/// What must not come out to who manages `root/sales`: names and figures of accounts above and beside.
const HIDDEN: [&str; 6] = [
    "otherland",
    "secretive",
    "777777",
    "888888",
    "root",
    "OTHERKEY",
];

/// `root/sales/team` and `root/otherland/secretive`, with limits, credit, keys, tokens and usage.
struct Divided {
    world: World,
    /// Of `root/sales`.
    head: String,
    /// Ids by what they are of.
    ids: Vec<(&'static str, String)>,
}

impl Divided {
    async fn new() -> Self {
        let world = World::new();
        let limits =
            json!({ "limits": { "daily_limit": 777_777, "rpm": 888_888 }, "billing": "prepaid" });
        world.done("PATCH", "/api/accounts/root", limits).await;
        let mut ids = Vec::new();
        for (what, parent, name) in [
            ("sales", "root", "sales"),
            ("team", "root/sales", "team"),
            ("other", "root", "otherland"),
            ("secretive", "root/otherland", "secretive"),
        ] {
            let new = json!({ "name": name, "parent": parent, "limits": { "rpm": 888_888 } });
            let made = world.done("POST", "/api/accounts", new).await;
            ids.push((what, made["id"].as_str().unwrap().to_owned()));
        }
        let root = world.get("/api/accounts/root").await;
        ids.push(("root", root["id"].as_str().unwrap().to_owned()));
        let grant = json!({ "account": "root", "amount": 888_888, "idempotency_key": "g" });
        world.done("POST", "/api/grants", grant).await;
        let mut head = String::new();
        for (what, path) in [
            ("team", "root/sales/team"),
            ("other", "root/otherland/secretive"),
        ] {
            let label = format!("{}KEY", what.to_uppercase());
            let key = json!({ "account": path, "label": label });
            let key = world.done("POST", "/api/keys", key).await;
            let name = if what == "team" {
                "team key"
            } else {
                "other key"
            };
            ids.push((name, key["id"].as_str().unwrap().to_owned()));
            let token = json!({ "account": path, "role": "read", "label": label });
            let token = world.done("POST", "/api/tokens", token).await;
            let name = if what == "team" {
                "team token"
            } else {
                "other token"
            };
            ids.push((name, token["id"].as_str().unwrap().to_owned()));
            world.used(path);
        }
        for (name, path) in [("head", "root/sales"), ("reader", "root/sales")] {
            let role = if name == "head" { "manage" } else { "read" };
            let token = json!({ "account": path, "role": role });
            let token = world.done("POST", "/api/tokens", token).await;
            if name == "head" {
                head = token["token"].as_str().unwrap().to_owned();
            }
            ids.push((name, token["id"].as_str().unwrap().to_owned()));
        }
        Self { world, head, ids }
    }

    fn id(&self, what: &str) -> &str {
        &self.ids.iter().find(|(name, _)| *name == what).unwrap().1
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let (status, text) = self
            .world
            .send(request(&self.head, method, path, body))
            .await;
        (status.as_u16(), text)
    }
}

/// A request to a route that works on accounts, with a hole for what it names: what `{}` stands for is `account`, `key` or
/// `token`.
fn asks(id: &str) -> Option<(&'static str, &'static str, Value)> {
    let nothing = Value::Null;
    Some(match id {
        "createAccount" => (
            "account",
            "/api/accounts",
            json!({ "name": "new", "parent": "{}" }),
        ),
        "listAccounts" => ("account", "/api/accounts?account={}", nothing),
        "showAccount" | "deleteAccount" => ("account", "/api/accounts/{}", nothing),
        "updateAccount" => (
            "account",
            "/api/accounts/{}",
            json!({ "alias": "taken over" }),
        ),
        "showLimits" => ("account", "/api/limits/{}", nothing),
        "changeLimits" => (
            "account",
            "/api/limits/{}",
            json!({ "limits": { "rpm": 1 } }),
        ),
        "createKey" => ("account", "/api/keys", json!({ "account": "{}" })),
        "listKeys" => ("account", "/api/keys?account={}", nothing),
        "showKey" | "revokeKey" => ("key", "/api/keys/{}", nothing),
        "rotateKey" => ("key", "/api/keys/{}/rotate", json!({ "grace_ms": 0 })),
        "createToken" => (
            "account",
            "/api/tokens",
            json!({ "account": "{}", "role": "manage" }),
        ),
        "listTokens" => ("account", "/api/tokens?account={}", nothing),
        "showToken" | "revokeToken" => ("token", "/api/tokens/{}", nothing),
        "grant" => (
            "account",
            "/api/grants",
            json!({ "account": "{}", "amount": 1, "idempotency_key": "t" }),
        ),
        "reclaim" => (
            "account",
            "/api/reclaims",
            json!({ "account": "{}", "amount": 1, "idempotency_key": "t" }),
        ),
        "showWallet" => ("account", "/api/wallets/{}", nothing),
        "listUsage" => ("account", "/api/usage?account={}", nothing),
        "reportUsage" => (
            "account",
            "/api/usage/report?by=account,key&account={}",
            nothing,
        ),
        "exportUsage" => (
            "account",
            "/api/usage/export?format=jsonl&account={}",
            nothing,
        ),
        // They name nothing.
        "listAudit" | "listArchivedAccounts" => return None,
        other => panic!(
            "{other} works on accounts, and nobody has said how it is held to what a token sees"
        ),
    })
}

#[tokio::test]
async fn every_route_is_the_operators_or_tells_what_is_elsewhere_from_nothing_by_nothing() {
    let divided = Divided::new().await;
    let before = divided
        .world
        .get("/api/accounts?account=root/otherland")
        .await;
    let nowhere = "0198c0de-0000-7000-8000-00000000beef";
    for route in table().iter().filter(|route| !route.open) {
        let method = route.method.to_uppercase();
        if !route.bound {
            let (status, text) = divided
                .ask(&method, &concrete(route.path), Some(&json!({})))
                .await;
            assert_eq!(status, 403, "{}: {text}", route.id);
            assert!(text.contains("operator"), "{}: {text}", route.id);
            continue;
        }
        let Some((kind, path, body)) = asks(route.id) else {
            continue;
        };
        let names: Vec<Vec<&str>> = match kind {
            "key" => vec![vec![nowhere, divided.id("other key")]],
            "token" => vec![vec![nowhere, divided.id("other token")]],
            _ => vec![
                vec![
                    nowhere,
                    divided.id("other"),
                    divided.id("secretive"),
                    divided.id("root"),
                ],
                vec![
                    "none/there",
                    "root",
                    "root/otherland",
                    "otherland/secretive",
                    "root/sales/team",
                ],
            ],
        };
        for group in names {
            let mut told: Option<(u16, String)> = None;
            for name in group {
                let filled = |text: &str| text.replace("{}", name);
                let body: Value = serde_json::from_str(&filled(&body.to_string())).unwrap();
                let body = (!body.is_null()).then_some(&body);
                let (status, text) = divided.ask(&method, &filled(path), body).await;
                let usage = route.id.ends_with("Usage") && name.contains('-');
                // Usage outlives accounts: an id that is not known has none, and so has one elsewhere.
                assert!(
                    status == 400 || status == 404 || usage,
                    "{} {name}: {status} {text}",
                    route.id
                );
                let blank = text.replace(name, "{}");
                let same = told.get_or_insert((status, blank.clone()));
                assert_eq!(*same, (status, blank), "{} {name}", route.id);
            }
        }
    }
    let after = divided
        .world
        .get("/api/accounts?account=root/otherland")
        .await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn what_is_answered_names_nothing_above_or_beside() {
    let divided = Divided::new().await;
    // Something of everything in what it may see.
    for (method, path, body) in [
        (
            "POST",
            "/api/accounts",
            json!({ "name": "gone", "parent": "sales" }),
        ),
        ("DELETE", "/api/accounts/sales/gone", Value::Null),
        ("POST", "/api/accounts", json!({ "name": "below" })),
        (
            "PATCH",
            "/api/limits/sales/team",
            json!({ "limits": { "tpm": 5 } }),
        ),
    ] {
        let (status, text) = divided.ask(method, path, Some(&body)).await;
        assert!((200..300).contains(&status), "{method} {path}: {text}");
    }
    let (key, token) = (divided.id("team key"), divided.id("team token"));
    let mut seen = Vec::new();
    for (path, wanted) in [
        ("/api/accounts".to_owned(), "sales/team"),
        ("/api/accounts/sales".to_owned(), "above"),
        ("/api/accounts/sales/team".to_owned(), "above"),
        (
            format!("/api/accounts/{}", divided.id("team")),
            "sales/team",
        ),
        ("/api/archived-accounts".to_owned(), "gone"),
        ("/api/limits/sales/team".to_owned(), "above"),
        ("/api/keys".to_owned(), "TEAMKEY"),
        (format!("/api/keys/{key}"), "sales/team"),
        ("/api/tokens".to_owned(), "TEAMKEY"),
        (format!("/api/tokens/{token}"), "sales/team"),
        ("/api/wallets/sales/team".to_owned(), "sales/team"),
        ("/api/usage".to_owned(), "sales/team"),
        (
            "/api/usage/report?by=account,key,provider,model".to_owned(),
            "sales/team",
        ),
        ("/api/usage/export".to_owned(), "sales/team"),
        ("/api/usage/export?format=jsonl".to_owned(), "sales/team"),
        ("/api/usage/export?format=focus".to_owned(), "BilledCost"),
        ("/api/audit?limit=1000".to_owned(), "limits.change"),
    ] {
        let (status, text) = divided.ask("GET", &path, None).await;
        assert_eq!(status, 200, "{path}: {text}");
        assert!(text.contains(wanted), "{path}: no {wanted} in {text}");
        let other =
            ["other", "secretive", "other key", "other token", "root"].map(|what| divided.id(what));
        for hidden in HIDDEN.iter().chain(&other) {
            // Its own account's limit is as large as those of others.
            let own = *hidden == "888888" && !path.contains("wallets") && !path.contains("usage");
            assert!(own || !text.contains(hidden), "{path}: {hidden} in {text}");
        }
        seen.push(path);
    }
    // Every route that answers to such a token and names nothing by itself was looked at.
    for route in table()
        .iter()
        .filter(|route| route.bound && route.method == "get")
    {
        let begin = route.path.split('{').next().unwrap();
        assert!(
            seen.iter().any(|path| path.starts_with(begin)),
            "{}",
            route.path
        );
    }
    let limits = divided.ask("GET", "/api/limits/sales/team", None).await.1;
    let limits: Value = serde_json::from_str(&limits).unwrap();
    let above: Vec<_> = limits["effective"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|limit| limit["source"] == "above")
        .collect();
    assert_eq!(above.len(), 2, "{limits}");
    for limit in above {
        assert!(limit["value"].is_null() && limit["used"].is_null() && limit["decides"].is_null());
    }
}

#[tokio::test]
async fn its_own_account_and_what_loosens_rules_are_not_its_bearers_to_change() {
    let divided = Divided::new().await;
    let own = divided.id("sales").to_owned();
    for (method, path, body) in [
        (
            "PATCH",
            "/api/accounts/sales".to_owned(),
            json!({ "limits": { "rpm": null } }),
        ),
        (
            "PATCH",
            format!("/api/accounts/{own}"),
            json!({ "parent": "sales/team" }),
        ),
        (
            "PATCH",
            "/api/limits/sales".to_owned(),
            json!({ "limits": { "rpm": 1 } }),
        ),
        (
            "DELETE",
            "/api/accounts/sales?mode=cascade".to_owned(),
            Value::Null,
        ),
        (
            "POST",
            "/api/grants".to_owned(),
            json!({ "account": "sales", "amount": 1, "idempotency_key": "a" }),
        ),
        (
            "POST",
            "/api/reclaims".to_owned(),
            json!({ "account": "sales", "amount": 1, "idempotency_key": "b" }),
        ),
        (
            "POST",
            "/api/grants".to_owned(),
            json!({ "account": "sales/team", "amount": 1, "idempotency_key": "c", "from": "treasury" }),
        ),
        (
            "POST",
            "/api/reclaims".to_owned(),
            json!({ "account": "sales/team", "amount": 1, "idempotency_key": "d", "to": "treasury" }),
        ),
        (
            "POST",
            "/api/tokens".to_owned(),
            json!({ "account": "sales", "role": "manage" }),
        ),
        (
            "DELETE",
            format!("/api/tokens/{}", divided.id("reader")),
            Value::Null,
        ),
        (
            "PATCH",
            "/api/accounts/sales/team".to_owned(),
            json!({ "billing": "postpaid" }),
        ),
        (
            "PATCH",
            "/api/accounts/sales/team".to_owned(),
            json!({ "budget_mode": "soft" }),
        ),
        (
            "PATCH",
            "/api/accounts/sales/team".to_owned(),
            json!({ "price_factor": 0 }),
        ),
        (
            "POST",
            "/api/accounts".to_owned(),
            json!({ "name": "free", "parent": "sales", "price_factor": 0 }),
        ),
        (
            "POST",
            "/api/accounts".to_owned(),
            json!({ "name": "x", "on_exhaust": "finish" }),
        ),
    ] {
        let (status, text) = divided.ask(method, &path, Some(&body)).await;
        assert_eq!(status, 403, "{method} {path} {body}: {text}");
    }
    // What is its to do.
    let grant = json!({ "account": "root/sales", "amount": 50, "idempotency_key": "e" });
    divided.world.done("POST", "/api/grants", grant).await;
    for (method, path, body) in [
        (
            "POST",
            "/api/grants",
            json!({ "account": "sales/team", "amount": 20, "idempotency_key": "f" }),
        ),
        (
            "POST",
            "/api/reclaims",
            json!({ "account": "sales/team", "amount": 5, "idempotency_key": "h" }),
        ),
        (
            "POST",
            "/api/accounts",
            json!({ "name": "lead", "limits": { "rpm": 9 }, "billing": "prepaid", "keep_answers": false }),
        ),
        (
            "PATCH",
            "/api/accounts/sales/team",
            json!({ "parent": "sales/lead", "on_exhaust": "cut" }),
        ),
        (
            "POST",
            "/api/keys",
            json!({ "account": "sales", "label": "own" }),
        ),
        (
            "POST",
            "/api/tokens",
            json!({ "account": "sales/lead", "role": "manage" }),
        ),
        (
            "DELETE",
            "/api/accounts/sales/lead/team?mode=cascade",
            Value::Null,
        ),
    ] {
        let (status, text) = divided.ask(method, path, Some(&body)).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path} {body}: {status} {text}"
        );
    }
    // A key that somebody above has used is free here: of those above nothing is told, not even that.
    let own = json!({ "account": "sales/lead", "amount": 1, "idempotency_key": "g" });
    let (status, text) = divided.ask("POST", "/api/grants", Some(&own)).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains(r#""repeated":false"#), "{text}");
    assert!(
        !text.contains("888888") && !text.contains(divided.id("root")),
        "{text}"
    );
}

#[tokio::test]
async fn a_token_that_may_only_look_changes_nothing_whatever_the_route() {
    let divided = Divided::new().await;
    let reader = json!({ "account": "root/sales", "role": "read" });
    let reader = divided.world.done("POST", "/api/tokens", reader).await;
    let reader = reader["token"].as_str().unwrap();
    for route in table().iter().filter(|route| !route.open) {
        let method = route.method.to_uppercase();
        let asked = request(reader, &method, &concrete(route.path), Some(&json!({})));
        let (status, text) = divided.world.send(asked).await;
        match (route.method, route.bound) {
            ("get", true) => assert!(
                [200, 404].contains(&status.as_u16()),
                "{}: {text}",
                route.id
            ),
            _ => assert_eq!(status, 403, "{}: {text}", route.id),
        }
        if route.method != "get" {
            assert!(text.contains("only look"), "{}: {text}", route.id);
        }
    }
}

#[tokio::test]
async fn the_log_says_which_token_acted_and_secrets_are_in_no_answer() {
    let divided = Divided::new().await;
    let (status, text) = divided
        .ask("POST", "/api/accounts", Some(&json!({ "name": "made" })))
        .await;
    assert_eq!(status, 201, "{text}");
    let log = divided.world.get("/api/audit?limit=1000").await;
    let last = log["entries"].as_array().unwrap().last().unwrap();
    assert_eq!(last["act"], "account.create");
    assert_eq!(last["actor"], format!("token:{}", divided.id("head")));
    assert_eq!(last["subject"]["path"], "root/sales/made");
    for path in ["/api/audit?limit=1000", "/api/tokens"] {
        let (_, text) = divided
            .world
            .send(divided.world.request("GET", path, None))
            .await;
        assert!(!text.contains(&divided.head), "{path}");
    }
    // What is suspended lets nobody in, and says no more than of a token that never was.
    let suspend = json!({ "status": "suspended" });
    divided
        .world
        .done("PATCH", "/api/accounts/root/sales", suspend)
        .await;
    let (status, text) = divided.ask("GET", "/api/accounts", None).await;
    assert_eq!(status, 401, "{text}");
    assert!(text.contains("not valid"));
    let revoked = format!("/api/tokens/{}", divided.id("head"));
    divided.world.done("DELETE", &revoked, Value::Null).await;
    let resume = json!({ "status": "active" });
    divided
        .world
        .done("PATCH", "/api/accounts/root/sales", resume)
        .await;
    assert_eq!(divided.ask("GET", "/api/accounts", None).await.0, 401);
}

#[test]
fn the_description_says_whose_each_operation_is() {
    let description = describe();
    for route in table() {
        let path = route.path.replace("{*", "{");
        let security = &description["paths"][path][route.method]["security"];
        let accounts = security.to_string().contains("accountToken");
        assert_eq!(accounts, route.bound, "{}", route.id);
    }
}
