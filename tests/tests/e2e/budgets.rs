//! Budgets of money: kept to the micro-unit under concurrency, by output caps that the vendor is told, or softly.

use serde_json::{Value, json};
use tollgate_tests::crowd::{self, THOUSAND};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint, GPT};
use tollgate_tests::guests::{self, Deed};
use tollgate_tests::simulator::{Answer, Gate, Part, Tokens};
use tollgate_tests::wire::{Reply, Request};
use tollgate_tests::world::{ALICE, World};

use crate::misbehaving_guests;

/// What the tests' small requests cost at most for each token of output, and what is left for their input. Micro-units.
const OUTPUT: u64 = 15;

fn cap_member(operation: &str) -> Option<&'static str> {
    match operation {
        "chat-completions" => Some("max_completion_tokens"),
        "responses" | "compact" => Some("max_output_tokens"),
        "messages" => Some("max_tokens"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_money_is_limited_the_vendor_is_told_the_output_cap_that_was_held_for() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let Some(member) = cap_member(endpoint.operation) else {
            continue;
        };
        // Without a budget the body goes through as it is.
        let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
        if endpoint.operation != "messages" {
            assert_eq!(
                world.post(endpoint.path, body.to_string()).await.status(),
                200
            );
            let sent = world.simulator.received();
            assert!(sent.last().unwrap().json().get(member).is_none());
        }
        world
            .management()
            .change(
                "root",
                json!({ "limits": { "monthly_limit": 900_000_000 } }),
            )
            .await;
        let reply = world.post(endpoint.path, body.to_string()).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let told = world.simulator.received().last().unwrap().json()[member]
            .as_u64()
            .unwrap();
        let row = world
            .management()
            .row_of(reply.header("x-request-id").unwrap())
            .await;
        let hold = row.0["hold"].as_u64().unwrap();
        assert!(
            hold >= told * OUTPUT && hold < told * OUTPUT + 1_000,
            "{hold} for {told}"
        );
        // What a client asks for is held for and left alone.
        body[member] = json!(777);
        let reply = world.post(endpoint.path, body.to_string()).await;
        let told = world.simulator.received().last().unwrap().json();
        assert_eq!(told[member], 777);
        let row = world
            .management()
            .row_of(reply.header("x-request-id").unwrap())
            .await;
        assert!(row.0["hold"].as_u64().unwrap() >= 777 * OUTPUT);
        world
            .management()
            .change("root", json!({ "limits": { "monthly_limit": null } }))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_cap_on_a_small_budget_is_lowered_to_half_of_what_is_left_rather_than_refused() {
    let world = World::new().await;
    // Room for 4,000 tokens of output and their input, while agents ask for 32,000.
    let limit = 4_000 * OUTPUT + 2_000;
    world
        .management()
        .change(
            "root/research",
            json!({ "limits": { "daily_limit": limit } }),
        )
        .await;
    let endpoint = Endpoint::of("messages");
    let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
    body["max_tokens"] = json!(32_000);
    let reply = world.post(endpoint.path, body.to_string()).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let told = world.simulator.received().last().unwrap().json()["max_tokens"]
        .as_u64()
        .unwrap();
    assert!((1_900..=2_060).contains(&told), "{told}");
    // Less than the thinking needs would be refused by the vendor: then it is refused here.
    body["thinking"] = json!({ "type": "enabled", "budget_tokens": 30_000 });
    let reply = world.post(endpoint.path, body.to_string()).await;
    endpoint.assert_error(&reply, 400, "invalid_request_error");
    // What the whole budget would have been enough for is refused until the day ends.
    for _ in 0..4 {
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
    }
    body["thinking"] = json!({ "type": "enabled", "budget_tokens": 4_060 });
    let reply = world.post(endpoint.path, body.to_string()).await;
    let error = endpoint.assert_error(&reply, 429, "rate_limit_error");
    assert!(error.to_string().contains("daily"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_reach_a_limit_and_never_pass_it_on_any_account_of_the_path() {
    const LIMIT: u64 = 400;
    crowd::open_files();
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "limits": { "rpd": LIMIT } }))
        .await;
    // Four people share it; none of them has a limit.
    let mut keys = vec![world.key.secret.clone()];
    for name in ["bob", "carol", "dave"] {
        world
            .management()
            .account("root/research", name, json!({}))
            .await;
        let key = world
            .management()
            .key(&format!("root/research/{name}"))
            .await;
        world.gateway.keep_secret(&key.secret);
        keys.push(key.secret);
    }
    let endpoint = Endpoint::of("chat-completions");
    let all = (0..THOUSAND).map(|number| {
        Request::post(endpoint.path, endpoint.body(number % 3 == 0)).bearer(&keys[number % 4])
    });
    let statuses = crowd::statuses(world.gateway.address(), all).await;
    let passed = statuses.iter().filter(|status| **status == 200).count() as u64;
    assert!(
        statuses.iter().all(|status| [200, 429].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(passed, LIMIT, "of a thousand");
    assert_eq!(world.simulator.received().len() as u64, LIMIT);
    let account = world.management().get("/api/accounts/root/research").await;
    assert!(account["effective"]["spent_today"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_on_a_budget_never_charge_more_than_it_and_leave_less_than_one_request() {
    crowd::open_files();
    let world = World::new().await;
    let limit = 60_000;
    world
        .management()
        .change(
            "root/research",
            json!({ "limits": { "monthly_limit": limit } }),
        )
        .await;
    let endpoint = Endpoint::of("messages");
    let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
    body["max_tokens"] = json!(200);
    let request = world.request(endpoint.path, body.to_string());
    let mut ended = false;
    // All at once, then as long as there is something left.
    for wave in std::iter::once(THOUSAND).chain([32; 40]) {
        let all = std::iter::repeat_n(request.clone(), wave);
        let statuses = crowd::statuses(world.gateway.address(), all).await;
        assert!(
            statuses.iter().all(|status| [200, 429].contains(status)),
            "{statuses:?}"
        );
        ended = !statuses.contains(&200);
        if ended {
            break;
        }
    }
    assert!(ended, "the budget never ends");
    let account = world.management().get("/api/accounts/root/research").await;
    let charged = account["effective"]["spent_month"].as_u64().unwrap();
    let rows = world.management().rows_that_charge(charged).await;
    let hold = rows
        .iter()
        .map(|row| row.0["hold"].as_u64().unwrap())
        .max()
        .unwrap();
    assert!(charged <= limit, "{charged} of {limit}");
    assert!(
        charged + hold > limit,
        "{charged} of {limit}, and one request holds {hold}"
    );
    let error = endpoint.assert_error(
        &world.post(endpoint.path, body.to_string()).await,
        429,
        "rate_limit_error",
    );
    assert!(
        error["message"].as_str().unwrap().contains("monthly"),
        "{error}"
    );
}

/// What each event of a long stream says, tokens.
const EVENT: u64 = 250;

/// The events of a stream whose text grows for longer than a small budget pays for, and its end.
fn long_stream() -> (Vec<Part>, Part) {
    let delta = |text: &str| {
        let delta = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-simulated",
            "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] });
        Part::Bytes(format!("data: {delta}\n\n").into_bytes())
    };
    let events = vec![delta(&"four".repeat(250)); 40];
    let end = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-simulated",
        "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 10_000, "total_tokens": 10_010 } });
    let end = Part::Bytes(format!("data: {end}\n\ndata: [DONE]\n\n").into_bytes());
    (events, end)
}

/// Reads a stream of which each event waits for the one before it to have arrived, so that the gateway looks at each.
async fn read_event_by_event(world: &World, request: &Request) -> Reply {
    let (events, end) = long_stream();
    let gates: Vec<Gate> = events.iter().map(|_| Gate::default()).collect();
    let waits = gates.iter().map(|gate| Part::Wait(gate.clone()));
    let mut parts: Vec<Part> = events
        .into_iter()
        .zip(waits)
        .flat_map(<[Part; 2]>::from)
        .collect();
    parts.push(end);
    world.simulator.script(Answer::stream(parts));
    let mut connection = world.gateway.connect().await;
    let head = connection.send(request).await.unwrap();
    let (mut body, mut complete) = (Vec::new(), false);
    let mut passed = 0;
    while let Ok(piece) = connection.piece().await {
        let Some(piece) = piece else {
            complete = true;
            break;
        };
        body.extend(piece);
        let arrived = body.windows(2).filter(|two| two == b"\n\n").count();
        for gate in gates.iter().take(arrived).skip(passed) {
            gate.open();
        }
        passed = arrived;
    }
    Reply {
        head,
        body,
        complete,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_budget_extends_the_hold_of_a_long_stream_and_ends_it_only_where_the_account_says_so()
 {
    let world = World::new().await;
    let endpoint = Endpoint::of("chat-completions");
    for (on_exhaust, cut) in [("finish", false), ("cut", true)] {
        let name = format!("soft-{on_exhaust}");
        // A slice of 500 tokens at a time, and money for about 4,000.
        let (slice, limit) = (500, 4_000 * OUTPUT);
        let boundaries = json!({ "budget_mode": "soft", "on_exhaust": on_exhaust, "default_output": slice,
            "limits": { "daily_limit": limit } });
        world
            .management()
            .account("root/research", &name, boundaries)
            .await;
        let key = world
            .management()
            .key(&format!("root/research/{name}"))
            .await;
        world.gateway.keep_secret(&key.secret);
        let request = Request::post(endpoint.path, endpoint.body(true)).bearer(&key.secret);
        let reply = read_event_by_event(&world, &request).await;
        assert_eq!(reply.status(), 200);
        assert!(reply.complete);
        assert!(
            world
                .simulator
                .received()
                .last()
                .unwrap()
                .json()
                .get("max_completion_tokens")
                .is_none()
        );
        let row = world
            .management()
            .row_of(reply.header("x-request-id").unwrap())
            .await;
        let (hold, charged) = (row.0["hold"].as_u64().unwrap(), row.charged());
        // It began with 500 tokens and was extended as far as the budget goes.
        assert!(
            hold <= limit && hold + slice * OUTPUT > limit,
            "{hold} of {limit}"
        );
        let text = reply.text();
        if cut {
            assert!(
                text.contains("insufficient_quota") && !text.contains("[DONE]"),
                "{}",
                &text[text.len() - 400..]
            );
            assert_eq!(row.text("error"), "budget-exhausted");
            // It ends where what is held is used up: with the event that used it up, and no later.
            assert!(charged <= hold + EVENT * OUTPUT, "{charged} of {hold}");
            assert!(charged + slice * OUTPUT > limit, "{charged} of {limit}");
        } else {
            assert!(text.ends_with("data: [DONE]\n\n"));
            let told = Tokens {
                input: 10,
                output: 10_000,
                ..Tokens::default()
            };
            assert_eq!(charged, crate::money::cost(told));
        }
        if !cut {
            // What running answers cost can exceed a soft budget; nothing new is sent then.
            assert_eq!(world.gateway.send(&request).await.status(), 429);
        }
    }
}

/// The vendor was told a cap and money is held for all of it, so nothing is extended: of limits of tokens it counts 4,096 when
/// it is let in, and more while it comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_counts_against_limits_of_tokens_while_it_comes() {
    let world = World::new().await;
    let endpoint = Endpoint::of("chat-completions");
    // Room for the beginning of one long answer and for small ones beside it.
    let boundaries = json!({ "limits": { "daily_limit": 900_000_000, "tpm": 8_000 } });
    let management = world.management();
    management
        .account("root/research", "long", boundaries)
        .await;
    let key = management.key("root/research/long").await;
    world.gateway.keep_secret(&key.secret);
    let capped = |stream: bool, cap: u64| {
        let mut body: Value = serde_json::from_slice(&endpoint.body(stream)).unwrap();
        body["max_completion_tokens"] = json!(cap);
        Request::post(endpoint.path, body.to_string()).bearer(&key.secret)
    };

    let (events, end) = long_stream();
    let (begun, told) = (Gate::default(), Gate::default());
    let all = events.len();
    let mut parts = events;
    parts.insert(1, Part::Wait(begun.clone()));
    parts.extend([Part::Wait(told.clone()), end]);
    world.simulator.script(Answer::stream(parts));
    let mut connection = world.gateway.connect().await;
    let head = connection.send(&capped(true, 16_000)).await.unwrap();
    assert_eq!(head.status, 200);
    let small = capped(false, 20);
    assert_eq!(world.gateway.send(&small).await.status(), 200);

    begun.open();
    let mut body = Vec::new();
    while body.windows(2).filter(|two| two == b"\n\n").count() < all {
        body.extend(connection.piece().await.unwrap().unwrap());
    }
    // 10,000 tokens have come, and it has not ended.
    let refused = world.gateway.send(&small).await;
    let error = endpoint.assert_error(&refused, 429, "rate_limit_exceeded");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("tokens per minute"),
        "{error}"
    );
    told.open();
    while connection.piece().await.unwrap().is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_factor_is_charged_and_written_beside_the_cost() {
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "price_factor": 1_500_000 }))
        .await;
    // Less than the parent's is stored and not enforced.
    world
        .management()
        .change(ALICE, json!({ "price_factor": 1_000 }))
        .await;
    for endpoint in &ENDPOINTS {
        let reply = world.ask(endpoint, endpoint.streams).await;
        let row = world
            .management()
            .row_of(reply.header("x-request-id").unwrap())
            .await;
        let cost = crate::money::cost(endpoint.tokens);
        assert_eq!(row.0["base_cost"].as_u64().unwrap(), cost, "{}", row.0);
        // Rounded once, from the exact cost: at most half a unit from the product of the rounded one.
        assert!(row.charged().abs_diff(cost * 3 / 2) <= 1, "{}", row.0);
        assert_eq!(row.0["factor"], 1_500_000, "{}", row.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_held_for_in_full_is_never_cut() {
    let world = World::new().await;
    let endpoint = Endpoint::of("chat-completions");
    // Room for exactly what the stream of 10,000 tokens may cost, and not for a slice more.
    let boundaries =
        json!({ "on_exhaust": "cut", "limits": { "daily_limit": 10_000 * OUTPUT + 1_000 } });
    world.management().change(ALICE, boundaries).await;
    let mut body: Value = serde_json::from_slice(&endpoint.body(true)).unwrap();
    body["max_completion_tokens"] = json!(10_000);
    let request = world.request(endpoint.path, body.to_string());
    let reply = read_event_by_event(&world, &request).await;
    assert_eq!(reply.status(), 200);
    assert!(reply.text().ends_with("data: [DONE]\n\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embeddings_are_held_for_as_densely_as_text_can_be_and_ids_of_tokens_at_one_each() {
    let world = World::new().await;
    let limits = json!({ "limits": { "daily_limit": 90_000_000 } });
    world.management().change(ALICE, limits).await;
    let endpoint = Endpoint::of("embeddings");
    // The dearest input of the tests' models: $6 for a million tokens.
    let (tokens, price) = (10_000, 6);
    for input in [json!(vec![7; tokens]), json!("中".repeat(tokens))] {
        let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
        body["input"] = input;
        let reply = world.post(endpoint.path, body.to_string()).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let row = reply.header("x-request-id").unwrap();
        let row = world.management().row_of(row).await;
        let hold = row.0["hold"].as_u64().unwrap();
        assert!(hold >= tokens as u64 * price, "{hold}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_nobody_waits_for_is_refused_where_money_is_limited() {
    let world = World::new().await;
    let endpoint = Endpoint::of("responses");
    let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
    body["background"] = json!(true);
    assert_eq!(
        world.post(endpoint.path, body.to_string()).await.status(),
        200
    );
    let limits = json!({ "limits": { "daily_limit": 90_000_000 } });
    world.management().change(ALICE, limits).await;
    let reply = world.post(endpoint.path, body.to_string()).await;
    let error = endpoint.assert_error(&reply, 400, "unsupported_parameter");
    assert_eq!(error["param"], "background");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_collected_for_its_client_is_cut_where_the_account_says_so() {
    let world = World::with(misbehaving_guests::setup()).await;
    let endpoint = Endpoint::of("chat-completions");
    // It asks its vendor for a stream whatever its client wants.
    let deed = Deed::Collects("/v1/chat/completions");
    let provider = guests::provider_always("collects", &deed);
    misbehaving_guests::load(&world, "collects", &provider).await;
    misbehaving_guests::register(&world, "collects", "collected", 0).await;
    let (slice, limit) = (500, 4_000 * OUTPUT);
    for on_exhaust in ["finish", "cut"] {
        let boundaries = json!({ "budget_mode": "soft", "on_exhaust": on_exhaust, "default_output": slice,
            "limits": { "daily_limit": limit } });
        let management = world.management();
        management
            .account("root/research", on_exhaust, boundaries)
            .await;
        let key = management.key(&format!("root/research/{on_exhaust}")).await;
        world.gateway.keep_secret(&key.secret);
        let (mut events, end) = long_stream();
        events.push(match on_exhaust {
            "cut" => Part::Hang,
            _ => end,
        });
        world.simulator.script(Answer::stream(events));
        let body = endpoint.body_for("collected", false);
        let request = Request::post(endpoint.path, body).bearer(&key.secret);
        let reply = world.gateway.send(&request).await;
        let id = reply.header("x-request-id").unwrap();
        let row = world.management().row_of(id).await;
        if on_exhaust == "finish" {
            assert_eq!(reply.status(), 200, "{}", reply.text());
            assert_eq!(row.tokens().output, 10_000, "{}", row.0);
            continue;
        }
        endpoint.assert_error(&reply, 429, "insufficient_quota");
        assert_eq!(reply.header("x-should-retry"), Some("false"));
        assert_eq!(row.text("error"), "budget-exhausted");
        assert!(row.estimated(), "{}", row.0);
        // What had come by then is paid for: it used up what was held.
        assert!(row.tokens().output >= slice, "{}", row.0);
        assert!(row.charged() >= slice * OUTPUT, "{}", row.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_amends_a_turn_makes_nothing_cheaper_of_what_its_vendor_keeps() {
    let world = World::with(misbehaving_guests::setup()).await;
    let management = world.management();
    let limits = json!({ "limits": { "daily_limit": 900_000_000 } });
    management.change("root/research", limits).await;
    let endpoint = Endpoint::of("responses");
    let (kept, id) = (50_000, "resp_long");
    let first = json!({
        "id": id, "object": "response", "status": "completed", "model": GPT, "output": [],
        "usage": { "input_tokens": kept, "output_tokens": 10, "total_tokens": kept + 10 },
    });
    world.simulator.script(Answer::json(200, first.to_string()));
    assert_eq!(world.ask(endpoint, false).await.status(), 200);
    let policies: [(&str, Deed); 4] = [
        ("none", Deed::Amends(&[])),
        ("tags", Deed::Amends(&[(3, "team", "blue")])),
        ("sets", Deed::Amends(&[(2, "temperature", "0.5")])),
        ("caps", Deed::Amends(&[(1, "", "")])),
    ];
    for (name, deed) in &policies {
        misbehaving_guests::load(&world, name, &guests::policy(deed)).await;
        management
            .policy("attached", name, "root/research", json!({}))
            .await;
        for stream in [false, true] {
            let body = json!({ "model": GPT, "input": "and then?", "stream": stream,
                "previous_response_id": id, "max_output_tokens": 100 });
            let reply = world.post(endpoint.path, body.to_string()).await;
            assert_eq!(reply.status(), 200, "{name}: {}", reply.text());
            let row = reply.header("x-request-id").unwrap();
            let hold = management.row_of(row).await.0["hold"].as_u64().unwrap();
            // It is input again, at $3 for a million tokens, and held for as densely as text can be.
            assert!(hold > 2 * kept * 3, "{name}: {hold}");
        }
    }
}
