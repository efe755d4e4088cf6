//! Bugs that other gateways had: each a test that says what must be.

use serde_json::{Value, json};
use tollgate_dialect::bridge::ToolName;

use super::damage::{chunk, event, failed, finish, message, told};
use super::grammar::{self, End};
use super::plain;
use super::support::*;

fn block(index: u64, block: &str) -> String {
    format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#)
}

fn delta(index: u64, delta: &str) -> String {
    format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#)
}

#[test]
fn thinking_in_a_text_block_is_thinking() {
    let sent = message(
        &[
            &block(0, r#"{"type":"text","text":""}"#),
            &delta(0, r#"{"type":"thinking_delta","thinking":"hm"}"#),
            &delta(0, r#"{"type":"text_delta","text":"ok"}"#),
        ],
        "end_turn",
    );
    for client in [CHAT, RESPONSES] {
        let told = told(client, MESSAGES, &sent);
        assert_eq!((told.reasoning.as_str(), told.text.as_str()), ("hm", "ok"));
    }
}

#[test]
fn a_repeated_message_start_begins_nothing_and_a_second_message_is_a_failure() {
    let start = event(r#"{"type":"message_start","message":{"id":"m"}}"#);
    let text_delta = delta(0, r#"{"type":"text_delta","text":"ok"}"#);
    let sent = start.clone() + &message(&[&text_delta], "end_turn");
    assert_eq!(told(CHAT, MESSAGES, &sent).text, "ok");
    let again = start.clone() + &event(&text_delta) + &message(&[], "end_turn");
    assert_eq!(told(CHAT, MESSAGES, &again).text, "ok");
    let other = start
        + &event(&text_delta)
        + &event(r#"{"type":"message_start","message":{"id":"other"}}"#);
    assert!(failed(CHAT, MESSAGES, &other).contains("second message"));
}

#[test]
fn lines_may_end_in_cr_lf_and_be_cut_between_the_two() {
    for fixture in fixtures().iter().filter(|fixture| fixture.streams) {
        let crlf = text(&fixture.bytes).replace('\n', "\r\n");
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            let expected = stream(&context, &fixture.bytes);
            assert!(stream(&context, crlf.as_bytes()) == expected);
            assert!(pieces(&context, crlf.as_bytes().chunks(1)) == expected);
        }
    }
}

#[test]
fn frames_may_have_ids_statuses_and_no_names() {
    let sent = "id:1\n:HTTP_STATUS/200\ndata:{\"type\":\"response.created\",\"response\":{}}\n\n"
        .to_owned()
        + "id:2\nevent:response.output_text.delta\n:HTTP_STATUS/200\ndata:{\"output_index\":0,\"content_index\":0,\"delta\":\"ok\"}\n\n"
        + "id:3\ndata:{\"type\":\"response.completed\",\"response\":{}}\n\n";
    for client in [CHAT, MESSAGES] {
        assert_eq!(told(client, RESPONSES, &sent).text, "ok");
    }
}

#[test]
fn signatures_are_not_dropped_and_come_back_to_their_maker_only() {
    let sent = message(
        &[
            &block(0, r#"{"type":"thinking","thinking":"","signature":""}"#),
            &delta(0, r#"{"type":"thinking_delta","thinking":"hm"}"#),
            &delta(0, r#"{"type":"signature_delta","signature":"EqQB+/="}"#),
            r#"{"type":"content_block_stop","index":0}"#,
        ],
        "end_turn",
    );
    let whole = plain::whole_of_stream(
        RESPONSES,
        &stream(&context(RESPONSES, MESSAGES), sent.as_bytes()),
    );
    let item = whole.unwrap()["output"][0].clone();
    let sealed = item["encrypted_content"].as_str().unwrap();
    let opened = tollgate_dialect::bridge::opaque::open(sealed).unwrap();
    assert_eq!(opened.payload, "EqQB+/=");
    assert!(opened.is_from("maker") && !opened.is_from("another"));
    // A client that did not ask for it gets none.
    let mut plain_context = context(RESPONSES, MESSAGES);
    plain_context.encrypted_reasoning = false;
    let out = stream(&plain_context, sent.as_bytes());
    assert!(!text(&out).contains("encrypted_content"));
}

#[test]
fn a_page_that_was_opened_is_no_search_and_a_search_is_told_with_what_was_searched_for() {
    let call = |action: &str| {
        format!(
            r#"{{"id":"ws_1","type":"web_search_call","status":"completed","action":{action}}}"#
        )
    };
    let searches = |action: &str| {
        let answer = format!(
            r#"{{"id":"r","object":"response","status":"completed","output":[{}]}}"#,
            call(action)
        );
        let answer = whole(&context(MESSAGES, RESPONSES), answer.as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let sent = event(&format!(
            r#"{{"type":"response.output_item.done","output_index":0,"item":{}}}"#,
            call(action)
        )) + &event(r#"{"type":"response.completed","response":{}}"#);
        let told = stream(&context(MESSAGES, RESPONSES), sent.as_bytes());
        let told = plain::whole_of_stream(MESSAGES, &told).unwrap();
        let queries = |answer: &Value| -> Vec<Value> {
            let blocks = answer["content"].as_array().unwrap().iter();
            blocks
                .filter(|block| block["type"] == "server_tool_use")
                .map(|block| block["input"]["query"].clone())
                .collect()
        };
        assert_eq!(queries(&answer), queries(&told));
        queries(&told)
    };
    assert_eq!(
        searches(r#"{"type":"search","query":"why"}"#),
        [json!("why")]
    );
    assert_eq!(
        searches(r#"{"type":"search","queries":["why","how"]}"#),
        [json!("why")]
    );
    let page = r#"{"type":"open_page","url":"https://example.org/a"}"#;
    let within = r#"{"type":"find_in_page","url":"https://example.org/a","pattern":"sky"}"#;
    for action in [page, within, r#"{"type":"search"}"#, "null"] {
        assert!(searches(action).is_empty(), "{action}");
    }
}

/// A vendor of Messages answers 400 to what only it could have encrypted, and it did not.
#[test]
fn a_conversation_with_a_foreign_search_in_it_can_go_on_at_a_vendor_of_messages() {
    use tollgate_dialect::bridge::{has_sealed, strip_sealed};
    use tollgate_dialect::{Document, Operation};
    let (mut cited, mut searched) = (0, 0);
    for fixture in fixtures() {
        if fixture.vendor == MESSAGES {
            continue;
        }
        let context = context(MESSAGES, fixture.vendor);
        let answer: Result<Value, String> = match fixture.streams {
            true => plain::whole_of_stream(MESSAGES, &stream(&context, &fixture.bytes)),
            false => whole(&context, &fixture.bytes)
                .map(|answer| serde_json::from_slice(&answer).unwrap())
                .map_err(|error| error.message),
        };
        let Ok(answer) = answer else {
            continue;
        };
        let said = answer["content"].as_array().unwrap();
        let texts = |content: &[Value]| -> Vec<String> {
            content
                .iter()
                .filter_map(|block| block["text"].as_str().map(str::to_owned))
                .collect()
        };
        let body = json!({ "model": "m", "max_tokens": 9, "messages": [
            { "role": "user", "content": "Why is the sky blue?" },
            { "role": "assistant", "content": said },
            { "role": "user", "content": "And at night?" },
        ] });
        let mut document = Document::parse(body.to_string().into()).unwrap();
        let suspect = has_sealed(&document, Operation::Messages);
        strip_sealed(&mut document, Operation::Messages).unwrap();
        let left = document.to_bytes();
        let left = text(&left);
        for foreign in ["tg1", "server_tool_use", "web_search", "encrypted_"] {
            assert!(
                !left.contains(foreign),
                "{}: {foreign} in {left}",
                fixture.name
            );
        }
        let before = body.to_string();
        cited += usize::from(before.contains("encrypted_index"));
        searched += usize::from(before.contains("web_search_tool_result"));
        assert!(suspect || left == before);
        let left: Value = serde_json::from_str(left).unwrap();
        let messages = left["messages"].as_array().unwrap();
        if messages.len() == 3 {
            let content = messages[1]["content"].as_array().unwrap();
            assert_eq!(texts(content), texts(said), "{}", fixture.name);
        }
    }
    assert!(cited >= 4 && searched >= 2, "{cited} {searched}");
}

#[test]
fn reasoning_that_nobody_may_read_is_carried_without_its_text() {
    let mut context = context(MESSAGES, RESPONSES);
    context.readable_reasoning = false;
    let reasoning = fixtures()
        .into_iter()
        .find(|fixture| {
            fixture.vendor == RESPONSES && fixture.name == "reasoning" && fixture.streams
        })
        .unwrap();
    let out = stream(&context, &reasoning.bytes);
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    assert!(!text(&out).contains("think.") && text(&out).contains("redacted_thinking"));
}

/// Agents ask for `display: omitted`, and vendors of chat completions that reason want their words back.
#[test]
fn reasoning_that_nobody_may_read_and_nobody_encrypted_is_sealed_with_its_text() {
    use tollgate_dialect::bridge::opaque::{OpaqueKind, open};
    let mut context = context(MESSAGES, CHAT);
    context.readable_reasoning = false;
    let sent = chunk(r#"{"reasoning_content":"h\u00e4 \ud83e"}"#)
        + &chunk(r#"{"reasoning_content":"\udd80\nm"}"#)
        + &chunk(r#"{"content":"ok"}"#)
        + &finish("stop");
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    let out = text(&out);
    assert!(!out.contains("thinking_delta"), "{out}");
    let (_, data) = out.split_once(r#""redacted_thinking","data":""#).unwrap();
    let sealed = open(data.split('"').next().unwrap()).unwrap();
    assert_eq!(
        (sealed.kind, &*sealed.payload),
        (OpaqueKind::Plain, "h\u{e4} \u{1f980}\nm")
    );
    assert!(sealed.is_from("maker"));
    // Anybody can open it: where a policy looks at answers it must not carry what the policy has not seen.
    context.hidden_reasoning = false;
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    let out = text(&out);
    let (_, data) = out.split_once(r#""redacted_thinking","data":""#).unwrap();
    let sealed = open(data.split('"').next().unwrap()).unwrap();
    assert_eq!(&*sealed.payload, "");
}

#[test]
fn reasoning_content_is_not_dropped_under_either_name() {
    for name in ["reasoning_content", "reasoning"] {
        let sent = chunk(&format!(r#"{{"{name}":"hm","content":null}}"#))
            + &chunk(r#"{"content":"ok"}"#)
            + &finish("stop");
        for client in [RESPONSES, MESSAGES] {
            assert_eq!(told(client, CHAT, &sent).reasoning, "hm", "{name}");
        }
    }
    let both = chunk(r#"{"reasoning":"hm","reasoning_content":"hm"}"#) + &finish("stop");
    assert_eq!(told(MESSAGES, CHAT, &both).reasoning, "hm");
}

#[test]
fn arguments_told_only_when_they_are_whole_arrive() {
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"id":"f","type":"function_call","call_id":"c","name":"n","arguments":""}}"#;
    let end = event(r#"{"type":"response.completed","response":{"output":[]}}"#);
    for done in [
        r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"id":"f","type":"function_call","call_id":"c","name":"n","arguments":"{\"a\":1}"}}"#,
    ] {
        let sent = event(added) + &event(done) + &end;
        for client in [CHAT, MESSAGES] {
            assert_eq!(told(client, RESPONSES, &sent).calls[0].2, json!({"a": 1}));
        }
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let sent =
        chunk(r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"now","arguments":""}}]}"#)
            + &finish("tool_calls");
    let out = stream(&context(RESPONSES, CHAT), sent.as_bytes());
    assert!(
        text(&out).contains(r#""arguments":"{}""#),
        "clients parse it"
    );
    let sent = message(
        &[&block(
            0,
            r#"{"type":"tool_use","id":"t","name":"now","input":{}}"#,
        )],
        "tool_use",
    );
    let out = stream(&context(CHAT, MESSAGES), sent.as_bytes());
    assert!(text(&out).contains(r#""function":{"arguments":"{}"}"#));
}

#[test]
fn an_input_that_a_block_begins_with_is_not_lost() {
    let sent = message(
        &[&block(
            0,
            r#"{"type":"tool_use","id":"t","name":"n","input":{"a":"\""}}"#,
        )],
        "tool_use",
    );
    for client in [CHAT, RESPONSES] {
        assert_eq!(told(client, MESSAGES, &sent).calls[0].2, json!({"a": "\""}));
    }
}

#[test]
fn an_error_event_becomes_a_failed_response() {
    let sent = message(
        &[r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#],
        "end_turn",
    );
    let told = failed(RESPONSES, MESSAGES, &sent);
    assert!(told.contains("event: response.failed\n") && told.contains("server_is_overloaded"));
    let sent =
        event(r#"{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null}"#);
    assert!(failed(MESSAGES, RESPONSES, &sent).contains("rate_limit_error"));
    assert!(
        !failed(CHAT, RESPONSES, &sent).contains("[DONE]"),
        "the client must notice"
    );
}

#[test]
fn what_a_failed_response_cost_is_told() {
    let sent = event(
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"},"usage":{"input_tokens":5,"output_tokens":1}}}"#,
    );
    failed(MESSAGES, RESPONSES, &sent);
    let sent = event(r#"{"type":"response.output_text.delta","output_index":0,"delta":"a"}"#)
        + &event(
            r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"usage":{"input_tokens":5,"output_tokens":1}}}"#,
        );
    let told = told(MESSAGES, RESPONSES, &sent);
    assert_eq!((told.usage.unwrap().input, told.stop), (5, "length"));
}

#[test]
fn usage_stands_where_the_vendor_tells_it_last() {
    let sent = event(
        r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":0,"output_tokens":0}}}"#,
    ) + &event(
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":42,"output_tokens":7,"cache_read_input_tokens":3}}"#,
    ) + &event(r#"{"type":"message_stop"}"#);
    for client in [CHAT, RESPONSES] {
        let usage = told(client, MESSAGES, &sent).usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (42, 3, 7));
    }
    // Beside the finish_reason, within the choice, or twice: the last one counts.
    for end in [
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":42,"completion_tokens":7}}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":42,"completion_tokens":7}}]}"#,
    ] {
        let sent = chunk(r#"{"content":"a"}"#)
            + &event(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#)
            + &event(end)
            + "data: [DONE]\n\n";
        for client in [RESPONSES, MESSAGES] {
            let usage = told(client, CHAT, &sent).usage.unwrap();
            assert_eq!((usage.input, usage.output), (42, 7));
        }
    }
}

#[test]
fn usage_that_the_client_did_not_ask_for_is_not_shown() {
    let mut context = context(CHAT, MESSAGES);
    context.include_usage = false;
    let out = stream(&context, message(&[], "end_turn").as_bytes());
    assert_eq!(grammar::check(CHAT, &out), Ok(End::Complete));
    assert!(!text(&out).contains("usage"));
}

#[test]
fn pings_stand_between_events_and_are_seen_by_nobody() {
    for (client, ping) in [(MESSAGES, "event: ping\n"), (RESPONSES, ": "), (CHAT, ": ")] {
        let vendor = if client == CHAT { MESSAGES } else { CHAT };
        let sent = if vendor == CHAT {
            chunk(r#"{"content":"a"}"#) + &finish("stop")
        } else {
            message(
                &[&delta(0, r#"{"type":"text_delta","text":"a"}"#)],
                "end_turn",
            )
        };
        let mut bridge = bridge(&context(client, vendor));
        let mut out = Vec::new();
        for byte in sent.as_bytes().chunks(1) {
            bridge.push(byte, &mut out);
            bridge.ping(&mut out);
        }
        assert_eq!(grammar::check(client, &out), Ok(End::Complete));
        assert!(text(&out).contains(ping));
    }
}

/// The gateway gives its own signs of life while nothing comes of the bridge: so a vendor's must make no bytes, and hold
/// back none.
#[test]
fn a_vendors_sign_of_life_makes_no_bytes_so_that_the_gateway_knows_its_client_waits() {
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    for client in [CHAT, RESPONSES] {
        let sent = message(
            &[&delta(0, r#"{"type":"text_delta","text":"a"}"#)],
            "end_turn",
        );
        let mut bridge = bridge(&context(client, MESSAGES));
        let mut out = Vec::new();
        for event in sent.split_inclusive("\n\n") {
            bridge.push(event.as_bytes(), &mut out);
            let before = out.len();
            for sign in [ping, ": keep-alive\n\n"] {
                bridge.push(sign.as_bytes(), &mut out);
            }
            assert_eq!(out.len(), before);
        }
        assert_eq!(grammar::check(client, &out), Ok(End::Complete));
    }
}

#[test]
fn vendors_pings_are_not_passed_on() {
    let sent = message(
        &[
            r#"{"type":"ping"}"#,
            &delta(0, r#"{"type":"text_delta","text":"a"}"#),
        ],
        "end_turn",
    );
    assert_eq!(told(CHAT, MESSAGES, &sent).text, "a");
}

#[test]
fn custom_and_namespaced_tools_come_back_as_the_client_knows_them() {
    let mut context = context(RESPONSES, CHAT);
    context.tools = vec![
        ToolName {
            wire: "functions__exec".into(),
            name: "exec".into(),
            namespace: Some("functions".into()),
            custom: true,
            search: false,
        },
        ToolName {
            wire: "crm__find".into(),
            name: "find".into(),
            namespace: Some("crm".into()),
            custom: false,
            search: false,
        },
        ToolName {
            wire: "tool_search".into(),
            name: "tool_search".into(),
            namespace: None,
            custom: false,
            search: true,
        },
    ];
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"functions__exec","arguments":"{\"input\":\"1+1\\n\"}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":1,"id":"d","function":{"name":"crm__find","arguments":"{\"a\":1}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":2,"id":"e","function":{"name":"tool_search","arguments":"{\"query\":\"mail\"}"}}]}"#,
    ) + &finish("tool_calls");
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(RESPONSES, &out), Ok(End::Complete));
    let answer = plain::whole_of_stream(RESPONSES, &out).unwrap();
    let output = &answer["output"];
    assert_eq!(output[0]["type"], "custom_tool_call");
    assert_eq!(
        (
            &output[0]["name"],
            &output[0]["namespace"],
            &output[0]["input"]
        ),
        (&json!("exec"), &json!("functions"), &json!("1+1\n"))
    );
    assert_eq!(output[2]["type"], "tool_search_call");
    assert_eq!(
        (
            &output[2]["call_id"],
            &output[2]["execution"],
            &output[2]["arguments"]
        ),
        (&json!("e"), &json!("client"), &json!({"query": "mail"}))
    );
    assert_eq!(output[1]["type"], "function_call");
    assert_eq!(
        (&output[1]["name"], &output[1]["namespace"]),
        (&json!("find"), &json!("crm"))
    );
}

#[test]
fn empty_ids_and_names_in_later_deltas_are_none() {
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"n","arguments":""}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":0,"id":"","type":"function","function":{"name":"","arguments":"{\"a\":"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"","arguments":"1}"}}]}"#,
    ) + &finish("tool_calls");
    for client in [RESPONSES, MESSAGES] {
        let calls = told(client, CHAT, &sent).calls;
        assert_eq!(calls, [("c".into(), "n".into(), json!({"a": 1}))]);
    }
}

#[test]
fn several_calls_under_one_index_are_several_calls() {
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"n","arguments":"{\"a\":1}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"n","arguments":"{\"a\":2}"}}]}"#,
    ) + &chunk(
        r#"{"tool_calls":[{"id":"c","function":{"name":"n","arguments":"{\"a\":3}"}}]}"#,
    ) + &finish("tool_calls");
    for client in [RESPONSES, MESSAGES] {
        let calls = told(client, CHAT, &sent).calls;
        let inputs: Vec<&Value> = calls.iter().map(|call| &call.2["a"]).collect();
        assert_eq!(inputs, [1, 2, 3]);
    }
}

#[test]
fn two_finishes_are_one_and_words_that_are_none_do_not_count() {
    let sent = event(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"null"}]}"#)
        + &event(r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}]}"#)
        + &event(
            r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
        )
        + "data: [DONE]\n\n";
    for client in [RESPONSES, MESSAGES] {
        assert_eq!(told(client, CHAT, &sent).stop, "length");
    }
}

#[test]
fn calls_are_answered_whatever_word_the_vendor_stops_with() {
    let sent =
        chunk(r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"{}"}}]}"#)
            + &finish("stop");
    let out = stream(&context(MESSAGES, CHAT), sent.as_bytes());
    assert!(text(&out).contains(r#""stop_reason":"tool_use""#));
    let none = chunk(r#"{"content":"a"}"#) + &finish("tool_calls");
    let out = stream(&context(MESSAGES, CHAT), none.as_bytes());
    assert!(
        text(&out).contains(r#""stop_reason":"end_turn""#),
        "no client waits for a call"
    );
}

#[test]
fn what_a_vendors_own_tool_said_is_no_part_of_the_answer() {
    let sent = chunk(r#"{"role":"tool","content":"search result"}"#)
        + &chunk(r#"{"role":"assistant","content":"a"}"#)
        + &finish("stop");
    for client in [RESPONSES, MESSAGES] {
        assert_eq!(told(client, CHAT, &sent).text, "a");
    }
}

#[test]
fn empty_annotations_invent_no_search() {
    let sent = chunk(r#"{"content":"a","annotations":[]}"#) + &finish("stop");
    for client in [RESPONSES, MESSAGES] {
        let out = stream(&context(client, CHAT), sent.as_bytes());
        assert!(!text(&out).contains("web_search"));
    }
}

#[test]
fn text_behind_calls_is_told_behind_them() {
    let sent = chunk(
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"n","arguments":"{\"a\":1}"}}]}"#,
    ) + &chunk(r#"{"content":"after"}"#)
        + &finish("tool_calls");
    let out = stream(&context(MESSAGES, CHAT), sent.as_bytes());
    assert_eq!(grammar::check(MESSAGES, &out), Ok(End::Complete));
    let whole = plain::whole_of_stream(MESSAGES, &out).unwrap();
    assert_eq!(whole["content"][0]["type"], "tool_use");
    assert_eq!(whole["content"][1]["text"], "after");
}

#[test]
fn every_answer_names_the_model_that_was_asked_for() {
    for fixture in fixtures() {
        for client in fixture.clients() {
            let context = context(client, fixture.vendor);
            let out = if fixture.streams {
                stream(&context, &fixture.bytes)
            } else {
                whole(&context, &fixture.bytes).unwrap()
            };
            assert!(
                text(&out).contains(r#""model":"asked-model""#),
                "{}",
                fixture.name
            );
            assert!(!text(&out).contains("vendor-model"), "{}", fixture.name);
        }
    }
}

#[test]
fn a_stop_sequence_that_is_the_clients_is_named() {
    let sent = |reason: &str| {
        chunk(r#"{"content":"a"}"#)
            + &event(&format!(
                r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop","stop_reason":{reason}}}]}}"#
            ))
            + "data: [DONE]\n\n"
    };
    let out = stream(&context(MESSAGES, CHAT), sent("\"END\"").as_bytes());
    assert!(text(&out).contains(r#""stop_reason":"stop_sequence","stop_sequence":"END""#));
    for other in ["\"<|eot|>\"", "128009", "null"] {
        let out = stream(&context(MESSAGES, CHAT), sent(other).as_bytes());
        assert!(text(&out).contains(r#""stop_reason":"end_turn","stop_sequence":null"#));
    }
}

#[test]
fn a_response_repeats_its_request_as_the_client_wrote_it() {
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    let mut context = context(RESPONSES, CHAT);
    context.echo = Some(Box::new(tollgate_dialect::bridge::Echo {
        members: vec![
            ("instructions", raw("\"Be  brief.\"")),
            ("tools", raw("[{\"type\":\"function\", \"name\":\"n\"}]")),
            ("temperature", raw("0.20")),
            ("store", raw("false")),
            ("metadata", raw("{\n\"a\":\r\n\"b\"}")),
        ],
    }));
    let sent = chunk(r#"{"content":"a"}"#) + &finish("stop");
    let out = stream(&context, sent.as_bytes());
    assert_eq!(grammar::check(RESPONSES, &out), Ok(End::Complete));
    for told in [
        "\"instructions\":\"Be  brief.\"",
        "\"tools\":[{\"type\":\"function\", \"name\":\"n\"}]",
        "\"temperature\":0.20",
        "\"store\":false",
        "\"metadata\":{ \"a\":  \"b\"}",
        "\"top_p\":1.0",
    ] {
        assert_eq!(
            text(&out).matches(told).count(),
            3,
            "{told}: at the beginning twice, and at the end"
        );
    }
}

#[test]
fn a_response_says_the_service_tier_that_served_it_and_not_the_one_that_was_asked_for() {
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    let tier_of = |vendor, sent: &str| {
        let mut context = context(RESPONSES, vendor);
        context.echo = Some(Box::new(tollgate_dialect::bridge::Echo {
            members: vec![("service_tier", raw("\"flex\""))],
        }));
        let out = stream(&context, sent.as_bytes());
        // Nobody knows before the end.
        assert_eq!(text(&out).matches(r#""service_tier":"flex""#).count(), 2);
        let whole = plain::whole_of_stream(RESPONSES, &out).unwrap();
        whole["service_tier"].as_str().unwrap().to_owned()
    };
    let chat = |tier: &str| {
        event(&format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}}}}]{tier}}}"#
        )) + &finish("stop")
    };
    for (told, served) in [
        ("", "default"),
        (r#","service_tier":"priority""#, "priority"),
        (r#","service_tier":"of-our-own""#, "default"),
        (r#","service_tier":null"#, "default"),
    ] {
        assert_eq!(tier_of(CHAT, &chat(told)), served, "{told}");
    }
    let messages = |tier: &str| {
        event(&format!(
            r#"{{"type":"message_start","message":{{"id":"m","usage":{{"input_tokens":1,"output_tokens":1{tier}}}}}}}"#
        )) + &message(
            &[&delta(0, r#"{"type":"text_delta","text":"ok"}"#)],
            "end_turn",
        )
    };
    for (told, served) in [
        ("", "default"),
        (r#","service_tier":"standard""#, "default"),
        (r#","service_tier":"priority""#, "priority"),
    ] {
        assert_eq!(tier_of(MESSAGES, &messages(told)), served, "{told}");
    }
}

/// A request's own context leads its answer back: a coding agent's request of Responses at a vendor of each other
/// dialect, whose free-form tool is a function there.
#[test]
fn the_answer_to_a_bridged_request_is_the_one_its_client_waits_for() {
    let body = json!({
        "model": "asked-model", "stream": true, "store": false, "include": ["reasoning.encrypted_content"],
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix it"}]}],
        "tools": [
            {"type": "custom", "name": "apply_patch", "description": "edits files", "format": {"type": "text"}},
            {"type": "function", "name": "exec", "parameters": {"type": "object", "properties": {}}, "strict": false},
        ],
        "parallel_tool_calls": true, "prompt_cache_key": "k",
    });
    let calls = [
        (
            CHAT,
            chunk(r#"{"reasoning_content":"hm"}"#)
                + &chunk(
                    r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"apply_patch","arguments":"{\"input\":\"*** Begin\\n\"}"}}]}"#,
                )
                + &finish("tool_calls"),
        ),
        (
            MESSAGES,
            message(
                &[
                    &block(
                        0,
                        r#"{"type":"thinking","thinking":"hm","signature":"c2ln"}"#,
                    ),
                    &block(
                        1,
                        r#"{"type":"tool_use","id":"c","name":"apply_patch","input":{}}"#,
                    ),
                    &delta(
                        1,
                        r#"{"type":"input_json_delta","partial_json":"{\"input\":\"*** Begin\\n\"}"}"#,
                    ),
                ],
                "tool_use",
            ),
        ),
    ];
    for (vendor, sent) in calls {
        let target = tollgate_dialect::bridge::Target {
            dialect: vendor,
            family: "maker",
            model: "vendor-model",
            max_output_tokens: None,
            default_output_tokens: None,
            abilities: tollgate_dialect::bridge::Abilities::default(),
        };
        let bridged =
            tollgate_dialect::bridge::request(RESPONSES, body.to_string().as_bytes(), &target);
        let out = stream(&bridged.unwrap().context, sent.as_bytes());
        assert_eq!(grammar::check(RESPONSES, &out), Ok(End::Complete));
        let answer = plain::whole_of_stream(RESPONSES, &out).unwrap();
        assert_eq!(answer["model"], "asked-model");
        assert_eq!(answer["store"], false);
        assert_eq!(answer["tools"], body["tools"]);
        assert_eq!(answer["output"][0]["type"], "reasoning");
        assert!(answer["output"][0]["encrypted_content"].is_string());
        assert_eq!(answer["output"][1]["type"], "custom_tool_call");
        assert_eq!(answer["output"][1]["input"], "*** Begin\n");
    }
}

#[test]
fn a_last_snapshot_that_leaves_items_out_repeats_nothing() {
    let said = |item: &str, deltas: &str| {
        event(r#"{"type":"response.created","response":{}}"#)
            + &event(&format!(
                r#"{{"type":"response.output_item.added","output_index":1,"item":{item}}}"#
            ))
            + deltas
            + &event(&format!(
                r#"{{"type":"response.output_item.done","output_index":1,"item":{item}}}"#
            ))
            + &event(&format!(
                r#"{{"type":"response.completed","response":{{"status":"completed","output":[{item}]}}}}"#
            ))
    };
    let message = r#"{"type":"message","id":"m1","role":"assistant","content":[{"type":"output_text","text":"Hello","annotations":[]}]}"#;
    let delta = event(
        r#"{"type":"response.output_text.delta","output_index":1,"item_id":"m1","content_index":0,"delta":"Hello"}"#,
    );
    let call = r#"{"type":"function_call","id":"f1","call_id":"c1","name":"f","arguments":"{}"}"#;
    for client in [CHAT, MESSAGES] {
        assert_eq!(
            told(client, RESPONSES, &said(message, &delta)).text,
            "Hello"
        );
        assert_eq!(told(client, RESPONSES, &said(call, "")).calls.len(), 1);
    }
}

#[test]
fn citations_of_a_later_text_count_from_the_beginning_of_all() {
    let cited = r#"{"type":"citations_delta","citation":{"type":"web_search_result_location","url":"https://a.test","title":"A","cited_text":"sky"}}"#;
    let sent = message(
        &[
            &block(0, r#"{"type":"text","text":""}"#),
            &delta(0, r#"{"type":"text_delta","text":"I löok."}"#),
            r#"{"type":"content_block_stop","index":0}"#,
            &block(1, r#"{"type":"text","text":"","citations":[]}"#),
            &delta(1, cited),
            &delta(1, r#"{"type":"text_delta","text":"Blue."}"#),
            r#"{"type":"content_block_stop","index":1}"#,
        ],
        "end_turn",
    );
    let out = text(&stream(&context(CHAT, MESSAGES), sent.as_bytes())).to_owned();
    assert!(out.contains(r#""start_index":7,"end_index":12"#), "{out}");
}
