//! What an account and a key may do: every boundary is felt by a live request, on every endpoint.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{CLAUDE, EMBED, ENDPOINTS, Endpoint, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::wire::{Reply, Request, send};
use tollgate_tests::world::{ALICE, World};

/// Each limit that counts something else than money, with the value that leaves room for one request, and the words of
/// its refusal in OpenAI's and in Anthropic's dialect.
const LIMITS: [(&str, &str, &str); 7] = [
    ("rpm", "rate_limit_exceeded", "rate_limit_error"),
    ("rph", "rate_limit_exceeded", "rate_limit_error"),
    ("rpd", "insufficient_quota", "rate_limit_error"),
    ("tpm", "rate_limit_exceeded", "rate_limit_error"),
    ("tph", "rate_limit_exceeded", "rate_limit_error"),
    ("tpd", "insufficient_quota", "rate_limit_error"),
    ("concurrency", "rate_limit_exceeded", "rate_limit_error"),
];

/// One request is what the limit has room for.
fn one(limit: &str) -> u64 {
    match limit {
        // The input of the tests' requests is a few tokens: what they may answer makes them as large as the limit.
        "tpm" | "tph" | "tpd" => 45,
        _ => 1,
    }
}

fn word<'a>(endpoint: &Endpoint, (_, openai, anthropic): &(&str, &'a str, &'a str)) -> &'a str {
    match endpoint {
        endpoint if endpoint.anthropic => anthropic,
        endpoint
            if endpoint.path.starts_with("/v1/responses") && *openai == "insufficient_quota" =>
        {
            "usage_limit_reached"
        }
        _ => openai,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_limit_that_is_set_is_felt_on_every_endpoint_and_for_all_models_of_a_pattern()
{
    let world = World::new().await;
    let management = world.management();
    for row in LIMITS {
        let limit = row.0;
        for by_model in [false, true] {
            let name = format!("{limit}-{by_model}");
            let limits = json!({ limit: one(limit) });
            let boundaries = match by_model {
                false => json!({ "limits": limits }),
                true => json!({ "model_limits": { "*-simulated": limits } }),
            };
            management.account("root/research", &name, boundaries).await;
            let path = format!("root/research/{name}");
            management.account(&path, "person", json!({})).await;
            let key = management.key(&format!("{path}/person")).await;
            world.gateway.keep_secret(&key.secret);
            let first = Endpoint::of("chat-completions");
            let request = |endpoint: &Endpoint, stream: bool| {
                Request::post(endpoint.path, endpoint.body(stream)).bearer(&key.secret)
            };
            // A place is taken until the last byte; all other limits count what has ended, too.
            let gate = tollgate_tests::simulator::Gate::default();
            let held = tollgate_tests::simulator::Answer::json(200, answer(first)).after(&gate);
            let mut open = None;
            if limit == "concurrency" {
                world.simulator.script(held);
                let before = world.simulator.received().len();
                let (address, request) = (world.gateway.address(), request(first, false));
                open = Some(tokio::spawn(async move { send(address, &request).await }));
                world.simulator.wait_for(before + 1).await;
            } else {
                let reply = world.gateway.send(&request(first, false)).await;
                assert_eq!(reply.status(), 200, "{name}: {}", reply.text());
            }
            let sent = world.simulator.received().len();
            for endpoint in &ENDPOINTS {
                let reply = world
                    .gateway
                    .send(&request(endpoint, endpoint.streams))
                    .await;
                if endpoint.counts() && limit.starts_with('t') {
                    assert_eq!(reply.status(), 200, "counting uses no tokens");
                    continue;
                }
                endpoint.assert_error(&reply, 429, word(endpoint, &row));
                assert!(reply.header("retry-after").is_some(), "{name}");
            }
            let counting = ENDPOINTS.iter().filter(|endpoint| endpoint.counts());
            let passed = if limit.starts_with('t') {
                counting.count()
            } else {
                0
            };
            let now = world.simulator.received().len();
            assert_eq!(now, sent + passed, "{name}: a refused request was sent");
            gate.open();
            if let Some(open) = open {
                assert_eq!(open.await.unwrap().status(), 200);
                // Whoever has the last byte may ask again at once, before the thread that wrote it goes on.
                let again = world.gateway.send(&request(first, false)).await;
                assert_eq!(again.status(), 200, "{}", again.text());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_stream_count_as_the_vendor_told_them_once_it_has_ended() {
    let world = World::new().await;
    let management = world.management();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        for (limit, word) in [
            ("tpm", "rate_limit_exceeded"),
            ("tpd", "insufficient_quota"),
        ] {
            // Enough for two such streams, to the token, and for what a third one would count as to begin with.
            let mut body: Value = serde_json::from_slice(&endpoint.body(true)).unwrap();
            let cap = match endpoint.operation {
                "chat-completions" => "max_completion_tokens",
                "responses" => "max_output_tokens",
                _ => "max_tokens",
            };
            body[cap] = json!(20);
            let body = body.to_string();
            let held = crate::money::input_estimate(body.as_bytes()) + 20;
            let used = crate::money::tokens(endpoint.tokens);
            for (room, passes) in [(2 * used + held, 3), (2 * used + held - 1, 2)] {
                let name = format!("{}-{limit}-{room}", endpoint.operation);
                let boundaries = json!({ "limits": { limit: room } });
                management.account("root/research", &name, boundaries).await;
                let key = management.key(&format!("root/research/{name}")).await;
                world.gateway.keep_secret(&key.secret);
                let request = Request::post(endpoint.path, body.clone()).bearer(&key.secret);
                for number in 1..=passes {
                    let reply = world.gateway.send(&request).await;
                    assert_eq!(reply.status(), 200, "{name}, {number}: {}", reply.text());
                }
                if passes == 2 {
                    let reply = world.gateway.send(&request).await;
                    let row = (limit, word, "rate_limit_error");
                    endpoint.assert_error(&reply, 429, self::word(endpoint, &row));
                }
            }
        }
    }
}

/// What the simulator would answer by itself.
fn answer(endpoint: &Endpoint) -> Vec<u8> {
    tollgate_tests::places::fixture(&format!("answers/{}.json", endpoint.operation))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_one_model_does_not_bind_another() {
    let world = World::new().await;
    world
        .management()
        .change(ALICE, json!({ "model_limits": { "gpt-*": { "rpm": 1 } } }))
        .await;
    let (gpt, claude) = (Endpoint::of("chat-completions"), Endpoint::of("messages"));
    assert_eq!(world.ask(gpt, false).await.status(), 200);
    assert_eq!(world.ask(gpt, false).await.status(), 429);
    assert_eq!(world.ask(claude, false).await.status(), 200);
    let rows = world.management().wait_for_rows(3).await;
    let refused: Vec<_> = rows.iter().filter(|row| row.status() == 429).collect();
    assert_eq!(refused[0].text("limited_by"), format!("rpm[gpt-*]@{ALICE}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_providers_endpoints_and_networks_restrict_every_endpoint() {
    let world = World::new().await;
    let refuse = |boundary: Value| {
        let world = &world;
        async move {
            world.management().change(ALICE, boundary.clone()).await;
            let mut replies = Vec::new();
            for endpoint in &ENDPOINTS {
                replies.push((endpoint, world.ask(endpoint, false).await));
            }
            let unset: serde_json::Map<String, Value> = boundary
                .as_object()
                .unwrap()
                .keys()
                .map(|name| (name.clone(), Value::Null))
                .collect();
            world.management().change(ALICE, unset.into()).await;
            replies
        }
    };
    let not_found = |endpoint: &Endpoint, reply: &Reply| {
        let word = if endpoint.anthropic {
            "not_found_error"
        } else {
            "model_not_found"
        };
        endpoint.assert_error(reply, 404, word);
    };
    for boundary in [
        json!({ "models": [] }),
        json!({ "models": ["other-*"] }),
        json!({ "denied_models": ["*-simulated"] }),
        json!({ "providers": [] }),
    ] {
        for (endpoint, reply) in refuse(boundary).await {
            not_found(endpoint, &reply);
        }
    }
    let forbidden = |endpoint: &Endpoint, reply: &Reply| {
        endpoint.assert_error(reply, 403, "permission_error");
    };
    for boundary in [
        json!({ "endpoints": [] }),
        json!({ "cidrs": ["192.0.2.0/24"] }),
        json!({ "cidrs": [] }),
    ] {
        for (endpoint, reply) in refuse(boundary).await {
            forbidden(endpoint, &reply);
        }
    }
    // One of each passes, the others do not; and what was unset restricts nobody any more.
    for (endpoint, reply) in refuse(json!({ "models": [CLAUDE] })).await {
        assert_eq!(
            reply.status() == 200,
            endpoint.model == CLAUDE,
            "{}",
            reply.text()
        );
    }
    for (endpoint, reply) in refuse(json!({ "providers": ["openai"] })).await {
        assert_eq!(
            reply.status() == 200,
            endpoint.upstream == "openai",
            "{}",
            reply.text()
        );
    }
    for (endpoint, reply) in refuse(json!({ "endpoints": ["embeddings"] })).await {
        assert_eq!(
            reply.status() == 200,
            endpoint.model == EMBED,
            "{}",
            reply.text()
        );
    }
    for (_, reply) in refuse(json!({ "cidrs": ["127.0.0.0/8"] })).await {
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_trusted_proxy_the_clients_own_address_counts() {
    let setup =
        Setup::new(&["openai", "anthropic"]).set("server", "trusted_proxies", "[\"127.0.0.0/8\"]");
    let world = World::with(setup).await;
    world
        .management()
        .change(ALICE, json!({ "cidrs": ["198.51.100.0/24"] }))
        .await;
    let endpoint = Endpoint::of("messages");
    let from = |forwarded: &str| {
        world
            .request(endpoint.path, endpoint.body(false))
            .header("x-forwarded-for", forwarded)
    };
    assert_eq!(
        world.gateway.send(&from("198.51.100.7")).await.status(),
        200
    );
    assert_eq!(world.gateway.send(&from("203.0.113.7")).await.status(), 403);
    // The client wrote the first one.
    assert_eq!(
        world
            .gateway
            .send(&from("198.51.100.7, 203.0.113.7"))
            .await
            .status(),
        403
    );
    assert_eq!(
        world.ask(endpoint, false).await.status(),
        403,
        "the proxy itself is not within"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapped_model_is_served_recorded_and_listed_and_is_no_way_round_a_list() {
    let world = World::new().await;
    let management = world.management();
    management
        .change(
            "root/research",
            json!({ "model_map": { "fast": GPT, "claude-*": GPT } }),
        )
        .await;
    let endpoint = Endpoint::of("chat-completions");
    for asked in ["fast", "claude-anything"] {
        let reply = world
            .post(endpoint.path, endpoint.body_for(asked, false))
            .await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let received = world.simulator.received();
        assert_eq!(received.last().unwrap().json()["model"], GPT);
        let row = management
            .row_of(reply.header("x-request-id").unwrap())
            .await;
        assert_eq!(row.text("requested_model"), asked);
        assert_eq!(row.text("mapped_model"), GPT);
        assert_eq!(row.text("upstream_model"), GPT);
    }
    let list = world
        .gateway
        .send(&Request::get("/v1/models").bearer(&world.key.secret))
        .await;
    let names: Vec<String> = list.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|card| card["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(names.contains(&"fast".to_owned()), "{names:?}");
    // What it is mapped to must be allowed above, what is asked for below.
    management
        .change("root", json!({ "denied_models": [GPT] }))
        .await;
    let reply = world
        .post(endpoint.path, endpoint.body_for("fast", false))
        .await;
    endpoint.assert_error(&reply, 404, "model_not_found");
    management
        .change("root", json!({ "denied_models": null }))
        .await;
    management
        .change(ALICE, json!({ "denied_models": ["fast"] }))
        .await;
    let reply = world
        .post(endpoint.path, endpoint.body_for("fast", false))
        .await;
    endpoint.assert_error(&reply, 404, "model_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_cap_reaches_the_vendor_in_the_dialects_own_member() {
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "output_cap": 100 }))
        .await;
    world
        .management()
        .change(ALICE, json!({ "output_cap": 4000 }))
        .await;
    for (operation, member) in [
        ("chat-completions", "max_completion_tokens"),
        ("responses", "max_output_tokens"),
        ("messages", "max_tokens"),
    ] {
        let endpoint = Endpoint::of(operation);
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
        let sent = world.simulator.received();
        assert_eq!(sent.last().unwrap().json()[member], 100, "{operation}");
        // A client that asks for less gets less.
        let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
        body[member] = json!(7);
        assert_eq!(
            world.post(endpoint.path, body.to_string()).await.status(),
            200
        );
        let sent = world.simulator.received();
        assert_eq!(sent.last().unwrap().json()[member], 7, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_spelling_of_a_model_is_no_way_round_a_list_or_a_limit() {
    let world = World::new().await;
    let management = world.management();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.counts()) {
        let spelled = format!("{}/{}", endpoint.upstream, endpoint.model);
        let account = format!("root/research/{}", endpoint.operation);
        management
            .account("root/research", endpoint.operation, json!({}))
            .await;
        let key = management.key(&account).await;
        world.gateway.keep_secret(&key.secret);
        let ask = |model: &str| {
            let body = endpoint.body_for(model, false);
            let request = Request::post(endpoint.path, body).bearer(&key.secret);
            let world = &world;
            async move { world.gateway.send(&request).await }
        };
        assert_eq!(ask(&spelled).await.status(), 200, "{spelled}");
        management
            .change(&account, json!({ "denied_models": [endpoint.model] }))
            .await;
        for name in [endpoint.model, &spelled] {
            assert_eq!(ask(name).await.status(), 404, "{name}");
        }
        // Nothing is counted under another spelling: a limit on one would limit nothing.
        let limits = json!({ "model_limits": { &*spelled: { "rph": 3 } } });
        let path = format!("/api/accounts/{account}");
        let (status, told) = management.call("PATCH", &path, Some(&limits)).await;
        assert_eq!(status, 400, "{spelled}: {told}");
        let told = told.to_string();
        assert!(
            told.contains(&spelled) && told.contains("is counted as"),
            "{told}"
        );
        let limits =
            json!({ "denied_models": null, "model_limits": { endpoint.model: { "rph": 3 } } });
        management.change(&account, limits).await;
        for name in [endpoint.model, &spelled, &spelled] {
            assert_eq!(ask(name).await.status(), 200, "{name}");
        }
        for name in [endpoint.model, &spelled] {
            assert_eq!(ask(name).await.status(), 429, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_mean_nothing_are_refused_where_they_are_set() {
    let world = World::new().await;
    let management = world.management();
    management
        .change(
            "root/research",
            json!({ "model_map": { "fast": GPT, "old-*": GPT } }),
        )
        .await;
    let limit = json!({ "rpm": 3 });
    for (boundary, field) in [
        (json!({ "endpoints": ["mesages"] }), "endpoints"),
        (json!({ "endpoints": ["messages", "*"] }), "endpoints"),
        (json!({ "providers": ["opanai"] }), "providers"),
        // A model is judged by its own name: another spelling would allow or deny nothing.
        (json!({ "models": [format!("openai/{GPT}")] }), "models"),
        (
            json!({ "denied_models": [format!("openai/{GPT}")] }),
            "denied_models",
        ),
        // Requests are counted as the model that serves them.
        (json!({ "model_limits": { "fast": limit } }), "model_limits"),
        (
            json!({ "model_limits": { "old-one": limit } }),
            "model_limits",
        ),
    ] {
        let change = Some(&boundary);
        let path = format!("/api/accounts/{ALICE}");
        let (status, told) = management.call("PATCH", &path, change).await;
        let what = format!("{boundary}: {told}");
        assert_eq!(
            (status, &told["error"]["field"]),
            (400, &json!(field)),
            "{what}"
        );
        if ["model_limits", "denied_models"].contains(&field) {
            continue;
        }
        let key = json!({ "account": ALICE, "scope": boundary });
        let (status, told) = management.call("POST", "/api/keys", Some(&key)).await;
        let field = json!(format!("scope.{field}"));
        assert_eq!((status, &told["error"]["field"]), (400, &field), "{what}");
    }
    // And nothing of it has come to be.
    for endpoint in &ENDPOINTS {
        let reply = world.ask(endpoint, endpoint.streams).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
    }
}

/// A limit that means nothing is either a typing error or one that somebody else's change has taken the meaning from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_counts_nothing_any_more_is_told_where_limits_are_shown_and_of_the_whole_tree()
{
    let world = World::new().await;
    let management = world.management();
    let limit = |models: &str| json!({ "model_limits": { models: { "rpm": 100 } } });
    let idle = async |account: &str| {
        let (_, shown) = management
            .call("GET", &format!("/api/limits/{account}"), None)
            .await;
        let limits = shown["effective"].as_array().unwrap().iter();
        let mut limits = limits.filter(|limit| limit["models"].is_string());
        limits.next().unwrap()["idle"].clone()
    };
    let notes = async || {
        let (_, status) = management.call("GET", "/api/status", None).await;
        status["notes"].clone()
    };
    management.change("root/research", limit(GPT)).await;
    assert_eq!(idle(ALICE).await, Value::Null);
    assert_eq!(notes().await, json!([]));

    // Whose map it is, the account's own or one above it, what is asked for is counted as what is served.
    let map = json!({ "model_map": { GPT: CLAUDE } });
    management.change("root/research", map).await;
    let why = format!("`{GPT}` is served and counted as `{CLAUDE}`");
    assert_eq!(idle(ALICE).await, json!(why));
    let told = json!([{
        "what": "account root/research",
        "why": format!("its limit for `{GPT}` limits nothing: {why}"),
    }]);
    assert_eq!(notes().await, told);
    // It counts again where something else is served as that model.
    let map = json!({ "model_map": { GPT: CLAUDE, "fast": GPT } });
    management.change("root/research", map).await;
    assert_eq!(idle(ALICE).await, Value::Null);
    assert_eq!(notes().await, json!([]));
    let nothing = json!({ "model_map": null, "model_limits": null });
    management.change("root/research", nothing).await;

    // What a pattern matches is counted under the names that a map makes of it.
    let map =
        json!({ "model_map": { "gpt-*": CLAUDE }, "model_limits": { "gpt-*": { "rpm": 9 } } });
    management.change(ALICE, map).await;
    let why = idle(ALICE).await;
    assert!(why.as_str().unwrap().contains("by a model map"), "{why}");
    assert_eq!(notes().await.as_array().unwrap().len(), 1);
    let nothing = json!({ "model_map": null, "model_limits": null });
    management.change(ALICE, nothing).await;
    // A map to a model that there is not, an allowed one, and one of a key.
    let lists = json!({ "model_map": { "fast": "gtp" }, "models": ["cloude-*", "fast"] });
    management.change(ALICE, lists).await;
    let key = json!({ "account": ALICE, "scope": { "models": ["gtp-*", GPT] } });
    let (_, key) = management.call("POST", "/api/keys", Some(&key)).await;
    let told = notes().await.to_string();
    for said in ["cloude-*", "leads nowhere", "its scope has `gtp-*`"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert_eq!(notes().await.as_array().unwrap().len(), 3, "{told}");
    let revoke = format!("/api/keys/{}", key["id"].as_str().unwrap());
    management.call("DELETE", &revoke, None).await;
    let nothing = json!({ "model_map": null, "models": null });
    management.change(ALICE, nothing).await;
    assert_eq!(notes().await, json!([]));

    for models in ["gpt-simulatde", "gtp-*"] {
        management.change(ALICE, limit(models)).await;
        let why = idle(ALICE).await;
        let why = why.as_str().unwrap();
        assert!(why.contains("served") && why.contains(models), "{why}");
        let nothing = json!({ "model_limits": null, "denied_models": [models, GPT, "gpt-*"] });
        management.change(ALICE, nothing).await;
        let told = notes().await;
        assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
        assert!(told[0]["why"].as_str().unwrap().contains(models), "{told}");
        let nothing = json!({ "denied_models": null });
        management.change(ALICE, nothing).await;
    }
}
