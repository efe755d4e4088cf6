//! What a Responses vendor says again when a text is whole: what the deltas left out of it is not lost, and what they
//! told is not told twice.

use serde_json::json;

use super::damage::{event, told};
use super::support::*;

/// Events of item 0, made the last word on the whole.
fn events(events: &[String]) -> String {
    events.iter().map(|data| event(data)).collect::<String>()
        + &event(r#"{"type":"response.completed","response":{"status":"completed"}}"#)
}

/// An event of item 0 with these members.
fn of(kind: &str, members: &str) -> String {
    format!(r#"{{"type":"response.{kind}","output_index":0,"item_id":"i",{members}}}"#)
}

fn message(text: &str) -> String {
    format!(
        r#""item":{{"id":"i","type":"message","content":[{{"type":"output_text","text":"{text}","annotations":[]}}]}}"#
    )
}

#[test]
fn what_the_deltas_left_out_of_a_text_is_told_and_nothing_twice() {
    let delta = |text: &str| {
        of(
            "output_text.delta",
            &format!(r#""content_index":0,"delta":"{text}""#),
        )
    };
    let text_done = |text: &str| {
        of(
            "output_text.done",
            &format!(r#""content_index":0,"text":"{text}""#),
        )
    };
    let part_done = |text: &str| {
        of(
            "content_part.done",
            &format!(
                r#""content_index":0,"part":{{"type":"output_text","text":"{text}","annotations":[]}}"#
            ),
        )
    };
    let item_done = |text: &str| of("output_item.done", &message(text));
    let whole = r"A\u00e4\nBC";
    for (sent, expected) in [
        (vec![delta("A"), text_done(whole)], "Aä\nBC"),
        (vec![delta("A"), part_done(whole)], "Aä\nBC"),
        (vec![delta("A"), item_done(whole)], "Aä\nBC"),
        (
            vec![
                delta("Aä"),
                text_done(whole),
                part_done(whole),
                item_done(whole),
            ],
            "Aä\nBC",
        ),
        (vec![text_done(whole), item_done(whole)], "Aä\nBC"),
        (vec![part_done(whole), item_done(whole)], "Aä\nBC"),
        // What contradicts what was told comes too late.
        (vec![delta("AX"), text_done(whole), item_done(whole)], "AX"),
        (vec![delta("ABCD"), text_done("ABC")], "ABCD"),
    ] {
        for client in [CHAT, MESSAGES] {
            assert_eq!(told(client, RESPONSES, &events(&sent)).text, expected);
        }
    }
}

#[test]
fn what_the_deltas_left_out_of_a_refusal_is_told() {
    let delta = of("refusal.delta", r#""content_index":0,"delta":"No""#);
    let item =
        r#""item":{"id":"i","type":"message","content":[{"type":"refusal","refusal":"No way"}]}"#;
    for done in [
        of("refusal.done", r#""content_index":0,"refusal":"No way""#),
        of(
            "content_part.done",
            r#""content_index":0,"part":{"type":"refusal","refusal":"No way"}"#,
        ),
        of("output_item.done", item),
    ] {
        let sent = events(&[delta.clone(), done]);
        assert_eq!(told(CHAT, RESPONSES, &sent).refusal, "No way");
        // Messages knows a refusal's words as text.
        assert_eq!(told(MESSAGES, RESPONSES, &sent).text, "No way");
    }
}

#[test]
fn what_the_deltas_left_out_of_arguments_is_told() {
    let call = |kind: &str, arguments: &str| {
        format!(
            r#""item":{{"id":"i","type":"{kind}","call_id":"c","name":"apply_patch",{arguments}}}"#
        )
    };
    let added = of(
        "output_item.added",
        &call("function_call", r#""arguments":"""#),
    );
    let delta = of("function_call_arguments.delta", r#""delta":"{\"a\"""#);
    let all = r#""arguments":"{\"a\":1}""#;
    let arguments_done = of("function_call_arguments.done", all);
    let item_done = of("output_item.done", &call("function_call", all));
    let after = |last: &[&String]| {
        let mut sent = vec![added.clone(), delta.clone()];
        sent.extend(last.iter().map(|event| (*event).clone()));
        events(&sent)
    };
    for sent in [
        after(&[&arguments_done]),
        after(&[&item_done]),
        after(&[&arguments_done, &item_done]),
    ] {
        for client in [CHAT, MESSAGES] {
            let mut context = context(client, RESPONSES);
            context.tools.clear();
            let out = stream(&context, sent.as_bytes());
            let told = super::plain::summary_of_stream(client, &out).unwrap();
            assert_eq!(
                told.calls,
                [("c".into(), "apply_patch".into(), json!({"a": 1}))]
            );
        }
    }
    let custom = events(&[
        of(
            "output_item.added",
            &call("custom_tool_call", r#""input":"""#),
        ),
        of("custom_tool_call_input.delta", r#""delta":"one ""#),
        of("custom_tool_call_input.done", r#""input":"one two""#),
        of(
            "output_item.done",
            &call("custom_tool_call", r#""input":"one two three""#),
        ),
    ]);
    assert_eq!(told(CHAT, RESPONSES, &custom).calls[0].2, "one two three");
    let input = json!({"input": "one two three"});
    assert_eq!(told(MESSAGES, RESPONSES, &custom).calls[0].2, input);
}

#[test]
fn what_the_deltas_left_out_of_reasoning_is_told() {
    let delta = |index: u64, text: &str| {
        of(
            "reasoning_summary_text.delta",
            &format!(r#""summary_index":{index},"delta":"{text}""#),
        )
    };
    let done = |index: u64, text: &str| {
        of(
            "reasoning_summary_text.done",
            &format!(r#""summary_index":{index},"text":"{text}""#),
        )
    };
    let part = |index: u64| {
        of(
            "reasoning_summary_part.added",
            &format!(r#""summary_index":{index},"part":{{"type":"summary_text","text":""}}"#),
        )
    };
    let item = of(
        "output_item.done",
        r#""item":{"id":"i","type":"reasoning","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text","text":"two"}]}"#,
    );
    let added = of(
        "output_item.added",
        r#""item":{"id":"i","type":"reasoning","summary":[]}"#,
    );
    for sent in [
        vec![
            part(0),
            delta(0, "o"),
            done(0, "one"),
            part(1),
            done(1, "two"),
        ],
        vec![part(0), delta(0, "on"), item.clone()],
        vec![
            part(0),
            delta(0, "one"),
            part(1),
            delta(1, "t"),
            item.clone(),
        ],
        vec![part(0), delta(0, "one"), part(1), item.clone()],
        vec![part(0), done(0, "one"), done(1, "two"), item.clone()],
        vec![
            part(0),
            delta(0, "one"),
            done(0, "one"),
            part(1),
            delta(1, "two"),
            done(1, "two"),
            item.clone(),
        ],
        vec![item.clone()],
        // Of a vendor that announces no paragraphs nothing is told twice.
        vec![
            delta(0, "one"),
            delta(1, "two"),
            done(1, "two"),
            item.clone(),
        ],
        vec![delta(0, "one"), delta(0, "two"), item],
    ] {
        let sent = [vec![added.clone()], sent].concat();
        for client in [CHAT, MESSAGES] {
            let told = told(client, RESPONSES, &events(&sent));
            assert_eq!(told.reasoning, "onetwo", "{sent:?}");
        }
    }
}

#[test]
fn a_call_whose_name_and_id_come_with_its_last_word_has_both_and_its_arguments() {
    let added = of(
        "output_item.added",
        r#""item":{"id":"i","type":"function_call","call_id":"","name":"","arguments":""}"#,
    );
    let delta = of("function_call_arguments.delta", r#""delta":"{\"a\"""#);
    let rest = of("function_call_arguments.delta", r#""delta":":1}""#);
    let done = |arguments: &str| {
        of(
            "output_item.done",
            &format!(
                r#""item":{{"id":"i","type":"function_call","call_id":"c","name":"f","arguments":"{arguments}"}}"#
            ),
        )
    };
    let all = r#"{\"a\":1}"#;
    let snapshot = event(&format!(
        r#"{{"type":"response.completed","response":{{"output":[{{"id":"i","type":"function_call","call_id":"c","name":"f","arguments":"{all}"}}]}}}}"#
    ));
    let mute = of(
        "output_item.done",
        r#""item":{"id":"i","type":"function_call","call_id":"","name":"","arguments":""}"#,
    );
    for sent in [
        events(&[added.clone(), delta.clone(), rest.clone(), done(all)]),
        events(&[added.clone(), delta.clone(), rest.clone(), done("")]),
        events(&[added.clone(), delta.clone(), done(all)]),
        events(&[added.clone(), done(all)]),
        event(&added) + &event(&delta) + &event(&mute) + &snapshot,
    ] {
        for client in [CHAT, MESSAGES] {
            let told = told(client, RESPONSES, &sent);
            assert_eq!(told.calls, [("c".into(), "f".into(), json!({"a": 1}))]);
        }
    }
}
