//! What bridging a 24-event stream costs, in each direction. The limit is 2 µs an event on one core, that is 48 µs a
//! stream: `cargo bench -p tollgate-dialect --bench bridge_stream`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tollgate_dialect::bridge::{Context, Stamp, StreamBridge, Upstream, answer};
use tollgate_dialect::{Dialect, UsageHints};

/// Events of a stream, the first and last ones included.
const EVENTS: usize = 24;

const DIALECTS: [Dialect; 3] = [
    Dialect::OpenaiChat,
    Dialect::OpenaiResponses,
    Dialect::AnthropicMessages,
];

criterion_group!(benches, streams);
criterion_main!(benches);

fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bridge a stream");
    for vendor in DIALECTS {
        let (text, calls) = (stream(vendor, false), stream(vendor, true));
        for client in DIALECTS.into_iter().filter(|client| *client != vendor) {
            for (what, events) in [("text", &text), ("a call", &calls)] {
                let name = format!("{} to {}, {what}", vendor.as_str(), client.as_str());
                let whole = events.concat();
                group.throughput(Throughput::Elements(events.len() as u64));
                group.bench_function(&name, |bencher| {
                    bencher.iter(|| bridge(client, vendor, &[&whole]));
                });
                // As they arrive when the vendor is slow: one read an event.
                let apart: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
                group.bench_function(format!("{name}, apart"), |bencher| {
                    bencher.iter(|| bridge(client, vendor, &apart));
                });
            }
        }
    }
    let body = whole_answer();
    for client in [Dialect::OpenaiResponses, Dialect::AnthropicMessages] {
        let context = context(client, Dialect::OpenaiChat);
        let hints = Arc::new(UsageHints::default());
        let name = format!("whole answer, {} bytes, to {}", body.len(), client.as_str());
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| drop(black_box(answer(&context, &stamp(), &hints, &body))));
        });
    }
}

fn bridge(client: Dialect, vendor: Dialect, pieces: &[&[u8]]) {
    let hints = Arc::new(UsageHints::default());
    let mut bridge = StreamBridge::new(context(client, vendor), stamp(), hints, 16 << 20);
    let mut out = Vec::with_capacity(16 << 10);
    for piece in pieces {
        // What one read returned goes out in one write.
        out.clear();
        bridge.push(piece, &mut out);
        black_box(&out);
    }
    bridge.finish(&Upstream::Closed, &mut out);
    black_box(&out);
}

fn stamp() -> Stamp {
    Stamp {
        request_id: "0197f0c0a1b27c3d8e4f5a6b7c8d9e0f".into(),
        created: 1_700_000_000,
    }
}

fn context(client: Dialect, vendor: Dialect) -> Context {
    Context {
        from: client,
        to: vendor,
        family: "maker".into(),
        model: "some-model".into(),
        stream: true,
        include_usage: true,
        choices: 1,
        tools: Vec::new(),
        structured_tool: None,
        stop: Vec::new(),
        encrypted_reasoning: true,
        readable_reasoning: true,
        hidden_reasoning: true,
        servers: std::collections::HashMap::new(),
        logprobs: false,
        echo: None,
    }
}

fn event(name: &str, data: &str) -> Vec<u8> {
    if name.is_empty() {
        format!("data: {data}\n\n").into_bytes()
    } else {
        format!("event: {name}\ndata: {data}\n\n").into_bytes()
    }
}

/// A stream as vendors send it, with all that surrounds the deltas.
fn stream(vendor: Dialect, call: bool) -> Vec<Vec<u8>> {
    match vendor {
        Dialect::OpenaiResponses => responses(call),
        Dialect::AnthropicMessages => messages(call),
        _ => chat(call),
    }
}

fn piece(at: usize, call: bool) -> String {
    if call {
        format!("\\\"word{at}\\\":{at},")
    } else {
        format!(" word{at}")
    }
}

fn chat(call: bool) -> Vec<Vec<u8>> {
    let chunk = |delta: &str, finish: &str| {
        event(
            "",
            &format!(
                r#"{{"id":"chatcmpl-BvHqWJ4nTzGb1kQ9xYcRmE2s","object":"chat.completion.chunk","created":1700000000,"model":"vendor-model-2026-08-07","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null,"obfuscation":"aBcDeFgH"}}"#
            ),
        )
    };
    let mut events = vec![chunk(
        r#"{"role":"assistant","content":"","refusal":null}"#,
        "null",
    )];
    if call {
        events.push(chunk(r#"{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"find","arguments":""}}]}"#, "null"));
    }
    while events.len() < EVENTS - 3 {
        let text = piece(events.len(), call);
        events.push(if call {
            chunk(
                &format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{text}"}}}}]}}"#),
                "null",
            )
        } else {
            chunk(&format!(r#"{{"content":"{text}"}}"#), "null")
        });
    }
    events.push(chunk(
        "{}",
        if call { "\"tool_calls\"" } else { "\"stop\"" },
    ));
    events.push(event("", r#"{"id":"chatcmpl-BvHqWJ4nTzGb1kQ9xYcRmE2s","object":"chat.completion.chunk","created":1700000000,"model":"vendor-model-2026-08-07","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":60},"completion_tokens_details":{"reasoning_tokens":5}}}"#));
    events.push(event("", "[DONE]"));
    events
}

fn responses(call: bool) -> Vec<Vec<u8>> {
    let mut events: Vec<Vec<u8>> = Vec::new();
    let object = |status: &str, output: &str, usage: &str| {
        format!(
            r#"{{"id":"resp_68a1","object":"response","created_at":1700000000,"status":"{status}","background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"model":"vendor-model","output":[{output}],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{{"effort":"medium","summary":null}},"store":false,"temperature":1.0,"text":{{"format":{{"type":"text"}}}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":{usage},"user":null,"metadata":{{}}}}"#
        )
    };
    let mut push = |name: &str, rest: &str| {
        let number = events.len();
        events.push(event(
            name,
            &format!(r#"{{"type":"{name}","sequence_number":{number},{rest}}}"#),
        ));
    };
    let place = r#""item_id":"msg_68a1f0c0a1b27c3d8e4f5a6b7c8d9e0f","output_index":0"#;
    for name in ["response.created", "response.in_progress"] {
        push(
            name,
            &format!(r#""response":{}"#, object("in_progress", "", "null")),
        );
    }
    let (delta, done, content) = if call {
        (
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "",
        )
    } else {
        (
            "response.output_text.delta",
            "response.output_text.done",
            r#""content_index":0,"logprobs":[],"#,
        )
    };
    let item = |text: &str, status: &str| {
        if call {
            format!(
                r#"{{"id":"msg_68a1f0c0a1b27c3d8e4f5a6b7c8d9e0f","type":"function_call","status":"{status}","call_id":"call_1","name":"find","arguments":"{text}"}}"#
            )
        } else {
            format!(
                r#"{{"id":"msg_68a1f0c0a1b27c3d8e4f5a6b7c8d9e0f","type":"message","status":"{status}","role":"assistant","content":[{{"type":"output_text","annotations":[],"logprobs":[],"text":"{text}"}}]}}"#
            )
        }
    };
    push(
        "response.output_item.added",
        &format!(r#""output_index":0,"item":{}"#, item("", "in_progress")),
    );
    let deltas = EVENTS - 6;
    let texts: Vec<String> = (0..deltas).map(|at| piece(at, call)).collect();
    for text in &texts {
        push(
            delta,
            &format!(r#"{place},{content}"delta":"{text}","obfuscation":"aBcDeFgH""#),
        );
    }
    let text = texts.concat();
    push(done, &format!(r#"{place},{content}"text":"{text}""#));
    push(
        "response.output_item.done",
        &format!(r#""output_index":0,"item":{}"#, item(&text, "completed")),
    );
    let usage = r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":60},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":120}"#;
    push(
        "response.completed",
        &format!(
            r#""response":{}"#,
            object("completed", &item(&text, "completed"), usage)
        ),
    );
    events
}

fn messages(call: bool) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    let mut push = |name: &str, rest: &str| {
        events.push(event(name, &format!(r#"{{"type":"{name}",{rest}}}"#)));
    };
    let usage = r#"{"input_tokens":40,"cache_creation_input_tokens":0,"cache_read_input_tokens":60,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}"#;
    push(
        "message_start",
        &format!(
            r#""message":{{"model":"vendor-model","id":"msg_01","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{usage}}}"#
        ),
    );
    push(
        "content_block_start",
        if call {
            r#""index":0,"content_block":{"type":"tool_use","id":"toolu_01","name":"find","input":{}}"#
        } else {
            r#""index":0,"content_block":{"type":"text","text":""}"#
        },
    );
    for at in 0..EVENTS - 5 {
        let text = piece(at, call);
        push(
            "content_block_delta",
            &if call {
                format!(
                    r#""index":0,"delta":{{"type":"input_json_delta","partial_json":"{text}"}}"#
                )
            } else {
                format!(r#""index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#)
            },
        );
    }
    push("content_block_stop", r#""index":0"#);
    let reason = if call { "tool_use" } else { "end_turn" };
    push(
        "message_delta",
        &format!(r#""delta":{{"stop_reason":"{reason}","stop_sequence":null}},"usage":{usage}"#),
    );
    events.push(event("message_stop", r#"{"type":"message_stop"}"#));
    events
}

fn whole_answer() -> Vec<u8> {
    let text = "A sentence of an answer. ".repeat(20);
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"vendor-model","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}}}"#
    )
    .into_bytes()
}
