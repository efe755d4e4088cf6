//! Tools, calls and results: names, choices, searches, ids, order.

use serde_json::{Value, json};
use tollgate_dialect::bridge::ClientTool;
use tollgate_dialect::{Dialect, ErrorKind};

use super::{CHAT, MESSAGES, RESPONSES, agent, called, came, with};
use crate::invariants;
use crate::support::*;

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

/// Vendors whose models think refuse a choice that forces a call, each another part of it.
#[test]
fn a_call_that_must_be_made_is_said_as_the_vendor_takes_it_and_never_in_words_that_it_refuses() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let asked = |tools: &[&str], choice: Value| {
        json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
            "tools": tools.iter().map(|name| tool(name)).collect::<Vec<_>>(), "tool_choice": choice})
    };
    let any = json!("required");
    let named = tool("now");
    let allowed = json!({"type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [tool("now")]}});
    let both = ["now", "then"];
    // What is refused, what is asked, and what is written in Responses and in Messages.
    let auto = (json!("auto"), json!({"type": "auto"}));
    let must = (json!("required"), json!({"type": "any"}));
    let this = (
        json!({"type": "function", "name": "now"}),
        json!({"type": "tool", "name": "now"}),
    );
    for (refused, body, written, offered) in [
        (
            &["no-required-tool"][..],
            asked(&["now"], any.clone()),
            &this,
            1,
        ),
        (&["no-required-tool"], asked(&both, any.clone()), &auto, 2),
        (&["no-required-tool"], asked(&both, named.clone()), &this, 2),
        (
            &["no-required-tool"],
            asked(&both, allowed.clone()),
            &this,
            1,
        ),
        (&["no-named-tool"], asked(&both, any.clone()), &must, 2),
        (&["no-named-tool"], asked(&both, named.clone()), &must, 1),
        (&["no-named-tool"], asked(&both, allowed.clone()), &must, 1),
        (
            &["no-required-tool", "no-named-tool"],
            asked(&["now"], any),
            &auto,
            1,
        ),
        (
            &["no-required-tool", "no-named-tool"],
            asked(&both, named),
            &auto,
            1,
        ),
        (
            &["no-required-tool", "no-named-tool"],
            asked(&both, allowed),
            &auto,
            1,
        ),
    ] {
        for (to, choice) in [(RESPONSES, &written.0), (MESSAGES, &written.1)] {
            let made = value(CHAT, &body, &with(refused, to));
            assert_eq!(made["tool_choice"], *choice, "{refused:?} of {body}");
            assert_eq!(made["tools"].as_array().unwrap().len(), offered, "{body}");
        }
    }
    // The same for a client of Messages, and for the tool that stands in for a schema.
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
        "tools": [{"name": "now", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}});
    let made = value(MESSAGES, &body, &with(&["no-required-tool"], CHAT));
    assert_eq!(made["tool_choice"], tool("now"));
    let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer",
            "schema": {"type": "object", "properties": {}}}}});
    for (refused, kind) in [
        (&["no-named-tool"][..], "any"),
        (&["no-named-tool", "no-required-tool"], "auto"),
        (&["no-required-tool"], "tool"),
    ] {
        let made = value(CHAT, &body, &with(refused, MESSAGES));
        assert_eq!(made["tool_choice"]["type"], kind);
    }
}

#[test]
fn a_tool_that_cannot_be_sent_is_refused_by_its_type_and_for_a_reason_that_is_true() {
    let messages = |kind: &str| {
        json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}],
            "tools": [{"type": kind, "name": "x"}]})
    };
    let responses =
        |kind: &str| json!({"model": "asked", "input": "Go", "tools": [{"type": kind}]});
    let chat = |kind: &str| json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}], "tools": [{"type": kind}]});
    let refused = |from: Dialect, body: Value| {
        others(from)
            .map(|to| {
                let error = bridged(from, &body.to_string(), &able(to)).unwrap_err();
                assert_eq!(error.kind, ErrorKind::Unsupported);
                error.message
            })
            .collect::<Vec<_>>()
    };
    for (from, body, kind) in [
        (CHAT, chat("code_runner"), "code_runner"),
        (
            MESSAGES,
            messages("web_fetch_20250910"),
            "web_fetch_20250910",
        ),
        (RESPONSES, responses("file_search"), "file_search"),
    ] {
        for message in refused(from, body) {
            assert!(
                message.contains(&format!("`tools[0]` of type `{kind}`")),
                "{message}"
            );
            assert!(message.contains("it is no function"), "{message}");
        }
    }
    for kind in ["browser_toolset_20260801", "bash_20991231"] {
        for message in refused(MESSAGES, messages(kind)) {
            assert!(
                message.contains(kind) && message.contains("the client runs"),
                "{message}"
            );
        }
    }
    let choice = json!({"model": "asked", "input": "Go", "tool_choice": {"type": "file_search"}});
    for message in refused(RESPONSES, choice) {
        assert!(
            message.contains("`tool_choice` of type `file_search`"),
            "{message}"
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
fn a_schema_that_was_not_strict_is_not_made_strict_on_the_way() {
    let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}}]});
    assert_eq!(
        value(CHAT, &body, &able(RESPONSES))["tools"][0]["strict"],
        false
    );
}

#[test]
fn a_call_that_a_vendor_made_twice_under_one_id_keeps_both_results() {
    let call = called("call_1");
    let came = |text: &str| came("call_1", json!(text));
    let body = agent(
        json!([{"role": "user", "content": "Go"}, call, came("one"), call, came("two")]),
        json!([]),
    );
    let made = value(RESPONSES, &body, &able(CHAT));
    assert_eq!(made["messages"][2]["content"], "one");
    assert_eq!(made["messages"][4]["content"], "two");
}

/// Vendors answer two calls of one id with a 400, some of them even where they are turns apart.
#[test]
fn an_id_that_is_used_again_gets_a_number_and_so_does_its_result() {
    let body = agent(
        json!([{"role": "user", "content": "Go"}, called("a"), called("a"), called("a_2"), came("a", json!("one")),
            came("a_2", json!("other")), came("a", json!("two")), called("a"), came("a", json!("three"))]),
        json!([]),
    );
    let ids = |list: &Value, member: &str| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.filter_map(|one| one[member].as_str().map(str::to_owned))
            .collect()
    };
    let made = value(RESPONSES, &body, &able(CHAT));
    invariants::valid(CHAT, &made).unwrap();
    let messages = &made["messages"];
    assert_eq!(ids(&messages[1]["tool_calls"], "id"), ["a", "a_2_", "a_2"]);
    assert_eq!(ids(messages, "tool_call_id"), ["a", "a_2_", "a_2", "a_3"]);
    assert_eq!(messages[3]["content"], "two");
    let made = value(RESPONSES, &body, &able(MESSAGES));
    invariants::valid(MESSAGES, &made).unwrap();
    let uses = &made["messages"][1]["content"];
    assert_eq!(ids(uses, "id"), ["a", "a_2_", "a_2"]);
    // What has no partner is told as the client knows it.
    let lone = agent(
        json!([called("a"), came("a", json!("")), called("a")]),
        json!([]),
    );
    let refused = bridged(RESPONSES, &lone.to_string(), &able(CHAT)).unwrap_err();
    assert!(refused.message.contains("the id `a`"), "{refused:?}");
}

/// Vendors of Responses refuse it, and the others would read an order that nobody meant.
#[test]
fn a_result_does_not_come_before_its_call() {
    let body = agent(
        json!([{"role": "user", "content": "Go"}, came("a", json!("x")), called("a")]),
        json!([]),
    );
    for to in [CHAT, MESSAGES] {
        let refused = bridged(RESPONSES, &body.to_string(), &able(to)).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("input[1]"));
        assert!(refused.message.contains("the id `a`"), "{refused:?}");
    }
}

#[test]
fn a_tool_that_is_announced_once_more_is_there_once() {
    let tool = json!({"name": "f", "input_schema": {"type": "object"}});
    let added = json!({"type": "tool_addition", "tool": {"definition": tool}});
    let body = json!({"model": "m", "max_tokens": 9, "tools": [tool],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Go"}, added]}]});
    for to in [CHAT, RESPONSES] {
        let made = value(MESSAGES, &body, &able(to));
        assert_eq!(made["tools"].as_array().unwrap().len(), 1);
    }
}

/// Over there the search among tools is a function, which must not take the place of one that has its name.
#[test]
fn the_search_among_tools_is_there_once_and_no_function_has_its_name() {
    let search =
        json!({"type": "tool_search", "execution": "client", "parameters": {"type": "object"}});
    let own = json!({"type": "function", "name": "tool_search", "parameters": {"type": "object"}});
    let body = agent(
        json!([{"role": "user", "content": "Go"},
            {"type": "tool_search_call", "execution": "client", "call_id": "s", "arguments": {}},
            {"type": "tool_search_output", "execution": "client", "call_id": "s", "tools": []},
            {"type": "function_call", "call_id": "f", "name": "tool_search", "arguments": "{}"},
            came("f", json!("x"))]),
        json!([search, own, search]),
    );
    for to in [CHAT, MESSAGES] {
        let made = value(RESPONSES, &body, &able(to));
        invariants::valid(to, &made).unwrap();
        assert_eq!(made["tools"].as_array().unwrap().len(), 2);
        let context = bridged(RESPONSES, &body.to_string(), &able(to))
            .unwrap()
            .context;
        assert_eq!(
            context.tool("tool_search").unwrap().item,
            Some(ClientTool::Search)
        );
        let other = if to == CHAT {
            &made["messages"][3]["tool_calls"][0]["function"]["name"]
        } else {
            &made["messages"][3]["content"][0]["name"]
        };
        let other = context.tool(other.as_str().unwrap()).unwrap();
        assert_eq!((&*other.name, other.item), ("tool_search", None));
    }
}

#[test]
fn a_schema_named_as_the_vendors_search_is_not_told_by_a_second_tool_of_that_name() {
    let schema = json!({"name": "web_search", "schema": {"type": "object"}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Go"}], "web_search_options": {},
        "response_format": {"type": "json_schema", "json_schema": schema}});
    let made = value(CHAT, &body, &with(&["web-search"], MESSAGES));
    invariants::valid(MESSAGES, &made).unwrap();
    assert_eq!(made["tools"][1]["name"], "web_search_answer");
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
fn a_search_that_may_fetch_nothing_does_not_become_one_that_does() {
    for (access, offered) in [(json!(false), false), (json!(true), true)] {
        let tools = json!([{"type": "web_search", "external_web_access": access}]);
        let body = agent(json!([{"role": "user", "content": "Go"}]), tools);
        let made = value(RESPONSES, &body, &with(&["web-search"], MESSAGES));
        assert_eq!(made.to_string().contains("web_search"), offered, "{made}");
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

/// A vendor of Messages refuses the name of a tool that it was not sent, and towards Chat nothing would be left of the choice.
#[test]
fn the_choice_of_a_search_that_is_not_sent_is_refused_by_name() {
    let web = json!({"type": "web_search"});
    let stored = json!({"type": "web_search", "external_web_access": false});
    let narrowed = json!({"type": "web_search", "filters": {"allowed_domains": ["v.test"]}});
    let own = json!({"type": "function", "name": "f", "parameters": {"type": "object"}});
    let refused = |tools: Value, choice: Value, to: Dialect| {
        let mut body = agent(json!([{"role": "user", "content": "Go"}]), tools);
        body["tool_choice"] = choice;
        match bridged(RESPONSES, &body.to_string(), &with(&["web-search"], to)) {
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Unsupported);
                error.param
            }
            Ok(made) => {
                let made = serde_json::from_slice(&made.body).unwrap();
                invariants::valid(to, &made).unwrap();
                None
            }
        }
    };
    let required = json!("required");
    for to in [CHAT, MESSAGES] {
        let at = |tools: Value, choice: &Value| refused(tools, choice.clone(), to);
        let first = Some("tools[0]".to_owned());
        assert_eq!(at(json!([stored, own]), &web), first);
        assert_eq!(at(json!([stored]), &required), first);
        for tools in [json!([own]), json!([])] {
            assert_eq!(at(tools, &web), Some("tool_choice".to_owned()));
        }
        // Another tool can be called, or another search made.
        assert_eq!(at(json!([stored, own]), &required), None);
        assert_eq!(at(json!([stored, web]), &web), None);
        assert_eq!(at(json!([stored]), &json!("auto")), None);
    }
    // Chat has no words for it, Messages has.
    assert!(refused(json!([narrowed, own]), web.clone(), CHAT).is_some());
    assert!(refused(json!([narrowed, own]), web, MESSAGES).is_none());
}

/// What a result says of itself is in its text where the dialect has no word for it, also where all else of it is a picture.
#[test]
fn a_failed_tool_that_gives_a_picture_alone_has_failed_in_every_dialect() {
    let picture =
        json!({"type": "image", "source": {"type": "url", "url": "https://v.test/a.png"}});
    let body = json!({"model": "asked", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": [picture]}]}]});
    for to in [CHAT, RESPONSES] {
        let made = value(MESSAGES, &body, &able(to)).to_string();
        assert!(made.contains("Error:"), "{made}");
    }
}

/// Where a result is one text, all that can be read of it is in there: nobody else tells the model what failed.
#[test]
fn what_a_failed_tool_says_in_a_document_is_told_too() {
    let document = |title: Value| {
        json!({"type": "document", "title": title,
            "source": {"type": "text", "media_type": "text/plain", "data": "disk full"}})
    };
    let said = json!({"type": "text", "text": "exit 1"});
    for (content, wanted) in [
        (json!([document(Value::Null)]), "Error: disk full"),
        (
            json!([said, document(json!("log"))]),
            "Error: exit 1\n\nlog\n\ndisk full",
        ),
    ] {
        let body = json!({"model": "asked", "max_tokens": 9, "messages": [
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": content}]}]});
        let made = value(MESSAGES, &body, &able(CHAT));
        assert_eq!(made["messages"][2]["content"], wanted, "{made}");
        let made = value(MESSAGES, &body, &able(RESPONSES)).to_string();
        assert!(
            made.contains("Error:") && made.contains("disk full"),
            "{made}"
        );
    }
}

#[test]
fn no_likely_tokens_are_asked_for_where_none_are_wanted() {
    let body = json!({"model": "asked", "input": "Go", "top_logprobs": 0});
    let made = value(RESPONSES, &body, &able(CHAT));
    assert!(
        made.get("logprobs").is_none() && made.get("top_logprobs").is_none(),
        "{made}"
    );
}

/// Vendors of all three answer it with a 400. Left out, the client gets words where it counts on a call.
#[test]
fn a_choice_that_demands_a_tool_which_is_not_on_offer_is_refused_by_name() {
    let chat = |choice: Value| json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}], "tool_choice": choice});
    let responses = |choice: Value| json!({"model": "asked", "input": "Go", "tool_choice": choice});
    let messages = |choice: Value| json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}], "tool_choice": choice});
    let named = json!({"type": "function", "function": {"name": "now"}});
    let allowed = json!([{"type": "function", "name": "now"}]);
    let bodies = [
        (
            CHAT,
            chat(json!("required")),
            json!({"type": "function", "function": {"name": "now"}}),
        ),
        (
            CHAT,
            chat(named.clone()),
            json!({"type": "function", "function": {"name": "now"}}),
        ),
        (
            CHAT,
            chat(
                json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}}),
            ),
            json!({"type": "function", "function": {"name": "now"}}),
        ),
        (
            RESPONSES,
            responses(json!("required")),
            json!({"type": "function", "name": "now"}),
        ),
        (
            RESPONSES,
            responses(json!({"type": "function", "name": "now"})),
            json!({"type": "function", "name": "now"}),
        ),
        (
            RESPONSES,
            responses(json!({"type": "allowed_tools", "mode": "required", "tools": allowed})),
            json!({"type": "function", "name": "now"}),
        ),
        (
            MESSAGES,
            messages(json!({"type": "any"})),
            json!({"name": "now", "input_schema": {"type": "object"}}),
        ),
        (
            MESSAGES,
            messages(json!({"type": "tool", "name": "now"})),
            json!({"name": "now", "input_schema": {"type": "object"}}),
        ),
    ];
    for (from, mut body, tool) in bodies {
        for to in others(from) {
            for target in [able(to), bare(to)] {
                let error = bridged(from, &body.to_string(), &target).unwrap_err();
                assert_eq!(error.kind, ErrorKind::InvalidRequest, "{error:?}");
                assert_eq!(error.param.as_deref(), Some("tool_choice"), "{error:?}");
                // With the tool it is no fault.
                body["tools"] = json!([tool]);
                let made = value(from, &body, &target);
                assert!(!made["tool_choice"].is_null(), "{made}");
                body["tools"] = json!([]);
            }
        }
    }
    // What demands nothing says nothing where there are no tools.
    for choice in ["auto", "none"] {
        let body = chat(json!(choice));
        assert!(value(CHAT, &body, &able(MESSAGES))["tool_choice"].is_null());
    }
}
