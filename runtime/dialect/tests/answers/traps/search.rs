//! Searches of the web, and sources.

use serde_json::{Value, json};

use super::{block, delta};
use crate::damage::{chunk, event, finish, message};
use crate::plain;
use crate::support::*;

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
fn empty_annotations_invent_no_search() {
    let sent = chunk(r#"{"content":"a","annotations":[]}"#) + &finish("stop");
    for client in [RESPONSES, MESSAGES] {
        let out = stream(&context(client, CHAT), sent.as_bytes());
        assert!(!text(&out).contains("web_search"));
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

#[test]
fn sources_that_events_told_are_not_told_again() {
    let source = r#"{"type":"url_citation","start_index":0,"end_index":2,"url":"https://a.example","title":"A"}"#;
    let sent = event(
        r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hi"}"#,
    ) + &event(&format!(
        r#"{{"type":"response.output_text.annotation.added","output_index":0,"content_index":0,"annotation":{source}}}"#
    )) + &event(&format!(
        r#"{{"type":"response.output_item.done","output_index":0,"item":{{"type":"message","content":[{{"type":"output_text","text":"Hi","annotations":[{source}]}}]}}}}"#
    )) + &event(r#"{"type":"response.completed","response":{}}"#);
    for client in [CHAT, MESSAGES] {
        let told = crate::damage::told(client, RESPONSES, &sent);
        assert_eq!((&*told.text, told.sources.len()), ("Hi", 1));
    }
}

/// Neither index nor end: the result has the id of the tool, and is not the tool again.
#[test]
fn what_a_search_found_is_told_where_blocks_have_no_marks() {
    let sent = message(
        &[
            r#"{"type":"content_block_start","content_block":{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"q"}}}"#,
            r#"{"type":"content_block_start","content_block":{"type":"web_search_tool_result","tool_use_id":"s1","content":[{"type":"web_search_result","url":"https://a.example","title":"A"}]}}"#,
        ],
        "end_turn",
    );
    let told = text(&stream(&context(RESPONSES, MESSAGES), sent.as_bytes())).to_owned();
    assert!(told.contains("https://a.example"), "{told}");
}
