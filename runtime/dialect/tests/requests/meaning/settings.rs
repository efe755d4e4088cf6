//! Reads what a request says beside the conversation and its tools, and which member of a body says it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollgate_dialect::Dialect;

/// What is said, by a name of ours. What is absent says nothing.
pub(crate) type Settings = BTreeMap<&'static str, Value>;

/// The names of a setting: ours, and the table's in Chat, Responses and Messages. Where a table has no row, nothing can
/// say it in that dialect.
pub(crate) const NAMES: [(&str, [Option<&str>; 3]); 20] = [
    ("stream", [Some("stream"); 3]),
    (
        "cap",
        [
            Some("max_tokens"),
            Some("max_output_tokens"),
            Some("max_tokens"),
        ],
    ),
    ("temperature", [Some("temperature"); 3]),
    ("top_p", [Some("top_p"); 3]),
    ("top_k", [Some("top_k"); 3]),
    ("stop", [Some("stop"), None, Some("stop_sequences")]),
    (
        "effort",
        [
            Some("reasoning_effort"),
            Some("reasoning.effort"),
            Some("output_config.effort"),
        ],
    ),
    (
        "shown",
        [None, Some("reasoning.summary"), Some("thinking.display")],
    ),
    (
        "verbosity",
        [Some("verbosity"), Some("text.verbosity"), None],
    ),
    ("tier", [Some("service_tier"); 3]),
    ("metadata", [Some("metadata"), Some("metadata"), None]),
    (
        "user",
        [Some("user"), Some("user"), Some("metadata.user_id")],
    ),
    (
        "cache key",
        [Some("prompt_cache_key"), Some("prompt_cache_key"), None],
    ),
    (
        "cache kept",
        [
            Some("prompt_cache_retention"),
            Some("prompt_cache_retention"),
            None,
        ],
    ),
    (
        "cache options",
        [
            Some("prompt_cache_options"),
            Some("prompt_cache_options"),
            None,
        ],
    ),
    (
        "logprobs",
        [
            Some("logprobs"),
            Some("include = message.output_text.logprobs"),
            None,
        ],
    ),
    (
        "top_logprobs",
        [Some("top_logprobs"), Some("top_logprobs"), None],
    ),
    (
        "search size",
        [
            Some("web_search_options.search_context_size"),
            Some("tools[].web_search.search_context_size"),
            None,
        ],
    ),
    (
        "searches",
        [
            None,
            Some("max_tool_calls"),
            Some("tools[].web_search.max_uses"),
        ],
    ),
    ("schema", [None; 3]),
];

/// Under this name are the members that nothing here reads.
pub(crate) const OTHERS: &str = "others";

/// Members that are read elsewhere: the conversation and what is done in it.
const ELSEWHERE: [&str; 13] = [
    "model",
    "messages",
    "input",
    "instructions",
    "system",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "mcp_servers",
    "web_search_options",
    "cache_control",
    "stream_options",
    "include",
];

/// Reads the members of a body.
pub(crate) fn read_members(dialect: Dialect, body: &Value, settings: &mut Settings) {
    for (name, value) in body.as_object().unwrap() {
        if value.is_null() || ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        match (name.as_str(), value) {
            ("stream", value) => set(settings, "stream", value),
            ("max_tokens" | "max_output_tokens", _) => {
                settings.entry("cap").or_insert_with(|| value.clone());
            }
            ("max_completion_tokens", _) => set(settings, "cap", value),
            ("temperature", _) => number(settings, "temperature", value),
            ("top_p", _) => number(settings, "top_p", value),
            ("top_k", _) if *value == 0 => {}
            ("top_k", _) => set(settings, "top_k", value),
            ("stop", Value::String(one)) => set(settings, "stop", &json!([one])),
            ("stop" | "stop_sequences", _) => set(settings, "stop", value),
            ("reasoning_effort", _) => set(settings, "effort", value),
            ("verbosity", _) => set(settings, "verbosity", value),
            ("service_tier", _) if value == "standard_only" => {
                set(settings, "tier", &json!("default"));
            }
            ("service_tier", _) => {
                settings.entry("tier").or_insert_with(|| value.clone());
            }
            ("speed", _) if value == "fast" => set(settings, "tier", &json!("priority")),
            ("speed", _) => {}
            ("metadata", _) if dialect == Dialect::AnthropicMessages => {
                set(settings, "user", &value["user_id"]);
            }
            ("metadata", _) => set(settings, "metadata", value),
            ("user", _) => {
                settings.entry("user").or_insert_with(|| value.clone());
            }
            ("safety_identifier", _) => set(settings, "user", value),
            ("prompt_cache_key", _) => set(settings, "cache key", value),
            ("prompt_cache_retention", _) => set(settings, "cache kept", value),
            ("prompt_cache_options", _) => set(settings, "cache options", value),
            ("logprobs", _) => set(settings, "logprobs", value),
            ("top_logprobs", _) => set(settings, "top_logprobs", value),
            ("max_tool_calls", _) => set(settings, "searches", value),
            ("response_format", _) => format(settings, value, &value["json_schema"]),
            ("text", _) => {
                set(settings, "verbosity", &value["verbosity"]);
                format(settings, &value["format"], &value["format"]);
            }
            ("output_config", _) => {
                set(settings, "effort", &value["effort"]);
                format(settings, &value["format"], &value["format"]);
            }
            ("reasoning", _) if dialect == Dialect::OpenaiResponses => {
                set(settings, "effort", &value["effort"]);
                if [&value["summary"], &value["generate_summary"]]
                    .iter()
                    .any(|asked| !asked.is_null())
                {
                    set(settings, "shown", &json!(true));
                }
            }
            ("thinking", _) if value["type"] == "disabled" || value["type"] == "auto" => {}
            ("thinking", _) if dialect == Dialect::AnthropicMessages => {
                switched(settings, value["budget_tokens"].as_u64());
                if value["display"] == "omitted" {
                    settings.remove("shown");
                }
            }
            ("thinking" | "enable_thinking" | "thinking_budget" | "reasoning", _) => {}
            _ => {
                let others = settings.entry(OTHERS).or_insert_with(|| json!({}));
                others[name] = value.clone();
            }
        }
    }
    let logprobs = body["include"].as_array().is_some_and(|include| {
        include
            .iter()
            .any(|one| one == "message.output_text.logprobs")
    });
    if logprobs || settings.contains_key("top_logprobs") {
        set(settings, "logprobs", &json!(true));
    }
    // The vendor is to choose.
    if matches!(settings.get("effort"), Some(Value::String(word)) if word == "default" || word == "auto")
    {
        settings.remove("effort");
    }
    if dialect == Dialect::OpenaiChat {
        words_of_vendors(body, settings);
    }
    // Off is off, whatever stands beside it.
    if body["thinking"]["type"] == "disabled" {
        set(settings, "effort", &json!("none"));
    }
    if settings.get("effort") == Some(&json!("none")) {
        settings.remove("shown");
    }
}

fn set(settings: &mut Settings, name: &'static str, value: &Value) {
    settings.insert(name, value.clone());
}

fn number(settings: &mut Settings, name: &'static str, value: &Value) {
    set(settings, name, &json!(value.as_f64()));
}

fn format(settings: &mut Settings, format: &Value, schema: &Value) {
    match format["type"].as_str() {
        Some("json_object") => set(settings, "format", &json!("json_object")),
        Some("json_schema") => {
            set(settings, "format", &json!("json_schema"));
            set(settings, "schema", &schema["schema"]);
            set(settings, "schema name", &schema["name"]);
            set(settings, "schema told", &schema["description"]);
            set(settings, "schema strict", &schema["strict"]);
        }
        _ => {}
    }
}

/// Thinking is on, with at most so many tokens. An effort goes before them.
fn switched(settings: &mut Settings, budget: Option<u64>) {
    set(settings, "thinks", &json!(true));
    set(settings, "shown", &json!(true));
    let effort = match budget {
        None => return,
        Some(0..=4_096) => "low",
        Some(0..=10_240) => "medium",
        Some(0..=32_000) => "high",
        Some(0..=48_000) => "xhigh",
        Some(_) => "max",
    };
    settings.entry("effort").or_insert_with(|| json!(effort));
}

/// What certain vendors of Chat call it.
fn words_of_vendors(body: &Value, settings: &mut Settings) {
    let [switch, routed] = [&body["thinking"], &body["reasoning"]];
    if let Some(effort) = routed["effort"].as_str() {
        settings.entry("effort").or_insert_with(|| json!(effort));
    }
    let budget = [
        &switch["budget_tokens"],
        &body["thinking_budget"],
        &routed["max_tokens"],
    ]
    .into_iter()
    .find_map(Value::as_u64);
    let switches = [&body["enable_thinking"], &routed["enabled"]];
    if switch["type"] == "disabled" || switches.iter().any(|on| **on == false) {
        set(settings, "effort", &json!("none"));
    } else if budget.is_some()
        || matches!(switch["type"].as_str(), Some("enabled" | "adaptive"))
        || switches.iter().any(|on| **on == true)
    {
        switched(settings, budget);
    }
}
