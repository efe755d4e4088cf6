//! Guests that loop, grow, trap or talk nonsense: a clear error where they are asked, nothing anywhere else.

use serde_json::{Value, json};
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::guests::{self, Deed, Place, Rule};
use tollgate_tests::world::{ALICE, World};

use crate::byte_identity::request_id;
use crate::money::cost;

pub(crate) fn setup() -> Setup {
    Setup::new(&["openai", "anthropic"])
        .set("components", "call_timeout_ms", "200")
        .set("components", "max_memory_bytes", "16777216")
}

pub(crate) const BAD: [Deed; 4] = [Deed::Loops, Deed::Allocates, Deed::Traps, Deed::Garbles];

pub(crate) async fn load(world: &World, name: &str, bytes: &[u8]) {
    world.gateway.drop_in(name, bytes);
    world
        .management()
        .wait_for_components(name, |components| {
            let loaded = components["loaded"].as_array().unwrap();
            loaded.iter().any(|component| {
                component["file"]
                    .as_str()
                    .is_some_and(|file| file.contains(name))
            })
        })
        .await;
}

pub(crate) async fn others_are_served(world: &World) {
    for endpoint in &ENDPOINTS {
        let reply = world.ask(endpoint, endpoint.streams).await;
        assert_eq!(reply.status(), 200, "{}: {}", endpoint.path, reply.text());
    }
}

/// Registers an upstream of a guest for a model.
pub(crate) async fn register(world: &World, id: &str, model: &str, priority: i64) {
    let record = json!({
        "provider": id, "base_url": world.simulator.base_url(), "credential": "openai", "priority": priority,
        "models": [tollgate_tests::world::model(model)],
    });
    world.management().upstream(id, record).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_provider_fails_its_attempt_and_the_next_upstream_answers() {
    let world = World::with(setup()).await;
    let endpoint = Endpoint::of("chat-completions");
    for (number, deed) in BAD.iter().enumerate() {
        let (id, model) = (format!("bad-{number}"), format!("shared-{number}"));
        load(&world, &id, &guests::provider(&id, deed)).await;
        register(&world, &id, &model, 10).await;
        let alone = world
            .post(endpoint.path, endpoint.body_for(&model, true))
            .await;
        assert!(
            (500..=504).contains(&alone.status()),
            "{deed:?}: {} {}",
            alone.status(),
            alone.text()
        );
        assert!(alone.json()["error"]["message"].is_string());
        let row = world.management().row_of(&request_id(&alone)).await;
        let told = (row.status(), row.charged());
        assert_eq!(told, (u64::from(alone.status()), 0), "{deed:?}: {}", row.0);
        // With another upstream for the model, its clients notice nothing.
        let record = tollgate_tests::world::upstream(&world.simulator, "openai", &[&model]);
        world
            .management()
            .upstream(&format!("good-{number}"), record)
            .await;
        let reply = world
            .post(endpoint.path, endpoint.body_for(&model, true))
            .await;
        assert_eq!(reply.status(), 200, "{deed:?}: {}", reply.text());
        others_are_served(&world).await;
        assert!(
            world.gateway.log().contains(&id),
            "the log does not name {id}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_its_self_test_is_never_loaded_and_says_why() {
    let world = World::with(setup()).await;
    let places = [Place::Prepare, Place::Describe, Place::Configure];
    let cases = places
        .iter()
        .flat_map(|place| BAD.iter().map(move |deed| (*place, deed)));
    for (number, (place, deed)) in cases.enumerate() {
        let id = format!("hopeless-{number}");
        world
            .gateway
            .drop_in(&id, &guests::provider_at(&id, place, deed));
        let components = world
            .management()
            .wait_for_components(&id, |components| reason(components, &id).is_some())
            .await;
        let why = reason(&components, &id).unwrap();
        assert!(!why.is_empty(), "{place:?} {deed:?}");
        if place == Place::Prepare {
            assert!(why.contains("self-test"), "{deed:?}: {why}");
        }
        let loaded = components["loaded"].as_array().unwrap();
        assert!(
            loaded.iter().all(|component| component["id"] != id),
            "{place:?} {deed:?} serves all the same"
        );
    }
    others_are_served(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_its_provider_cannot_name_is_named_by_its_status() {
    let world = World::with(setup()).await;
    let endpoint = Endpoint::of("chat-completions");
    for (number, deed) in BAD.iter().enumerate() {
        let (id, model) = (format!("mute-{number}"), format!("model-{number}"));
        load(
            &world,
            &id,
            &guests::provider_at(&id, Place::Classify, deed),
        )
        .await;
        register(&world, &id, &model, 10).await;
        let body = endpoint.body_for(&model, false);
        let told = tollgate_tests::simulator::openai_error(400, "bad", "Your own mistake.");
        world.simulator.script(told);
        let reply = world.post(endpoint.path, body.clone()).await;
        assert_eq!(reply.status(), 400, "{deed:?}: {}", reply.text());
        world
            .simulator
            .script(tollgate_tests::simulator::openai_error(500, "x", "y"));
        let reply = world.post(endpoint.path, body).await;
        assert_eq!(reply.status(), 503, "{deed:?}: {}", reply.text());
    }
    others_are_served(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_responder_fails_its_attempt() {
    let world = World::with(setup()).await;
    let endpoint = Endpoint::of("chat-completions");
    for (number, deed) in BAD.iter().enumerate() {
        let (id, model) = (format!("oracle-{number}"), format!("model-{number}"));
        load(&world, &id, &guests::provider_at(&id, Place::Respond, deed)).await;
        register(&world, &id, &model, 10).await;
        let reply = world
            .post(endpoint.path, endpoint.body_for(&model, false))
            .await;
        assert_eq!(reply.status(), 503, "{deed:?}: {}", reply.text());
        assert!(reply.json()["error"]["message"].is_string());
    }
    others_are_served(&world).await;
}

/// Why a file was not loaded.
pub(crate) fn reason(components: &Value, name: &str) -> Option<String> {
    components["failed"].as_array()?.iter().find_map(|failed| {
        let file = failed["file"].as_str()?;
        file.contains(name)
            .then(|| failed["reason"].as_str().unwrap_or_default().to_owned())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_plans_and_edits_are_never_sent() {
    let world = World::with(setup()).await;
    let endpoint = Endpoint::of("chat-completions");
    let plans: [(&str, Deed); 10] = [
        // Well formed, and of no use with this body: a list has no member `x`.
        (
            "does-not-fit",
            Deed::Plans("/v1/chat/completions", &[(0, "/messages/x", "1")]),
        ),
        (
            "value-not-json",
            Deed::Plans("/v1/chat/completions", &[(0, "/a", "{{{")]),
        ),
        (
            "two-values",
            Deed::Plans("/v1/chat/completions", &[(0, "/a", "1,\"b\":2")]),
        ),
        (
            "bad-pointer",
            Deed::Plans("/v1/chat/completions", &[(0, "no-slash", "1")]),
        ),
        (
            "bad-escape",
            Deed::Plans("/v1/chat/completions", &[(0, "/~2", "1")]),
        ),
        (
            "unknown-edit",
            Deed::Plans("/v1/chat/completions", &[(5, "teleport", "{}")]),
        ),
        ("other-host", Deed::Plans("http://evil.invalid/steal", &[])),
        ("other-authority", Deed::Plans("//evil.invalid/steal", &[])),
        (
            "smuggling",
            Deed::Plans("/v1/x HTTP/1.1\r\nx-evil: 1\r\n\r\nGET /", &[]),
        ),
        ("no-slash", Deed::Plans("@evil.invalid/", &[])),
    ];
    for (name, deed) in &plans {
        load(&world, name, &guests::provider(name, deed)).await;
        register(&world, name, name, 0).await;
        world.simulator.forget();
        let reply = world
            .post(endpoint.path, endpoint.body_for(name, true))
            .await;
        println!("{name}: {} {}", reply.status(), reply.text());
        assert!(
            (500..=504).contains(&reply.status()),
            "{name}: {} {}",
            reply.status(),
            reply.text()
        );
        assert!(
            world.simulator.received().is_empty(),
            "{name} was sent: {:?}",
            world.simulator.received()
        );
    }
    others_are_served(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_edits_change_what_they_name_and_nothing_else() {
    let world = World::with(setup()).await;
    let deed = Deed::Plans(
        "/custom/path?x=1",
        &[
            (0, "/added/deep", "{\"n\":1.0}"),
            (1, "/temperature", "0.5"),
            (1, "/top_p", "0.25"),
            (2, "/secret_field", ""),
            (3, "/old", "new"),
        ],
    );
    load(&world, "editor", &guests::provider_always("editor", &deed)).await;
    register(&world, "editor", "edited", 0).await;
    let body = r#"{ "z":1.0e1, "temperature" : 0.30000000000000004,"secret_field":{"a":[1,2]}, "old":"kept", "model":"edited","messages":[{"role":"user","content":"\u00e9"}] , "tail":null}"#;
    world
        .simulator
        .script(tollgate_tests::simulator::Answer::json(
            200,
            tollgate_tests::places::fixture("answers/chat-completions.json"),
        ));
    let reply = world.post("/v1/chat/completions", body).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let received = world.simulator.last();
    assert_eq!(received.target, "/custom/path?x=1");
    let sent = received.text();
    for kept in [
        r#""z":1.0e1"#,
        r#""temperature" : 0.30000000000000004"#,
        r#""content":"\u00e9""#,
        r#""tail":null"#,
    ] {
        assert!(sent.contains(kept), "{kept} is not in {sent}");
    }
    let sent: Value = received.json();
    assert_eq!(sent["added"]["deep"]["n"], 1.0);
    assert_eq!(sent["top_p"], 0.25);
    assert_eq!(sent["new"], "kept");
    assert!(
        sent.get("old").is_none() && sent.get("secret_field").is_none(),
        "{sent}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_policy_fails_closed_naming_itself_and_only_below_its_account() {
    let world = World::with(setup()).await;
    world
        .management()
        .account("root", "others", json!({}))
        .await;
    let other = world.management().key("root/others").await;
    world.gateway.keep_secret(&other.secret);
    let rules = [Rule::Admission, Rule::Content, Rule::Routing];
    let cases = rules
        .iter()
        .flat_map(|rule| BAD.iter().map(move |deed| (*rule, deed)));
    for (number, (rule, deed)) in cases.enumerate() {
        let name = format!("bad-policy-{number}");
        load(&world, &name, &guests::policy_at(rule, deed)).await;
        world
            .management()
            .policy("attached", &name, ALICE, json!({}))
            .await;
        world.simulator.forget();
        for endpoint in &ENDPOINTS {
            let reply = world.ask(endpoint, endpoint.streams).await;
            assert_eq!(
                reply.status(),
                403,
                "{rule:?} {deed:?} on {}: {}",
                endpoint.path,
                reply.text()
            );
            let text = reply.text();
            assert!(
                text.contains(&name) || text.contains("attached"),
                "the policy is not named: {text}"
            );
            assert_eq!(
                reply.json().get("type").is_some_and(|kind| kind == "error"),
                endpoint.anthropic
            );
            let what = format!("{rule:?} {deed:?} on {}", endpoint.path);
            let row = world.management().row_of(&request_id(&reply)).await;
            assert_eq!((row.status(), row.charged()), (403, 0), "{what}: {}", row.0);
            assert!(
                row.0.to_string().contains("policy-failed"),
                "{what}: {}",
                row.0
            );
            assert_eq!(
                row.0["policies"][0]["component"], *name,
                "{what}: {}",
                row.0
            );
        }
        assert!(
            world.simulator.received().is_empty(),
            "{rule:?} {deed:?}: failed open"
        );
        for endpoint in &ENDPOINTS {
            let request = tollgate_tests::wire::Request::post(endpoint.path, endpoint.body(false))
                .bearer(&other.secret);
            assert_eq!(
                world.gateway.send(&request).await.status(),
                200,
                "another account is affected"
            );
        }
        world
            .management()
            .done("DELETE", "/api/policies/attached", None)
            .await;
    }
    others_are_served(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_filter_ends_the_answer_and_lets_nothing_through() {
    let world = World::with(setup()).await;
    for (number, deed) in BAD.iter().enumerate() {
        let name = format!("bad-filter-{number}");
        load(&world, &name, &guests::policy_at(Rule::AnswerContent, deed)).await;
        world
            .management()
            .policy("attached", &name, ALICE, json!({}))
            .await;
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
            let what = format!("{deed:?} on {}", endpoint.path);
            let say = |stream| {
                tollgate_tests::simulator::spoken(endpoint.operation, stream, "the-secret-text")
            };
            world.simulator.script(say(false));
            let whole = world.ask(endpoint, false).await;
            assert_eq!(whole.status(), 403, "{what}: {}", whole.text());
            assert!(
                whole.text().contains("attached"),
                "{what}: {}",
                whole.text()
            );
            assert_eq!(
                whole.json().get("type").is_some_and(|kind| kind == "error"),
                endpoint.anthropic,
                "{what}"
            );
            world.simulator.script(say(true));
            let stream = world.ask(endpoint, true).await;
            assert!(
                stream.text().contains("attached"),
                "{what}: {}",
                stream.text()
            );
            for reply in [whole, stream] {
                assert!(
                    !reply.text().contains("the-secret-text"),
                    "{what}: {}",
                    reply.text()
                );
                // Of several policies it can be told which one it was.
                let row = world.management().row_of(&request_id(&reply)).await;
                assert_eq!(
                    row.0["policies"][0]["component"], *name,
                    "{what}: {}",
                    row.0
                );
            }
        }
        world
            .management()
            .done("DELETE", "/api/policies/attached", None)
            .await;
    }
    others_are_served(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_observer_changes_neither_answer_nor_charge_and_the_log_says_that_it_failed() {
    let world = World::with(setup()).await;
    for (number, deed) in BAD.iter().enumerate() {
        let name = format!("bad-observer-{number}");
        load(&world, &name, &guests::policy_at(Rule::Observation, deed)).await;
        world
            .management()
            .policy("attached", &name, ALICE, json!({}))
            .await;
        for endpoint in &ENDPOINTS {
            let what = format!("{deed:?} on {}", endpoint.path);
            let reply = world.ask(endpoint, endpoint.streams).await;
            assert_eq!(reply.status(), 200, "{what}: {}", reply.text());
            let row = world.management().row_of(&request_id(&reply)).await;
            let told = (row.status(), row.charged());
            assert_eq!(told, (200, cost(endpoint.tokens)), "{what}: {}", row.0);
        }
        // An observer answers nothing, so that it can give no nonsense.
        if !matches!(deed, Deed::Garbles) {
            let log = world.gateway.log();
            let said = |line: &str| line.contains("an observer failed") && line.contains(&name);
            assert!(log.lines().any(said), "the log does not name {name}");
        }
        world
            .management()
            .done("DELETE", "/api/policies/attached", None)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_can_narrow_but_never_widen() {
    let world = World::with(setup()).await;
    world
        .management()
        .change("root/research", json!({ "models": ["gpt-*", "claude-*"] }))
        .await;
    let record = tollgate_tests::world::upstream(&world.simulator, "openai", &["forbidden-model"]);
    world.management().upstream("forbidden", record).await;
    let widening: [(&str, Deed); 5] = [
        ("other-model", Deed::Amends(&[(0, "forbidden-model", "")])),
        (
            "parameter-model",
            Deed::Amends(&[(2, "model", "\"forbidden-model\"")]),
        ),
        ("parameter-stream", Deed::Amends(&[(2, "stream", "true")])),
        ("parameter-content", Deed::Amends(&[(2, "messages", "[]")])),
        ("unknown-kind", Deed::Amends(&[(4, "raise-limit", "{}")])),
    ];
    let endpoint = Endpoint::of("chat-completions");
    for (name, deed) in &widening {
        load(&world, name, &guests::policy(deed)).await;
        world
            .management()
            .policy("attached", name, "root/research", json!({}))
            .await;
        world.simulator.forget();
        let reply = world.ask(endpoint, false).await;
        println!("{name}: {} {}", reply.status(), reply.text());
        assert!(reply.status() >= 400, "{name}: {}", reply.text());
        assert!(world.simulator.received().is_empty(), "{name}");
        world
            .management()
            .done("DELETE", "/api/policies/attached", None)
            .await;
    }
    // A narrowing one works, and leaves its tag on the row.
    load(
        &world,
        "narrow",
        &guests::policy(&Deed::Amends(&[
            (2, "temperature", "0.25"),
            (3, "team", "blue"),
        ])),
    )
    .await;
    world
        .management()
        .policy("attached", "narrow", "root/research", json!({}))
        .await;
    let reply = world.ask(endpoint, false).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert_eq!(world.simulator.last().json()["temperature"], 0.25);
    let row = world
        .management()
        .row_of(&crate::byte_identity::request_id(&reply))
        .await;
    assert_eq!(row.0["tags"]["team"], "blue", "{}", row.0);
    assert_eq!(row.0["policies"][0]["component"], "narrow", "{}", row.0);
}

/// How often a guest was stopped because it looped: each time it held a worker for as long as a call may take.
fn stopped(world: &World) -> usize {
    let log = world.gateway.log();
    log.matches("ran longer than a call may").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_looping_guest_does_not_hold_up_the_others() {
    let world = World::with(setup().set("server", "workers", "2")).await;
    load(&world, "loops", &guests::provider("loops", &Deed::Loops)).await;
    register(&world, "loops", "looping", 0).await;
    let endpoint = Endpoint::of("chat-completions");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (address, request) = (
            world.gateway.address(),
            world.request(endpoint.path, endpoint.body_for("looping", true)),
        );
        tasks.spawn(async move { tollgate_tests::wire::send(address, &request).await.status() });
    }
    for _ in 0..5 {
        others_are_served(&world).await;
    }
    for status in tasks.join_all().await {
        assert!((500..=504).contains(&status), "{status}");
    }
    // Nobody waited for all of them. Counted: a busy machine keeps to no time.
    let stopped = stopped(&world);
    assert!((1..8).contains(&stopped), "{stopped} of 8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_times_out_again_and_again_is_left_alone() {
    // One worker: whoever waits for the guest, everybody waits for.
    let world = World::with(setup().set("server", "workers", "1")).await;
    load(&world, "loops", &guests::provider("loops", &Deed::Loops)).await;
    register(&world, "loops", "looping", 0).await;
    let endpoint = Endpoint::of("chat-completions");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (address, request) = (
            world.gateway.address(),
            world.request(endpoint.path, endpoint.body_for("looping", true)),
        );
        tasks.spawn(async move { tollgate_tests::wire::send(address, &request).await.status() });
    }
    others_are_served(&world).await;
    for status in tasks.join_all().await {
        assert!((500..=504).contains(&status), "{status}");
    }
    // Three times, and once more after each pause, twice as long as the one before: five of them are half a minute.
    let stopped = stopped(&world);
    assert!((3..=8).contains(&stopped), "{stopped} of 100");
    assert!(world.gateway.log().contains("not called for a while"));
    // A policy that does so is left alone too, and goes on denying.
    load(&world, "loop-rule", &guests::policy(&Deed::Loops)).await;
    world
        .management()
        .policy("attached", "loop-rule", ALICE, json!({}))
        .await;
    for _ in 0..30 {
        assert_eq!(world.ask(endpoint, false).await.status(), 403);
    }
}

/// Nobody is told to try again what will be as long the next time, and nobody else pays for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_too_long_for_a_policy_is_refused_alone_and_says_so() {
    let world = World::with(setup()).await;
    let looping = guests::policy_at(Rule::Content, &Deed::Loops);
    load(&world, "loop-rule", &looping).await;
    let management = world.management();
    management
        .policy("attached", "loop-rule", ALICE, json!({}))
        .await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        let text = "x".repeat(600 << 10);
        let body = endpoint.body_with(endpoint.model, false, &text);
        for _ in 0..3 {
            let reply = world.post(endpoint.path, body.clone()).await;
            let said = reply.text();
            assert_eq!(reply.status(), 413, "{}: {said}", endpoint.path);
            assert!(
                said.contains("cannot look at so much text at once"),
                "{said}"
            );
        }
    }
    assert!(!world.gateway.log().contains("not called for a while"));
    assert_eq!(world.simulator.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_undoes_the_cap_of_a_strict_budget_is_not_sent() {
    let world = World::with(setup()).await;
    let endpoint = Endpoint::of("chat-completions");
    const CAP: &str = "/max_completion_tokens";
    type Edits = &'static [(u8, &'static str, &'static str)];
    let plans: [(&str, Edits, bool); 6] = [
        ("removes", &[(2, CAP, "")], false),
        ("raises", &[(0, CAP, "1000000000")], false),
        ("hides", &[(3, CAP, "max_thoughts")], false),
        ("multiplies", &[(0, "/n", "64")], false),
        ("lowers", &[(0, CAP, "10")], true),
        ("renames", &[(3, CAP, "max_tokens")], true),
    ];
    for (name, edits, sent) in plans {
        let deed = Deed::Plans("/v1/chat/completions", edits);
        load(&world, name, &guests::provider_always(name, &deed)).await;
        register(&world, name, name, 0).await;
        let limits = |limits: Value| json!({ "limits": limits });
        for (change, served) in [
            (limits(json!({ "monthly_limit": null })), true),
            (limits(json!({ "monthly_limit": 900_000_000 })), sent),
        ] {
            world.management().change("root", change).await;
            world.simulator.forget();
            let reply = world
                .post(endpoint.path, endpoint.body_for(name, false))
                .await;
            let (status, received) = (reply.status(), world.simulator.received().len());
            assert_eq!(
                (status == 200, received == 1),
                (served, served),
                "{name}: {status} {}",
                reply.text()
            );
        }
    }
}
