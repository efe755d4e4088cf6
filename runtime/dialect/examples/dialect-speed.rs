//! Prints what the hot path costs in nanoseconds: `cargo run --release -p tollgate-dialect --example dialect-speed`,
//! perhaps with a part of the names wanted.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tollgate_dialect::{
    Document, Edit, Operation, StreamFilter, StreamTap, UsageHints, facts, read_usage,
};

fn main() {
    let small = chat_request(180);
    let large = chat_request(39_700);
    let chinese = chat_request_of("请问如何证明这个定理?", 40_000);
    println!("{:<44} {:>8} bytes {:>9} ns", "what", "", "");
    for (name, body) in [
        ("parse, small", &small),
        ("parse, large", &large),
        ("parse, large, Chinese", &chinese),
    ] {
        measure(name, body.len(), || {
            drop(black_box(Document::parse(body.clone())))
        });
    }
    if let Ok(document) = Document::parse(small.clone()) {
        measure("facts, small", small.len(), || {
            drop(black_box(facts(&document, Operation::ChatCompletions)))
        });
    }
    let edit = Edit::Set {
        pointer: "/model".into(),
        value: "\"another\"".into(),
    };
    let usage = Edit::Set {
        pointer: "/stream_options/include_usage".into(),
        value: "true".into(),
    };
    for (name, body) in [
        ("parse, set, write, small", &small),
        ("parse, set, write, large", &large),
    ] {
        measure(name, body.len(), || {
            if let Ok(mut document) = Document::parse(body.clone()) {
                let _ = black_box(document.apply(&edit));
                drop(black_box(document.to_bytes()));
            }
        });
    }
    if let Ok(document) = Document::parse(small.clone()) {
        measure("clone, set, small", small.len(), || {
            let mut document = document.clone();
            let _ = black_box(document.apply(&edit));
        });
        measure("clone, set nested, write, small", small.len(), || {
            let mut document = document.clone();
            let _ = black_box(document.apply(&usage));
            drop(black_box(document.to_bytes()));
        });
    }
    let hints = Arc::new(UsageHints::default());
    for (name, operation, burst) in [
        (
            "tap, 24 chat events",
            Operation::ChatCompletions,
            chat_burst(false),
        ),
        (
            "tap, 24 chat events with usage",
            Operation::ChatCompletions,
            chat_burst(true),
        ),
        (
            "tap, 24 responses events",
            Operation::Responses,
            responses_burst(),
        ),
        (
            "tap, 24 messages events",
            Operation::Messages,
            messages_burst(),
        ),
    ] {
        measure(name, burst.len(), || {
            let mut tap = StreamTap::new(operation, hints.clone());
            tap.push(black_box(&burst));
            drop(black_box(tap.finish()));
        });
    }
    let burst = Bytes::from(chat_burst(true));
    measure("filter, 24 chat events with usage", burst.len(), || {
        let mut filter = StreamFilter::new();
        filter.push(burst.clone(), |bytes| drop(black_box(bytes)));
        filter.finish(|bytes| drop(black_box(bytes)));
    });
    let answer = br#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"A short answer of a few words, as they are."},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#;
    measure("usage of a JSON answer", answer.len(), || {
        black_box(read_usage(
            Operation::ChatCompletions,
            black_box(answer),
            &hints,
        ));
    });
}

/// Prints the fastest of many short runs: the one that nothing else disturbed.
fn measure(name: &str, bytes: usize, mut work: impl FnMut()) {
    if std::env::args()
        .nth(1)
        .is_some_and(|wanted| !name.contains(&wanted))
    {
        return;
    }
    const RUNS: usize = 1_000;
    const PER_RUN: u32 = 50;
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            (0..PER_RUN).for_each(|_| work());
            start.elapsed().as_nanos() / u128::from(PER_RUN)
        })
        .collect();
    times.sort_unstable();
    println!("{name:<44} {bytes:>8} bytes {:>9} ns", times[0]);
}

fn chat_request(text: usize) -> Bytes {
    chat_request_of(
        "Some words of a question, a line,\\nand \\\"quotes\\\". ",
        text,
    )
}

fn chat_request_of(words: &str, text: usize) -> Bytes {
    let content = words.repeat(text / words.len() + 1);
    format!(
        r#"{{"model":"some-model-1","messages":[{{"role":"system","content":"You answer briefly."}},{{"role":"user","content":"{content}"}}],"temperature":0.7,"max_tokens":256,"stream":true,"stream_options":{{"include_usage":true}},"user":"u-1","tools":[{{"type":"function","function":{{"name":"get","parameters":{{"type":"object","properties":{{}}}}}}}}]}}"#
    )
    .into()
}

fn chat_burst(usage: bool) -> Vec<u8> {
    let mut burst = String::new();
    for n in 0..24 {
        let usage = if usage { r#","usage":null"# } else { "" };
        burst.push_str(&format!(
            r#"data: {{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,"model":"some-model-2026-01-01","service_tier":"default","system_fingerprint":"fp_50cad350e4","choices":[{{"index":0,"delta":{{"content":" word{n}"}},"logprobs":null,"finish_reason":null}}]{usage}}}"#
        ));
        burst.push_str("\n\n");
    }
    if usage {
        burst.push_str("data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":24,\"total_tokens\":43,\"prompt_tokens_details\":{\"cached_tokens\":0}}}\n\n");
    }
    burst.push_str("data: [DONE]\n\n");
    burst.into_bytes()
}

fn responses_burst() -> Vec<u8> {
    let mut burst = String::new();
    for n in 0..24 {
        burst.push_str(&format!(
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{n},\"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c507b8b0ad4e5eb654\",\"output_index\":0,\"content_index\":0,\"delta\":\" word\",\"logprobs\":[],\"obfuscation\":\"aZ3kPq\"}}\n\n"
        ));
    }
    burst.push_str("event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n");
    burst.into_bytes()
}

fn messages_burst() -> Vec<u8> {
    let mut burst = String::new();
    for _ in 0..24 {
        burst.push_str("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" some words\"}             }\n\n");
    }
    burst.push_str("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    burst.into_bytes()
}
