//! Real exchanges, where they are at hand, through every direction: all text, tool calls, reasoning with what only its
//! maker can read, sources, token probabilities, usage and stop reasons survive where the client's dialect can say them
//! and are absent where `docs/bridge.md` drops them, the grammar is kept, the way back leads to the same answer, and the
//! client's next turn brings the vendor its own reasoning. Looks in `$TOLLGATE_RECORDINGS`, else in `shared/recordings`
//! beside the checkout.

use std::path::PathBuf;

use serde_json::Value;
use tollgate_dialect::bridge::Context;
use tollgate_dialect::{Dialect, first_event_failure};

use super::grammar::{self, End};
use super::next_turn;
use super::plain::{self, Summary};
use super::support::*;

struct Exchange {
    name: String,
    vendor: Dialect,
    response: Value,
}

fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TOLLGATE_RECORDINGS").map(PathBuf::from) {
        assert!(named.is_dir(), "TOLLGATE_RECORDINGS is no folder");
        return Some(named);
    }
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/recordings");
    let beside = PathBuf::from(beside);
    beside.is_dir().then_some(beside)
}

/// Of so many exchanges some are of every kind: a test that finds none of its kind has not understood them.
const MANY: usize = 50;

fn exchanges() -> Vec<Exchange> {
    let Some(folder) = folder() else {
        eprintln!("no recordings at hand: nothing replayed");
        return Vec::new();
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let vendor = match line["dialect"].as_str() {
                Some("openai-chat") => CHAT,
                Some("openai-responses") => RESPONSES,
                Some("anthropic-messages") => MESSAGES,
                _ => continue,
            };
            if line["status"].as_u64().unwrap_or(200) == 200 {
                let file = file.file_name().unwrap().to_string_lossy();
                found.push(Exchange {
                    name: format!("{file} {}", line["case"]),
                    vendor,
                    response: line["response"].clone(),
                });
            }
        }
    }
    found
}

fn plain_context(client: Dialect, vendor: Dialect) -> Context {
    Context {
        tools: Vec::new(),
        structured_tool: None,
        ..context(client, vendor)
    }
}

/// A client that asks for nothing that it does not get by itself.
fn modest_context(client: Dialect, vendor: Dialect) -> Context {
    Context {
        encrypted_reasoning: false,
        logprobs: false,
        ..plain_context(client, vendor)
    }
}

/// What is left of an answer where `docs/bridge.md` drops what this dialect has no place for.
fn left(mut summary: Summary, dialect: Dialect, vendor: Dialect) -> Summary {
    if dialect == MESSAGES {
        summary.logprobs.clear();
    }
    if dialect == CHAT {
        // Only the text of the reasoning is kept.
        summary.opaque.clear();
        summary.unsigned = !summary.reasoning.is_empty();
        summary.ran.clear();
    }
    // Files have a place in Responses alone, and vendors of Messages know no files but the client's own.
    if (dialect, vendor) != (RESPONSES, MESSAGES) {
        summary.files.clear();
    }
    summary
}

/// What is left of that for a client that asked for nothing.
fn unasked(mut summary: Summary, dialect: Dialect) -> Summary {
    summary.logprobs.clear();
    if dialect == RESPONSES {
        summary.opaque.clear();
        summary.unsigned = !summary.reasoning.is_empty();
    }
    summary
}

/// An answer as this dialect words it.
fn sayable(mut summary: Summary, dialect: Dialect) -> Summary {
    if dialect == MESSAGES {
        // A refusal is text here, and its text does not tell why.
        summary.text += &summary.refusal;
        if !summary.refusal.is_empty() && summary.calls.is_empty() && summary.stop == "turn" {
            summary.stop = "filter";
        }
        summary.refusal.clear();
        // What is no object is kept as a text in one.
        for (_, _, input) in &mut summary.calls {
            if !input.is_object() {
                *input = serde_json::json!({ "input": input.clone() });
            }
        }
        // What was cut off has come to nothing.
        for ran in &mut summary.ran {
            if ran.outcome == "unknown" {
                ran.outcome = "failed";
            }
        }
        // A source stands behind its whole block.
        for source in &mut summary.sources {
            source.stretch.clear();
        }
    } else if let Some(usage) = &mut summary.usage {
        usage.cache_write_5m += usage.cache_write_1h;
        usage.cache_write_1h = 0;
    }
    // Zero and nothing told are the same where the dialect wants a number.
    summary.usage = Some(summary.usage.unwrap_or_default());
    summary
}

/// Compares what was told with what arrived; both as this dialect can say it.
fn same(told: &Summary, arrived: &Summary, dialect: Dialect, name: &str) {
    let (told, mut arrived) = (
        sayable(told.clone(), dialect),
        sayable(arrived.clone(), dialect),
    );
    for ((told, _, _), (id, _, _)) in told.calls.iter().zip(&mut arrived.calls) {
        // Ids are the vendor's, but where it gave none.
        if told.is_empty() && !id.is_empty() {
            id.clear();
        }
    }
    assert_eq!(told, arrived, "{name}");
}

/// Compares what was told with what came back over a client's dialect.
fn returned(told: &Summary, back: Summary, vendor: Dialect, client: Dialect, name: &str) {
    // On the way back the client's dialect is the vendor's.
    let there = left(told.clone(), client, vendor);
    let told = &left(there, vendor, client);
    let name = format!("{name} and back");
    if client == MESSAGES {
        // Refusals came back as text, and free-form calls as calls of functions: here nobody knows of a request.
        let told = sayable(told.clone(), MESSAGES);
        same(&told, &sayable(back, MESSAGES), vendor, &name);
    } else {
        same(told, &back, vendor, &name);
    }
}

/// A client whose dialect has no place for it gets nothing of what only the maker can read, and nobody gets it bare.
fn kept_secret(told: &Summary, client: Dialect, sent: &str, name: &str) {
    assert!(client != CHAT || !sent.contains("\"tg1."), "{name}");
    for opaque in &told.opaque {
        assert!(!sent.contains(opaque.secret()), "{name}: {opaque:?}");
    }
}

fn is_answer(vendor: Dialect, body: &Value) -> bool {
    match vendor {
        CHAT => body["choices"]
            .as_array()
            .is_some_and(|choices| !choices.is_empty()),
        RESPONSES => {
            let status = body["status"].as_str();
            body["output"].is_array() && matches!(status, Some("completed" | "incomplete"))
        }
        _ => body["content"].is_array(),
    }
}

#[test]
fn whole_answers_survive_every_direction_there_and_back() {
    let mut crossed = 0;
    let mut seen = Seen::default();
    let exchanges = exchanges();
    let many = exchanges.len() >= MANY;
    for exchange in exchanges {
        let Some(body) = exchange.response.get("json") else {
            continue;
        };
        if !is_answer(exchange.vendor, body) {
            continue;
        }
        let told = plain::summary(exchange.vendor, body);
        seen.count(&told);
        for client in DIALECTS
            .into_iter()
            .filter(|client| *client != exchange.vendor)
        {
            let name = format!("{} to {}", exchange.name, short(client));
            let there = whole(
                &plain_context(client, exchange.vendor),
                body.to_string().as_bytes(),
            );
            let there = there.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let value: Value = serde_json::from_slice(&there).unwrap();
            grammar::check_whole(client, &value)
                .unwrap_or_else(|wrong| panic!("{name}: {wrong}\n{value:#}"));
            let arrives = left(told.clone(), client, exchange.vendor);
            same(&arrives, &plain::summary(client, &value), client, &name);
            kept_secret(&told, client, &value.to_string(), &name);
            let modest = modest_context(client, exchange.vendor);
            let modest = whole(&modest, body.to_string().as_bytes()).unwrap();
            let modest: Value = serde_json::from_slice(&modest).unwrap();
            let (arrives, modest) = (unasked(arrives, client), plain::summary(client, &modest));
            same(&arrives, &modest, client, &format!("{name}, unasked"));
            let back = whole(&plain_context(exchange.vendor, client), &there).unwrap();
            let back: Value = serde_json::from_slice(&back).unwrap();
            let back = plain::summary(exchange.vendor, &back);
            returned(&told, back, exchange.vendor, client, &name);
            crossed += 1;
        }
    }
    assert!(!many || crossed > 0, "nothing crossed");
    println!("{crossed} crossings; {seen:?}");
}

/// How many exchanges had what is rare.
#[derive(Debug, Default)]
struct Seen {
    opaque: usize,
    unsigned: usize,
    sources: usize,
    files: usize,
    logprobs: usize,
    ran: usize,
}

impl Seen {
    fn count(&mut self, told: &Summary) {
        self.opaque += usize::from(!told.opaque.is_empty());
        self.unsigned += usize::from(told.unsigned);
        self.sources += usize::from(!told.sources.is_empty());
        self.files += usize::from(!told.files.is_empty());
        self.ran += usize::from(!told.ran.is_empty());
        self.logprobs += usize::from(!told.logprobs.is_empty());
    }
}

/// Pieces of all sizes, from one byte to several events, others with each seed.
fn cut_anywhere(mut rest: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed;
    let mut cut = Vec::new();
    while !rest.is_empty() {
        // Knuth's MMIX generator; its high bits are the better ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let most = 1 << (state >> 60);
        let size = 1 + (state >> 32) as usize % most;
        let (piece, after) = rest.split_at(size.min(rest.len()));
        cut.push(piece);
        rest = after;
    }
    cut
}

#[test]
fn streams_survive_every_direction_there_and_back() {
    let mut crossed = 0_u64;
    let mut seen = Seen::default();
    let exchanges = exchanges();
    let many = exchanges.len() >= MANY;
    for exchange in exchanges {
        let Some(sse) = exchange.response["sse"].as_str() else {
            continue;
        };
        let fails = sse.contains("event: error") || sse.contains("data: {\"error\"");
        let whole = plain::whole_of_stream(exchange.vendor, sse.as_bytes());
        if let Ok(whole) = &whole {
            seen.count(&plain::summary(exchange.vendor, whole));
        }
        for client in DIALECTS
            .into_iter()
            .filter(|client| *client != exchange.vendor)
        {
            let name = format!("{} to {}", exchange.name, short(client));
            let context = plain_context(client, exchange.vendor);
            let there = stream(&context, sse.as_bytes());
            let end = grammar::check(client, &there)
                .unwrap_or_else(|wrong| panic!("{name}: {wrong}\n{}", text(&there)));
            let Ok(whole) = &whole else {
                assert_eq!(end, End::Failed, "{name}: {whole:?}");
                continue;
            };
            if fails
                || first_event_failure(
                    plain::operation(exchange.vendor),
                    whole.to_string().as_bytes(),
                )
                .is_some()
            {
                continue;
            }
            assert_eq!(end, End::Complete, "{name}");
            let mut told = plain::summary(exchange.vendor, whole);
            plain::encrypted_last(&mut told, sse);
            let arrived = plain::summary_of_stream(client, &there).unwrap();
            let arrives = left(told.clone(), client, exchange.vendor);
            same(&arrives, &arrived, client, &name);
            kept_secret(&told, client, text(&there), &name);
            let modest = stream(&modest_context(client, exchange.vendor), sse.as_bytes());
            let modest = plain::summary_of_stream(client, &modest).unwrap();
            let arrives = unasked(arrives, client);
            same(&arrives, &modest, client, &format!("{name}, unasked"));
            let back = stream(&plain_context(exchange.vendor, client), &there);
            assert_eq!(
                grammar::check(exchange.vendor, &back),
                Ok(End::Complete),
                "{name}"
            );
            let back = plain::summary_of_stream(exchange.vendor, &back).unwrap();
            returned(&told, back, exchange.vendor, client, &name);
            // Any chunking gives the same.
            let bytewise = pieces(&context, sse.as_bytes().chunks(1));
            assert!(bytewise == there, "{name}, byte by byte");
            for seed in 0..4 {
                let cut = pieces(&context, cut_anywhere(sse.as_bytes(), crossed << 2 | seed));
                assert!(cut == there, "{name}, cut {seed}");
            }
            crossed += 1;
        }
    }
    assert!(!many || crossed > 0, "nothing crossed");
    println!("{crossed} crossings; {seen:?}");
}

#[test]
fn reasoning_that_only_its_maker_can_read_goes_back_to_it_alone() {
    let mut back = 0;
    let exchanges = exchanges();
    let many = exchanges.len() >= MANY;
    for exchange in exchanges {
        let answer = match exchange.response["sse"].as_str() {
            Some(sse) => plain::whole_of_stream(exchange.vendor, sse.as_bytes()).ok(),
            None => exchange.response.get("json").cloned(),
        };
        if let Some(answer) = answer.filter(|answer| is_answer(exchange.vendor, answer)) {
            back += next_turn::comes_back(exchange.vendor, &answer, &exchange.name);
        }
    }
    assert!(!many || back > 0, "nothing went back");
    println!("{back} pieces went back");
}
