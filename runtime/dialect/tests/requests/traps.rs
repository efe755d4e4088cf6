//! What went wrong elsewhere, one test each.

use serde_json::{Value, json};
use tollgate_dialect::bridge::opaque::{self, OpaqueKind};
use tollgate_dialect::bridge::{Abilities, Target};
use tollgate_dialect::{Dialect, Document, ErrorKind};

use super::invariants;
use super::support::*;

const CHAT: Dialect = Dialect::OpenaiChat;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const MESSAGES: Dialect = Dialect::AnthropicMessages;

fn agent(items: Value, tools: Value) -> Value {
    json!({"model": "asked", "input": items, "tools": tools})
}

fn with(names: &[&'static str], dialect: Dialect) -> Target<'static> {
    Target {
        abilities: Abilities::from_names(names.iter().copied()),
        ..able(dialect)
    }
}

#[test]
fn custom_tools_become_functions_whose_input_is_the_text_and_whose_grammar_is_told() {
    let body = agent(
        json!([{"role": "user", "content": "Go"},
            {"type": "custom_tool_call", "call_id": "call_1", "name": "apply_patch", "input": "*** Begin \"x\"\n"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"}]),
        json!([{"type": "custom", "name": "apply_patch", "description": "Edits.",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}}]),
    );
    let made = value(RESPONSES, &body, &bare(CHAT));
    let function = &made["tools"][0]["function"];
    assert!(
        function["description"]
            .as_str()
            .unwrap()
            .contains("lark grammar:\nstart: X")
    );
    assert_eq!(function["parameters"]["required"], json!(["input"]));
    let arguments = made["messages"][1]["tool_calls"][0]["function"]["arguments"]
        .as_str()
        .unwrap();
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    assert_eq!(arguments, json!({"input": "*** Begin \"x\"\n"}));
    let context = bridged(RESPONSES, &body.to_string(), &bare(CHAT))
        .unwrap()
        .context;
    assert!(context.tool("apply_patch").unwrap().custom);

    let made = value(RESPONSES, &body, &able(MESSAGES));
    assert_eq!(
        made["messages"][1]["content"][0]["input"]["input"],
        "*** Begin \"x\"\n"
    );
}

#[test]
fn tools_in_a_namespace_keep_it_in_their_name_and_lose_it_again_in_the_answer() {
    let tool = json!({"type": "namespace", "name": "clock", "description": "Time.", "tools": [
        {"type": "function", "name": "sleep", "parameters": {"type": "object"}, "strict": false}]});
    let body = agent(
        json!([{"role": "user", "content": "Go"},
        {"type": "additional_tools", "role": "developer", "tools": [tool]}]),
        json!([]),
    );
    for to in [CHAT, MESSAGES] {
        let bridged = bridged(RESPONSES, &body.to_string(), &able(to)).unwrap();
        let tool = bridged.context.tool("clock__sleep").unwrap();
        assert_eq!(
            (&*tool.name, tool.namespace.as_deref()),
            ("sleep", Some("clock"))
        );
        assert!(
            String::from_utf8(bridged.body)
                .unwrap()
                .contains("\"clock__sleep\"")
        );
    }
}

#[test]
fn a_choice_among_tools_that_are_not_offered_is_refused() {
    let tool = json!({"type": "function", "function": {"name": "now"}});
    for mode in ["auto", "required"] {
        let allowed =
            json!({"mode": mode, "tools": [{"type": "function", "function": {"name": "then"}}]});
        let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}], "tools": [tool],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}});
        let refused = bridged(CHAT, &body.to_string(), &able(MESSAGES)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidRequest);
        assert_eq!(refused.param.as_deref(), Some("tool_choice"));
    }
}

#[test]
fn no_tool_has_the_name_of_the_vendors_search_and_that_is_there_once() {
    let body = agent(
        json!("Go"),
        json!([{"type": "web_search"}, {"type": "web_search"},
            {"type": "function", "name": "web_search", "parameters": {"type": "object"}}]),
    );
    let made = value(RESPONSES, &body, &able(MESSAGES));
    invariants::valid(MESSAGES, &made).unwrap();
    assert_eq!(made["tools"].as_array().unwrap().len(), 2);
    let names: Vec<_> = made["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    let context = bridged(RESPONSES, &body.to_string(), &able(MESSAGES))
        .unwrap()
        .context;
    assert_eq!(names[0], "web_search");
    assert_eq!(
        context.tool(names[1].as_str().unwrap()).unwrap().name,
        "web_search"
    );
}

#[test]
fn a_web_search_that_was_offered_unasked_is_left_out_and_one_that_is_demanded_is_refused() {
    let mut body = json!({"model": "asked", "input": "Go", "tools": [{"type": "web_search"}]});
    for to in [CHAT, MESSAGES] {
        let made = value(RESPONSES, &body, &bare(to));
        assert!(
            made["tools"].is_null() && made["tool_choice"].is_null(),
            "{made}"
        );
    }
    for choice in [json!("required"), json!({"type": "web_search_preview"})] {
        body["tool_choice"] = choice;
        for to in [CHAT, MESSAGES] {
            let error = bridged(RESPONSES, &body.to_string(), &bare(to)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported);
        }
    }
}

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
fn content_of_null_beside_calls_is_no_text() {
    let body = json!({"model": "asked", "tools": [{"type": "function", "function": {"name": "f"}}], "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"}]});
    let made = value(CHAT, &body, &able(MESSAGES));
    assert_eq!(
        made["messages"][1]["content"],
        json!([{"type": "tool_use", "id": "c", "name": "f", "input": {}}])
    );
    let made = value(CHAT, &body, &able(RESPONSES));
    assert_eq!(made["input"].as_array().unwrap().len(), 3, "{made}");
}

#[test]
fn nothing_of_the_clients_own_leaks_to_the_vendor() {
    let body = json!({"model": "asked", "input": "Go", "client_metadata": {"thread_id": "t"},
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "unheard_of": 1});
    for to in [CHAT, MESSAGES] {
        let made = value(RESPONSES, &body, &bare(to));
        for member in [
            "client_metadata",
            "include",
            "prompt_cache_key",
            "unheard_of",
            "store",
        ] {
            assert!(made[member].is_null(), "{member} in {made}");
        }
    }
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
        "context_management": {"edits": []}, "some_beta": ["x"], "safeguards": {}, "thinking": {"type": "adaptive"}});
    for to in [CHAT, RESPONSES] {
        let made = value(MESSAGES, &body, &with(&[], to));
        for member in [
            "context_management",
            "some_beta",
            "safeguards",
            "thinking",
            "max_tokens_",
        ] {
            assert!(made[member].is_null(), "{member} in {made}");
        }
    }
}

#[test]
fn usage_is_asked_for_whether_or_not_the_client_did() {
    let body = json!({"model": "asked", "input": "Go", "stream": true});
    assert_eq!(
        value(RESPONSES, &body, &able(CHAT))["stream_options"]["include_usage"],
        true
    );
}

#[test]
fn the_first_system_block_that_changes_with_every_version_does_not_spoil_the_prompt_cache() {
    let ask = |version: &str| {
        json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
            "system": [{"type": "text", "text": format!("x-vendor-billing-header: cc_version={version};")},
                {"type": "text", "text": "You are an agent."}]})
    };
    for to in [CHAT, RESPONSES] {
        assert_eq!(
            value(MESSAGES, &ask("1"), &able(to)),
            value(MESSAGES, &ask("2"), &able(to))
        );
    }
}

#[test]
fn temperature_and_top_p_of_one_are_left_out_for_models_that_take_only_one_of_them() {
    let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}],
        "temperature": 1, "top_p": 1.0});
    let made = value(CHAT, &body, &able(MESSAGES));
    assert!(
        made["temperature"].is_null() && made["top_p"].is_null(),
        "{made}"
    );
}

#[test]
fn a_schema_that_was_not_strict_is_not_made_strict_on_the_way() {
    let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}}]});
    assert_eq!(
        value(CHAT, &body, &able(RESPONSES))["tools"][0]["strict"],
        false
    );
}

#[test]
fn a_conversation_is_not_kept_at_the_vendor_unless_the_client_said_so() {
    let mut body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}]});
    assert_eq!(value(CHAT, &body, &able(RESPONSES))["store"], false);
    body["store"] = json!(true);
    assert_eq!(value(CHAT, &body, &able(RESPONSES))["store"], true);
}

#[test]
fn an_output_cap_is_never_above_the_models_and_always_there_where_it_must_be() {
    let mut body = json!({"model": "asked", "input": "Go", "max_output_tokens": 1_000_000});
    assert_eq!(
        value(RESPONSES, &body, &bare(MESSAGES))["max_tokens"],
        16_000
    );
    assert_eq!(value(RESPONSES, &body, &bare(CHAT))["max_tokens"], 16_000);
    body["max_output_tokens"] = Value::Null;
    assert_eq!(
        value(RESPONSES, &body, &able(MESSAGES))["max_tokens"],
        32_000
    );
    assert!(value(RESPONSES, &body, &bare(CHAT))["max_tokens"].is_null());
}

#[test]
fn images_in_results_reach_a_vendor_whose_results_are_text_after_all_of_them() {
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "b", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": [image]},
            {"type": "tool_result", "tool_use_id": "b", "content": "text"}]}]});
    let made = value(MESSAGES, &body, &able(CHAT));
    let roles: Vec<_> = made["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user"]);
    assert_eq!(
        made["messages"][4]["content"][1]["image_url"]["url"],
        "data:image/png;base64,AAAA"
    );
}

#[test]
fn a_call_that_a_vendor_made_twice_under_one_id_keeps_both_results() {
    let call =
        json!({"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"});
    let came =
        |text: &str| json!({"type": "function_call_output", "call_id": "call_1", "output": text});
    let body = agent(
        json!([{"role": "user", "content": "Go"}, call, came("one"), call, came("two")]),
        json!([]),
    );
    let made = value(RESPONSES, &body, &able(CHAT));
    assert_eq!(made["messages"][2]["content"], "one");
    assert_eq!(made["messages"][4]["content"], "two");
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for from in DIALECTS {
        for to in others(from) {
            let body =
                format!(r#"{{"model":"asked","max_tokens":1,"messages":{deep},"input":{deep}}}"#);
            assert_eq!(
                bridged(from, &body, &able(to)).unwrap_err().kind,
                ErrorKind::InvalidRequest
            );
        }
    }
}

#[test]
fn only_the_assistant_refuses() {
    let part = json!({"type": "refusal", "refusal": "No."});
    for (from, body) in [
        (
            CHAT,
            json!({"model": "m", "messages": [{"role": "user", "content": null, "refusal": "No."}]}),
        ),
        (
            CHAT,
            json!({"model": "m", "messages": [{"role": "user", "content": [part]}]}),
        ),
        (
            RESPONSES,
            json!({"model": "m", "input": [{"type": "message", "role": "user", "content": [part]}]}),
        ),
    ] {
        for to in [CHAT, RESPONSES, MESSAGES] {
            if to != from {
                let refused = bridged(from, &body.to_string(), &bare(to)).unwrap_err();
                assert_eq!(refused.kind, ErrorKind::InvalidRequest, "{refused:?}");
            }
        }
    }
}

#[test]
fn what_agents_say_to_each_other_crosses_as_text_and_the_conversation_goes_on() {
    let body = agent(
        json!([{"type": "agent_message", "author": "scout", "recipient": "lead", "content": [
                {"type": "input_text", "text": "Found it."}, {"type": "encrypted_content", "encrypted_content": "gAAA"}]},
            {"type": "agent_reasoning", "text": "hm"},
            {"role": "user", "content": "Go on"}]),
        json!([]),
    );
    for to in [CHAT, MESSAGES] {
        let made = value(RESPONSES, &body, &bare(to)).to_string();
        for wanted in ["Message from scout to lead:", "Found it.", "Go on"] {
            assert!(made.contains(wanted), "{made}");
        }
        assert!(!made.contains("gAAA") && !made.contains("hm"), "{made}");
    }
}

#[test]
fn the_choice_of_a_web_search_is_the_vendors_search_and_no_function() {
    let tools = json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]);
    let body = json!({"model": "asked", "max_tokens": 99, "messages": [{"role": "user", "content": "Go"}],
        "tools": tools, "tool_choice": {"type": "tool", "name": "web_search"}});
    let made = value(MESSAGES, &body, &with(&["web-search"], RESPONSES));
    assert_eq!(made["tool_choice"], json!({"type": "web_search"}));
    let made = value(MESSAGES, &body, &with(&["web-search"], CHAT));
    assert!(made.get("tool_choice").is_none() && made.get("web_search_options").is_some());
    // A client's own tool of that name is its own.
    let mut own = body.clone();
    own["tools"] = json!([{"name": "web_search", "input_schema": {"type": "object"}}]);
    let made = value(MESSAGES, &own, &with(&["web-search"], RESPONSES));
    assert_eq!(
        made["tool_choice"],
        json!({"type": "function", "name": "web_search"})
    );
    let body = json!({"model": "asked", "input": "Go", "tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}});
    let made = value(RESPONSES, &body, &with(&["web-search"], MESSAGES));
    assert_eq!(
        made["tool_choice"],
        json!({"type": "tool", "name": "web_search"})
    );
}

#[test]
fn a_strict_tool_whose_members_may_be_left_out_is_not_strict_elsewhere() {
    let tool = |required: Value| {
        json!([{"name": "f", "strict": true, "input_schema": {"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": required}}])
    };
    let strict = |required: Value, to: Dialect| {
        let body = json!({"model": "asked", "max_tokens": 99, "messages": [{"role": "user", "content": "Go"}], "tools": tool(required)});
        let made = value(MESSAGES, &body, &able(to));
        let tool = &made["tools"][0];
        tool.get("strict").or(tool["function"].get("strict")) == Some(&json!(true))
    };
    for to in [CHAT, RESPONSES] {
        assert!(!strict(json!(["a"]), to));
        assert!(strict(json!(["a", "b"]), to));
    }
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
fn a_cap_of_one_token_is_the_least_that_the_vendor_takes() {
    let body =
        json!({"model": "asked", "max_tokens": 1, "messages": [{"role": "user", "content": "Go"}]});
    for from in [CHAT, MESSAGES] {
        let made = value(from, &body, &able(RESPONSES));
        assert_eq!(made["max_output_tokens"], 16, "{made}");
    }
}

#[test]
fn a_search_that_may_fetch_nothing_does_not_become_one_that_does() {
    for (access, offered) in [(json!(false), false), (json!(true), true)] {
        let tools = json!([{"type": "web_search", "external_web_access": access}]);
        let body = agent(json!([{"role": "user", "content": "Go"}]), tools);
        let made = value(RESPONSES, &body, &with(&["web-search"], MESSAGES));
        assert_eq!(made.to_string().contains("web_search"), offered, "{made}");
    }
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
fn a_cache_mark_on_a_tool_result_reaches_a_vendor_of_chat_that_takes_marks() {
    let mark = json!({"type": "ephemeral"});
    let marked = |content: Value, error: bool| {
        let body = json!({"model": "asked", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": content,
                "is_error": error, "cache_control": mark}]}]});
        let made = value(
            MESSAGES,
            &body,
            &with(&["cache-control", "string-content"], CHAT),
        );
        // A vendor without marks gets none.
        let plain = value(MESSAGES, &body, &bare(CHAT)).to_string();
        assert!(!plain.contains("cache_control"), "{plain}");
        made["messages"].clone()
    };
    assert_eq!(
        marked(json!("done"), false)[2]["content"],
        json!([{"type": "text", "text": "done", "cache_control": mark}])
    );
    assert_eq!(
        marked(json!("broken"), true)[2]["content"],
        json!([{"type": "text", "text": "Error: broken", "cache_control": mark}])
    );
    let two = json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]);
    assert_eq!(
        marked(two, false)[2]["content"],
        json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two", "cache_control": mark}])
    );
    // What is said last of the result carries it, wherever that stands.
    let image =
        json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let messages = marked(json!([{"type": "text", "text": "one"}, image]), false);
    assert_eq!(messages[2]["content"], "one");
    assert_eq!(messages[3]["content"][1]["cache_control"], mark);
    // Nothing to mark.
    assert_eq!(marked(json!([]), false)[2]["content"], "");
}

#[test]
fn every_cache_mark_of_a_request_is_there_for_a_vendor_of_chat_that_takes_marks() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let text = |text: &str| json!({"type": "text", "text": text, "cache_control": mark});
    let body = json!({"model": "asked", "max_tokens": 9, "system": [text("Rules.")],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
        "messages": [{"role": "user", "content": [text("Look"),
            {"type": "image", "cache_control": mark,
                "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "document", "title": "d", "cache_control": mark,
                "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]}]});
    let made = value(MESSAGES, &body, &with(&["cache-control"], CHAT));
    for place in [
        "/tools/0",
        "/messages/0/content/0",
        "/messages/1/content/0",
        "/messages/1/content/1",
        "/messages/1/content/2",
    ] {
        let kept = made.pointer(&format!("{place}/cache_control"));
        assert_eq!(kept, Some(&mark), "{place} of {made:#}");
    }
}

/// A vendor binds what it thought to the conversation it thought it in, and answers another beginning with a 400; and its
/// prompt cache is read only where the beginning is the same.
#[test]
fn a_conversation_begins_with_the_same_bytes_in_every_later_turn_for_thinking_is_bound_to_it() {
    let thought = |text: &str| {
        json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": opaque::seal(FAMILY, OpaqueKind::Signature, text)})
    };
    let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{ \"b\": 1, \"a\": 2 }"});
    let came = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "done"});
    let all = [
        json!({"role": "developer", "content": "Rules."}),
        json!({"role": "user", "content": "Go"}),
        thought("one"),
        json!({"role": "assistant", "content": "I look. "}),
        call("a"),
        call("b"),
        came("b"),
        came("a"),
        thought("two"),
        call("c"),
        came("c"),
        thought("three"),
        json!({"role": "assistant", "content": "Done."}),
        json!({"role": "user", "content": "More"}),
    ];
    let tools = json!([{"type": "function", "name": "f", "strict": true, "parameters": {"type": "object",
        "properties": {"b": {"type": "integer", "minimum": 1}, "a": {}}}}]);
    for to in [able(MESSAGES), bare(MESSAGES)] {
        for keyed in [false, true] {
            let mut before: Option<(String, Vec<Value>)> = None;
            for length in [2, 8, 11, 14] {
                let mut body = agent(json!(all[..length]), tools.clone());
                body["reasoning"] = json!({"effort": "high"});
                if keyed {
                    body["prompt_cache_key"] = json!("k");
                }
                let mut made = value(RESPONSES, &body, &to);
                if keyed {
                    // The bridge's own marks go on with the conversation.
                    unmark(&mut made["messages"]);
                }
                let head = format!("{} {} {}", made["system"], made["tools"], made["thinking"]);
                let messages = made["messages"].as_array().unwrap().clone();
                if let Some((first, earlier)) = before {
                    assert_eq!(head, first);
                    assert_eq!(messages[..earlier.len()], earlier, "{length}");
                    assert!(messages.len() > earlier.len());
                }
                let signed = made.to_string().matches("\"signature\"").count();
                assert_eq!(
                    signed,
                    [0, 1, 2, 3][[2, 8, 11, 14].iter().position(|at| *at == length).unwrap()]
                );
                before = Some((head, messages));
            }
        }
    }
}

fn unmark(messages: &mut Value) {
    for block in messages
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .flat_map(|message| message["content"].as_array_mut().unwrap().iter_mut())
    {
        block.as_object_mut().unwrap().remove("cache_control");
    }
}

#[test]
fn a_searchs_limit_is_told_and_what_it_finds_is_asked_for_where_the_client_can_read_it() {
    let tools = json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]);
    let body = json!({"model": "asked", "max_tokens": 99, "messages": [{"role": "user", "content": "Go"}], "tools": tools});
    let made = value(MESSAGES, &body, &with(&["web-search"], RESPONSES));
    assert_eq!(made["max_tool_calls"], 3);
    assert_eq!(made["include"], json!(["web_search_call.action.sources"]));
    // And back.
    let mut back =
        json!({"model": "asked", "input": "Go", "tools": made["tools"], "max_tool_calls": 3});
    let over = value(RESPONSES, &back, &with(&["web-search"], MESSAGES));
    assert_eq!(over["tools"][0]["max_uses"], 3);
    // Without a search there is nothing to limit, and a client of Chat has no place for what was found.
    back["tools"] = json!([]);
    let over = value(RESPONSES, &back, &with(&["web-search"], MESSAGES));
    assert!(!over.to_string().contains("max_uses"), "{over}");
    let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}], "web_search_options": {}});
    let made = value(CHAT, &body, &with(&["web-search"], RESPONSES));
    assert!(
        made["include"].is_null() && made["tools"][0]["type"] == "web_search",
        "{made}"
    );
}

#[test]
fn instructions_alone_are_an_input_and_no_conversation_at_all_is_refused() {
    let system = json!({"role": "system", "content": "Greet."});
    let body = |messages: Value| json!({"model": "asked", "max_tokens": 9, "messages": messages});
    let made = value(CHAT, &body(json!([system])), &able(RESPONSES));
    assert!(made.get("instructions").is_none());
    assert_eq!(made["input"][0]["role"], "developer");
    assert_eq!(made["input"][0]["content"][0]["text"], "Greet.");
    let mut alone = body(json!([]));
    alone["system"] = json!("Greet.");
    assert_eq!(
        value(MESSAGES, &alone, &able(RESPONSES))["input"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    for (from, to, empty, param) in [
        (CHAT, RESPONSES, body(json!([])), "messages"),
        (MESSAGES, RESPONSES, body(json!([])), "messages"),
        (MESSAGES, CHAT, body(json!([])), "messages"),
        // What nobody may read again is nothing either.
        (
            MESSAGES,
            RESPONSES,
            body(json!([{"role": "assistant", "content": [
                {"type": "thinking", "thinking": "", "signature": "c2ln"}]}])),
            "messages",
        ),
        (
            RESPONSES,
            CHAT,
            json!({"model": "asked", "input": []}),
            "input",
        ),
    ] {
        let refused = bridged(from, &empty.to_string(), &able(to)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidRequest);
        assert_eq!(refused.param.as_deref(), Some(param));
    }
}

#[test]
fn an_image_in_its_own_size_is_asked_for_by_a_word_that_the_vendor_knows() {
    let detail = |word: &str| {
        let image = json!({"type": "input_image", "image_url": "https://example.com/a.png", "detail": word});
        let body = agent(json!([{"role": "user", "content": [image]}]), json!([]));
        value(RESPONSES, &body, &able(CHAT))["messages"][0]["content"][0]["image_url"]["detail"]
            .clone()
    };
    assert_eq!(detail("original"), "high");
    assert_eq!(detail("low"), "low");
    let image = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "original"}});
    let body = json!({"model": "asked", "messages": [{"role": "user", "content": [image]}]});
    let made = value(CHAT, &body, &able(RESPONSES));
    assert_eq!(made["input"][0]["content"][0]["detail"], "original");
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
