//! What a stream under way holds in memory, counted by the allocator: no more than it says, however long it is.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::sync::Arc;

use peak_alloc::PeakAlloc;
use tollgate_dialect::bridge::{Context, Echo, Stamp, StreamBridge, Upstream};
use tollgate_dialect::{Dialect, UsageHints};

/// Counts for the whole program: this file has one test.
#[global_allocator]
static COUNTING: PeakAlloc = PeakAlloc;

fn live() -> isize {
    COUNTING.current_usage().cast_signed()
}

/// Waits until nobody else counts: the thread that began this test has a little to write down after that.
fn settle() {
    let mut before = live();
    loop {
        std::thread::sleep(std::time::Duration::from_millis(50));
        let now = live();
        if now == before {
            return;
        }
        before = now;
    }
}

const CHAT: Dialect = Dialect::OpenaiChat;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

/// What a stream may cost besides what it holds of the answer: its own state, and what it read last.
const OVERHEAD: usize = 16 << 10;

/// A vector that grows has up to as much room again.
const ROOM: usize = 2;

/// What an answer to a client of Responses repeats of its request, as an agent's instructions: kept once.
const REPEATED: usize = 200 << 10;

fn repeated(client: Dialect) -> usize {
    match client {
        RESPONSES => REPEATED,
        _ => 0,
    }
}

fn bridge(client: Dialect, vendor: Dialect, limit: usize) -> StreamBridge {
    let echo = (client == RESPONSES).then(|| {
        let mut echo = Echo::default();
        echo.add("instructions", &"x".repeat(REPEATED - 2));
        Box::new(echo)
    });
    let context = Context {
        from: client,
        to: vendor,
        family: "maker".into(),
        model: "asked".into(),
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
        echo,
    };
    let stamp = Stamp {
        request_id: "req1".into(),
        created: 1_700_000_001,
    };
    StreamBridge::new(context, stamp, Arc::new(UsageHints::default()), limit)
}

/// What the model does all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// It writes one text.
    Writes,
    /// It calls tools, one after the other.
    Calls,
}

/// One event of a text, or all of a call.
fn event(vendor: Dialect, does: Does, number: usize) -> String {
    let filling = "all of it is text ".repeat(6);
    let data = |data: String| format!("data: {data}\n\n");
    match (vendor, does) {
        (CHAT, Does::Writes) => data(format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"{filling}"}}}}]}}"#
        )),
        (CHAT, Does::Calls) => data(format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{number},"id":"call_{number}","function":{{"name":"look","arguments":"{{\"at\":\"{filling}\"}}"}}}}]}}}}]}}"#
        )),
        (RESPONSES, Does::Writes) => data(format!(
            r#"{{"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"m","delta":"{filling}"}}"#
        )),
        (RESPONSES, Does::Calls) => data(format!(
            r#"{{"type":"response.output_item.done","output_index":{number},"item":{{"type":"function_call","id":"fc_{number}","call_id":"call_{number}","name":"look","arguments":"{{\"at\":\"{filling}\"}}"}}}}"#
        )),
        (_, Does::Writes) => data(format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{filling}"}}}}"#
        )),
        (_, Does::Calls) => [
            format!(
                r#"{{"type":"content_block_start","index":{number},"content_block":{{"type":"tool_use","id":"call_{number}","name":"look","input":{{}}}}}}"#
            ),
            format!(
                r#"{{"type":"content_block_delta","index":{number},"delta":{{"type":"input_json_delta","partial_json":"{{\"at\":\"{filling}\"}}"}}}}"#
            ),
            format!(r#"{{"type":"content_block_stop","index":{number}}}"#),
        ]
        .map(data)
        .concat(),
    }
}

fn first(vendor: Dialect, does: Does) -> &'static str {
    match (vendor, does) {
        (CHAT, _) => "",
        (RESPONSES, _) => "data: {\"type\":\"response.created\",\"response\":{}}\n\n",
        (_, Does::Writes) => {
            "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        }
        (_, Does::Calls) => "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n",
    }
}

/// Lets a vendor go on and on; the most that the stream held, and the most that it said it held.
fn most(
    client: Dialect,
    vendor: Dialect,
    does: Does,
    events: usize,
    limit: usize,
) -> (usize, usize) {
    let name = format!("{vendor:?} to {client:?}, {does:?}");
    let before = live();
    let mut bridge = bridge(client, vendor, limit);
    let (mut most_live, mut most_held) = (0, 0);
    for number in 0..=events {
        let sent = match number {
            0 => first(vendor, does).to_owned(),
            _ => event(vendor, does, number - 1),
        };
        // As the network may cut it.
        for piece in sent.as_bytes().chunks(97) {
            let mut out = Vec::new();
            bridge.push(piece, &mut out);
        }
        drop(sent);
        if bridge.is_ended() {
            assert!(most_held * 2 > limit, "{name} ended at {most_held}");
            break;
        }
        let (live, held) = ((live() - before).cast_unsigned(), bridge.held());
        assert!(held <= limit, "{name}");
        assert!(
            live <= ROOM * held + OVERHEAD + repeated(client),
            "{name}: {live} bytes after {number} events, {held} told"
        );
        (most_live, most_held) = (most_live.max(live), most_held.max(held));
    }
    let mut out = Vec::new();
    bridge.finish(&Upstream::Closed, &mut out);
    drop((bridge, out));
    assert_eq!(live(), before, "{name} is gone and holds nothing");
    (most_live, most_held)
}

#[test]
fn a_stream_holds_what_it_says_and_no_more_than_its_limit_however_long_it_is() {
    settle();
    for (client, vendor) in [
        (CHAT, RESPONSES),
        (CHAT, MESSAGES),
        (RESPONSES, CHAT),
        (RESPONSES, MESSAGES),
        (MESSAGES, CHAT),
        (MESSAGES, RESPONSES),
    ] {
        // Long answers, far from the limit.
        for (does, events) in [(Does::Writes, 20_000), (Does::Calls, 2_000)] {
            let (live, held) = most(client, vendor, does, events, 16 << 20);
            println!("{vendor:?} to {client:?}, {does:?}: {live} bytes, {held} told");
            if client != RESPONSES && does == Does::Writes {
                assert!(
                    live < OVERHEAD,
                    "only a client of Responses is told a text again"
                );
            }
        }
        // An answer without end.
        for does in [Does::Writes, Does::Calls] {
            let limit = 256 << 10;
            let (live, _) = most(client, vendor, does, 20_000, limit);
            assert!(live <= ROOM * limit + OVERHEAD + repeated(client));
        }
    }
}
