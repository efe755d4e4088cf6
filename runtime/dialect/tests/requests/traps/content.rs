//! Content and settings: images, files, instructions, caps, and what must not leak.

use serde_json::{Value, json};
use tollgate_dialect::ErrorKind;
use tollgate_dialect::bridge::Target;

use super::{CHAT, MESSAGES, RESPONSES, agent, called, came, with};
use crate::support::*;

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
fn a_model_that_takes_only_one_of_temperature_and_top_p_gets_the_temperature() {
    let one = with(&["one-sampling-parameter"], MESSAGES);
    let made = |sampling: (Value, Value), to: &Target<'_>| {
        let body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}],
            "temperature": sampling.0, "top_p": sampling.1});
        let made = value(CHAT, &body, to);
        (made["temperature"].clone(), made["top_p"].clone())
    };
    let none = Value::Null;
    let both = (json!(0.2), json!(0.9));
    assert_eq!(made(both.clone(), &one), (json!(0.2), none.clone()));
    assert_eq!(made(both.clone(), &bare(MESSAGES)), both);
    // What is not sent anyway does not stand in the way of the other.
    assert_eq!(
        made((json!(1), json!(0.9)), &one),
        (none.clone(), json!(0.9))
    );
    assert_eq!(made((none.clone(), json!(0.9)), &one), (none, json!(0.9)));
}

/// Agents read what they asked for out of the answer.
#[test]
fn what_an_agent_says_and_offers_is_repeated_in_the_answer_though_it_is_long() {
    let echo = |instructions: usize, tools: usize| {
        let tool = json!({"type": "function", "name": "f", "description": "d".repeat(tools)});
        let mut body = agent(json!("Go"), json!([tool]));
        body["instructions"] = json!("i".repeat(instructions));
        body["temperature"] = json!(0.5);
        let bridged = bridged(RESPONSES, &body.to_string(), &able(CHAT)).unwrap();
        let echo = bridged.context.echo.unwrap();
        let said = |name: &str| {
            let raw = echo.get(name)?;
            let same = serde_json::from_str::<Value>(raw.get()).unwrap() == body[name];
            Some(same)
        };
        (said("instructions"), said("tools"), said("temperature"))
    };
    let (there, left_out) = (Some(true), None);
    assert_eq!(echo(20_000, 60_000), (there, there, there));
    // It is kept while the answer lasts, so not without bounds.
    assert_eq!(echo(300_000, 60_000), (left_out, there, there));
    assert_eq!(echo(210_000, 60_000), (there, left_out, there));
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

/// No vendor of any dialect takes them, and what it would say speaks of a request that the client never wrote.
#[test]
fn images_and_files_of_the_assistant_are_refused() {
    let file = "data:text/plain;base64,eA==";
    for (from, part) in [
        (
            CHAT,
            json!({"type": "image_url", "image_url": {"url": "https://x"}}),
        ),
        (CHAT, json!({"type": "file", "file": {"file_data": file}})),
        (
            RESPONSES,
            json!({"type": "input_image", "image_url": "https://x"}),
        ),
        (
            MESSAGES,
            json!({"type": "image", "source": {"type": "url", "url": "https://x"}}),
        ),
        (
            MESSAGES,
            json!({"type": "document", "source": {"type": "text", "data": "x"}}),
        ),
    ] {
        let said =
            json!([{"role": "user", "content": "Go"}, {"role": "assistant", "content": [part]}]);
        let body = if from == RESPONSES {
            json!({"model": "m", "input": said})
        } else {
            json!({"model": "m", "max_tokens": 9, "messages": said})
        };
        for to in others(from) {
            let refused = bridged(from, &body.to_string(), &able(to)).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::InvalidRequest);
            assert!(refused.param.unwrap().ends_with("[1].content[0]"));
        }
    }
}

#[test]
fn a_file_among_instructions_is_the_users_where_no_instructions_may_stand() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Go"},
        {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]});
    let made = value(CHAT, &body, &able(MESSAGES));
    assert_eq!(made["messages"][1]["role"], "system");
    let made = value(CHAT, &body, &bare(MESSAGES));
    assert_eq!(made["messages"].as_array().unwrap().len(), 1);
    assert_eq!(made["messages"][0]["content"][1]["type"], "image");
}

#[test]
fn an_answer_of_no_tokens_is_not_asked_for() {
    for (from, cap) in [
        (CHAT, "max_tokens"),
        (RESPONSES, "max_output_tokens"),
        (MESSAGES, "max_tokens"),
    ] {
        let body = json!({"model": "m", cap: 0, "messages": [{"role": "user", "content": "Go"}], "input": "Go"});
        for to in others(from) {
            let refused = bridged(from, &body.to_string(), &able(to)).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::InvalidRequest);
            assert_eq!(refused.param.as_deref(), Some(cap));
        }
    }
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
        (
            RESPONSES,
            agent(
                json!([called("call_1"), came("call_1", json!([part]))]),
                json!([]),
            ),
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
fn a_cap_of_one_token_is_the_least_that_the_vendor_takes() {
    let body =
        json!({"model": "asked", "max_tokens": 1, "messages": [{"role": "user", "content": "Go"}]});
    for from in [CHAT, MESSAGES] {
        let made = value(from, &body, &able(RESPONSES));
        assert_eq!(made["max_output_tokens"], 16, "{made}");
    }
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
        (CHAT, MESSAGES, body(json!([])), "messages"),
        (
            CHAT,
            MESSAGES,
            json!({"model": "asked", "messages": [], "response_format": {"type": "json_object"}}),
            "messages",
        ),
        (
            RESPONSES,
            MESSAGES,
            json!({"model": "asked", "input": []}),
            "input",
        ),
        (
            RESPONSES,
            MESSAGES,
            json!({"model": "asked", "input": [
                {"type": "reasoning", "summary": [], "encrypted_content": "c2ln"}]}),
            "input",
        ),
    ] {
        let refused = bridged(from, &empty.to_string(), &able(to)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidRequest);
        assert_eq!(refused.param.as_deref(), Some(param));
    }

    // Vendors of the client's own dialect take these.
    for (from, taken) in [
        (CHAT, body(json!([system]))),
        (CHAT, body(json!([{"role": "user", "content": ""}]))),
        (
            RESPONSES,
            json!({"model": "asked", "instructions": "Greet.", "input": []}),
        ),
        (RESPONSES, json!({"model": "asked", "input": ""})),
    ] {
        let made = value(from, &taken, &able(MESSAGES));
        assert_eq!(made["messages"][0]["content"][0]["text"], "…", "{taken}");
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

/// A client that begins the answer itself puts its beginning before what comes: a whole object behind `{` is no JSON.
#[test]
fn an_answer_that_the_client_begins_is_gone_on_with() {
    let asked = |messages: Value| json!({"model": "asked", "max_tokens": 99, "messages": messages});
    let go = json!({"role": "user", "content": "As JSON"});
    let begun =
        asked(json!([go, {"role": "assistant", "content": [{"type": "text", "text": "{"}]}]));
    for to in [CHAT, RESPONSES] {
        let made = value(MESSAGES, &begun, &bare(to)).to_string();
        assert!(
            made.contains("Go on exactly where your last message ends"),
            "{made}"
        );
    }
    // Whoever calls, says nothing, or has been answered begins nothing.
    for messages in [
        json!([go]),
        json!([go, {"role": "assistant", "content": "Yes"}, go]),
        json!([go, {"role": "assistant", "content": [{"type": "text", "text": " "}]}]),
        json!([go, {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]}]),
    ] {
        for to in [CHAT, RESPONSES] {
            let made = value(MESSAGES, &asked(messages.clone()), &bare(to)).to_string();
            assert!(!made.contains("Go on exactly"), "{made}");
        }
    }
    // In Chat and Responses such a message is none of these, unless the client says so.
    let chat = json!({"model": "asked", "messages": [go, {"role": "assistant", "content": "Yes"}]});
    let made = value(CHAT, &chat, &bare(RESPONSES)).to_string();
    assert!(!made.contains("Go on exactly"), "{made}");
}

/// What the page says of members that no table lists, at the top and within: dropped, whichever the direction.
#[test]
fn a_member_that_no_table_lists_is_dropped_wherever_it_stands() {
    let bodies = [
        (
            CHAT,
            json!({"model": "asked", "quokka": {"a": 1}, "messages": [
            {"role": "user", "quokka": 1, "content": [{"type": "text", "text": "Go", "quokka": 1}]}],
            "tools": [{"type": "function", "quokka": 1, "function": {"name": "f", "quokka": 1}}]}),
        ),
        (
            RESPONSES,
            json!({"model": "asked", "quokka": {"a": 1}, "input": [
            {"role": "user", "quokka": 1, "content": [{"type": "input_text", "text": "Go", "quokka": 1}]}],
            "tools": [{"type": "function", "quokka": 1, "name": "f"}]}),
        ),
        (
            MESSAGES,
            json!({"model": "asked", "max_tokens": 9, "quokka": {"a": 1}, "messages": [
            {"role": "user", "quokka": 1, "content": [{"type": "text", "text": "Go", "quokka": 1}]}],
            "tools": [{"name": "f", "quokka": 1, "input_schema": {"type": "object"}}]}),
        ),
    ];
    for (from, body) in bodies {
        let plain: Value = serde_json::from_str(
            &body
                .to_string()
                .replace("\"quokka\":{\"a\":1},", "")
                .replace("\"quokka\":1,", "")
                .replace(",\"quokka\":1", ""),
        )
        .unwrap();
        assert!(!plain.to_string().contains("quokka"));
        for to in others(from) {
            assert_eq!(
                value(from, &body, &able(to)),
                value(from, &plain, &able(to))
            );
        }
    }
}

/// A schema can stand in an answer's form only once, and is one.
#[test]
fn a_second_form_of_the_answer_is_a_fault_of_the_request() {
    let with = |more: Value| {
        let mut body = json!({"model": "asked", "messages": [{"role": "user", "content": "Go"}]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    for (more, param) in [
        (
            json!({"guided_json": {"type": "object"}, "response_format": {"type": "json_object"}}),
            "guided_json",
        ),
        (
            json!({"guided_json": {"type": "object"}, "structured_outputs": {"json": {"type": "object"}}}),
            "structured_outputs.json",
        ),
        (
            json!({"guided_json": "{\"type\":\"object\"}"}),
            "guided_json",
        ),
    ] {
        for to in [RESPONSES, MESSAGES] {
            let error = bridged(CHAT, &with(more.clone()), &able(to)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidRequest);
            assert_eq!(error.param.as_deref(), Some(param));
        }
    }
}

#[test]
fn what_is_nested_too_deep_hears_how_deep_it_may_be() {
    let tools = format!(
        "{}[]{}",
        r#"[{"type":"namespace","name":"n","tools":"#.repeat(80),
        "}]".repeat(80)
    );
    let body = format!(r#"{{"model":"asked","input":"Go","tools":{tools}}}"#);
    for to in [CHAT, MESSAGES] {
        let error = bridged(RESPONSES, &body, &able(to)).unwrap_err();
        assert!(
            error.message.contains("nested deeper than 127"),
            "{error:?}"
        );
    }
}
