//! What a caller is told of its own limits: on every endpoint, on whole answers, streams and errors; never an ancestor's.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use tollgate_tests::endpoints::{ENDPOINTS, Endpoint};
use tollgate_tests::gateway::Setup;
use tollgate_tests::guests::{self, Deed, Rule};
use tollgate_tests::management::Key;
use tollgate_tests::simulator::{anthropic_error, openai_error, spoken};
use tollgate_tests::wire::{Reply, Request};
use tollgate_tests::world::World;

/// The own limit of tokens a minute, and of requests a minute.
const TOKENS: u64 = 100_000;
const REQUESTS: u64 = 3;
/// The ancestor's: nobody below may read it.
const ABOVE: u64 = 777_777;

/// All headers that tell limits, as a client finds them.
fn told(reply: &Reply) -> Vec<(&str, &str)> {
    let headers = reply.head.headers.iter();
    let all = headers.map(|(name, value)| (name.as_str(), value.as_str()));
    all.filter(|(name, _)| name.contains("ratelimit")).collect()
}

/// Limit, remaining and reset of one kind; the names are those of the endpoint's dialect, exactly.
fn rate<'a>(endpoint: &Endpoint, reply: &'a Reply, kind: &str) -> (u64, u64, &'a str) {
    let value = |what: &str| {
        let name = match endpoint.anthropic {
            true => format!("anthropic-ratelimit-{kind}-{what}"),
            false => format!("x-ratelimit-{what}-{kind}"),
        };
        reply
            .header(&name)
            .unwrap_or_else(|| panic!("{}: no {name}: {:?}", endpoint.path, reply.head.headers))
    };
    let number = |what: &str| value(what).parse().unwrap();
    (number("limit"), number("remaining"), value("reset"))
}

fn now_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// `2026-11-28T07:12:06Z` in Unix seconds. Nothing else is RFC 3339 as Anthropic writes it.
fn unix_seconds(moment: &str) -> u64 {
    let wrong = || panic!("{moment:?} is no moment");
    assert_eq!(moment.len(), 20, "{moment:?}");
    let field = |at: usize, length: usize| -> u64 {
        moment[at..at + length].parse().unwrap_or_else(|_| wrong())
    };
    for (at, mark) in [
        (4, '-'),
        (7, '-'),
        (10, 'T'),
        (13, ':'),
        (16, ':'),
        (19, 'Z'),
    ] {
        assert!(moment[at..].starts_with(mark), "{moment:?}");
    }
    let by = |year: u64, years: u64| year.is_multiple_of(years);
    let leap = |year: u64| by(year, 4) && (!by(year, 100) || by(year, 400));
    let (year, month) = (field(0, 4), field(5, 2));
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leap(year))).sum();
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let months: u64 = (1..month)
        .map(|month| lengths[usize::try_from(month - 1).unwrap()])
        .sum();
    let days = years + months + field(8, 2) - 1;
    days * 86_400 + field(11, 2) * 3_600 + field(14, 2) * 60 + field(17, 2)
}

/// Checks a reset that lies between so many seconds from now, in the dialect's way of writing it.
fn assert_resets(
    endpoint: &Endpoint,
    reset: &str,
    asked_at: u64,
    within: std::ops::RangeInclusive<u64>,
) {
    let what = format!("{}: {reset}", endpoint.path);
    if endpoint.anthropic {
        let at = unix_seconds(reset);
        // Rounded up, and told by a clock that may have gone on meanwhile.
        let (earliest, latest) = (asked_at + within.start(), now_seconds() + within.end() + 1);
        assert!((earliest..=latest).contains(&at), "{what} at {asked_at}");
        return;
    }
    let seconds = match reset.split_once('m') {
        Some((minutes, seconds)) => {
            let seconds: u64 = seconds.strip_suffix('s').unwrap().parse().unwrap();
            minutes.parse::<u64>().unwrap() * 60 + seconds
        }
        None => reset.strip_suffix('s').unwrap().parse().unwrap(),
    };
    assert!(within.contains(&seconds), "{what}");
}

/// A request whose output is capped, so that what it counts as before it has ended is known.
fn capped(endpoint: &Endpoint, stream: bool) -> (Vec<u8>, u64) {
    let mut body: serde_json::Value = serde_json::from_slice(&endpoint.body(stream)).unwrap();
    let cap = match endpoint.operation {
        "chat-completions" => "max_completion_tokens",
        "responses" | "compact" => "max_output_tokens",
        "messages" => "max_tokens",
        _ if endpoint.counts() => return (endpoint.body(stream), 0),
        _ => {
            let body = endpoint.body(stream);
            let input = crate::money::input_estimate(&body);
            return (body, input);
        }
    };
    body[cap] = json!(20);
    let body = body.to_string().into_bytes();
    let counted = crate::money::input_estimate(&body) + 20;
    (body, counted)
}

/// An account of its own below one with other limits.
async fn account(world: &World, name: &str) -> Key {
    let management = world.management();
    let above = json!({ "limits": { "rph": ABOVE, "tph": ABOVE } });
    management.change("root/research", above).await;
    let own = json!({ "limits": { "rpm": REQUESTS, "tpm": TOKENS } });
    management.account("root/research", name, own).await;
    let key = management.key(&format!("root/research/{name}")).await;
    world.gateway.keep_secret(&key.secret);
    key
}

fn vendors_refusal(endpoint: &Endpoint) -> tollgate_tests::simulator::Answer {
    match endpoint.anthropic {
        true => anthropic_error(400, "invalid_request_error", "no"),
        false => openai_error(400, "invalid_request_error", "no"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_streams_and_errors_tell_the_callers_own_limits_in_its_dialect() {
    let world = World::new().await;
    for endpoint in &ENDPOINTS {
        let key = account(&world, endpoint.operation).await;
        let total = crate::money::tokens(endpoint.tokens);
        let mut used = 0;
        let kinds = [
            ("whole", false, 200),
            ("stream", endpoint.streams, 200),
            ("vendor's refusal", false, 400),
            ("limit", endpoint.streams, 429),
            ("no such model", false, 404),
        ];
        for (number, (kind, stream, status)) in kinds.into_iter().enumerate() {
            let (mut body, counted) = capped(endpoint, stream);
            match status {
                400 => world.simulator.script(vendors_refusal(endpoint)),
                404 => body = endpoint.body_for("no-such-model", false),
                _ => {}
            }
            let asked_at = now_seconds();
            let request = Request::post(endpoint.path, body).bearer(&key.secret);
            let reply = world.gateway.send(&request).await;
            let what = format!("{kind} of {}: {:?}", endpoint.path, reply.head.headers);
            assert_eq!(reply.status(), status, "{what}");
            // Requests and tokens, three headers each, and no ancestor's or other dialect's.
            assert_eq!(told(&reply).len(), 6, "{what}");
            assert!(!what.contains(&ABOVE.to_string()), "{what}");

            let (limit, remaining, reset) = rate(endpoint, &reply, "requests");
            let asked = REQUESTS.min(number as u64 + 1);
            assert_eq!((limit, remaining), (REQUESTS, REQUESTS - asked), "{what}");
            match status {
                // The window is empty a minute after this request.
                200 => assert_resets(endpoint, reset, asked_at, 60..=60),
                _ => assert_resets(endpoint, reset, asked_at, 30..=60),
            }
            let (limit, remaining, reset) = rate(endpoint, &reply, "tokens");
            // While it runs it counts as what is held for, afterwards as what the vendor told; an error as nothing.
            let now = match status {
                200 => used + counted,
                _ => used,
            };
            assert_eq!((limit, remaining), (TOKENS, TOKENS - now), "{what}");
            if status == 200 {
                assert_resets(endpoint, reset, asked_at, 60..=60);
                used += total;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_limit_of_its_own_is_told_none() {
    let world = World::new().await;
    let above = json!({ "limits": { "rpm": 1_000, "tpm": 9_000_000 } });
    world.management().change("root/research", above).await;
    for endpoint in &ENDPOINTS {
        for stream in [false, endpoint.streams] {
            let reply = world.ask(endpoint, stream).await;
            assert_eq!(reply.status(), 200);
            assert!(told(&reply).is_empty(), "{:?}", reply.head.headers);
        }
    }
    let none = json!({ "limits": { "rpm": 0 } });
    world.management().change("root/research", none).await;
    for endpoint in &ENDPOINTS {
        let reply = world.ask(endpoint, endpoint.streams).await;
        assert_eq!(reply.status(), 429, "{}", reply.text());
        assert!(told(&reply).is_empty(), "{:?}", reply.head.headers);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_a_policy_withholds_tells_them_too() {
    let world = World::with(Setup::new(&["openai", "anthropic"])).await;
    let filter = guests::policy_at(Rule::AnswerContent, &Deed::Traps);
    world.gateway.drop_in("withholds", &filter);
    let loaded = |components: &serde_json::Value| components.to_string().contains("withholds");
    let management = world.management();
    management.wait_for_components("withholds", loaded).await;
    let all = "root/research";
    management
        .policy("attached", "withholds", all, json!({}))
        .await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.streams) {
        let key = account(&world, endpoint.operation).await;
        let say = spoken(endpoint.operation, false, "not for you");
        world.simulator.script(say);
        let request = Request::post(endpoint.path, endpoint.body(false)).bearer(&key.secret);
        let reply = world.gateway.send(&request).await;
        assert_eq!(reply.status(), 403, "{}", reply.text());
        assert_eq!(told(&reply).len(), 6, "{:?}", reply.head.headers);
        let (limit, remaining, _) = rate(endpoint, &reply, "requests");
        assert_eq!((limit, remaining), (REQUESTS, REQUESTS - 1));
        assert_eq!(rate(endpoint, &reply, "tokens").0, TOKENS);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_counts_against_no_limit_tells_them_too_and_counts_nothing() {
    let world = World::new().await;
    let key = account(&world, "listing").await;
    let dialects = ["responses", "messages"].map(Endpoint::of);
    let ask = async |dialect: &Endpoint, method: &str, path: &str| {
        let mut request = Request::new(method, path).bearer(&key.secret);
        if dialect.anthropic {
            request = request.header("anthropic-version", "2023-06-01");
        }
        world.gateway.send(&request).await
    };
    let assert_told = |dialect: &Endpoint, reply: &Reply, status: u16, left: u64| {
        let what = format!("{} {:?}", reply.text(), reply.head.headers);
        assert_eq!(reply.status(), status, "{what}");
        assert_eq!(told(reply).len(), 6, "{what}");
        assert!(!what.contains(&ABOVE.to_string()), "{what}");
        let (limit, remaining, _) = rate(dialect, reply, "requests");
        assert_eq!((limit, remaining), (REQUESTS, left), "{what}");
        assert_eq!(rate(dialect, reply, "tokens").0, TOKENS, "{what}");
    };
    let models = async |left: u64| {
        for dialect in dialects {
            let one = format!("/v1/models/{}", dialect.model);
            let all = [("/v1/models", 200), (&*one, 200), ("/v1/models/none", 404)];
            for (path, status) in all {
                let reply = ask(dialect, "GET", path).await;
                assert_told(dialect, &reply, status, left);
            }
        }
    };
    models(REQUESTS).await;
    // What the gateway keeps itself.
    let dialect = dialects[0];
    let made = ask(dialect, "POST", "/v1/conversations").await;
    assert_told(dialect, &made, 200, REQUESTS);
    let kept = format!("/v1/conversations/{}", made.json()["id"].as_str().unwrap());
    for (method, path, status) in [
        ("GET", &*kept, 200),
        ("DELETE", &kept, 200),
        ("GET", &kept, 404),
        ("GET", "/v1/responses/none", 404),
        ("DELETE", "/v1/responses/none", 404),
        ("GET", "/v1/responses/none/input_items", 404),
    ] {
        let reply = ask(dialect, method, path).await;
        assert_told(dialect, &reply, status, REQUESTS);
    }
    // What a vendor keeps is asked of it, which is a request.
    let request = Request::post(dialect.path, dialect.body(false)).bearer(&key.secret);
    let answer = world.gateway.send(&request).await;
    assert_told(dialect, &answer, 200, REQUESTS - 1);
    let kept = format!("/v1/responses/{}", answer.json()["id"].as_str().unwrap());
    for (status, left) in [(200, REQUESTS - 2), (200, 0), (429, 0)] {
        let answer = tollgate_tests::simulator::Answer::json(200, "{}");
        world.simulator.always(Some(answer));
        let reply = ask(dialect, "GET", &kept).await;
        assert_told(dialect, &reply, status, left);
    }
    models(0).await;
}
