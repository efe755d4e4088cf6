//! What bridging a conversation of 200 KB costs, in each direction. The limit is 1 ms on one core:
//! `cargo bench -p tollgate-dialect --bench bridge_request`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::{Abilities, Target, request};

/// The least size of the conversation that is measured, in whichever dialect.
const SIZE: usize = 200 * 1024;

criterion_group!(benches, requests);
criterion_main!(benches);

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bridge a request of 200 KB");
    let target = |dialect| Target {
        dialect,
        family: "maker",
        model: "a-model",
        max_output_tokens: Some(128_000),
        default_output_tokens: None,
        abilities: Abilities::from_names(["reasoning", "adaptive-thinking"]),
    };
    // The same conversation in each dialect, made by the bridge itself.
    let in_each = |rounds| {
        let responses = conversation(rounds).to_string();
        let [chat, messages] = [Dialect::OpenaiChat, Dialect::AnthropicMessages]
            .map(|dialect| (dialect, bridged(&responses, &target(dialect))));
        [
            (Dialect::OpenaiResponses, responses.into_bytes()),
            chat,
            messages,
        ]
    };
    let bodies = (1..1_000)
        .map(in_each)
        .find(|bodies| bodies.iter().all(|(_, body)| body.len() >= SIZE));
    let Some(bodies) = bodies else {
        panic!("the conversation is never as long");
    };
    for (from, body) in &bodies {
        for (to, _) in &bodies {
            if from == to {
                continue;
            }
            let target = target(*to);
            let name = format!("{} to {}", from.as_str(), to.as_str());
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_function(name, |bencher| {
                bencher.iter(|| drop(black_box(request(*from, black_box(body), &target))));
            });
        }
    }
}

fn bridged(body: &str, to: &Target<'_>) -> Vec<u8> {
    request(Dialect::OpenaiResponses, body.as_bytes(), to)
        .map(|bridged| bridged.body)
        .unwrap_or_default()
}

/// A coding agent's conversation: instructions, tools, then rounds of calls and results with source text in them.
fn conversation(rounds: usize) -> Value {
    let source = "    fn next(&mut self) -> Option<&'a str> {\n        self.lines.next().map(|line| line.trim_end_matches(\"\\r\"))\n    }\n\n".repeat(24);
    let mut items = vec![
        json!({"type": "message", "role": "developer", "content": [{"type": "input_text", "text": source}]}),
        json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Rename it, please."}]}),
    ];
    for number in 1..=rounds {
        let id = format!("call_{number:08}");
        items.push(json!({"type": "reasoning", "id": format!("rs_{number}"), "summary": [{"type": "summary_text", "text": "**Looking** for it"}], "encrypted_content": "gAAAAA".repeat(40)}));
        items.push(json!({"type": "function_call", "call_id": id, "name": "exec_command", "arguments": "{\"cmd\": \"sed -n 1,80p src/lib.rs\"}"}));
        items.push(json!({"type": "function_call_output", "call_id": id, "output": source}));
    }
    let tools: Vec<_> = (0..20)
        .map(|number| {
            json!({"type": "function", "name": format!("tool_{number}"), "description": "Does one thing and does it well. ".repeat(20), "strict": false,
                "parameters": {"type": "object", "properties": {"cmd": {"type": "string", "description": "What to run."}}, "required": ["cmd"], "additionalProperties": false}})
        })
        .collect();
    json!({"model": "a-model", "stream": true, "input": items, "tools": tools, "tool_choice": "auto", "parallel_tool_calls": true,
        "reasoning": {"effort": "medium", "summary": "auto"}, "store": false, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "01a202cb"})
}
