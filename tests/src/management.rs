//! A client of the management API.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::simulator::Tokens;
use crate::wire::{self, PATIENCE, Request};

/// The management API of a running gateway.
#[derive(Clone, Debug)]
pub struct Management {
    address: SocketAddr,
    token: String,
}

/// A key as it is shown once.
#[derive(Clone, Debug)]
pub struct Key {
    /// Names the key to the management API.
    pub id: String,
    /// The key itself.
    pub secret: String,
}

/// A usage row, as far as tests read it.
#[derive(Clone, Debug)]
pub struct Row(pub Value);

impl Row {
    /// The token counts.
    ///
    /// # Panics
    /// When a count is missing.
    pub fn tokens(&self) -> Tokens {
        let tokens = &self.0["usage"];
        let count = |name: &str| {
            tokens[name]
                .as_u64()
                .unwrap_or_else(|| panic!("no {name} in {}", self.0))
        };
        Tokens {
            input: count("input"),
            cache_read: count("cache_read"),
            cache_write_5m: count("cache_write_5m"),
            cache_write_1h: count("cache_write_1h"),
            output: count("output"),
            reasoning: count("reasoning"),
        }
    }

    /// Whether the vendor did not tell and the counts are the gateway's estimate.
    pub fn estimated(&self) -> bool {
        self.0["usage"]["estimated"] == true
    }

    /// What was charged, in micro-units.
    ///
    /// # Panics
    /// When it is missing.
    pub fn charged(&self) -> u64 {
        self.0["charged"]
            .as_u64()
            .unwrap_or_else(|| panic!("no charge in {}", self.0))
    }

    /// A member that is text; empty if it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    /// The status the client got.
    pub fn status(&self) -> u64 {
        self.0["status"].as_u64().unwrap_or_default()
    }
}

impl Management {
    pub(crate) fn new(address: SocketAddr, token: String) -> Self {
        Self { address, token }
    }

    /// The same of the bearer of another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self::new(self.address, token.to_owned())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The management token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Calls the API; the status and the answer (`null` where it has no body).
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = Request::new(method, path).bearer(&self.token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let reply = wire::send(self.address, &request).await;
        let answer = if reply.body.is_empty() {
            Value::Null
        } else {
            reply.json()
        };
        (reply.status(), answer)
    }

    /// Calls the API and insists on success.
    ///
    /// # Panics
    /// When the API refuses.
    pub async fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {answer}"
        );
        answer
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Value {
        self.done("GET", path, None).await
    }

    /// Makes an account below another, with boundaries such as `{"limits":{"rpm":1}}`; returns its id.
    pub async fn account(&self, parent: &str, name: &str, boundaries: Value) -> String {
        let mut body = json!({ "name": name, "parent": parent });
        merge(&mut body, boundaries);
        let answer = self.done("POST", "/api/accounts", Some(&body)).await;
        answer["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id in {answer}"))
            .to_owned()
    }

    /// Changes an account.
    pub async fn change(&self, account: &str, change: Value) -> Value {
        self.done("PATCH", &format!("/api/accounts/{account}"), Some(&change))
            .await
    }

    /// Makes a key of an account.
    pub async fn key(&self, account: &str) -> Key {
        let body = json!({ "account": account, "label": "test" });
        let answer = self.done("POST", "/api/keys", Some(&body)).await;
        let text = |name: &str| {
            answer[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {answer}"))
                .to_owned()
        };
        Key {
            id: text("id"),
            secret: text("key"),
        }
    }

    /// Revokes a key.
    pub async fn revoke(&self, key: &Key) {
        self.done("DELETE", &format!("/api/keys/{}", key.id), None)
            .await;
    }

    /// Stores a credential with the one field `api-key`.
    pub async fn credential(&self, name: &str, secret: &str) {
        let body = json!({ "fields": { "api-key": secret } });
        self.done("PUT", &format!("/api/credentials/{name}"), Some(&body))
            .await;
    }

    /// Registers an upstream.
    pub async fn upstream(&self, name: &str, record: Value) {
        self.done("PUT", &format!("/api/upstreams/{name}"), Some(&record))
            .await;
    }

    /// Attaches a policy to an account.
    pub async fn policy(&self, id: &str, component: &str, account: &str, config: Value) {
        let body = json!({ "component": component, "account": account, "config": config });
        self.done("PUT", &format!("/api/policies/{id}"), Some(&body))
            .await;
    }

    /// The usage rows there are now, newest or oldest first as the API has them.
    pub async fn rows(&self) -> Vec<Row> {
        let answer = self.get("/api/usage?limit=10000").await;
        let rows = answer["rows"]
            .as_array()
            .unwrap_or_else(|| panic!("no rows in {answer}"));
        rows.iter().cloned().map(Row).collect()
    }

    /// Waits until there are `count` usage rows and returns them.
    ///
    /// # Panics
    /// When they do not come, or there are more.
    pub async fn wait_for_rows(&self, count: usize) -> Vec<Row> {
        let began = Instant::now();
        loop {
            let rows = self.rows().await;
            assert!(
                rows.len() <= count,
                "{} rows where {count} were expected: {rows:?}",
                rows.len()
            );
            if rows.len() == count {
                return rows;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "only {} of {count} rows came: {rows:?}",
                rows.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the usage row of a request, named by its `x-request-id`.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn row_of(&self, request_id: &str) -> Row {
        let began = Instant::now();
        loop {
            let rows = self.rows().await;
            if let Some(row) = rows.iter().find(|row| row.text("request_id") == request_id) {
                return row.clone();
            }
            assert!(
                began.elapsed() < PATIENCE,
                "no usage row of {request_id}; there are: {rows:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the usage rows charge so much together, as counters or a wallet have it, and returns them.
    ///
    /// # Panics
    /// When they never do.
    pub async fn rows_that_charge(&self, sum: u64) -> Vec<Row> {
        let began = Instant::now();
        loop {
            let rows = self.rows().await;
            let charged: u64 = rows.iter().map(Row::charged).sum();
            if charged == sum {
                return rows;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{} rows charge {charged} where {sum} was expected",
                rows.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the list of components satisfies `done`, and returns it.
    ///
    /// # Panics
    /// When it never does.
    pub async fn wait_for_components(&self, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let components = self.get("/api/components").await;
            if done(&components) {
                return components;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain for {what}: {components:#}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
