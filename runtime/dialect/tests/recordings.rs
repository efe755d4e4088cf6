//! Real exchanges, where they are at hand: everything is read, usage is what a plain tree walk says, and nothing that
//! nobody edited changes by a byte. Looks in `$TOLLGATE_RECORDINGS`, else in `shared/recordings` beside the checkout.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tollgate_dialect::{
    AnswerRewriter, Channel, Denied, Document, Ended, Kind, Operation, StreamFilter, StreamTap,
    TextFilter, Usage, UsageHints, answer_segments, facts, first_event_failure, read_usage,
    replace, replace_answer, segments, sniff_event_stream,
};

struct Exchange {
    name: String,
    operation: Operation,
    status: u64,
    request: Option<Value>,
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

fn lines() -> Vec<(String, Value)> {
    let Some(folder) = folder() else {
        eprintln!("no recordings at hand: nothing replayed");
        return Vec::new();
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files.iter().filter(|file| {
        file.extension()
            .is_some_and(|extension| extension == "jsonl")
    }) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for line in std::fs::read_to_string(file).unwrap().lines() {
            lines.push((name.clone(), serde_json::from_str(line).unwrap()));
        }
    }
    lines
}

fn exchanges() -> Vec<Exchange> {
    let found: Vec<_> = lines()
        .into_iter()
        .filter_map(|(file, line)| {
            let operation = match line["dialect"].as_str()? {
                "openai-chat" => Operation::ChatCompletions,
                "openai-responses" => Operation::Responses,
                "anthropic-messages" => Operation::Messages,
                "count-tokens" => Operation::CountTokens,
                "responses-compact" => Operation::Compact,
                "responses-input-tokens" => Operation::InputTokens,
                "embeddings" => Operation::Embeddings,
                _ => return None,
            };
            // Some cassettes mix embeddings into another file.
            let embeddings = line["response"].pointer("/json/data/0/embedding").is_some();
            Some(Exchange {
                name: format!("{file} {}", line["case"]),
                operation: if embeddings {
                    Operation::Embeddings
                } else {
                    operation
                },
                status: line["status"].as_u64().unwrap_or(200),
                request: line
                    .get("request")
                    .filter(|request| request.is_object())
                    .cloned(),
                response: line["response"].clone(),
            })
        })
        .collect();
    println!("{} recorded exchanges at hand", found.len());
    found
}

/// Events of a stream, read the plain way.
fn events(stream: &str) -> Vec<Value> {
    stream
        .replace("\r\n", "\n")
        .split("\n\n")
        .filter_map(|event| {
            let data: Vec<_> = event
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .collect();
            serde_json::from_str(&data.join("\n")).ok()
        })
        .collect()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// Usage of an object in the OpenAI manner.
fn openai_usage(usage: &Value) -> Usage {
    let either = |one: &str, other: &str| number(usage, one).max(number(usage, other));
    let cached = either(
        "/prompt_tokens_details/cached_tokens",
        "/input_tokens_details/cached_tokens",
    );
    // Where vendors of Chat tell it of their own; the same number, if they tell it twice.
    let cached = cached.max(either("/prompt_cache_hit_tokens", "/cached_tokens"));
    let written = either(
        "/prompt_tokens_details/cache_write_tokens",
        "/input_tokens_details/cache_write_tokens",
    );
    Usage {
        input: either("/prompt_tokens", "/input_tokens") - cached - written,
        cache_read: cached,
        cache_write_5m: written,
        cache_write_1h: 0,
        output: either("/completion_tokens", "/output_tokens"),
        reasoning: either(
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
        ),
        estimated: false,
    }
}

fn anthropic_usage(usage: &Value) -> Usage {
    let long = number(usage, "/cache_creation/ephemeral_1h_input_tokens");
    Usage {
        input: number(usage, "/input_tokens"),
        cache_read: number(usage, "/cache_read_input_tokens"),
        cache_write_5m: number(usage, "/cache_creation_input_tokens") - long,
        cache_write_1h: long,
        output: number(usage, "/output_tokens"),
        reasoning: number(usage, "/output_tokens_details/thinking_tokens"),
        estimated: false,
    }
}

fn expected_in_stream(operation: Operation, events: &[Value]) -> Option<Usage> {
    match operation {
        Operation::ChatCompletions => events
            .iter()
            .rev()
            .find(|event| event["usage"].is_object())
            .map(|event| openai_usage(&event["usage"])),
        Operation::Responses => {
            let usage = events.iter().rev().find_map(|event| {
                event
                    .pointer("/response/usage")
                    .filter(|usage| usage.is_object())
            })?;
            Some(openai_usage(usage))
        }
        _ => {
            let mut merged = events
                .iter()
                .find(|event| event["type"] == "message_start")?["message"]["usage"]
                .clone();
            for delta in events
                .iter()
                .filter(|event| event["type"] == "message_delta")
            {
                for (name, value) in delta["usage"].as_object()? {
                    merged[name] = value.clone();
                }
            }
            Some(anthropic_usage(&merged))
        }
    }
}

#[test]
fn usage_of_every_json_answer_is_what_a_tree_walk_says() {
    let mut told = 0;
    for exchange in exchanges() {
        let Some(answer) = exchange.response.get("json") else {
            continue;
        };
        let body = answer.to_string();
        let usage = &answer["usage"];
        let expected = match exchange.operation {
            _ if !usage.is_object() => None,
            Operation::Messages => Some(anthropic_usage(usage)),
            Operation::CountTokens | Operation::InputTokens => None,
            _ => Some(openai_usage(usage)),
        };
        assert_eq!(
            read_usage(exchange.operation, body.as_bytes(), &UsageHints::default()),
            expected,
            "{}",
            exchange.name
        );
        told += usize::from(expected.is_some());
        if exchange.status == 200 && expected.is_some() {
            let failed = answer["status"] == "failed";
            assert_eq!(
                first_event_failure(exchange.operation, body.as_bytes()).is_some(),
                failed,
                "{}",
                exchange.name
            );
        }
    }
    println!("{told} JSON answers told their usage");
}

#[test]
fn every_stream_is_read_the_same_in_any_chunks_and_its_usage_is_what_a_tree_walk_says() {
    let (mut streams, mut unasked) = (0, Vec::new());
    for exchange in exchanges() {
        let Some(stream) = exchange.response["sse"].as_str() else {
            continue;
        };
        streams += 1;
        assert!(sniff_event_stream(stream.as_bytes()), "{}", exchange.name);
        let hints = Arc::new(UsageHints::default());
        let read = |stream: &str, size: usize| {
            let mut tap = StreamTap::new(exchange.operation, hints.clone());
            stream
                .as_bytes()
                .chunks(size)
                .for_each(|chunk| tap.push(chunk));
            tap.finish()
        };
        let whole = read(stream, usize::MAX);
        for size in [1, 7, 64, 1_000] {
            assert_eq!(
                read(stream, size),
                whole,
                "{} in chunks of {size}",
                exchange.name
            );
            let crlf = read(&stream.replace("\r\n", "\n").replace('\n', "\r\n"), size);
            assert_eq!(
                crlf, whole,
                "{} with CRLF in chunks of {size}",
                exchange.name
            );
        }
        let events = events(stream);
        assert_eq!(
            whole.usage,
            expected_in_stream(exchange.operation, &events),
            "{}",
            exchange.name
        );
        let failed = events
            .iter()
            .any(|event| event["error"].is_object() || event["type"] == "error");
        assert_eq!(
            matches!(whole.ended, Ended::Failed { .. }),
            failed,
            "{}",
            exchange.name
        );
        assert!(whole.ended != Ended::Cut, "{}", exchange.name);
        assert!(
            whole.output_bytes_estimate > 0
                || whole.usage.is_some_and(|usage| usage.output < 2_000),
            "{}",
            exchange.name
        );
        if exchange.operation == Operation::ChatCompletions {
            let asked = exchange
                .request
                .as_ref()
                .and_then(|request| request.pointer("/stream_options/include_usage"))
                == Some(&Value::Bool(true));
            let usage_only = |event: &&Value| {
                event["choices"].as_array().is_some_and(Vec::is_empty) && event["usage"].is_object()
            };
            if !asked && events.iter().any(|event| usage_only(&event)) {
                unasked.push(exchange.name.clone());
            }
            filtered(&exchange.name, stream, &events);
        }
    }
    println!("{streams} streams read; usage chunks nobody asked for: {unasked:?}");
}

/// Where a stream has no usage chunk the filter changes nothing; where it has, exactly those go.
fn filtered(name: &str, stream: &str, events: &[Value]) {
    let run = |size: usize| {
        let mut filter = StreamFilter::new();
        let mut out = Vec::new();
        for chunk in stream.as_bytes().chunks(size) {
            filter.push(Bytes::copy_from_slice(chunk), |bytes| {
                out.extend_from_slice(&bytes)
            });
        }
        filter.finish(|bytes| out.extend_from_slice(&bytes));
        String::from_utf8(out).unwrap()
    };
    let expected: String = stream
        .split_inclusive("\n\n")
        .filter(|event| !(event.contains("\"choices\":[]") && event.contains("\"usage\":{")))
        .collect();
    let dropped = events.iter().any(|event| {
        event["choices"].as_array().is_some_and(Vec::is_empty) && event["usage"].is_object()
    });
    assert_eq!(expected != stream, dropped, "{name}");
    for size in [1, 13, 1_000, usize::MAX] {
        assert_eq!(run(size), expected, "{name}");
    }
}

#[test]
fn every_request_is_read_and_its_text_found() {
    let (mut requests, mut pieces) = (0, 0);
    let clients = lines().into_iter().filter_map(|(file, line)| {
        let path = line["path"].as_str()?.split('?').next()?.to_owned();
        let operation = Operation::from_path(&path)?;
        Some((
            format!("{file} {path}"),
            operation,
            line.get("body")?.clone(),
        ))
    });
    let recorded = exchanges()
        .into_iter()
        .filter(|exchange| exchange.status == 200);
    let recorded = recorded
        .filter_map(|exchange| Some((exchange.name, exchange.operation, exchange.request?)));
    for (name, operation, request) in clients.chain(recorded) {
        if !request.is_object() || request.get("model").is_none() {
            continue;
        }
        requests += 1;
        let body = Bytes::from(request.to_string());
        let mut document = Document::parse(body.clone()).unwrap();
        let facts =
            facts(&document, operation).unwrap_or_else(|invalid| panic!("{name}: {invalid:?}"));
        assert_eq!(facts.model, request["model"], "{name}");
        assert_eq!(facts.stream, request["stream"] == true, "{name}");
        let found =
            segments(&document, operation).unwrap_or_else(|invalid| panic!("{name}: {invalid:?}"));
        pieces += found.len();
        let texts: Vec<_> = found
            .into_iter()
            .map(|segment| segment.text.into_owned())
            .collect();
        // Putting every text back as it was changes nothing; putting another one back changes exactly it.
        let same: Vec<_> = texts.iter().cloned().enumerate().collect();
        replace(&mut document, operation, &same).unwrap();
        let after: Value = serde_json::from_slice(&document.to_bytes()).unwrap();
        assert_eq!(after, request, "{name}");
        let other: Vec<_> = texts.iter().map(|text| format!("<{text}>\n")).collect();
        replace(
            &mut document,
            operation,
            &other.iter().cloned().enumerate().collect::<Vec<_>>(),
        )
        .unwrap();
        let fresh = Document::parse(document.to_bytes()).unwrap();
        let again: Vec<_> = segments(&fresh, operation)
            .unwrap()
            .into_iter()
            .map(|segment| segment.text.into_owned())
            .collect();
        assert_eq!(again, other, "{name}");
    }
    println!("{requests} requests read, {pieces} pieces of text");
}

#[test]
fn text_of_every_answer_is_found_and_put_back() {
    let mut pieces = 0;
    for exchange in exchanges()
        .into_iter()
        .filter(|exchange| exchange.status == 200)
    {
        let Some(answer) = exchange
            .response
            .get("json")
            .filter(|answer| answer.is_object())
        else {
            continue;
        };
        let mut document = Document::parse(Bytes::from(answer.to_string())).unwrap();
        let found = answer_segments(&document, exchange.operation)
            .unwrap_or_else(|invalid| panic!("{}: {invalid:?}", exchange.name));
        pieces += found.len();
        let other: Vec<_> = found
            .iter()
            .map(|segment| format!("<{}>", segment.text))
            .collect();
        drop(found);
        replace_answer(
            &mut document,
            exchange.operation,
            &other.iter().cloned().enumerate().collect::<Vec<_>>(),
        )
        .unwrap();
        let fresh = Document::parse(document.to_bytes()).unwrap();
        let again: Vec<_> = answer_segments(&fresh, exchange.operation)
            .unwrap()
            .into_iter()
            .map(|segment| segment.text.into_owned())
            .collect();
        assert_eq!(again, other, "{}", exchange.name);
    }
    println!("{pieces} pieces of text in answers");
}

/// Lets everything pass, at once or only at the channel's end.
struct Pass {
    hold: bool,
    held: std::collections::HashMap<Channel, String>,
}

impl TextFilter for Pass {
    fn push(&mut self, channel: Channel, _: Kind, text: &str) -> Result<String, Denied> {
        if self.hold {
            self.held.entry(channel).or_default().push_str(text);
            return Ok(String::new());
        }
        Ok(text.to_owned())
    }

    fn finish(&mut self, channel: Channel) -> Result<String, Denied> {
        Ok(self.held.remove(&channel).unwrap_or_default())
    }
}

/// All text of a stream by its deltas.
fn delta_text(operation: Operation, stream: &str) -> std::collections::BTreeMap<String, String> {
    let mut texts = std::collections::BTreeMap::<String, String>::new();
    let mut add = |key: String, value: &Value| {
        if let Some(text) = value.as_str() {
            texts.entry(key).or_default().push_str(text);
        }
    };
    for event in events(stream) {
        match operation {
            Operation::ChatCompletions => {
                for choice in event["choices"].as_array().into_iter().flatten() {
                    for name in ["content", "reasoning", "reasoning_content", "refusal"] {
                        add(
                            format!("{} {name}", choice["index"]),
                            &choice["delta"][name],
                        );
                    }
                    for call in choice["delta"]["tool_calls"]
                        .as_array()
                        .into_iter()
                        .flatten()
                    {
                        add(
                            format!("{} call {}", choice["index"], call["index"]),
                            &call["function"]["arguments"],
                        );
                    }
                }
            }
            Operation::Responses => {
                let kind = event["type"].as_str().unwrap_or("");
                if kind.ends_with(".delta") {
                    add(
                        format!(
                            "{kind} {} {} {}",
                            event["output_index"], event["content_index"], event["summary_index"]
                        ),
                        &event["delta"],
                    );
                }
            }
            _ => {
                for name in ["text", "thinking", "partial_json"] {
                    add(format!("{} {name}", event["index"]), &event["delta"][name]);
                }
            }
        }
    }
    texts.retain(|_, text| !text.is_empty());
    texts
}

#[test]
fn every_stream_survives_a_filter_that_lets_pass_and_one_that_holds_back() {
    let mut streams = 0;
    for exchange in exchanges() {
        let Some(stream) = exchange.response["sse"].as_str() else {
            continue;
        };
        streams += 1;
        let run = |hold: bool, size: usize| {
            let mut rewriter = AnswerRewriter::new(exchange.operation);
            let mut filter = Pass {
                hold,
                held: Default::default(),
            };
            let mut out = Vec::new();
            for chunk in stream.as_bytes().chunks(size) {
                rewriter
                    .push(chunk, &mut filter, &mut out)
                    .unwrap_or_else(|denied| panic!("{}: {denied:?}", exchange.name));
            }
            rewriter.finish(&mut filter, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        for size in [3, usize::MAX] {
            assert_eq!(run(false, size), stream, "{}", exchange.name);
        }
        let held = run(true, usize::MAX);
        assert_eq!(run(true, 5), held, "{}", exchange.name);
        assert_eq!(
            delta_text(exchange.operation, &held),
            delta_text(exchange.operation, stream),
            "{}",
            exchange.name
        );
        if exchange.operation == Operation::Responses {
            let ends = |stream: &str| events(stream).last().unwrap()["response"].clone();
            assert_eq!(ends(&held), ends(stream), "{}", exchange.name);
        }
    }
    println!("{streams} streams rewritten");
}
