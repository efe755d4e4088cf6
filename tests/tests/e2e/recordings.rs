//! Real recorded exchanges of many vendors, replayed through the running gateway.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tollgate_tests::endpoints::Endpoint;
use tollgate_tests::gateway::Setup;
use tollgate_tests::management::Row;
use tollgate_tests::places;
use tollgate_tests::recordings::{Exchange, events, load};
use tollgate_tests::wire::Reply;
use tollgate_tests::world::{World, upstream};

use crate::byte_identity::request_id;
use crate::money::cost;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_exchange_passes_byte_for_byte_and_is_charged_exactly() {
    let Some(folder) = places::recordings() else {
        println!("no recordings found");
        return;
    };
    let (exchanges, skipped) = load(&folder);
    assert!(
        !exchanges.is_empty(),
        "nothing in {} can be replayed",
        folder.display()
    );
    let world = World::with(Setup::new(&["openai", "anthropic"])).await;
    for provider in ["openai", "anthropic"] {
        let names = exchanges
            .iter()
            .filter(|exchange| exchange.endpoint.upstream == provider);
        let models: BTreeSet<&str> = names.map(|exchange| exchange.model.as_str()).collect();
        let models: Vec<&str> = models.into_iter().collect();
        world
            .management()
            .upstream(provider, upstream(&world.simulator, provider, &models))
            .await;
    }
    let mut connection = world.gateway.connect().await;
    let mut replayed = Vec::new();
    let mut wrong = Vec::new();
    for exchange in &exchanges {
        if exchange.status > 400 {
            // A failing upstream is left alone for a while; each of these gets a world of its own below.
            continue;
        }
        world.simulator.forget();
        world.simulator.script(exchange.answer());
        let request = world.request(exchange.endpoint.path, exchange.request.as_str());
        let reply = match connection.exchange(&request).await {
            Ok(reply) => reply,
            Err(error) => {
                wrong.push(format!("{}: {error:#}", exchange.name));
                connection = world.gateway.connect().await;
                continue;
            }
        };
        if !reply.complete {
            connection = world.gateway.connect().await;
        }
        wrong.extend(
            differences(&world, exchange, &reply)
                .into_iter()
                .map(|what| format!("{}: {what}", exchange.name)),
        );
        if let Some(id) = reply.header("x-request-id") {
            replayed.push((exchange, id.to_owned()));
        }
    }
    let rows = world.management().wait_for_rows(replayed.len()).await;
    let rows: BTreeMap<&str, &Row> = rows
        .iter()
        .map(|row| (row.text("request_id"), row))
        .collect();
    for (exchange, id) in &replayed {
        match rows.get(id.as_str()) {
            Some(row) => wrong
                .extend(miscounted(exchange, row).map(|what| format!("{}: {what}", exchange.name))),
            None => wrong.push(format!("{}: no usage row", exchange.name)),
        }
    }
    let mut failures = 0;
    for exchange in exchanges.iter().filter(|exchange| exchange.status > 400) {
        failures += 1;
        wrong.extend(
            failing(exchange)
                .await
                .map(|what| format!("{}: {what}", exchange.name)),
        );
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in &skipped {
        *reasons.entry(reason).or_default() += 1;
    }
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    println!(
        "replayed {} recorded exchanges ({} skipped: {})",
        replayed.len() + failures,
        skipped.len(),
        reasons.join("; ")
    );
    assert!(
        wrong.is_empty(),
        "{} findings:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What differs between what was recorded and what crossed the gateway.
fn differences(world: &World, exchange: &Exchange, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    if reply.status() != exchange.status {
        found.push(format!(
            "status {} instead of {}: {:.300}",
            reply.status(),
            exchange.status,
            reply.text()
        ));
    }
    let received = world.simulator.received();
    match received.as_slice() {
        [received] => {
            if received.text() != exchange.request && !asked_for_usage(exchange, &received.text()) {
                found.push(format!(
                    "the vendor got another body: {}",
                    difference(&received.text(), &exchange.request)
                ));
            }
        }
        all => found.push(format!("the vendor got {} requests", all.len())),
    }
    let wanted = as_asked(exchange);
    if reply.text() != wanted {
        found.push(format!(
            "the client got another body: {}",
            difference(&reply.text(), &wanted)
        ));
    }
    found
}

/// Whether the client streams a chat without having asked for the usage: the gateway then asks on its own account.
fn usage_is_hidden(exchange: &Exchange) -> bool {
    let request: Value = serde_json::from_str(&exchange.request).unwrap();
    exchange.endpoint.operation == "chat-completions"
        && request["stream"] == true
        && request["stream_options"]["include_usage"] != true
}

/// Whether the body sent is the client's with nothing but that wish added: every other byte is the client's, in its place.
fn asked_for_usage(exchange: &Exchange, sent: &str) -> bool {
    let own = exchange.request.as_bytes();
    let start = own
        .iter()
        .zip(sent.as_bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let rest = own.iter().rev().zip(sent.bytes().rev());
    let end = rest.take_while(|(a, b)| *a == b).count();
    let end = end.min(own.len() - start);
    // What stands between the two in each.
    let (was, is) = (&own[start..own.len() - end], &sent[start..sent.len() - end]);
    let asks = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["stream_options"]["include_usage"] == true
    };
    let is_small = was.len() <= "false".len()
        && is.len() <= r#","stream_options":{"include_usage":true}"#.len();
    usage_is_hidden(exchange) && is_small && asks(sent)
}

/// The recorded body as the client should see it: without the chunk it did not ask for.
fn as_asked(exchange: &Exchange) -> String {
    if !exchange.stream || !usage_is_hidden(exchange) {
        return exchange.body.clone();
    }
    without_the_usage_chunk(&exchange.body)
}

/// A chat stream without the chunk that holds nothing but the usage.
fn without_the_usage_chunk(stream: &str) -> String {
    let only_usage = |event: &str| {
        let told = events(event);
        told.iter().any(|data| {
            data["choices"].as_array().is_some_and(Vec::is_empty) && data["usage"].is_object()
        })
    };
    stream
        .split_inclusive("\n\n")
        .filter(|event| !only_usage(event))
        .collect()
}

fn difference(got: &str, wanted: &str) -> String {
    let at = got
        .bytes()
        .zip(wanted.bytes())
        .take_while(|(got, wanted)| got == wanted)
        .count();
    let near = |text: &str| {
        let bytes =
            &text.as_bytes()[at.saturating_sub(40).min(text.len())..(at + 80).min(text.len())];
        String::from_utf8_lossy(bytes).into_owned()
    };
    format!(
        "{} and {} bytes, at byte {at}: got {:?}, wanted {:?}",
        got.len(),
        wanted.len(),
        near(got),
        near(wanted)
    )
}

/// What is wrong with the row of an exchange.
fn miscounted(exchange: &Exchange, row: &Row) -> Option<String> {
    if exchange.status != 200 {
        return (row.charged() != 0).then(|| format!("a refused request was charged: {}", row.0));
    }
    match exchange.usage() {
        None if exchange.endpoint.counts() => {
            (row.charged() != 0).then(|| format!("counting tokens was charged: {}", row.0))
        }
        None => {
            (!row.estimated()).then(|| format!("told no usage, but recorded as told: {}", row.0))
        }
        Some(told) if row.tokens() != told => {
            Some(format!("usage {:?} instead of {told:?}", row.tokens()))
        }
        Some(_) if row.estimated() => Some("recorded as an estimate".into()),
        Some(told) if row.charged() != cost(told) => Some(format!(
            "charged {} instead of {}",
            row.charged(),
            cost(told)
        )),
        Some(_) => None,
    }
}

/// Replays a failure that is about our credential or our limits: the caller must not read it as his own.
async fn failing(exchange: &Exchange) -> Option<String> {
    let world = World::new().await;
    let provider = exchange.endpoint.upstream;
    world
        .management()
        .upstream(
            provider,
            upstream(&world.simulator, provider, &[&exchange.model]),
        )
        .await;
    world.simulator.always(Some(exchange.answer()));
    let reply = world
        .post(exchange.endpoint.path, exchange.request.as_str())
        .await;
    let row = world.management().row_of(&request_id(&reply)).await;
    let anthropic = exchange.endpoint.anthropic;
    let wanted: &[u16] = match exchange.status {
        401 | 402 | 403 | 429 => {
            if anthropic {
                &[529]
            } else {
                &[503]
            }
        }
        404 => &[404, 503, 529],
        _ => &[500, 502, 503, 504, 529],
    };
    if !wanted.contains(&reply.status()) {
        return Some(format!(
            "{} became {}: {:.300}",
            exchange.status,
            reply.status(),
            reply.text()
        ));
    }
    let told_in_dialect =
        (reply.json()["type"] == "error") == Endpoint::of(exchange.endpoint.operation).anthropic;
    if !told_in_dialect {
        return Some(format!("another dialect's error: {:.300}", reply.text()));
    }
    (row.charged() != 0).then(|| format!("a failed request was charged: {}", row.0))
}

#[test]
fn only_the_chunk_nobody_asked_for_is_taken_out() {
    let first = "data: {\"choices\":[{\"x\":1}],\"usage\":null}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"a\":1}}\n\n";
    let filtered = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n";
    let done = "data: [DONE]\n\n";
    let stream = [filtered, first, usage, done].concat();
    assert_eq!(
        without_the_usage_chunk(&stream),
        [filtered, first, done].concat()
    );
}
