//! Reasoning: budgets and efforts, signatures, what is sealed and what is shown.

use serde_json::{Value, json};
use tollgate_dialect::Document;
use tollgate_dialect::bridge::Target;
use tollgate_dialect::bridge::opaque::{self, OpaqueKind};

use super::{CHAT, MESSAGES, RESPONSES, agent, with};
use crate::support::*;

#[test]
fn a_thinking_budget_below_the_smallest_is_not_sent() {
    for cap in [1, 1_000, 1_364, 1_365, 1_366, 3_000] {
        let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}],
            "max_completion_tokens": cap, "reasoning_effort": "high"});
        let made = value(CHAT, &body, &bare(MESSAGES));
        let budget = made["thinking"]["budget_tokens"].as_u64();
        assert!(
            budget.is_none_or(|budget| budget >= 1_024 && budget < cap),
            "{cap}: {budget:?}"
        );
        assert_eq!(budget.is_some(), cap > 1_366, "{cap}");
    }
}

#[test]
fn a_turn_whose_thinking_was_lost_does_not_go_on_thinking_with_a_budget() {
    let body = json!({"model": "asked", "reasoning_effort": "high", "tools": [
            {"type": "function", "function": {"name": "f"}}],
        "messages": [{"role": "user", "content": "Go"},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "ok"}]});
    assert!(value(CHAT, &body, &with(&["reasoning"], MESSAGES))["thinking"].is_null());
    // The next turn of the user may.
    let mut next = body.clone();
    let messages = next["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": "Done."}));
    messages.push(json!({"role": "user", "content": "More"}));
    let made = value(CHAT, &next, &with(&["reasoning"], MESSAGES));
    assert_eq!(made["thinking"]["type"], "enabled");
    // Adaptive thinking does not mind.
    let made = value(
        CHAT,
        &body,
        &with(&["reasoning", "adaptive-thinking"], MESSAGES),
    );
    assert_eq!(made["thinking"]["type"], "adaptive");
}

/// With a budget the vendor refuses what the assistant said last as the beginning of the answer.
#[test]
fn an_answer_that_the_client_began_is_gone_on_with_without_a_budget_for_thinking() {
    let begun = |last: &[Value]| {
        let mut messages = vec![
            json!({"role": "user", "content": "Go"}),
            json!({"role": "assistant", "content": "Sure: {"}),
        ];
        messages.extend(last.iter().cloned());
        let body = json!({"model": "asked", "reasoning_effort": "high", "messages": messages});
        let made = value(CHAT, &body, &with(&["reasoning"], MESSAGES));
        let last = made["messages"].as_array().unwrap().last().unwrap().clone();
        (
            last["role"] == "assistant",
            made["thinking"]["type"] == "enabled",
        )
    };
    assert_eq!(begun(&[]), (true, false));
    // A blank text is not sent, and what is sent last is the assistant's all the same.
    assert_eq!(
        begun(&[json!({"role": "user", "content": " "})]),
        (true, false)
    );
    assert_eq!(
        begun(&[json!({"role": "user", "content": "More"})]),
        (false, true)
    );
    assert_eq!(
        begun(&[json!({"role": "system", "content": "Be brief."})]),
        (false, true)
    );
    let body = json!({"model": "asked", "max_output_tokens": 9_000, "reasoning": {"effort": "low"},
        "input": [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "{"}]});
    let made = value(RESPONSES, &body, &with(&["reasoning"], MESSAGES));
    assert_eq!(made["messages"][1]["role"], "assistant");
    assert_eq!(made["thinking"], Value::Null);
}

#[test]
fn signatures_go_back_to_the_family_that_made_them_and_to_no_other() {
    let sealed = opaque::seal(FAMILY, OpaqueKind::Signature, "SIG==");
    let ask = |encrypted: &str| {
        agent(
            json!([{"role": "user", "content": "Go"},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": encrypted},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]},
                {"role": "user", "content": "More"}]),
            json!([]),
        )
    };
    let own = value(RESPONSES, &ask(&sealed), &able(MESSAGES));
    assert_eq!(
        own["messages"][1]["content"][0],
        json!({"type": "thinking", "thinking": "Hm.", "signature": "SIG=="})
    );
    for foreign in [
        opaque::seal("another", OpaqueKind::Signature, "SIG=="),
        opaque::seal_item(FAMILY, "rs_1", "gAAA"),
        "gAAAAABnative".to_owned(),
        "tg1.maker.signature.!!!".to_owned(),
    ] {
        let made = value(RESPONSES, &ask(&foreign), &able(MESSAGES));
        assert_eq!(
            made["messages"][1]["content"],
            json!([{"type": "text", "text": "Yes."}]),
            "{foreign}"
        );
    }
}

#[test]
fn an_encrypted_reasoning_item_survives_a_client_of_messages() {
    let signature = opaque::seal_item(FAMILY, "rs_1", "gAAA=");
    let body = json!({"model": "asked", "max_tokens": 100, "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": signature},
            {"type": "text", "text": "Yes."}]},
        {"role": "user", "content": "More"}]});
    let made = value(MESSAGES, &body, &able(RESPONSES));
    assert_eq!(
        made["input"][1],
        json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "gAAA="})
    );
    let other = Target {
        family: "another",
        ..able(RESPONSES)
    };
    assert_eq!(
        value(MESSAGES, &body, &other)["input"][1]["type"],
        "message"
    );
}

#[test]
fn unsigned_reasoning_goes_back_beside_its_calls_as_some_vendors_demand() {
    let signature = opaque::seal(FAMILY, OpaqueKind::Plain, "");
    let body = json!({"model": "asked", "max_tokens": 100, "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": signature},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]}]});
    // The family's own, though it does not say that it takes any.
    let made = value(MESSAGES, &body, &bare(CHAT));
    assert_eq!(made["messages"][1]["reasoning_content"], "Hm.");
    assert_eq!(made["messages"][1]["content"], Value::Null);
    let other = Target {
        family: "another",
        ..bare(CHAT)
    };
    assert!(value(MESSAGES, &body, &other)["messages"][1]["reasoning_content"].is_null());
}

/// The other half of `reasoning_that_nobody_may_read_and_nobody_encrypted_is_sealed_with_its_text`.
#[test]
fn reasoning_that_was_sealed_with_its_text_comes_back_as_text() {
    let body = |family: &str| {
        let data = opaque::seal(family, OpaqueKind::Plain, "Hm.");
        json!({"model": "asked", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": [
                {"type": "redacted_thinking", "data": data}, {"type": "text", "text": "On it."},
            ]},
            {"role": "user", "content": "On"},
        ]})
    };
    // It is opened where policies can read it, before the bridge sees it.
    let body = |family: &str| {
        let mut document = Document::parse(body(family).to_string().into()).unwrap();
        tollgate_dialect::bridge::open_hidden(&mut document).unwrap();
        serde_json::from_slice::<Value>(&document.to_bytes()).unwrap()
    };
    let made = value(MESSAGES, &body(FAMILY), &bare(CHAT));
    assert_eq!(made["messages"][1]["reasoning_content"], "Hm.");
    let made = value(MESSAGES, &body("another"), &bare(CHAT));
    assert!(made["messages"][1]["reasoning_content"].is_null(), "{made}");
    let made = value(
        MESSAGES,
        &body("another"),
        &with(&["reasoning-content"], CHAT),
    );
    assert_eq!(made["messages"][1]["reasoning_content"], "Hm.");
}

#[test]
fn reasoning_that_led_to_nothing_is_not_sent_again() {
    let family = able(MESSAGES).family;
    let thought = opaque::seal(family, OpaqueKind::Signature, "c2ln");
    let cut = json!([{"role": "user", "content": "Go"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": thought}]);
    let made = value(RESPONSES, &agent(cut.clone(), json!([])), &able(MESSAGES));
    assert_eq!(made["messages"].as_array().unwrap().len(), 1, "{made}");
    let mut after = cut.clone();
    after
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "user", "content": "Again"}));
    let made = value(RESPONSES, &agent(after, json!([])), &able(MESSAGES));
    assert!(!made.to_string().contains("thinking"), "{made}");
    let mut answered = cut;
    answered
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": "Done."}));
    let made = value(RESPONSES, &agent(answered, json!([])), &able(MESSAGES));
    assert_eq!(
        made["messages"][1]["content"][0]["type"], "thinking",
        "{made}"
    );

    let item = |id: &str| {
        let sealed = opaque::seal_item(able(RESPONSES).family, id, "gAAA");
        json!({"type": "thinking", "thinking": "", "signature": sealed})
    };
    let turn = |content: Value| {
        json!({"model": "asked", "max_tokens": 99, "messages": [{"role": "user", "content": "Go"},
            {"role": "assistant", "content": content}, {"role": "user", "content": "On"}]})
    };
    let made = value(MESSAGES, &turn(json!([item("rs_1")])), &able(RESPONSES));
    assert!(!made.to_string().contains("rs_1"), "{made}");
    let searched = json!([item("rs_1"),
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        item("rs_2"), {"type": "text", "text": "Blue."}]);
    let made = value(MESSAGES, &turn(searched), &able(RESPONSES)).to_string();
    assert!(!made.contains("rs_1") && made.contains("rs_2"), "{made}");
}

#[test]
fn calls_of_another_vendors_model_have_reasoning_where_a_thinking_vendor_wants_it() {
    let body = agent(
        json!([{"role": "user", "content": "Go"},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "done"}]),
        json!([{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}]),
    );
    let made = value(RESPONSES, &body, &with(&["reasoning-content"], CHAT));
    assert_eq!(made["messages"][1]["reasoning_content"], " ");
    let made = value(RESPONSES, &body, &bare(CHAT));
    assert!(made["messages"][1].get("reasoning_content").is_none());
}

#[test]
fn a_chat_client_that_sets_an_effort_is_shown_what_was_thought_where_asking_is_refused_to_nobody() {
    let body = |effort: Option<&str>| json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}], "reasoning_effort": effort});
    let summaries = with(&["reasoning", "reasoning-summaries"], RESPONSES);
    let made = value(CHAT, &body(Some("high")), &summaries);
    assert_eq!(
        made["reasoning"],
        json!({"effort": "high", "summary": "auto"})
    );
    // Nothing that only a client with a place for it can carry.
    assert!(made.get("include").is_none());
    for (effort, to) in [
        (Some("none"), &summaries),
        (None, &summaries),
        (Some("high"), &with(&["reasoning"], RESPONSES)),
        (Some("high"), &with(&["reasoning-summaries"], RESPONSES)),
    ] {
        let made = value(CHAT, &body(effort), to);
        assert!(made["reasoning"]["summary"].is_null(), "{made}");
    }

    let adaptive = with(&["reasoning", "adaptive-thinking"], MESSAGES);
    let made = value(CHAT, &body(Some("high")), &adaptive);
    assert_eq!(
        made["thinking"],
        json!({"type": "adaptive", "display": "summarized"})
    );
    assert!(value(CHAT, &body(None), &adaptive)["thinking"].is_null());
    // A budget shows its thinking by itself.
    let made = value(CHAT, &body(Some("high")), &bare(MESSAGES));
    assert!(made["thinking"]["display"].is_null(), "{made}");
}

#[test]
fn what_vendors_of_chat_say_of_thinking_in_their_own_words_is_said_in_those_of_the_target() {
    let ask = |more: Value, to: &Target<'_>| {
        let mut body = json!({"model": "asked", "max_tokens": 16_000, "messages": [{"role": "user", "content": "Go"}]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        value(CHAT, &body, to)
    };
    let budget = bare(MESSAGES);
    let adaptive = with(&["reasoning", "adaptive-thinking"], MESSAGES);
    let responses = with(&["reasoning", "reasoning-summaries"], RESPONSES);
    for on in [
        json!({"thinking": {"type": "enabled"}}),
        json!({"enable_thinking": true}),
        json!({"reasoning": {"enabled": true}}),
    ] {
        assert_eq!(
            ask(on.clone(), &budget)["thinking"]["budget_tokens"],
            10_240
        );
        let made = ask(on.clone(), &adaptive);
        assert_eq!(
            made["thinking"],
            json!({"type": "adaptive", "display": "summarized"})
        );
        assert!(made["output_config"].is_null());
        assert_eq!(ask(on, &responses)["reasoning"], json!({"summary": "auto"}));
    }
    for off in [
        json!({"thinking": {"type": "disabled"}}),
        json!({"enable_thinking": false}),
        json!({"reasoning": {"effort": "none"}}),
        json!({"reasoning_effort": "high", "thinking": {"type": "disabled"}}),
        json!({"reasoning_effort": "none", "thinking": {"type": "enabled"}}),
    ] {
        assert_eq!(
            ask(off.clone(), &budget)["thinking"],
            json!({"type": "disabled"})
        );
        assert_eq!(ask(off, &responses)["reasoning"], json!({"effort": "none"}));
    }
    for tokens in [
        json!({"thinking": {"type": "enabled", "budget_tokens": 2_048}}),
        json!({"enable_thinking": true, "thinking_budget": 2_048}),
        json!({"reasoning": {"max_tokens": 2_048}}),
    ] {
        assert_eq!(
            ask(tokens.clone(), &budget)["thinking"]["budget_tokens"],
            2_048
        );
        assert_eq!(ask(tokens, &responses)["reasoning"]["effort"], "low");
    }
    let made = ask(
        json!({"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        &adaptive,
    );
    assert_eq!(made["output_config"]["effort"], "low");
    let hidden = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}],
        "reasoning": {"effort": "high", "exclude": true}});
    let context = bridged(CHAT, &hidden.to_string(), &adaptive)
        .unwrap()
        .context;
    assert!(!context.readable_reasoning);
    // What nobody knows says nothing.
    for odd in [
        json!({"thinking": "yes"}),
        json!({"thinking": {"type": "auto"}}),
        json!({"enable_thinking": "on", "thinking_budget": -1, "reasoning": [1], "top_k": 0.5}),
    ] {
        let made = ask(odd, &budget);
        assert!(
            made["thinking"].is_null() && made["top_k"].is_null(),
            "{made}"
        );
    }

    assert_eq!(ask(json!({"top_k": 40}), &budget)["top_k"], 40);
    for (to, more) in [
        (&budget, json!({"top_k": 40, "enable_thinking": true})),
        (&with(&["no-sampling"], MESSAGES), json!({"top_k": 40})),
        (&responses, json!({"top_k": 40})),
    ] {
        assert!(ask(more, to)["top_k"].is_null());
    }
}

#[test]
fn reasoning_in_the_words_of_certain_vendors_reaches_no_other_and_is_never_refused() {
    for details in [
        json!([{"type": "reasoning.text", "text": "Look.", "index": 0, "signature": "SIG=="},
            {"type": "reasoning.encrypted", "data": "gAAA", "index": 1}]),
        json!("SIG"),
        json!({"text": 1}),
    ] {
        let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"},
            {"role": "assistant", "content": "Yes.", "reasoning_details": details}, {"role": "user", "content": "On"}]});
        for to in [RESPONSES, MESSAGES] {
            let made = value(CHAT, &body, &able(to)).to_string();
            assert!(made.contains("Yes."), "{made}");
            for gone in ["SIG", "gAAA", "Look", "reasoning_details"] {
                assert!(!made.contains(gone), "{gone} in {made}");
            }
        }
    }
}

#[test]
fn no_model_is_asked_for_an_effort_that_it_refuses_nor_not_to_think_where_it_cannot() {
    let names = [
        "reasoning",
        "always-thinks",
        "effort-low",
        "effort-high",
        "effort-max",
    ];
    let ask =
        |effort: &str| json!({"model": "asked", "input": "Go", "reasoning": {"effort": effort}});
    let chat = with(&names, CHAT);
    for (asked, told) in [
        ("none", "low"),
        ("minimal", "low"),
        ("medium", "high"),
        ("xhigh", "max"),
        ("max", "max"),
    ] {
        let made = value(RESPONSES, &ask(asked), &chat);
        assert_eq!(made["reasoning_effort"], told, "{asked}");
    }
    let adaptive = [&names[..], &["adaptive-thinking"]].concat();
    let messages = with(&adaptive, MESSAGES);
    for (asked, told) in [("none", "low"), ("minimal", "low"), ("xhigh", "max")] {
        let made = value(RESPONSES, &ask(asked), &messages);
        assert_eq!(made["output_config"]["effort"], told, "{asked}");
        assert_eq!(made["thinking"]["type"], "adaptive", "{asked}");
    }
    let off = json!({"model": "asked", "max_tokens": 9_000, "thinking": {"type": "disabled"},
        "messages": [{"role": "user", "content": "Go"}]});
    let made = value(MESSAGES, &off, &chat);
    assert_eq!(made["reasoning_effort"], "low");
    let made = value(MESSAGES, &off, &with(&names, RESPONSES));
    assert_eq!(made["reasoning"], json!({"effort": "low"}));
    // Nothing is said where it is not known how little it can think.
    let unlisted = ["reasoning", "always-thinks", "adaptive-thinking"];
    let made = value(MESSAGES, &off, &with(&unlisted, CHAT));
    assert!(made["reasoning_effort"].is_null(), "{made}");
    let made = value(RESPONSES, &ask("none"), &with(&unlisted, MESSAGES));
    assert!(made["thinking"].is_null(), "{made}");
}
