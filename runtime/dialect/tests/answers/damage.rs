//! Damaged streams: each has a defined outcome, and none breaks the client's grammar.

use proptest::prelude::*;
use tollgate_dialect::bridge::{StreamBridge, Upstream};
use tollgate_dialect::{ApiError, Dialect, ErrorKind, UsageHints};

use super::grammar::{self, End};
use super::plain::{self, Summary};
use super::support::*;

/// An event with this data, named by its type where the dialect names events.
pub(crate) fn event(data: &str) -> String {
    format!("data: {data}\n\n")
}

/// A chunk with this delta.
pub(crate) fn chunk(delta: &str) -> String {
    event(&format!(
        r#"{{"id":"v","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#
    ))
}

/// The end of a Chat stream.
pub(crate) fn finish(reason: &str) -> String {
    event(&format!(
        r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#
    )) + "data: [DONE]\n\n"
}

/// A Messages stream with these events in its middle.
pub(crate) fn message(events: &[&str], reason: &str) -> String {
    let mut stream = event(
        r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":3,"output_tokens":1}}}"#,
    );
    for data in events {
        stream += &event(data);
    }
    stream += &event(&format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}},"usage":{{"output_tokens":2}}}}"#
    ));
    stream + &event(r#"{"type":"message_stop"}"#)
}

/// A vendor's stream that says `before` (JSON between quotes), has these events then, and ends in order.
fn speaking(vendor: Dialect, before: &str, events: &str) -> String {
    match vendor {
        CHAT => chunk(&format!(r#"{{"content":"{before}"}}"#)) + events + &finish("stop"),
        RESPONSES => {
            event(&format!(
                r#"{{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"{before}"}}"#
            )) + events
                + &event(r#"{"type":"response.completed","response":{"output":[]}}"#)
        }
        _ => {
            let delta = format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{before}"}}}}"#
            );
            let whole = message(&[&delta, "MORE"], "end_turn");
            whole.replace(&event("MORE"), events)
        }
    }
}

/// Every client with every vendor of another dialect.
fn ways() -> impl Iterator<Item = (Dialect, Dialect)> {
    DIALECTS.into_iter().flat_map(|vendor| {
        let clients = DIALECTS.into_iter().filter(move |client| *client != vendor);
        clients.map(move |client| (client, vendor))
    })
}

/// What a client of this dialect is told, the grammar checked.
pub(crate) fn told(client: Dialect, vendor: Dialect, sent: &str) -> Summary {
    let out = stream(&context(client, vendor), sent.as_bytes());
    let end =
        grammar::check(client, &out).unwrap_or_else(|wrong| panic!("{wrong}\n{}", text(&out)));
    assert_eq!(end, End::Complete, "{}", text(&out));
    plain::summary_of_stream(client, &out).unwrap()
}

/// The failure that a client of this dialect is told.
pub(crate) fn failed(client: Dialect, vendor: Dialect, sent: &str) -> String {
    let out = stream(&context(client, vendor), sent.as_bytes());
    let end =
        grammar::check(client, &out).unwrap_or_else(|wrong| panic!("{wrong}\n{}", text(&out)));
    assert_eq!(end, End::Failed, "{}", text(&out));
    text(&out).to_owned()
}

#[test]
fn deltas_before_their_block_open_it() {
    let sent = message(
        &[
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}"#,
        ],
        "end_turn",
    );
    for client in [CHAT, RESPONSES] {
        assert_eq!(told(client, MESSAGES, &sent).text, "ab");
    }
    let sent = event(
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
    ) + &event(r#"{"type":"response.created","response":{}}"#)
        + &event(r#"{"type":"response.completed","response":{"output":[]}}"#);
    for client in [CHAT, MESSAGES] {
        assert_eq!(told(client, RESPONSES, &sent).text, "a");
    }
}

#[test]
fn beginnings_and_ends_told_twice_are_told_once() {
    let added = event(
        r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"f","type":"function_call","call_id":"c","name":"n","arguments":""}}"#,
    );
    let done = event(
        r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"f","type":"function_call","call_id":"c","name":"n","arguments":"{\"a\":1}"}}"#,
    );
    let end = event(
        r#"{"type":"response.completed","response":{"output":[{"id":"f","type":"function_call","call_id":"c","name":"n","arguments":"{\"a\":1}"}]}}"#,
    );
    let sent = [added.clone(), added, done.clone(), done, end.clone(), end].concat();
    for client in [CHAT, MESSAGES] {
        let told = told(client, RESPONSES, &sent);
        assert_eq!(
            told.calls,
            [("c".into(), "n".into(), serde_json::json!({"a": 1}))]
        );
    }
}

#[test]
fn events_of_unknown_types_change_nothing() {
    let strange = [
        event(r#"{"type":"response.weather.changed","output_index":0,"delta":"x"}"#),
        event(r#"{"type":"content_block_weather","index":0}"#),
        event(r#"{"object":"weather"}"#),
        event("{}"),
        event("[]"),
        event("5"),
        "event: weather\ndata: {}\n\n: comment\n\nid: 5\nretry: 1\n\n".to_owned(),
    ];
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            let mut sent = strange.concat().into_bytes();
            for (at, event) in text(&fixture.bytes).split_inclusive("\n\n").enumerate() {
                sent.extend_from_slice(event.as_bytes());
                sent.extend_from_slice(strange[at % strange.len()].as_bytes());
            }
            assert!(
                stream(&context, &sent) == stream(&context, &fixture.bytes),
                "{} {}",
                fixture.name,
                short(client)
            );
        }
    }
}

#[test]
fn bytes_that_are_no_json_end_the_stream_with_a_failure() {
    for damage in [
        "{\"choices\":[",
        "nonsense",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":\"\\x\"}",
    ] {
        for (client, vendor) in ways() {
            let sent = speaking(vendor, "a", &event(damage));
            assert!(
                failed(client, vendor, &sent).contains("not valid JSON"),
                "{damage}"
            );
        }
    }
    let mut sent = chunk(r#"{"content":"a"}"#).into_bytes();
    sent.extend_from_slice(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xC3\"}}]}\n\n");
    let out = stream(&context(MESSAGES, CHAT), &sent);
    assert_eq!(
        grammar::check(MESSAGES, &out),
        Ok(End::Failed),
        "half a character is none"
    );
}

#[test]
fn half_a_character_at_a_border_is_whole_behind_it() {
    let sent = chunk(r#"{"content":"ä€𝄞"}"#) + &finish("stop");
    for client in [RESPONSES, MESSAGES] {
        let context = context(client, CHAT);
        for cut in 1..sent.len() {
            let (first, second) = sent.as_bytes().split_at(cut);
            let out = pieces(&context, [first, second]);
            assert!(text(&out).contains("ä€𝄞"), "cut at {cut}");
        }
    }
}

#[test]
fn a_surrogate_pair_cut_in_two_deltas_is_one_character() {
    let sent = chunk(r#"{"content":"a\ud834"}"#)
        + &chunk(r#"{"content":"\uDD1Eb"}"#)
        + &chunk(r#"{"content":"\udd1e\ud834c\ud834"}"#)
        + &finish("stop");
    for client in [RESPONSES, MESSAGES] {
        let told = told(client, CHAT, &sent);
        assert_eq!(told.text, "a𝄞b\u{fffd}\u{fffd}c\u{fffd}");
    }
}

/// Found by fuzzing: the lost half was told when the block ended, behind what seals it.
#[test]
fn a_thought_that_ends_in_half_a_character_is_whole_before_its_seal() {
    let item = r#"{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"SAID\ud834"}],"encrypted_content":"gAAA"}"#;
    for said in ["", "a"] {
        let item = item.replace("SAID", said);
        let sent = event(&format!(
            r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#
        )) + &event(r#"{"type":"response.completed","response":{"output":[]}}"#);
        let told = told(MESSAGES, RESPONSES, &sent);
        assert_eq!(told.reasoning, format!("{said}\u{fffd}"));
        assert_eq!(told.opaque.len(), 1);
    }
    let thought =
        |delta: &str| format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#);
    let sent = message(
        &[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
            &thought(r#"{"type":"thinking_delta","thinking":"a\ud834"}"#),
            &thought(r#"{"type":"signature_delta","signature":"sig"}"#),
            r#"{"type":"content_block_stop","index":0}"#,
        ],
        "end_turn",
    );
    let told = told(RESPONSES, MESSAGES, &sent);
    assert_eq!(told.reasoning, "a\u{fffd}");
    assert_eq!(told.opaque.len(), 1);
}

#[test]
fn values_nested_too_deep_end_the_stream_with_a_failure() {
    let deep = format!("{{\"choices\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for (client, vendor) in ways() {
        failed(client, vendor, &speaking(vendor, "a", &event(&deep)));
    }
}

#[test]
fn ten_megabytes_in_one_event_pass_and_what_is_larger_than_the_limit_fails() {
    let long = "x".repeat(10 << 20);
    for (client, vendor) in ways() {
        let sent = speaking(vendor, &long, "");
        assert_eq!(told(client, vendor, &sent).text.len(), long.len());
        let mut bridge = StreamBridge::new(
            context(client, vendor),
            stamp(),
            std::sync::Arc::new(UsageHints::default()),
            1 << 20,
        );
        let mut out = Vec::new();
        for piece in sent.as_bytes().chunks(64 << 10) {
            bridge.push(piece, &mut out);
            assert!(bridge.held() <= (1 << 20) + (64 << 10));
        }
        assert!(bridge.is_ended());
        assert_eq!(grammar::check(client, &out), Ok(End::Failed));
        assert!(text(&out).contains("larger than the gateway can hold"));
    }
}

#[test]
fn an_answer_larger_than_the_limit_ends_with_a_failure_where_it_must_be_held() {
    let delta = chunk(&format!("{{\"content\":\"{}\"}}", "x".repeat(1_000)));
    let sent = delta.repeat(100) + &finish("stop");
    for (client, end) in [(RESPONSES, End::Failed), (MESSAGES, End::Complete)] {
        let mut bridge = StreamBridge::new(
            context(client, CHAT),
            stamp(),
            std::sync::Arc::new(UsageHints::default()),
            50_000,
        );
        let mut out = Vec::new();
        bridge.push(sent.as_bytes(), &mut out);
        bridge.finish(&Upstream::Closed, &mut out);
        assert_eq!(grammar::check(client, &out), Ok(end));
    }
}

#[test]
fn intertwined_calls_larger_than_the_limit_end_with_a_failure() {
    let begin = chunk(
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"n"}},{"index":1,"id":"b","function":{"name":"n"}}]}"#,
    );
    let more = chunk(&format!(
        r#"{{"tool_calls":[{{"index":1,"function":{{"arguments":"{}"}}}}]}}"#,
        "x".repeat(1_000)
    ));
    let mut bridge = StreamBridge::new(
        context(MESSAGES, CHAT),
        stamp(),
        std::sync::Arc::new(UsageHints::default()),
        20_000,
    );
    let mut out = Vec::new();
    bridge.push((begin + &more.repeat(30)).as_bytes(), &mut out);
    assert!(bridge.is_ended());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Failed));
}

#[test]
fn an_unfinished_event_and_what_was_told_are_held_under_one_limit() {
    let limit = 4_000;
    let told = chunk(&format!("{{\"content\":\"{}\"}}", "x".repeat(600)));
    let unfinished = format!("data: {{\"choices\":[\"{}", "x".repeat(3_700));
    let mut bridge = StreamBridge::new(
        context(RESPONSES, CHAT),
        stamp(),
        std::sync::Arc::new(UsageHints::default()),
        limit,
    );
    let mut out = Vec::new();
    bridge.push(told.as_bytes(), &mut out);
    assert!(!bridge.is_ended());
    bridge.push(unfinished.as_bytes(), &mut out);
    assert!(bridge.is_ended() || bridge.held() <= limit);
    assert_eq!(grammar::check(RESPONSES, &out), Ok(End::Failed));
}

#[test]
fn arguments_that_are_not_json_arrive_as_they_are() {
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"not \"json"}}]}"#,
    ) + &finish("tool_calls");
    let told = told(RESPONSES, CHAT, &sent);
    assert_eq!(told.calls[0].2, serde_json::json!("not \"json"));
    let out = stream(&context(MESSAGES, CHAT), sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    assert!(text(&out).contains(r#""partial_json":"not \"json""#));
    // A whole message has room for an object only.
    let body = br#"{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"n","arguments":"not \"json"}}]},"finish_reason":"tool_calls"}]}"#;
    let answer = whole(&context(MESSAGES, CHAT), body).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        answer["content"][0]["input"],
        serde_json::json!({"arguments": "not \"json"})
    );
}

/// A call of `n` at `index`, with this id and these arguments (JSON between quotes), of a vendor of Responses or Messages.
fn call(vendor: Dialect, index: usize, id: Option<&str>, arguments: &str) -> String {
    let id = |name: &str| id.map_or_else(String::new, |id| format!(r#""{name}":"{id}","#));
    if vendor == RESPONSES {
        let item = format!(
            r#""item":{{"type":"function_call",{}"name":"n","arguments":"{arguments}"}}"#,
            id("call_id")
        );
        return event(&format!(
            r#"{{"type":"response.output_item.done","output_index":{index},{item}}}"#
        ));
    }
    let block = format!(
        r#"{{"type":"tool_use",{}"name":"n","input":{{}}}}"#,
        id("id")
    );
    event(&format!(
        r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#
    )) + &event(&format!(
        r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"input_json_delta","partial_json":"{arguments}"}}}}"#
    )) + &event(&format!(
        r#"{{"type":"content_block_stop","index":{index}}}"#
    ))
}

/// Each vendor's reader has a way of its own to a call's arguments and its id.
#[test]
fn arguments_and_ids_of_the_other_vendors_are_mended_as_those_of_chat() {
    for (client, vendor) in ways().filter(|(_, vendor)| *vendor != CHAT) {
        let sent = speaking(vendor, "a", &call(vendor, 1, Some("c"), r#"not \"json"#));
        let out = stream(&context(client, vendor), sent.as_bytes());
        assert_eq!(grammar::check(client, &out), Ok(End::Complete));
        assert!(text(&out).contains(r#"not \"json"#), "{}", text(&out));

        let ids = [None, Some(""), Some("x"), Some("x")];
        let calls = ids.iter().enumerate();
        let calls: String = calls
            .map(|(at, id)| call(vendor, at + 1, *id, "{}"))
            .collect();
        let calls = told(client, vendor, &speaking(vendor, "a", &calls)).calls;
        let ids: Vec<_> = calls.iter().map(|call| call.0.as_str()).collect();
        assert_eq!(ids.len(), 4);
        assert_eq!(ids[2], "x");
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert!(distinct.len() == 4 && !distinct.contains(&""), "{ids:?}");
    }
}

#[test]
fn calls_without_ids_get_ids_and_ids_used_twice_are_told_apart() {
    let sent = chunk(r#"{"tool_calls":[{"index":0,"function":{"name":"a","arguments":"{}"}}]}"#)
        + &chunk(
            r#"{"tool_calls":[{"index":1,"id":"","function":{"name":"b","arguments":"{}"}}]}"#,
        )
        + &chunk(
            r#"{"tool_calls":[{"index":2,"id":"x","function":{"name":"c","arguments":"{}"}}]}"#,
        )
        + &chunk(
            r#"{"tool_calls":[{"index":3,"id":"x","function":{"name":"d","arguments":"{}"}}]}"#,
        )
        + &finish("tool_calls");
    let body = br#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"a","arguments":"{}"}},
        {"id":"","function":{"name":"b","arguments":"{}"}},{"id":"x","function":{"name":"c","arguments":"{}"}},
        {"id":"x","function":{"name":"d","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    for client in [RESPONSES, MESSAGES] {
        let answer = whole(&context(client, CHAT), body).unwrap();
        let whole = plain::summary(client, &serde_json::from_slice(&answer).unwrap());
        for calls in [told(client, CHAT, &sent).calls, whole.calls] {
            let ids: Vec<_> = calls.iter().map(|call| call.0.as_str()).collect();
            assert_eq!(ids, ["call_req1_1", "call_req1_2", "x", "x_4"]);
            let names: Vec<_> = calls.iter().map(|call| call.1.as_str()).collect();
            assert_eq!(names, ["a", "b", "c", "d"]);
        }
    }
}

#[test]
fn chunks_without_choices_say_nothing() {
    let sent = event(r#"{"choices":[],"prompt_filter_results":[]}"#)
        + &event(r#"{"choices":null}"#)
        + &chunk(r#"{"content":"a"}"#)
        + &event(r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#)
        + &finish("stop");
    for client in [RESPONSES, MESSAGES] {
        let told = told(client, CHAT, &sent);
        assert_eq!(told.text, "a");
        assert_eq!(told.usage.unwrap().input, 4);
    }
    for empty in [
        "data: [DONE]\n\n".to_owned(),
        event(r#"{"choices":[]}"#) + "data: [DONE]\n\n",
    ] {
        failed(MESSAGES, CHAT, &empty);
    }
    assert!(whole(&context(MESSAGES, CHAT), br#"{"choices":[]}"#).is_err());
    assert!(whole(&context(CHAT, MESSAGES), br#"{"usage":{}}"#).is_err());
    assert!(whole(&context(CHAT, RESPONSES), br#"{"id":"r"}"#).is_err());
}

#[test]
fn of_two_ends_the_first_counts() {
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            if fixture.name == "cut" {
                continue;
            }
            let twice = [&fixture.bytes[..], &fixture.bytes[..]].concat();
            assert!(
                stream(&context, &twice) == stream(&context, &fixture.bytes),
                "{} {}",
                fixture.name,
                short(client)
            );
        }
    }
}

#[test]
fn a_stream_without_an_end_ends_with_a_failure() {
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        let events: Vec<&str> = text(&fixture.bytes).split_inclusive("\n\n").collect();
        for client in fixture.clients() {
            for length in 0..events.len() {
                let sent = events[..length].concat();
                let out = stream(&context(client, fixture.vendor), sent.as_bytes());
                let name = format!("{} {} {length}", fixture.name, short(client));
                let end = grammar::check(client, &out)
                    .unwrap_or_else(|wrong| panic!("{name}: {wrong}\n{}", text(&out)));
                // A Chat answer that has told why it stops is whole without its last line.
                let stops = fixture.vendor == CHAT && sent.contains("\"finish_reason\":\"");
                assert_eq!(end == End::Complete, stops, "{name}");
            }
        }
    }
}

#[test]
fn a_broken_upstream_is_told_by_its_reason() {
    let error = ApiError::new(ErrorKind::UpstreamTimeout, "The vendor fell silent.");
    for client in DIALECTS {
        let vendor = if client == CHAT { MESSAGES } else { CHAT };
        let mut bridge = bridge(&context(client, vendor));
        let mut out = Vec::new();
        bridge.push(chunk(r#"{"content":"a"}"#).as_bytes(), &mut out);
        bridge.finish(&Upstream::Failed(error.clone()), &mut out);
        assert!(bridge.is_ended());
        assert_eq!(grammar::check(client, &out), Ok(End::Failed));
        assert!(text(&out).contains("The vendor fell silent."));
        let length = out.len();
        bridge.push(finish("stop").as_bytes(), &mut out);
        bridge.finish(&Upstream::Closed, &mut out);
        assert_eq!(out.len(), length, "nothing follows the end");
    }
}

/// Whatever happens to a stream on its way.
#[derive(Debug, Clone)]
enum Damage {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Flip(usize, u8),
    Cut(usize),
    Insert(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0usize..10_000;
    prop_oneof![
        at.clone().prop_map(Damage::Drop),
        at.clone().prop_map(Damage::Double),
        (at.clone(), at.clone()).prop_map(|(one, other)| Damage::Swap(one, other)),
        (at.clone(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        at.clone().prop_map(Damage::Cut),
        (at.clone(), at).prop_map(|(one, other)| Damage::Insert(one, other)),
    ]
}

fn damaged(stream: &[u8], others: &[u8], damages: &[Damage]) -> Vec<u8> {
    let cut = |bytes: &[u8]| -> Vec<Vec<u8>> {
        text(bytes)
            .split_inclusive("\n\n")
            .map(|event| event.as_bytes().to_vec())
            .collect()
    };
    let (mut events, others) = (cut(stream), cut(others));
    for damage in damages {
        let length = events.len().max(1);
        match *damage {
            _ if events.is_empty() => {}
            Damage::Drop(at) => _ = events.remove(at % length),
            Damage::Double(at) => events.insert(at % length, events[at % length].clone()),
            Damage::Swap(one, other) => events.swap(one % length, other % length),
            Damage::Insert(at, other) => {
                events.insert(at % length, others[other % others.len()].clone());
            }
            Damage::Flip(at, byte) => {
                let event = &mut events[at % length];
                let place = at / length % event.len().max(1);
                if let Some(flipped) = event.get_mut(place) {
                    *flipped = byte;
                }
            }
            Damage::Cut(at) => {
                let event = &mut events[at % length];
                event.truncate(at / length % event.len().max(1));
            }
        }
    }
    events.concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_damage_breaks_the_grammar_of_the_client(
        damages in proptest::collection::vec(damage(), 1..8), other in 0usize..100,
    ) {
        let all: Vec<_> = fixtures().into_iter().filter(|fixture| fixture.streams).collect();
        for fixture in &all {
            let others = &all[other % all.len()].bytes;
            let sent = damaged(&fixture.bytes, others, &damages);
            for client in fixture.clients() {
                let mut context = context(client, fixture.vendor);
                if other % 2 == 0 {
                    context.structured_tool = Some("answer_schema".into());
                }
                let out = stream(&context, &sent);
                if let Err(wrong) = grammar::check(client, &out) {
                    prop_assert!(
                        false,
                        "{} {}: {wrong}\n{}\n→\n{}",
                        fixture.name, short(client), String::from_utf8_lossy(&sent), text(&out)
                    );
                }
                prop_assert!(pieces(&context, sent.chunks(7)) == out, "any chunking");
            }
        }
    }

    #[test]
    fn any_bytes_end_in_one_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for client in DIALECTS {
            for vendor in DIALECTS.into_iter().filter(|vendor| *vendor != client) {
                let context = context(client, vendor);
                let out = stream(&context, &bytes);
                prop_assert_eq!(grammar::check(client, &out), Ok(End::Failed));
                prop_assert!(whole(&context, &bytes).is_err());
            }
        }
    }
}
