//! Limits over the path: requests a minute, money a day, on every endpoint, exact under concurrency.

use serde_json::{Value, json};
use tollgate_tests::crowd::{self, THOUSAND};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint, GPT};
use tollgate_tests::gateway::Setup;
use tollgate_tests::places::fixture;
use tollgate_tests::simulator::{Answer, Gate, Part};
use tollgate_tests::wire::{Reply, Request};
use tollgate_tests::world::{ALICE, World};

fn number(reply: &Reply, name: &str) -> u64 {
    let value = reply
        .header(name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", reply.head.headers));
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name} is {value:?}"))
}

fn assert_has_no_price(endpoint: &Endpoint, reply: &Reply) {
    let word = match endpoint.anthropic {
        true => "not_found_error",
        false => "model_not_found",
    };
    let error = endpoint.assert_error(reply, 404, word);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("has no price here"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ancestors_rpm_binds_every_endpoint_and_says_how_long_to_wait() {
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "limits": { "rpm": 2 } }))
        .await;
    world
        .management()
        .change(ALICE, json!({ "limits": { "rpm": 1000 } }))
        .await;
    for endpoint in &ENDPOINTS[..2] {
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
    }
    for endpoint in &ENDPOINTS {
        let reply = world.ask(endpoint, endpoint.streams).await;
        let word = if endpoint.anthropic {
            "rate_limit_error"
        } else {
            "rate_limit_exceeded"
        };
        let error = endpoint.assert_error(&reply, 429, word);
        let (seconds, milliseconds) = (
            number(&reply, "retry-after"),
            number(&reply, "retry-after-ms"),
        );
        assert_eq!(
            seconds,
            milliseconds.div_ceil(1000),
            "{:?}",
            reply.head.headers
        );
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert_ne!(reply.header("x-should-retry"), Some("false"));
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("try again in {seconds} s")),
            "{message}"
        );
        assert!(
            !message.contains("research"),
            "the error tells of an ancestor: {message}"
        );
    }
    assert_eq!(world.simulator.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_siblings_limit_is_not_mine_and_a_refusal_costs_nothing() {
    let world = World::new().await;
    world
        .management()
        .account("root/research", "bob", json!({}))
        .await;
    let bob = world.management().key("root/research/bob").await;
    world.gateway.keep_secret(&bob.secret);
    world
        .management()
        .change(ALICE, json!({ "limits": { "rpm": 1 } }))
        .await;
    world
        .management()
        .change("root/research", json!({ "limits": { "rpm": 3 } }))
        .await;
    let endpoint = &ENDPOINTS[0];
    assert_eq!(world.ask(endpoint, false).await.status(), 200);
    // Refused at Alice's own limit: these must not count against the department's three.
    for _ in 0..5 {
        assert_eq!(world.ask(endpoint, false).await.status(), 429);
    }
    let bobs = Request::post(endpoint.path, endpoint.body(false)).bearer(&bob.secret);
    assert_eq!(world.gateway.send(&bobs).await.status(), 200);
    assert_eq!(world.gateway.send(&bobs).await.status(), 200);
    assert_eq!(
        world.gateway.send(&bobs).await.status(),
        429,
        "the department's limit is three in all"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_at_once_exactly_as_many_run_as_concurrency_allows_and_each_gives_its_place_back()
 {
    crowd::open_files();
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "limits": { "concurrency": 23 } }))
        .await;
    let endpoint = Endpoint::of("chat-completions");
    let request = world.request(endpoint.path, endpoint.body(false));
    for round in 0..2 {
        let gate = Gate::default();
        let answer = fixture("answers/chat-completions.json");
        world
            .simulator
            .always(Some(Answer::json(200, answer).after(&gate)));
        let all = std::iter::repeat_n(request.clone(), THOUSAND);
        let mut tasks = crowd::send(world.gateway.address(), all);
        // Whoever is let in waits at the gate: until it opens all others must have been refused.
        let mut statuses = Vec::new();
        while statuses.len() < THOUSAND - 23 {
            statuses.push(tasks.join_next().await.unwrap().unwrap());
        }
        assert!(statuses.iter().all(|status| *status == 429), "{statuses:?}");
        // Those who were let in may still be on their way to the vendor.
        let sent = (round + 1) * 23;
        assert_eq!(world.simulator.wait_for(sent).await.len(), sent);
        gate.open();
        assert!(tasks.join_all().await.iter().all(|status| *status == 200));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_taken_until_the_client_has_the_last_byte_of_a_whole_answer_or_of_a_stream() {
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "limits": { "concurrency": 1 } }))
        .await;
    let endpoint = Endpoint::of("chat-completions");
    // More than any socket takes before its reader reads.
    let text = "all of this is one answer ".repeat(1 << 20);
    let usage = json!({ "prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21 });
    let whole = json!({
        "id": "1", "object": "chat.completion", "created": 1, "model": endpoint.model, "usage": usage,
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": text } }],
    });
    let delta = json!({
        "id": "1", "object": "chat.completion.chunk", "created": 1, "model": endpoint.model, "usage": usage,
        "choices": [{ "index": 0, "finish_reason": "stop", "delta": { "content": text } }],
    });
    let events = format!("data: {delta}\n\ndata: [DONE]\n\n");
    for (stream, answer) in [
        (false, Answer::json(200, whole.to_string())),
        (true, Answer::stream(vec![Part::Bytes(events.into())])),
    ] {
        world.simulator.script(answer);
        let sent = world.simulator.received().len();
        let mut slow = world.gateway.connect().await;
        let request = world.request(endpoint.path, endpoint.body(stream));
        let head = slow.send(&request).await.unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(world.simulator.received().len(), sent + 1);
        if !stream {
            // It is charged before its last byte; it runs until then.
            world
                .management()
                .row_of(head.header("x-request-id").unwrap())
                .await;
        }
        assert_eq!(
            world.ask(endpoint, false).await.status(),
            429,
            "stream: {stream}"
        );
        let (body, complete) = slow.rest().await;
        assert!(complete && body.len() > text.len());
        assert_eq!(world.ask(endpoint, false).await.status(), 200);
    }
    // A client that leaves in the middle gives its place back, too.
    world.simulator.script(Answer::json(200, whole.to_string()));
    let mut slow = world.gateway.connect().await;
    let request = world.request(endpoint.path, endpoint.body(false));
    assert_eq!(slow.send(&request).await.unwrap().status, 200);
    assert_eq!(world.ask(endpoint, false).await.status(), 429);
    drop(slow);
    let began = std::time::Instant::now();
    while world.ask(endpoint, false).await.status() != 200 {
        assert!(
            began.elapsed().as_secs() < 30,
            "the place was not given back"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_at_once_exactly_as_many_pass_as_the_limits_of_two_accounts_of_the_path_say()
{
    crowd::open_files();
    let world = World::new().await;
    let management = world.management();
    management.account("root", "sales", json!({})).await;
    let sales = management.key("root/sales").await;
    world.gateway.keep_secret(&sales.secret);
    // Of an hour: on a busy machine the last of them may come a minute after the first.
    let limit = |requests: usize| json!({ "limits": { "rph": requests } });
    management.change("root", limit(500)).await;
    management.change("root/research", limit(170)).await;
    let endpoint = &ENDPOINTS[0];
    // First one account reaches its own limit, then it and another what they share: none of those that were refused at the
    // first counts there.
    let mut sent = 0;
    for (keys, passes) in [
        (vec![&world.key.secret], 170),
        (vec![&world.key.secret, &sales.secret], 500 - 170),
    ] {
        let all = (0..THOUSAND).map(|number| {
            let key = keys[number % keys.len()];
            Request::post(endpoint.path, endpoint.body(false)).bearer(key)
        });
        let mut statuses = crowd::statuses(world.gateway.address(), all).await;
        statuses.sort_unstable();
        let passed = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!((passed, statuses.len()), (passes, THOUSAND), "{statuses:?}");
        assert!(
            statuses[passes..].iter().all(|status| *status == 429),
            "{statuses:?}"
        );
        sent += passes;
        assert_eq!(world.simulator.received().len(), sent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_exactly_the_time_told_the_next_request_passes() {
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "limits": { "rpm": 1 } }))
        .await;
    let endpoint = &ENDPOINTS[0];
    assert_eq!(world.ask(endpoint, false).await.status(), 200);
    let refused = world.ask(endpoint, false).await;
    assert_eq!(refused.status(), 429);
    let told = number(&refused, "retry-after-ms");
    // By the clock of the gateway: it may be set back while others go on.
    let told_at = std::time::SystemTime::now();
    let pass = async |milliseconds: u64| {
        let end = told_at + std::time::Duration::from_millis(milliseconds);
        while let Ok(left) = end.duration_since(std::time::SystemTime::now()) {
            tokio::time::sleep(left).await;
        }
    };
    // A refused request does not extend the wait.
    pass(told / 2).await;
    let again = world.ask(endpoint, false).await;
    assert_eq!(again.status(), 429);
    assert!(
        number(&again, "retry-after-ms") <= told - told / 2,
        "{:?} after {told}",
        again.head.headers
    );
    pass(told).await;
    let reply = world.ask(endpoint, false).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
}

/// A request whose output the client caps, so that its hold is small. Embeddings have input alone: enough of it that their
/// hold is no smaller.
fn capped(endpoint: &Endpoint) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
    if endpoint.operation == "embeddings" {
        body["input"] = json!("word ".repeat(80));
    }
    let name = match endpoint.operation {
        "chat-completions" => "max_completion_tokens",
        "responses" | "compact" => "max_output_tokens",
        "messages" => "max_tokens",
        _ => return body.to_string().into_bytes(),
    };
    body[name] = json!(20);
    body.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ancestors_money_for_the_day_is_never_overdrawn_and_ends_every_endpoint() {
    let world = World::new().await;
    let limit = 1_500;
    world
        .management()
        .change(
            "root/research",
            json!({ "limits": { "daily_limit": limit } }),
        )
        .await;
    let endpoint = Endpoint::of("chat-completions");
    let request = world.request(endpoint.path, capped(endpoint));
    let all = std::iter::repeat_n(request, 30);
    let statuses = crowd::statuses(world.gateway.address(), all).await;
    assert!(
        statuses.contains(&200) && statuses.contains(&429),
        "{statuses:?}"
    );
    // Then one after the other, until the money is used up.
    let mut refused = false;
    for _ in 0..30 {
        refused = world.post(endpoint.path, capped(endpoint)).await.status() == 429;
        if refused {
            break;
        }
    }
    assert!(refused, "the budget never ends");
    let charged: u64 = world
        .management()
        .rows()
        .await
        .iter()
        .map(|row| row.charged())
        .sum();
    assert!(charged <= limit, "{charged} of {limit} spent");
    assert!(charged > 0);
    for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.counts()) {
        // Another endpoint's request may be smaller: a few may still fit.
        let mut reply = world.post(endpoint.path, capped(endpoint)).await;
        for _ in 0..30 {
            if reply.status() == 429 {
                break;
            }
            reply = world.post(endpoint.path, capped(endpoint)).await;
        }
        let word = match endpoint.operation {
            "responses" | "compact" => "usage_limit_reached",
            "messages" => "rate_limit_error",
            _ => "insufficient_quota",
        };
        let error = endpoint.assert_error(&reply, 429, word);
        assert_eq!(reply.header("x-should-retry"), Some("false"));
        let seconds = number(&reply, "retry-after");
        assert!((1..=86_400).contains(&seconds), "{seconds}");
        if endpoint.operation == "responses" {
            assert_eq!(error["type"], "usage_limit_reached");
            assert!(
                error["resets_at"]
                    .as_u64()
                    .is_some_and(|at| at > 1_700_000_000 && at < 100_000_000_000),
                "{error}"
            );
            assert!(
                error["resets_in_seconds"]
                    .as_u64()
                    .unwrap()
                    .abs_diff(seconds)
                    <= 1,
                "{error}"
            );
        }
        assert!(
            !error.to_string().contains("1500") && !error.to_string().contains("research"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_larger_than_the_whole_limit_is_refused_for_good() {
    let world = World::new().await;
    world
        .management()
        .change("root/research", json!({ "limits": { "daily_limit": 1 } }))
        .await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.counts()) {
        let reply = world.ask(endpoint, endpoint.streams).await;
        // Not 413, of which Claude Code says that there are too many images, and after which Codex tries again five times.
        let word = match endpoint.anthropic {
            true => "invalid_request_error",
            false => "request_too_large",
        };
        let error = endpoint.assert_error(&reply, 400, word);
        assert!(
            error["message"].as_str().unwrap().contains("budget"),
            "{error}"
        );
        assert_eq!(
            reply.header("x-should-retry"),
            Some("false"),
            "{:?}",
            reply.head.headers
        );
    }
    assert!(world.simulator.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_zero_refuses_every_endpoint_by_name_and_for_good() {
    let world = World::new().await;
    let management = world.management();
    for (number, (limit, name)) in [
        ("rpm", "requests per minute"),
        ("rph", "requests per hour"),
        ("rpd", "requests per day"),
        ("concurrency", "requests at a time"),
        ("tpm", "tokens per minute"),
        ("tph", "tokens per hour"),
        ("tpd", "tokens per day"),
        ("daily_limit", "money per day"),
        ("monthly_limit", "money per month"),
    ]
    .into_iter()
    .enumerate()
    {
        let above = format!("none-{number}");
        let none = json!({ "limits": { limit: 0 } });
        management.account("root/research", &above, none).await;
        let above = format!("root/research/{above}");
        management.account(&above, "person", json!({})).await;
        let key = management.key(&format!("{above}/person")).await;
        world.gateway.keep_secret(&key.secret);
        // Counting uses neither tokens nor money.
        let counts_none = number > 3;
        for endpoint in ENDPOINTS
            .iter()
            .filter(|endpoint| !(counts_none && endpoint.counts()))
        {
            let body = endpoint.body(endpoint.streams);
            let request = Request::post(endpoint.path, body).bearer(&key.secret);
            let reply = world.gateway.send(&request).await;
            let word = match endpoint.anthropic {
                true => "rate_limit_error",
                false => "insufficient_quota",
            };
            let error = endpoint.assert_error(&reply, 429, word);
            let message = error["message"].as_str().unwrap();
            // Of a limit further up no figure is told.
            assert!(
                message.contains(name) && !message.contains("zero"),
                "{error}"
            );
            assert_eq!(reply.header("x-should-retry"), Some("false"), "{limit}");
            assert_eq!(reply.header("retry-after"), None, "{limit}");
            let row = management.row_of(reply.header("x-request-id").unwrap());
            let limited_by = row.await.text("limited_by").to_owned();
            assert_eq!(limited_by, format!("{limit}@{above}"));
        }
    }
    assert!(world.simulator.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_without_a_price_is_refused_rather_than_given_away() {
    let world = World::new().await;
    for provider in ["openai", "anthropic"] {
        let mut record = tollgate_tests::world::upstream(&world.simulator, provider, &[]);
        record["models"] = json!([{ "id": format!("priceless-{provider}") }]);
        let name = format!("unpriced-{provider}");
        world.management().upstream(&name, record).await;
        let path = format!("/api/upstreams/{name}");
        let shown = world.management().get(&path).await;
        let unpriced = shown["unpriced_models"].as_array().unwrap();
        let priceless = json!(format!("priceless-{provider}"));
        assert!(unpriced.contains(&priceless), "{shown}");
    }
    for endpoint in &ENDPOINTS {
        let model = format!("priceless-{}", endpoint.upstream);
        let body = endpoint.body_for(&model, endpoint.streams);
        let reply = world.post(endpoint.path, body).await;
        assert_has_no_price(endpoint, &reply);
    }
    assert!(world.simulator.received().is_empty());
    // Nor is it offered.
    let list = Request::get("/v1/models").bearer(&world.key.secret);
    let listed = world.gateway.send(&list).await.text();
    assert!(
        listed.contains(GPT) && !listed.contains("priceless"),
        "{listed}"
    );
}

/// One key's requests of so many tokens of output each, and what each of them counts as when it is let in.
fn of_a_thousand_tokens(endpoint: &Endpoint) -> (Vec<u8>, u64) {
    let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
    body["max_tokens"] = json!(1_000);
    let body = body.to_string().into_bytes();
    let counted = 1_000 + crate::money::input_estimate(&body);
    (body, counted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_at_once_as_many_pass_as_the_tokens_of_two_accounts_of_the_path_are_enough_for()
 {
    crowd::open_files();
    let world = World::new().await;
    let management = world.management();
    management.account("root/research", "bob", json!({})).await;
    let bob = management.key("root/research/bob").await;
    world.gateway.keep_secret(&bob.secret);
    let endpoint = Endpoint::of("messages");
    let (body, counted) = of_a_thousand_tokens(endpoint);
    // One token less than one more request needs. Of an hour: a busy machine may take a minute for all this.
    let room_for = |requests: u64| json!({ "limits": { "tph": (requests + 1) * counted - 1 } });
    management.change("root/research", room_for(50)).await;
    management.change(ALICE, room_for(20)).await;
    let gate = Gate::default();
    let answer = Answer::json(200, fixture("answers/messages.json")).after(&gate);
    world.simulator.always(Some(answer));
    // First Alice alone reaches her own limit, then she and Bob what they share.
    let mut sent = 0;
    for (keys, passes) in [
        (vec![&world.key.secret], 20),
        (vec![&world.key.secret, &bob.secret], 30),
    ] {
        let all = (0..THOUSAND).map(|number| {
            let key = keys[number % keys.len()];
            Request::post(endpoint.path, body.clone()).bearer(key)
        });
        let mut tasks = crowd::send(world.gateway.address(), all);
        // Whoever is let in waits at the gate: nobody's estimate becomes less meanwhile.
        for _ in 0..THOUSAND - passes {
            assert_eq!(tasks.join_next().await.unwrap().unwrap(), 429);
        }
        sent += passes;
        assert_eq!(world.simulator.wait_for(sent).await.len(), sent);
        tasks.detach_all();
    }
    gate.open();
    // Their answers were shorter than what was held for: there is room again, and not for more than there is.
    let rows = || async {
        let rows = management.rows().await;
        rows.into_iter().filter(|row| row.status() == 200).count()
    };
    let began = std::time::Instant::now();
    while rows().await < sent {
        assert!(began.elapsed().as_secs() < 60, "{} of {sent}", rows().await);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let used = 50 * crate::money::tokens(endpoint.tokens);
    let after = Request::post(endpoint.path, body.clone()).bearer(&bob.secret);
    let left = (51 * counted - 1 - used) / counted;
    let hold = Gate::default();
    let answer = Answer::json(200, fixture("answers/messages.json")).after(&hold);
    world.simulator.always(Some(answer));
    let all = std::iter::repeat_n(after, THOUSAND);
    let mut tasks = crowd::send(world.gateway.address(), all);
    for _ in 0..THOUSAND - usize::try_from(left).unwrap() {
        assert_eq!(tasks.join_next().await.unwrap().unwrap(), 429);
    }
    hold.open();
    assert!(tasks.join_all().await.iter().all(|status| *status == 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_in_a_currency_without_a_rate_is_never_charged_at_the_default() {
    let setup = Setup::new(&["openai", "anthropic"]).set(
        "governance",
        "default_price",
        "{ input = 1, output = 1 }",
    );
    let with_rate = setup
        .clone()
        .set("governance", "rates", "{ EUR = 1_100_000 }");
    let mut world = World::with(with_rate).await;
    let mut euros = tollgate_tests::world::price();
    euros["currency"] = json!("EUR");
    for provider in ["openai", "anthropic"] {
        let record = |models: Value, priority: i64| {
            let mut record = tollgate_tests::world::upstream(&world.simulator, provider, &[]);
            record["models"] = models;
            record["priority"] = json!(priority);
            record
        };
        let named = |name: &str| format!("{name}-{provider}");
        let in_euros = json!([
            { "id": named("euros"), "price": euros },
            { "id": named("both"), "price": euros },
            { "id": named("unpriced") },
        ]);
        let dollars = tollgate_tests::world::price();
        let in_dollars = json!([{ "id": named("both"), "price": dollars }]);
        let management = world.management();
        let (first, second) = (named("in-euros"), named("in-dollars"));
        management.upstream(&first, record(in_euros, 1)).await;
        management.upstream(&second, record(in_dollars, 0)).await;
    }
    let ask = async |world: &World, endpoint: &Endpoint, name: &str| {
        let model = format!("{name}-{}", endpoint.upstream);
        let body = endpoint.body_for(&model, endpoint.streams);
        world.post(endpoint.path, body).await
    };
    for endpoint in &ENDPOINTS {
        for name in ["euros", "both", "unpriced"] {
            let reply = ask(&world, endpoint, name).await;
            assert_eq!(reply.status(), 200, "{name}: {}", reply.text());
        }
    }
    world.gateway.terminate();
    assert!(world.gateway.ended().await.success());
    world.gateway.configure(&setup);
    world.gateway.restart().await;
    world.simulator.forget();
    for endpoint in &ENDPOINTS {
        let reply = ask(&world, endpoint, "euros").await;
        assert_has_no_price(endpoint, &reply);
        assert!(world.simulator.received().is_empty());
        // Who has a price that can be charged serves it, though it would be asked later.
        let reply = ask(&world, endpoint, "both").await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let id = reply.header("x-request-id").unwrap();
        let row = world.management().row_of(id).await;
        let upstream = format!("in-dollars-{}", endpoint.upstream);
        assert_eq!(row.text("upstream"), upstream, "{}", row.0);
        let reply = ask(&world, endpoint, "unpriced").await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        world.simulator.forget();
    }
    let shown = world
        .management()
        .get("/api/upstreams/in-euros-openai")
        .await;
    let problem = shown["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("EUR"), "{shown}");
    let unpriced = json!(["both-openai", "euros-openai"]);
    assert_eq!(shown["unpriced_models"], unpriced, "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_that_nobody_priced_is_listed_by_its_own_name_where_its_model_has_a_price() {
    let setup = Setup::new(&["openai", "anthropic"]).set("governance", "currency", "\"EUR\"");
    let with_rate = setup
        .clone()
        .set("governance", "rates", "{ USD = 900_000 }");
    let mut world = World::with(with_rate).await;
    let mut record = tollgate_tests::world::upstream(&world.simulator, "anthropic", &[]);
    let mut euros = tollgate_tests::world::price();
    euros["currency"] = json!("EUR");
    record["models"] = json!([{ "id": "claude-haiku-4-5", "price": euros }]);
    world.management().upstream("own-price", record).await;
    world.gateway.terminate();
    assert!(world.gateway.ended().await.success());
    // From here on the prices of the manifest, which are in dollars, cannot be charged.
    world.gateway.configure(&setup);
    world.gateway.restart().await;
    let shown = world.management().get("/api/upstreams/own-price").await;
    let unpriced = shown["unpriced_models"].as_array().unwrap();
    for (name, listed) in [
        ("claude-haiku-4-5", false),
        ("claude-haiku-4-5-20251001", true),
        // Where neither has a price the model stands for both.
        ("claude-opus-4-5", true),
        ("claude-opus-4-5-20251101", false),
    ] {
        assert_eq!(unpriced.contains(&json!(name)), listed, "{name}: {shown}");
    }
}
