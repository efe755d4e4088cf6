//! Tool calls whose parts come in an unusual order, or not at all.

use serde_json::{Value, json};

use super::damage::{chunk, event, failed, finish, message, told};
use super::support::*;

/// A stream of Chat with these deltas of calls, one chunk each.
fn chat(calls: &[&str]) -> String {
    let chunks = calls.iter();
    let chunks = chunks.map(|call| chunk(&format!(r#"{{"tool_calls":[{call}]}}"#)));
    chunks.collect::<String>() + &finish("tool_calls")
}

fn calls(client: tollgate_dialect::Dialect, sent: &str) -> Vec<(String, String, Value)> {
    told(client, CHAT, sent).calls
}

#[test]
fn what_comes_before_the_name_of_a_call_is_kept_until_the_name_is_there() {
    let rest = r#"{"index":0,"function":{"name":"f","arguments":":1}"}}"#;
    let all = r#"{"index":0,"function":{"name":"f","arguments":"{\"a\":1}"}}"#;
    for sent in [
        [
            r#"{"index":0,"id":"c0","type":"function","function":{"arguments":"{\"a\""}}"#,
            rest,
        ],
        [
            r#"{"index":0,"id":"c0","function":{"name":"","arguments":"{\"a\""}}"#,
            rest,
        ],
        [
            r#"{"index":0,"id":"c0","function":{"name":null,"arguments":"{\"a\""}}"#,
            rest,
        ],
        [r#"{"index":0,"id":"c0","type":"function"}"#, all],
        [
            r#"{"index":0,"id":"c0","function":{"name":null,"arguments":""}}"#,
            all,
        ],
        [
            r#"{"index":0,"id":"c0","function":{"name":"","arguments":null}}"#,
            all,
        ],
        [
            r#"{"index":0,"function":{"arguments":"{\"a\""}}"#,
            r#"{"index":0,"id":"c0","function":{"name":"f","arguments":":1}"}}"#,
        ],
        [
            r#"{"id":"c0","function":{"arguments":"{\"a\""}}"#,
            r#"{"function":{"name":"f","arguments":":1}"}}"#,
        ],
        [
            r#"{"function":{"arguments":"{\"a\""}}"#,
            r#"{"id":"c0","function":{"name":"f","arguments":":1}"}}"#,
        ],
    ] {
        for client in [RESPONSES, MESSAGES] {
            assert_eq!(
                calls(client, &chat(&sent)),
                [("c0".into(), "f".into(), json!({"a": 1}))],
                "{sent:?}"
            );
        }
    }
}

#[test]
fn a_second_call_that_is_named_late_is_told_apart_from_the_first() {
    let sent = chat(&[
        r#"{"index":0,"id":"c0","function":{"name":"f","arguments":"{}"}}"#,
        r#"{"index":1,"id":"c1","function":{"arguments":"{\"b\""}}"#,
        r#"{"index":1,"function":{"name":"g","arguments":":2"}}"#,
        r#"{"index":1,"function":{"arguments":"}"}}"#,
    ]);
    for client in [RESPONSES, MESSAGES] {
        assert_eq!(
            calls(client, &sent),
            [
                ("c0".into(), "f".into(), json!({})),
                ("c1".into(), "g".into(), json!({"b": 2})),
            ]
        );
    }
}

/// What says `member` of a call at index 0, in a delta of its own.
fn piece(member: &str) -> String {
    format!(r#"{{"index":0,{member}}}"#)
}

#[test]
fn a_name_in_pieces_and_an_id_that_comes_late_are_whole_wherever_they_are_cut() {
    let name = "get_weather";
    let named = |part: &str| format!(r#""function":{{"name":"{part}"}}"#);
    let (begun, ended) = (
        r#""function":{"arguments":"{\"a\""}"#.to_owned(),
        r#""function":{"arguments":":1}"}"#.to_owned(),
    );
    let id = r#""id":"c0","type":"function""#;
    let cuts = (0..=name.len()).map(|at| vec![&name[..at], &name[at..]]);
    let letters = (0..name.len()).map(|at| &name[at..=at]).collect();
    for cut in cuts.chain([letters]) {
        let mut members: Vec<String> = cut.iter().map(|part| named(part)).collect();
        members.extend([begun.clone(), ended.clone()]);
        for at in 0..=members.len() {
            // The id by itself, beside what else is said, and nowhere: then the client gets one all the same.
            let mut alone = members.clone();
            alone.insert(at, id.into());
            let mut beside = members.clone();
            if let Some(member) = beside.get_mut(at) {
                *member = format!("{id},{member}");
            }
            for members in [alone, beside] {
                let has_id = members.iter().any(|member| member.contains(id));
                let id = if has_id { "c0" } else { "call_req1_1" };
                let deltas: Vec<String> = members.iter().map(|member| piece(member)).collect();
                let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
                for client in [RESPONSES, MESSAGES] {
                    assert_eq!(
                        calls(client, &chat(&deltas)),
                        [(id.into(), name.into(), json!({"a": 1}))],
                        "{deltas:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_name_that_is_repeated_with_each_piece_of_its_call_is_one_name() {
    for id in [r#""id":"c0","#, r#""id":"","#, ""] {
        let again = |text: &str| {
            piece(&format!(
                r#"{id}"function":{{"name":"get_weather","arguments":"{text}"}}"#
            ))
        };
        let first = piece(r#""id":"c0","function":{"name":"get_weather","arguments":""}"#);
        let more = ["", r#"{\"a\""#, ":1}", ""].map(again);
        let mut deltas = vec![first.as_str()];
        deltas.extend(more.iter().map(String::as_str));
        for client in [RESPONSES, MESSAGES] {
            assert_eq!(
                calls(client, &chat(&deltas)),
                [("c0".into(), "get_weather".into(), json!({"a": 1}))]
            );
        }
    }
}

#[test]
fn a_call_without_arguments_is_told_when_something_else_follows_it() {
    let text = chunk(r#"{"content":"on"}"#);
    let one =
        chunk(r#"{"tool_calls":[{"index":0,"id":"c0","function":{"name":"f","arguments":""}}]}"#);
    let two =
        chunk(r#"{"tool_calls":[{"index":1,"id":"c1","function":{"name":"g","arguments":"{}"}}]}"#);
    let three = chunk(r#"{"tool_calls":[{"index":2,"id":"c0","function":{"name":"f"}}]}"#);
    let (f, g) = (
        ("c0".into(), "f".into(), json!({})),
        ("c1".into(), "g".into(), json!({})),
    );
    for client in [RESPONSES, MESSAGES] {
        let both = format!("{text}{one}{two}{}", finish("tool_calls"));
        let both = told(client, CHAT, &both);
        assert_eq!(
            (both.text.as_str(), both.calls),
            ("on", vec![f.clone(), g.clone()])
        );
        let between = format!("{one}{text}{}", finish("tool_calls"));
        let between = told(client, CHAT, &between);
        assert_eq!(
            (between.text.as_str(), between.calls),
            ("on", vec![f.clone()])
        );
        let last = format!("{two}{text}{three}{}", finish("stop"));
        let last = told(client, CHAT, &last);
        assert_eq!(last.calls, [g.clone(), f.clone()]);
    }
}

#[test]
fn calls_without_ids_are_told_one_after_the_other() {
    let sent = chat(&[
        r#"{"index":0,"function":{"name":"f","arguments":"{\"a\""}}"#,
        r#"{"index":0,"function":{"arguments":":1}"}}"#,
        r#"{"index":1,"function":{"name":"g","arguments":"{}"}}"#,
    ]);
    for client in [RESPONSES, MESSAGES] {
        assert_eq!(
            calls(client, &sent),
            [
                ("call_req1_1".into(), "f".into(), json!({"a": 1})),
                ("call_req1_2".into(), "g".into(), json!({})),
            ]
        );
    }
}

#[test]
fn a_custom_tools_text_that_comes_before_its_name_is_its_input() {
    let sent = chat(&[
        r#"{"index":0,"id":"c0","custom":{"input":"one "}}"#,
        r#"{"index":0,"custom":{"name":"apply_patch","input":"two"}}"#,
    ]);
    let call = &calls(RESPONSES, &sent)[0];
    assert_eq!((call.0.as_str(), &call.2), ("c0", &json!("one two")));
}

#[test]
fn what_a_nameless_call_says_counts_for_the_limit() {
    use std::sync::Arc;
    use tollgate_dialect::{UsageHints, bridge::StreamBridge};
    let piece = chunk(&format!(
        r#"{{"tool_calls":[{{"index":0,"id":"c0","function":{{"arguments":"{}"}}}}]}}"#,
        "x".repeat(1000)
    ));
    for client in [RESPONSES, MESSAGES] {
        let hints = Arc::new(UsageHints::default());
        let mut bridge = StreamBridge::new(context(client, CHAT), stamp(), hints, 20_000);
        let mut out = Vec::new();
        let mut pushed = 0;
        while !bridge.is_ended() {
            bridge.push(piece.as_bytes(), &mut out);
            pushed += 1;
            assert!(pushed < 30);
        }
        assert!(pushed > 15 && text(&out).contains("larger than"));
    }
}

/// Each dialect's call without a name: as events, and as a whole answer.
fn nameless() -> [(tollgate_dialect::Dialect, String, String); 6] {
    let item = r#"{"id":"f","type":"function_call","call_id":"c","name":"","arguments":"{}"}"#;
    let call = r#"{"id":"c0","type":"function","function":{"name":null,"arguments":"{}"}}"#;
    let idle = r#"{"id":"c0","type":"function"}"#;
    let block = r#"{"type":"tool_use","id":"t","name":"","input":{}}"#;
    let chat_body = |call: &str| {
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"content":null,"tool_calls":[{call}]}},"finish_reason":"tool_calls"}}]}}"#
        )
    };
    let messages_body = format!(r#"{{"content":[{block}],"stop_reason":"tool_use"}}"#);
    [
        (CHAT, chat(&[call]), chat_body(call)),
        (CHAT, chat(&[idle]), chat_body(idle)),
        (
            RESPONSES,
            event(&format!(
                r#"{{"type":"response.output_item.done","output_index":0,"item":{item}}}"#
            )) + &event(&format!(
                r#"{{"type":"response.completed","response":{{"output":[{item}]}}}}"#
            )),
            format!(r#"{{"status":"completed","output":[{item}]}}"#),
        ),
        (
            RESPONSES,
            event(
                r#"{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"f","delta":"{}"}"#,
            ) + &event(r#"{"type":"response.completed","response":{"output":[]}}"#),
            format!(r#"{{"status":"completed","output":[{item}]}}"#),
        ),
        (
            MESSAGES,
            message(
                &[&format!(
                    r#"{{"type":"content_block_start","index":0,"content_block":{block}}}"#
                )],
                "tool_use",
            ),
            messages_body.clone(),
        ),
        (
            MESSAGES,
            message(
                &[
                    r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
                ],
                "tool_use",
            ),
            messages_body,
        ),
    ]
}

#[test]
fn a_call_that_never_gets_a_name_is_no_empty_success() {
    for (vendor, sent, body) in nameless() {
        for client in DIALECTS.into_iter().filter(|client| *client != vendor) {
            assert!(
                failed(client, vendor, &sent).contains("without a name"),
                "{sent}"
            );
            let error = whole(&context(client, vendor), body.as_bytes()).unwrap_err();
            assert!(error.message.contains("without a name"), "{body}");
        }
    }
}

/// Events out of order: what was said of a call before it was announced was lost.
#[test]
fn arguments_that_come_before_their_call_are_its_arguments() {
    let piece = |text: &str| {
        event(&format!(
            r#"{{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"f","delta":"{text}"}}"#
        ))
    };
    let added = event(
        r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"f","type":"function_call","call_id":"c0","name":"weather","arguments":""}}"#,
    );
    let end = event(r#"{"type":"response.completed","response":{"output":[]}}"#);
    let sent = piece(r#"{\"a\":"#) + &added + &piece("1}") + &end;
    for client in [CHAT, MESSAGES] {
        let told = told(client, RESPONSES, &sent);
        assert_eq!(
            told.calls,
            [("c0".into(), "weather".into(), json!({"a": 1}))]
        );
    }
}

#[test]
fn a_call_whose_name_was_cut_off_with_the_answer_is_cut_off() {
    let sent = chunk(
        r#"{"content":"a","tool_calls":[{"index":0,"id":"c0","function":{"arguments":"{"}}]}"#,
    ) + &finish("length");
    for client in [RESPONSES, MESSAGES] {
        let told = told(client, CHAT, &sent);
        assert_eq!(
            (told.text.as_str(), told.stop, told.calls),
            ("a", "length", vec![])
        );
    }
}
