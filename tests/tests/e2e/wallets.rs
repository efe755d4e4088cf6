//! Prepaid credit: without it nothing is sent, what is charged leaves the wallet, and the books always sum to zero.

use serde_json::{Value, json};
use tollgate_tests::crowd::{self, THOUSAND};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::management::Management;
use tollgate_tests::simulator::{Answer, Gate};
use tollgate_tests::world::{ALICE, World};

/// New credit for an account.
async fn grant(management: &Management, account: &str, amount: i64, key: &str) -> Value {
    let body =
        json!({ "account": account, "amount": amount, "from": "treasury", "idempotency_key": key });
    management.done("POST", "/api/grants", Some(&body)).await
}

/// What is in a wallet: available and held.
async fn wallet(management: &Management, account: &str) -> (i64, i64) {
    let wallet = management.get(&format!("/api/wallets/{account}")).await;
    (
        wallet["available"].as_i64().unwrap(),
        wallet["held"].as_i64().unwrap(),
    )
}

async fn assert_balanced(management: &Management) {
    let ledger = management.get("/api/ledger").await;
    assert_eq!(ledger["imbalance"], 0, "{ledger}");
    assert_eq!(ledger["totals"]["uncovered"], 0, "{ledger}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_wallet_ends_every_endpoint_in_its_dialect_and_credit_opens_it_again() {
    let world = World::new().await;
    let management = world.management();
    management
        .change("root/research", json!({ "billing": "prepaid" }))
        .await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.counts()) {
        let reply = world.ask(endpoint, endpoint.streams).await;
        let (status, word) = match endpoint.anthropic {
            true => (402, "billing_error"),
            false => (429, "insufficient_quota"),
        };
        endpoint.assert_error(&reply, status, word);
        assert_eq!(reply.header("x-should-retry"), Some("false"));
        let row = management
            .row_of(reply.header("x-request-id").unwrap())
            .await;
        assert_eq!(row.text("limited_by"), "wallet@root/research");
    }
    assert!(world.simulator.received().is_empty());
    grant(management, "root/research", 10_000_000, "first").await;
    let mut charged = 0;
    for endpoint in &ENDPOINTS {
        let reply = world.ask(endpoint, endpoint.streams).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let row = management
            .row_of(reply.header("x-request-id").unwrap())
            .await;
        charged += i64::try_from(row.charged()).unwrap();
    }
    assert!(charged > 0);
    assert_eq!(
        wallet(management, "root/research").await,
        (10_000_000 - charged, 0)
    );
    assert_eq!(
        management.get("/api/ledger").await["totals"]["consumed"],
        charged
    );
    assert_balanced(management).await;
    // Who is nearer and postpaid pays nothing.
    management
        .change(ALICE, json!({ "billing": "postpaid" }))
        .await;
    assert_eq!(world.ask(&ENDPOINTS[0], false).await.status(), 200);
    assert_eq!(
        wallet(management, "root/research").await,
        (10_000_000 - charged, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_requests_on_a_wallet_never_spend_more_than_is_in_it() {
    crowd::open_files();
    let world = World::new().await;
    let management = world.management();
    management
        .change("root/research", json!({ "billing": "prepaid" }))
        .await;
    let credit = 25_000;
    grant(management, "root/research", credit, "all").await;
    let endpoint = Endpoint::of("messages");
    let mut body: Value = serde_json::from_slice(&endpoint.body(false)).unwrap();
    body["max_tokens"] = json!(150);
    let request = world.request(endpoint.path, body.to_string());
    // All at once, then as long as there is something left.
    for wave in std::iter::once(THOUSAND).chain([24; 40]) {
        let all = std::iter::repeat_n(request.clone(), wave);
        let statuses = crowd::statuses(world.gateway.address(), all).await;
        // 429: what is left is held by others of the wave.
        assert!(
            statuses
                .iter()
                .all(|status| [200, 402, 429].contains(status)),
            "{statuses:?}"
        );
        if statuses.iter().all(|status| *status == 402) {
            break;
        }
    }
    let (available, held) = wallet(management, "root/research").await;
    assert_eq!(held, 0);
    let spent = u64::try_from(credit - available).unwrap();
    management.rows_that_charge(spent).await;
    assert!(
        (0..3_000).contains(&available),
        "{available} is left unspent"
    );
    assert_balanced(management).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credit_is_held_while_a_request_runs_and_comes_back_when_its_client_leaves() {
    let world = World::new().await;
    let management = world.management();
    management
        .change("root/research", json!({ "billing": "prepaid" }))
        .await;
    grant(management, "root/research", 5_000_000, "first").await;
    let endpoint = Endpoint::of("chat-completions");
    let gate = Gate::default();
    world.simulator.script(Answer::json(200, "{}").after(&gate));
    let mut connection = world.gateway.connect().await;
    let request = world.request(endpoint.path, endpoint.body(false));
    connection.write(&request.to_bytes("x")).await.unwrap();
    world.simulator.wait_for(1).await;
    let (available, held) = wallet(management, "root/research").await;
    assert!(held > 0);
    assert_eq!(available + held, 5_000_000);
    drop(connection);
    let rows = management.wait_for_rows(1).await;
    assert_eq!(rows[0].status(), 499);
    let charged = i64::try_from(rows[0].charged()).unwrap();
    assert!(
        charged > 0 && charged < held,
        "its input was sent: {charged}"
    );
    assert_eq!(
        wallet(management, "root/research").await,
        (5_000_000 - charged, 0)
    );
    assert_balanced(management).await;
    gate.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_are_done_once_and_bad_ones_name_the_member_to_blame() {
    let world = World::new().await;
    let management = world.management();
    grant(management, "root", 1_000, "a").await;
    assert_eq!(
        grant(management, "root", 1_000, "a").await["repeated"],
        true
    );
    assert_eq!(wallet(management, "root").await, (1_000, 0));
    let refused = |body: Value| async move {
        let (status, answer) = management.call("POST", "/api/grants", Some(&body)).await;
        (
            status,
            answer["error"]["field"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    for (body, expected) in [
        (
            json!({ "account": "root", "amount": 2_000, "idempotency_key": "a" }),
            (409, "idempotency_key"),
        ),
        (
            json!({ "account": "root", "amount": 0, "idempotency_key": "b" }),
            (400, "amount"),
        ),
        (
            json!({ "account": "root", "amount": -5, "idempotency_key": "b" }),
            (400, "amount"),
        ),
        (
            json!({ "account": "root", "amount": 9_223_372_036_854_775_807_i64, "idempotency_key": "b" }),
            (400, "amount"),
        ),
        (
            json!({ "account": "root", "amount": 5, "idempotency_key": "" }),
            (400, "idempotency_key"),
        ),
        (
            json!({ "account": "root", "amount": 5, "idempotency_key": "b", "expires_ms": 5 }),
            (400, "expires_ms"),
        ),
        // More than the parent has.
        (
            json!({ "account": "root/research", "amount": 1_001, "idempotency_key": "b" }),
            (409, "amount"),
        ),
    ] {
        let (status, field) = refused(body.clone()).await;
        assert_eq!((status, &*field), expected, "{body}");
    }
    let body = json!({ "account": "root/research", "amount": 400, "idempotency_key": "b" });
    management.done("POST", "/api/grants", Some(&body)).await;
    assert_eq!(wallet(management, "root").await, (600, 0));
    assert_eq!(wallet(management, "root/research").await, (400, 0));
    // Deleting with the rest sweeps what is left to the parent.
    management
        .done("DELETE", "/api/accounts/root/research?mode=cascade", None)
        .await;
    let began = std::time::Instant::now();
    while wallet(management, "root").await != (1_000, 0) {
        assert!(
            began.elapsed() < tollgate_tests::wire::PATIENCE,
            "nothing was swept"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_balanced(management).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_of_tokens_costs_nothing_even_when_its_client_leaves() {
    let world = World::new().await;
    let management = world.management();
    management
        .change("root/research", json!({ "billing": "prepaid" }))
        .await;
    grant(management, "root/research", 1_000, "little").await;
    let endpoint = Endpoint::of("count-tokens");
    world.simulator.script(Answer::silence());
    let mut connection = world.gateway.connect().await;
    let body = endpoint.body_with(endpoint.model, false, &"many words ".repeat(4_000));
    connection
        .write(&world.request(endpoint.path, body).to_bytes("x"))
        .await
        .unwrap();
    world.simulator.wait_for(1).await;
    drop(connection);
    let rows = management.wait_for_rows(1).await;
    assert_eq!((rows[0].charged(), rows[0].status()), (0, 499));
    assert_eq!(wallet(management, "root/research").await, (1_000, 0));
    assert_balanced(management).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fee_is_a_share_of_each_charge_and_a_killed_process_takes_the_same() {
    let setup = Setup::new(&["openai", "anthropic"]).set("governance", "fee_ppm", "50000");
    let mut world = World::with(setup).await;
    let credit = 10_000_000;
    let management = world.management();
    management
        .change("root/research", json!({ "billing": "prepaid" }))
        .await;
    grant(management, "root/research", credit, "all").await;
    for endpoint in &ENDPOINTS {
        assert_eq!(world.ask(endpoint, endpoint.streams).await.status(), 200);
    }
    // One that is under way for long enough to be noted, and then the process is killed.
    let gate = Gate::default();
    let endpoint = Endpoint::of("messages");
    let sent = world.simulator.received().len();
    world.simulator.script(Answer::json(200, "{}").after(&gate));
    let request = world.request(endpoint.path, endpoint.body(false));
    let journaled = world.gateway.journaled();
    let mut connection = world.gateway.connect().await;
    connection.write(&request.to_bytes("x")).await.unwrap();
    world.simulator.wait_for(sent + 1).await;
    world.gateway.wait_for_journal(journaled).await;
    world.gateway.kill();
    gate.open();
    world.gateway.restart().await;
    let management = world.management();
    let rows = management.wait_for_rows(ENDPOINTS.len() + 1).await;
    let recovered = rows.iter().filter(|row| row.0["recovered"] == true);
    assert!(recovered.map(|row| row.charged()).sum::<u64>() > 0);
    let charged: u64 = rows.iter().map(|row| row.charged()).sum();
    let fees: u64 = rows.iter().map(|row| row.charged() / 20).sum();
    let totals = management.get("/api/ledger").await["totals"].clone();
    assert!(fees > 0);
    assert_eq!(totals["fees"], fees, "{totals}");
    assert_eq!(totals["consumed"], charged - fees, "{totals}");
    assert_balanced(management).await;
    let left = credit - i64::try_from(charged).unwrap();
    assert_eq!(wallet(management, "root/research").await, (left, 0));
}

/// A figure that no vendor can mean, charged, would empty every wallet and spoil the sums of a year.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_says_of_usage_that_nobody_can_have_is_not_charged() {
    let world = World::new().await;
    let management = world.management();
    management
        .change("root/research", json!({ "billing": "prepaid" }))
        .await;
    grant(management, "root/research", 10_000_000, "first").await;
    let endpoint = Endpoint::of("chat-completions");
    let mut left = 10_000_000;
    for tokens in [9_000_000_000_000_000_000_u64, 100_000_001] {
        let usage =
            json!({ "prompt_tokens": tokens, "completion_tokens": 5, "total_tokens": tokens });
        let message = json!({ "role": "assistant", "content": "hello" });
        let answer = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] });
        world
            .simulator
            .script(Answer::json(200, answer.to_string()));
        let reply = world.ask(endpoint, false).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let id = reply.header("x-request-id").unwrap();
        let row = management.row_of(id).await;
        assert_eq!(row.0["usage"]["estimated"], true, "{}", row.0);
        assert!((1..10_000).contains(&row.charged()), "{}", row.0);
        left -= i64::try_from(row.charged()).unwrap();
        assert_eq!(wallet(management, "root/research").await, (left, 0));
    }
}
