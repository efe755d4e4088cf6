//! The lists, member by member.

use super::*;

fn cards(ids: &[&str]) -> Vec<ModelCard> {
    ids.iter()
        .map(|&id| ModelCard {
            id: id.into(),
            owned_by: "house".into(),
            ..ModelCard::default()
        })
        .collect()
}

fn read(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_openai_list_has_what_sdks_require() {
    let list = read(&openai_list(&cards(&["a", "b\""])));
    assert_eq!(list["object"], "list");
    assert_eq!(
        list["data"][1],
        json!({"id": "b\"", "object": "model", "created": 0, "owned_by": "house"})
    );
    assert_eq!(read(&openai_model(&cards(&["a"])[0])), list["data"][0]);
}

#[test]
fn the_anthropic_list_has_pages() {
    let models = cards(&["a", "b", "c", "d"]);
    let page = |limit, after, before| {
        let page = read(&anthropic_list(&models, limit, after, before));
        let ids: Vec<_> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            page["first_id"].as_str().map(str::to_owned),
            ids.first().cloned()
        );
        assert_eq!(
            page["last_id"].as_str().map(str::to_owned),
            ids.last().cloned()
        );
        (ids.concat(), page["has_more"].as_bool().unwrap())
    };
    assert_eq!(page(1_000, None, None), ("abcd".into(), false));
    assert_eq!(page(2, None, None), ("ab".into(), true));
    assert_eq!(page(2, Some("b"), None), ("cd".into(), false));
    assert_eq!(page(2, None, Some("d")), ("bc".into(), true));
    assert_eq!(page(2, Some("d"), None), (String::new(), false));
    assert_eq!(page(2, Some("c"), Some("b")), (String::new(), false));
}

#[test]
fn an_anthropic_model_has_a_name_and_a_date() {
    let mut model = cards(&["a"]).remove(0);
    assert_eq!(read(&anthropic_model(&model))["display_name"], "a");
    model.display_name = "A".into();
    model.created = 1_709_210_096;
    let object = read(&anthropic_model(&model));
    assert_eq!(
        (&object["display_name"], &object["created_at"]),
        (&json!("A"), &json!("2024-02-29T12:34:56Z"))
    );
}

#[test]
fn the_codex_list_has_every_required_member() {
    let mut models = cards(&["a", "b"]);
    models[0].abilities = ["reasoning", "vision"].map(str::to_owned).to_vec();
    models[0].context_window = 1_000_000;
    let list = read(&codex_list(&models));
    assert_eq!(list["data"][0]["id"], "a");
    for model in list["models"].as_array().unwrap() {
        for required in [
            "slug",
            "display_name",
            "description",
            "supported_reasoning_levels",
            "shell_type",
            "visibility",
            "supported_in_api",
            "priority",
            "availability_nux",
            "upgrade",
            "support_verbosity",
            "default_verbosity",
            "apply_patch_tool_type",
            "truncation_policy",
            "supports_parallel_tool_calls",
            "experimental_supported_tools",
            "base_instructions",
        ] {
            assert!(model.get(required).is_some(), "{required}");
        }
    }
    assert_eq!(
        list["models"][0]["input_modalities"],
        json!(["text", "image"])
    );
    assert_eq!(list["models"][0]["context_window"], 1_000_000);
    assert_eq!(list["models"][1]["supported_reasoning_levels"], json!([]));
}

/// A model of which much is known.
fn known(abilities: &[&str]) -> ModelCard {
    ModelCard {
        context_window: 200_000,
        max_output_tokens: 64_000,
        abilities: abilities.iter().map(|&name| name.to_owned()).collect(),
        ..cards(&["a"]).remove(0)
    }
}

#[test]
fn the_openai_list_says_what_a_model_takes_in_the_words_of_routers_and_nothing_that_is_not_known() {
    let abilities = "tools parallel-tools vision reasoning no-sampling structured-output web-search \
        always-thinks effort-max effort-low effort-high";
    let abilities: Vec<_> = abilities.split_whitespace().collect();
    let object = read(&openai_model(&known(&abilities)));
    assert_eq!(
        object,
        json!({
            "id": "a", "object": "model", "created": 0, "owned_by": "house",
            "context_length": 200_000, "max_completion_tokens": 64_000,
            "top_provider": { "context_length": 200_000, "max_completion_tokens": 64_000 },
            "architecture": { "input_modalities": ["text", "image"], "output_modalities": ["text"] },
            "supported_parameters": ["tools", "tool_choice", "parallel_tool_calls", "response_format",
                "structured_outputs", "reasoning_effort", "web_search_options"],
            "reasoning": { "mandatory": true, "supported_efforts": ["max", "high", "low"] },
        })
    );
    let plain = read(&openai_model(&known(&["tools"])));
    assert_eq!(
        plain["supported_parameters"],
        json!(["temperature", "top_p", "tools", "tool_choice"])
    );
    assert_eq!(plain["architecture"]["input_modalities"], json!(["text"]));
    assert!(plain.get("reasoning").is_none(), "{plain}");
    let unknown = read(&openai_model(&known(&["reasoning"])));
    assert_eq!(unknown["reasoning"], json!({ "mandatory": false }));

    let mut bare = known(&[]);
    bare.max_output_tokens = 0;
    let object = read(&openai_model(&bare));
    assert_eq!(object["top_provider"], json!({ "context_length": 200_000 }));
    for absent in [
        "max_completion_tokens",
        "architecture",
        "supported_parameters",
    ] {
        assert!(object.get(absent).is_none(), "{object}");
    }
    bare.only_embeds = true;
    assert_eq!(
        read(&openai_model(&bare))["architecture"]["output_modalities"],
        json!(["embeddings"])
    );
}

#[test]
fn an_anthropic_model_has_limits_and_those_capabilities_that_are_known() {
    let abilities = "vision reasoning adaptive-thinking always-thinks structured-output web-search \
        code-execution effort-low effort-medium effort-high effort-max";
    let abilities: Vec<_> = abilities.split_whitespace().collect();
    let object = read(&anthropic_model(&known(&abilities)));
    assert_eq!(
        (&object["max_input_tokens"], &object["max_tokens"]),
        (&json!(200_000), &json!(64_000))
    );
    let (yes, no) = (json!({ "supported": true }), json!({ "supported": false }));
    assert_eq!(
        object["capabilities"],
        json!({
            "image_input": yes, "structured_outputs": yes,
            "thinking": { "supported": true, "types": { "adaptive": yes, "disabled": no } },
            "effort": { "supported": true, "low": yes, "medium": yes, "high": yes, "xhigh": no, "max": yes },
            "server_tools": { "supported": true, "web_search": yes, "code_execution": yes },
        })
    );
    // Budgets, and efforts that nobody has listed.
    let budget = read(&anthropic_model(&known(&["reasoning"])));
    assert_eq!(
        budget["capabilities"],
        json!({
            "image_input": no, "structured_outputs": no,
            "thinking": { "supported": true, "types": { "adaptive": no, "enabled": yes, "disabled": yes } },
        })
    );
    let plain = read(&anthropic_model(&known(&["tools"])));
    assert_eq!(plain["capabilities"]["effort"]["supported"], json!(false));
    assert_eq!(plain["capabilities"]["thinking"]["supported"], json!(false));
    let bare = read(&anthropic_model(&cards(&["a"])[0]));
    for absent in ["capabilities", "max_input_tokens", "max_tokens"] {
        assert!(bare.get(absent).is_none(), "{bare}");
    }
}

#[test]
fn codex_is_offered_the_efforts_of_the_model_and_no_others() {
    let entry = |abilities: &[&str]| read(&codex_list(&[known(abilities)]))["models"][0].clone();
    let offered = |entry: &Value| {
        let levels = entry["supported_reasoning_levels"].as_array().unwrap();
        let names: Vec<_> = levels
            .iter()
            .map(|level| level["effort"].as_str().unwrap())
            .collect();
        let default = entry["default_reasoning_level"].as_str().map(str::to_owned);
        (names.join(" "), default)
    };
    let all = [
        "reasoning",
        "reasoning-summaries",
        "verbosity",
        "parallel-tools",
        "vision",
        "custom-tools",
        "effort-max",
        "effort-low",
        "effort-high",
    ];
    let full = entry(&all);
    assert_eq!(offered(&full), ("low high max".into(), Some("high".into())));
    let some = entry(&["reasoning"]);
    assert_eq!(
        offered(&some),
        ("low medium high".into(), Some("medium".into()))
    );
    // Efforts alone make nothing reason.
    let none = entry(&["effort-low"]);
    assert_eq!(offered(&none), (String::new(), None));
    for (member, [of_full, of_some, of_none]) in [
        (
            "default_reasoning_summary",
            [json!("auto"), json!("none"), json!("none")],
        ),
        (
            "supports_reasoning_summary_parameter",
            [json!(true), json!(true), json!(false)],
        ),
        (
            "support_verbosity",
            [json!(true), json!(false), json!(false)],
        ),
        ("default_verbosity", [Value::Null, Value::Null, Value::Null]),
        (
            "supports_parallel_tool_calls",
            [json!(true), json!(false), json!(false)],
        ),
        (
            "apply_patch_tool_type",
            [json!("freeform"), Value::Null, Value::Null],
        ),
        (
            "input_modalities",
            [json!(["text", "image"]), json!(["text"]), json!(["text"])],
        ),
        ("visibility", [json!("list"), json!("list"), json!("list")]),
    ] {
        assert_eq!(
            (&full[member], &some[member], &none[member]),
            (&of_full, &of_some, &of_none),
            "{member}"
        );
    }
}

#[test]
fn codex_keeps_less_of_a_tools_output_where_the_window_is_small_and_hides_what_only_embeds() {
    for (window, kept, compacted) in [
        (1_000_000, 10_000, 900_000),
        (32_000, 3_200, 28_800),
        (0, 10_000, 115_200),
    ] {
        let mut model = known(&[]);
        model.context_window = window;
        model.only_embeds = true;
        let entry = &read(&codex_list(&[model]))["models"][0];
        assert_eq!(
            entry["truncation_policy"],
            json!({ "mode": "tokens", "limit": kept })
        );
        assert_eq!(entry["auto_compact_token_limit"], compacted);
        assert_eq!(entry["visibility"], "hide");
    }
}
