//! Which item an event is of, as vendors of Responses say it: wrongly, by some of the marks in some of the events, or not at all.
//! Whatever they say, an item is told once, and none is lost.

use serde_json::{Value, json};

use super::damage::{event, failed, told};
use super::support::*;

/// An event with these members, and an item of these.
fn of(kind: &str, members: Value, item: Value) -> String {
    let mut whole = members;
    whole["type"] = json!(format!("response.{kind}"));
    if !item.is_null() {
        whole["item"] = item;
    }
    event(&whole.to_string())
}

fn added(members: Value, item: Value) -> String {
    of("output_item.added", members, item)
}

fn done(members: Value, item: Value) -> String {
    of("output_item.done", members, item)
}

fn delta(kind: &str, marks: Value, text: &str) -> String {
    let mut members = marks;
    members["delta"] = json!(text);
    of(&format!("{kind}.delta"), members, Value::Null)
}

fn said(kind: &str, marks: Value, name: &str, text: &str) -> String {
    let mut members = marks;
    members[name] = json!(text);
    of(&format!("{kind}.done"), members, Value::Null)
}

fn end(output: &[Value]) -> String {
    event(
        &json!({"type": "response.completed", "response": {"status": "completed", "output": output}})
            .to_string(),
    )
}

/// With these members, too.
fn with(item: &Value, members: Value) -> Value {
    let mut item = item.clone();
    for (name, value) in members.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}

fn thought() -> Value {
    json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]})
}

fn message() -> Value {
    let cited =
        json!({"type": "url_citation", "start_index": 0, "end_index": 5, "url": "u", "title": "t"});
    json!({"type": "message", "content": [{"type": "output_text", "text": "Hello", "annotations": [cited]}]})
}

fn call() -> Value {
    json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": r#"{"a":1}"#})
}

/// A message behind the item of index 0, and the end.
fn says_hello_next() -> String {
    let marks = json!({"output_index": 1, "item_id": "m1"});
    delta("output_text", marks, "Hello") + &end(&[])
}

fn none() -> Value {
    json!({})
}

/// What a client is told of one thought, one message and one call.
fn is_all_once(sent: &str) {
    for client in [CHAT, MESSAGES] {
        let told = told(client, RESPONSES, sent);
        assert_eq!(
            (&*told.reasoning, &*told.text, told.sources.len()),
            ("Hm.", "Hello", 1),
            "{sent}"
        );
        is_called_once(&told.calls, sent);
    }
}

fn is_called_once(calls: &[(String, String, Value)], sent: &str) {
    assert_eq!(
        calls,
        [("c1".into(), "f".into(), json!({"a": 1}))],
        "{sent}"
    );
}

fn is_the_call_once(sent: &str) {
    for client in [CHAT, MESSAGES] {
        is_called_once(&told(client, RESPONSES, sent).calls, sent);
    }
}

#[test]
fn a_vendor_that_marks_nothing_tells_each_item_once() {
    let thinks = || delta("reasoning_summary_text", none(), "Hm.");
    let says = || delta("output_text", none(), "Hello");
    let asks = || delta("function_call_arguments", none(), r#"{"a":1}"#);
    let begun = |item: &Value| added(none(), with(item, json!({"content": [], "arguments": ""})));
    for ids in [["", "", ""], ["r1", "m1", "f1"]] {
        // Ids that stand in the items alone.
        let [thought, message, call] = [(thought(), ids[0]), (message(), ids[1]), (call(), ids[2])]
            .map(|(item, id)| match id {
                "" => item,
                id => with(&item, json!({"id": id})),
            });
        let all = [thought.clone(), message.clone(), call.clone()];
        let (thinking, saying, calling) = (
            thinks() + &done(none(), thought),
            says() + &done(none(), message.clone()),
            begun(&call) + &asks() + &done(none(), call.clone()),
        );
        is_all_once(&(thinking.clone() + &saying + &calling + &end(&all)));
        is_all_once(&(thinking.clone() + &saying + &calling + &end(&[])));
        // The snapshot leaves items out.
        is_all_once(&(thinking.clone() + &saying + &calling + &end(&all[1..])));
        is_all_once(&(thinking.clone() + &saying + &calling + &end(&all[2..])));
        // No last word but the one on all.
        is_all_once(&(thinks() + &says() + &begun(&call) + &asks() + &end(&all)));
        // No last word at all.
        for client in [CHAT, MESSAGES] {
            let told = told(client, RESPONSES, &(thinks() + &says() + &end(&[])));
            assert_eq!((&*told.reasoning, &*told.text), ("Hm.", "Hello"));
        }
        // A call of which no event told.
        is_all_once(&(thinks() + &says() + &end(&all)));
        is_all_once(&(thinking.clone() + &saying + &end(&all[2..])));
        // Last words twice, and behind the item's end.
        let late = said("output_text", none(), "text", "Hello") + &done(none(), message);
        is_all_once(&(thinking.clone() + &saying + &late + &calling + &end(&all)));
        let late = said("function_call_arguments", none(), "arguments", r#"{"a":1}"#);
        is_all_once(&(thinking.clone() + &saying + &calling + &late + &end(&all)));
        // Arguments before their call.
        let early = asks() + &begun(&call);
        is_all_once(&(thinking.clone() + &saying + &early + &end(&[])));
        let early = early + &done(none(), call);
        is_all_once(&(thinking + &saying + &early + &end(&all)));
    }
}

/// An older server of local models marks the deltas of arguments with the call's id, and nothing else with anything.
#[test]
fn deltas_that_are_marked_with_the_calls_id_are_that_calls() {
    let other =
        json!({"type": "function_call", "call_id": "c2", "name": "g", "arguments": r#"{"b":2}"#});
    let calls = [(call(), r#"{"a":1}"#), (other.clone(), r#"{"b":2}"#)];
    let mut sent = String::new();
    for (call, _) in &calls {
        sent += &added(none(), with(call, json!({"arguments": ""})));
    }
    for (call, arguments) in &calls {
        let marks = json!({"item_id": call["call_id"]});
        sent += &delta("function_call_arguments", marks, arguments);
    }
    sent += &(done(none(), call()) + &done(none(), other.clone()) + &end(&[call(), other]));
    for client in [CHAT, MESSAGES] {
        let calls = told(client, RESPONSES, &sent).calls;
        assert_eq!(
            calls,
            [
                ("c1".into(), "f".into(), json!({"a": 1})),
                ("c2".into(), "g".into(), json!({"b": 2}))
            ]
        );
    }
}

/// A server of local models counts on before it says the last words on an item, whose id is right.
#[test]
fn a_last_word_under_the_next_index_is_that_of_its_id() {
    let (thought, message) = (
        with(&thought(), json!({"id": "r0"})),
        with(&message(), json!({"id": "m1"})),
    );
    let at = |index: u64, id: &str| json!({"output_index": index, "item_id": id, "content_index": 0, "summary_index": 0});
    let sent = added(
        json!({"output_index": 0}),
        with(&thought, json!({"summary": []})),
    ) + &delta("reasoning_summary_text", at(0, "r0"), "Hm.")
        + &said("reasoning_summary_text", at(1, "r0"), "text", "Hm.")
        + &done(json!({"output_index": 1}), thought)
        + &added(
            json!({"output_index": 1}),
            with(&message, json!({"content": []})),
        )
        + &delta("output_text", at(1, "m1"), "Hello")
        + &said("output_text", at(2, "m1"), "text", "Hello")
        + &done(json!({"output_index": 2}), message)
        + &end(&[]);
    for client in [CHAT, MESSAGES] {
        let told = told(client, RESPONSES, &sent);
        assert_eq!((&*told.reasoning, &*told.text), ("Hm.", "Hello"));
    }
}

#[test]
fn arguments_under_a_mark_that_their_call_lacks_or_contradicts_are_that_calls() {
    let named = with(&call(), json!({"id": "f1"}));
    let begun = |item: &Value| with(item, json!({"arguments": ""}));
    let asks = |marks: Value| delta("function_call_arguments", marks, r#"{"a":1}"#);
    for marks in [
        json!({"output_index": 0}),
        json!({"item_id": "c1"}),
        json!({"item_id": "another"}),
        json!({"output_index": 7, "item_id": "f1"}),
        json!({"output_index": 7, "item_id": "another"}),
    ] {
        for place in [none(), json!({"output_index": 0})] {
            for item in [&named, &call()] {
                let sent = added(place.clone(), begun(item)) + &asks(marks.clone());
                let sent = sent + &done(place.clone(), item.clone());
                is_the_call_once(&(sent.clone() + &end(&[])));
                is_the_call_once(&(sent + &end(std::slice::from_ref(item))));
            }
        }
    }
}

#[test]
fn an_item_under_the_index_of_stray_arguments_is_not_lost() {
    let call = with(&call(), json!({"id": "f0"}));
    let sent = added(
        json!({"output_index": 0}),
        with(&call, json!({"arguments": ""})),
    ) + &said(
        "function_call_arguments",
        json!({"output_index": 1, "item_id": "f9"}),
        "arguments",
        r#"{"a":1}"#,
    ) + &done(json!({"output_index": 0}), call)
        + &added(
            json!({"output_index": 1}),
            json!({"type": "message", "id": "m1", "content": []}),
        )
        + &says_hello_next();
    for client in [CHAT, MESSAGES] {
        let told = told(client, RESPONSES, &sent);
        assert_eq!(told.text, "Hello");
        is_called_once(&told.calls, &sent);
    }
}

/// Servers that count each kind of item by itself, or do not count.
#[test]
fn items_that_share_an_index_are_told_apart() {
    let [thought, message, call] = [(thought(), "r1"), (message(), "m1"), (call(), "f1")]
        .map(|(item, id)| with(&item, json!({"id": id})));
    let at = |id: &str| json!({"output_index": 0, "item_id": id, "content_index": 0, "summary_index": 0});
    let place = || json!({"output_index": 0});
    let begun = |item: &Value| {
        added(
            place(),
            with(item, json!({"content": [], "summary": [], "arguments": ""})),
        )
    };
    let all = [thought.clone(), message.clone(), call.clone()];
    let thinks = delta("reasoning_summary_text", at("r1"), "Hm.");
    let says = delta("output_text", at("m1"), "Hello");
    let asks = delta("function_call_arguments", at("f1"), r#"{"a":1}"#);
    let [begun_thought, begun_message, begun_call] = all.each_ref().map(begun);
    let [done_thought, done_message, done_call] =
        all.each_ref().map(|item| done(place(), item.clone()));
    for output in [&all[..], &all[1..], &[]] {
        is_all_once(
            &[
                &begun_thought,
                &thinks,
                &done_thought,
                &begun_message,
                &says,
                &done_message,
                &begun_call,
                &asks,
                &done_call,
                &end(output),
            ]
            .map(String::as_str)
            .concat(),
        );
        // All at once.
        is_all_once(
            &[
                &begun_thought,
                &begun_message,
                &begun_call,
                &thinks,
                &says,
                &asks,
                &done_thought,
                &done_message,
                &done_call,
                &end(output),
            ]
            .map(String::as_str)
            .concat(),
        );
    }
    // Two calls, one after the other, and both at once.
    let other = json!({"type": "function_call", "id": "f2", "call_id": "c2", "name": "g", "arguments": r#"{"b":2}"#});
    let asks_other = delta("function_call_arguments", at("f2"), r#"{"b":2}"#);
    let [begun_other, done_other] = [begun(&other), done(place(), other.clone())];
    let end = end(&[]);
    let wanted = [
        ("c1".into(), "f".into(), json!({"a": 1})),
        ("c2".into(), "g".into(), json!({"b": 2})),
    ];
    for events in [
        [
            &begun_call,
            &asks,
            &done_call,
            &begun_other,
            &asks_other,
            &done_other,
            &end,
        ],
        [
            &begun_call,
            &begun_other,
            &asks,
            &asks_other,
            &done_call,
            &done_other,
            &end,
        ],
    ] {
        let sent = events.map(String::as_str).concat();
        for client in [CHAT, MESSAGES] {
            assert_eq!(told(client, RESPONSES, &sent).calls, wanted);
        }
    }
}

/// The events count in the order in which a model began, the last snapshot has thoughts before texts.
#[test]
fn a_snapshot_in_another_order_repeats_nothing() {
    let place = |index: u64| json!({"output_index": index});
    for ids in [["", ""], ["r1", "m1"]] {
        let [thought, message] =
            [(thought(), ids[0]), (message(), ids[1])].map(|(item, id)| match id {
                "" => item,
                id => with(&item, json!({"id": id})),
            });
        let sent = added(place(0), with(&message, json!({"content": []})))
            + &delta("output_text", place(0), "Hello")
            + &added(place(1), with(&thought, json!({"summary": []})))
            + &delta("reasoning_summary_text", place(1), "Hm.")
            + &done(place(0), message.clone())
            + &done(place(1), thought.clone())
            + &end(&[thought, message]);
        for client in [CHAT, MESSAGES] {
            let told = told(client, RESPONSES, &sent);
            assert_eq!((&*told.reasoning, &*told.text), ("Hm.", "Hello"));
        }
    }
}

/// A server of local models names the items of its last snapshot anew, and leaves out a text that was but white space.
#[test]
fn items_that_the_snapshot_names_anew_are_told_once() {
    let place = |index: u64| json!({"output_index": index});
    let blank = json!({"type": "message", "id": "m0", "content": [{"type": "output_text", "text": "\n\n", "annotations": []}]});
    let streamed = [
        with(&thought(), json!({"id": "r1"})),
        with(&message(), json!({"id": "m1"})),
        with(&call(), json!({"id": "f1"})),
    ];
    let anew = [
        with(&thought(), json!({"id": "r9"})),
        with(&message(), json!({"id": "m9"})),
        with(&call(), json!({"id": "f9", "call_id": "c9"})),
    ];
    let begun = |index: u64, item: &Value| {
        added(
            place(index),
            with(item, json!({"content": [], "summary": [], "arguments": ""})),
        )
    };
    let mut sent =
        begun(0, &blank) + &delta("output_text", place(0), "\n\n") + &done(place(0), blank);
    for (item, index) in streamed.iter().zip(1..) {
        sent += &(begun(index, item) + &done(place(index), item.clone()));
    }
    let orders: [&[usize]; 4] = [&[0, 1, 2], &[2], &[1, 2], &[2, 1, 0]];
    for order in orders {
        let output: Vec<Value> = order.iter().map(|&at| anew[at].clone()).collect();
        for client in [CHAT, MESSAGES] {
            let told = told(client, RESPONSES, &(sent.clone() + &end(&output)));
            assert_eq!(
                (&*told.reasoning, told.text.trim()),
                ("Hm.", "Hello"),
                "{output:?}"
            );
            is_called_once(&told.calls, &sent);
        }
    }
    // Of two calls alike the events told one: a vendor that sends but the last word tells the other there.
    let other = with(&anew[2], json!({"id": "f8", "call_id": "c8"}));
    for client in [CHAT, MESSAGES] {
        let sent = sent.clone() + &end(&[anew[2].clone(), other.clone()]);
        assert_eq!(told(client, RESPONSES, &sent).calls.len(), 2);
    }
}

/// Sources stand where they say within their own part.
#[test]
fn a_part_behind_one_with_sources_is_a_part_of_its_own() {
    let at = |part: u64| json!({"output_index": 0, "item_id": "m1", "content_index": part});
    let source = |part: u64, url: &str| {
        let cited = json!({"type": "url_citation", "start_index": 0, "end_index": 3, "url": url, "title": "t"});
        of(
            "output_text.annotation.added",
            with(&at(part), json!({"annotation": cited})),
            Value::Null,
        )
    };
    let sent = delta("output_text", at(0), "One")
        + &source(0, "a")
        + &delta("output_text", at(1), "Two")
        + &source(1, "b")
        + &end(&[]);
    let told = told(CHAT, RESPONSES, &sent);
    let stretches: Vec<_> = told
        .sources
        .iter()
        .map(|source| (&*source.url, &*source.stretch))
        .collect();
    assert_eq!(stretches, [("a", "One"), ("b", "Two")]);
}

#[test]
fn arguments_of_a_vendors_own_tool_are_no_call() {
    let marks = json!({"output_index": 0, "item_id": "t1"});
    let tool = json!({"type": "some_call", "id": "t1"});
    let sent = added(json!({"output_index": 0}), tool.clone())
        + &delta("function_call_arguments", marks, r#"{"q":1}"#)
        + &done(json!({"output_index": 0}), tool)
        + &says_hello_next();
    for client in [CHAT, MESSAGES] {
        let told = told(client, RESPONSES, &sent);
        assert_eq!((&*told.text, told.calls.len()), ("Hello", 0));
    }
}

/// Two calls of one id, as some vendors make them, are two.
#[test]
fn calls_of_one_id_in_items_of_two_are_two_calls() {
    let calls = [("f1", r#"{"a":1}"#), ("f2", r#"{"a":2}"#)]
        .map(|(id, arguments)| with(&call(), json!({"id": id, "arguments": arguments})));
    let begun = calls
        .each_ref()
        .map(|call| added(none(), with(call, json!({"arguments": ""}))));
    let ended = calls.each_ref().map(|call| done(none(), call.clone()));
    let [one, other] = [0, 1].map(|at| begun[at].clone() + &ended[at]);
    for sent in [one + &other, begun.concat() + &ended.concat()] {
        for client in [CHAT, MESSAGES] {
            let sent = sent.clone() + &end(&calls);
            let told = told(client, RESPONSES, &sent).calls;
            let inputs: Vec<_> = told.iter().map(|call| &call.2["a"]).collect();
            assert_eq!(inputs, [1, 2], "{sent}");
        }
    }
}

#[test]
fn arguments_that_are_no_calls_are_no_success() {
    let stray = delta("function_call_arguments", json!({"item_id": "x"}), "{}");
    let sent = delta("output_text", none(), "Hello") + &stray + &end(&[]);
    for client in [CHAT, MESSAGES] {
        assert!(failed(client, RESPONSES, &sent).contains("without a name"));
    }
}

/// A server of local models counts the parts of all items as one's, or each piece as a part.
#[test]
fn a_text_whose_parts_are_counted_wrong_is_told_once() {
    let whole = with(&message(), json!({"id": "m1"}));
    let at = |part: u64| json!({"output_index": 1, "item_id": "m1", "content_index": part});
    let begun = added(
        json!({"output_index": 1}),
        with(&whole, json!({"content": []})),
    );
    let announced = |part: u64| {
        of(
            "content_part.added",
            with(
                &at(part),
                json!({"part": {"type": "output_text", "text": ""}}),
            ),
            Value::Null,
        )
    };
    let last = |part: u64| {
        said("output_text", at(part), "text", "Hello")
            + &of(
                "content_part.done",
                with(&at(part), json!({"part": whole["content"][0]})),
                Value::Null,
            )
            + &done(json!({"output_index": 1}), whole.clone())
    };
    let pieces: String = ["H", "e", "l", "l", "o"]
        .iter()
        .zip(0..)
        .map(|(piece, part)| delta("output_text", at(part), piece))
        .collect();
    for sent in [
        begun.clone() + &announced(1) + &delta("output_text", at(1), "Hello") + &last(1),
        begun + &announced(0) + &pieces + &last(5),
    ] {
        for client in [CHAT, MESSAGES] {
            for end in [
                end(&[]),
                end(&[json!({"type": "reasoning", "id": "r"}), whole.clone()]),
            ] {
                let told = told(client, RESPONSES, &(sent.clone() + &end));
                assert_eq!((&*told.text, told.sources.len()), ("Hello", 1), "{sent}");
            }
        }
    }
}

/// Parts that are no mistake stay parts, announced or not.
#[test]
fn the_parts_of_a_text_are_all_told() {
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
    let whole = json!({"type": "message", "id": "m1", "content": [part("One"), part("Two")]});
    let at = |part: u64| json!({"output_index": 0, "item_id": "m1", "content_index": part});
    let announced = |index: u64| {
        of(
            "content_part.added",
            with(&at(index), json!({"part": part("")})),
            Value::Null,
        )
    };
    let [one, two] = [
        delta("output_text", at(0), "One"),
        delta("output_text", at(1), "Two"),
    ];
    let last = done(json!({"output_index": 0}), whole.clone());
    for sent in [
        announced(0) + &one + &announced(1) + &two + &last,
        one.clone() + &two + &last,
        one + &last,
        last.clone(),
        last.clone() + &last,
        done(none(), json!({"type": "message", "content": [part("One")]}))
            + &done(none(), json!({"type": "message", "content": [part("Two")]})),
    ] {
        for client in [CHAT, MESSAGES] {
            assert_eq!(
                told(client, RESPONSES, &(sent.clone() + &end(&[]))).text,
                "OneTwo",
                "{sent}"
            );
        }
    }
}

#[test]
fn of_several_calls_under_way_each_gets_its_own_arguments() {
    let first = with(&call(), json!({"id": "f1"}));
    let other = json!({"type": "function_call", "id": "f2", "call_id": "c2", "name": "g", "arguments": r#"{"b":2}"#});
    let begun = |place: Value, item: &Value| added(place, with(item, json!({"arguments": ""})));
    let asks = |marks: Value, text: &str| delta("function_call_arguments", marks, text);
    let unnamed = |item: &Value| {
        let mut item = item.clone();
        item.as_object_mut().unwrap().remove("id");
        item
    };
    let place = |index: u64| json!({"output_index": index});
    let (a, b) = (r#"{"a":1}"#, r#"{"b":2}"#);
    for sent in [
        // Deltas by an index that the items lack, and by ids that they lack.
        begun(none(), &first)
            + &begun(none(), &other)
            + &asks(place(0), a)
            + &asks(place(1), b)
            + &done(none(), first.clone())
            + &done(none(), other.clone()),
        begun(place(0), &unnamed(&first))
            + &begun(place(1), &unnamed(&other))
            + &asks(json!({"item_id": "x"}), a)
            + &asks(json!({"item_id": "y"}), b)
            + &done(place(0), unnamed(&first))
            + &done(place(1), unnamed(&other)),
        begun(none(), &first)
            + &asks(place(0), a)
            + &begun(none(), &other)
            + &asks(place(1), b)
            + &done(none(), first.clone())
            + &done(none(), other.clone()),
        // An index too high.
        begun(place(0), &first)
            + &asks(place(1), a)
            + &done(place(0), first.clone())
            + &begun(place(1), &other)
            + &asks(place(2), b)
            + &done(place(1), other.clone()),
    ] {
        for client in [CHAT, MESSAGES] {
            let sent = sent.clone() + &end(&[]);
            let calls = told(client, RESPONSES, &sent).calls;
            assert_eq!(
                calls,
                [
                    ("c1".into(), "f".into(), json!({"a": 1})),
                    ("c2".into(), "g".into(), json!({"b": 2}))
                ],
                "{sent}"
            );
        }
    }
}

/// Some vendors name each call alike.
#[test]
fn a_call_id_that_is_used_again_is_another_call() {
    let calls = [call(), with(&call(), json!({"arguments": r#"{"a":2}"#}))];
    let sent: String = calls
        .iter()
        .map(|call| {
            added(none(), with(call, json!({"arguments": ""})))
                + &delta(
                    "function_call_arguments",
                    none(),
                    call["arguments"].as_str().unwrap(),
                )
                + &done(none(), call.clone())
        })
        .collect();
    let unannounced = added(
        json!({"output_index": 0}),
        with(&calls[0], json!({"arguments": ""})),
    ) + &done(json!({"output_index": 1}), calls[1].clone())
        + &done(json!({"output_index": 0}), calls[0].clone());
    for (sent, order) in [
        (sent.clone() + &end(&calls), [1, 2]),
        (sent + &end(&[]), [1, 2]),
        (unannounced + &end(&[]), [1, 2]),
    ] {
        for client in [CHAT, MESSAGES] {
            let calls = told(client, RESPONSES, &sent).calls;
            let inputs: Vec<_> = calls
                .iter()
                .map(|call| call.2["a"].as_u64().unwrap())
                .collect();
            assert_eq!(inputs, order, "{sent}");
        }
    }
}

/// Another gateway gives the text the index of the thought, and never announces it.
#[test]
fn a_text_under_the_index_of_the_thought_is_told() {
    let [thought, message] =
        [(thought(), "r1"), (message(), "m1")].map(|(item, id)| with(&item, json!({"id": id})));
    let at = |id: &str| json!({"output_index": 0, "item_id": id, "content_index": 0, "summary_index": 0});
    let place = || json!({"output_index": 0});
    let begun = added(place(), with(&thought, json!({"summary": []})))
        + &delta("reasoning_summary_text", at("r1"), "Hm.");
    let ended = done(place(), thought.clone());
    let [one, two] = [
        delta("output_text", at("m1"), "Hel"),
        delta("output_text", at("m1"), "lo"),
    ];
    for sent in [
        begun.clone() + &ended + &one + &two,
        begun + &one + &ended + &two,
    ] {
        for output in [vec![thought.clone(), message.clone()], vec![]] {
            for client in [CHAT, MESSAGES] {
                let told = told(client, RESPONSES, &(sent.clone() + &end(&output)));
                assert_eq!((&*told.reasoning, &*told.text), ("Hm.", "Hello"), "{sent}");
            }
        }
    }
}

#[test]
fn a_thought_whose_end_is_said_twice_is_told_once() {
    let late = said("reasoning_summary_text", none(), "text", "Hm.");
    let ended = done(
        none(),
        with(&thought(), json!({"encrypted_content": "gAAA=="})),
    );
    let sent = delta("reasoning_summary_text", none(), "Hm.") + &ended + &late + &ended + &end(&[]);
    for client in [CHAT, MESSAGES] {
        assert_eq!(told(client, RESPONSES, &sent).reasoning, "Hm.");
    }
}
