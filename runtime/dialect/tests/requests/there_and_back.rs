//! What both dialects can say goes over and comes back as it was.

use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::Target;

use super::invariants::valid;
use super::support::*;

/// What happens in a conversation, in no dialect.
#[derive(Debug, Clone)]
enum Step {
    User(Vec<String>, Option<String>),
    Assistant(String),
    /// Text before the calls, and each call's argument with what came of it.
    Calls(Option<String>, Vec<(String, String)>),
}

#[derive(Debug, Clone)]
struct Talk {
    system: Option<String>,
    steps: Vec<Step>,
    tools: usize,
    choice: Option<&'static str>,
    temperature: Option<f64>,
    cap: u32,
    user: Option<String>,
    stream: bool,
}

/// A text with something in it that neither begins nor ends in white space.
fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z\"\\\\/{}é中🦀][a-z \"\\\\\n\té中🦀]{0,20}[a-z\"\\\\🦀]"
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (
            proptest::collection::vec(text(), 1..3),
            proptest::option::of("[A-Za-z0-9+/]{4,8}")
        )
            .prop_map(|(texts, image)| Step::User(texts, image)),
        text().prop_map(Step::Assistant),
        (
            proptest::option::of(text()),
            proptest::collection::vec((text(), text()), 1..4)
        )
            .prop_map(|(said, calls)| Step::Calls(said, calls)),
    ]
}

prop_compose! {
    fn talk()(
        system in proptest::option::of(text()),
        steps in proptest::collection::vec(step(), 0..8),
        tools in 0usize..4,
        choice in proptest::option::of(prop_oneof![Just("auto"), Just("none"), Just("required")]),
        temperature in proptest::option::of(prop_oneof![Just(0.0), Just(0.5), Just(0.25)]),
        cap in 16u32..100_000,
        user in proptest::option::of("[a-z0-9]{1,20}"),
        stream: bool,
    ) -> Talk {
        Talk { system, steps: sorted(steps), tools, choice, temperature, cap, user, stream }
    }
}

/// Turns alternate, the user first: what all three dialects can say.
fn sorted(steps: Vec<Step>) -> Vec<Step> {
    let mut out = vec![Step::User(vec!["Begin".into()], None)];
    for step in steps {
        let user = matches!(step, Step::User(..));
        // After calls, results are the user's turn already.
        let was_user = !matches!(out.last(), Some(Step::Assistant(_)));
        let was_calls = matches!(out.last(), Some(Step::Calls(..)));
        if (user && !was_user) || (!user && (was_user || was_calls)) {
            out.push(step);
        }
    }
    // What the assistant says last means more in Messages than elsewhere.
    if matches!(out.last(), Some(Step::Assistant(_))) {
        out.push(Step::User(vec!["On".into()], None));
    }
    out
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]})
}

impl Talk {
    fn chat(&self) -> Value {
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            messages.push(json!({"role": "system", "content": system}));
        }
        let mut number = 0;
        for step in &self.steps {
            match step {
                Step::User(texts, None) if texts.len() == 1 => {
                    messages.push(json!({"role": "user", "content": texts[0]}));
                }
                Step::User(texts, image) => {
                    let mut parts: Vec<_> = texts
                        .iter()
                        .map(|text| json!({"type": "text", "text": text}))
                        .collect();
                    if let Some(image) = image {
                        let url = format!("data:image/png;base64,{image}");
                        parts.push(json!({"type": "image_url", "image_url": {"url": url}}));
                    }
                    messages.push(json!({"role": "user", "content": parts}));
                }
                Step::Assistant(text) => {
                    messages.push(json!({"role": "assistant", "content": text}));
                }
                Step::Calls(said, calls) => {
                    let first = number;
                    let calls_json: Vec<_> = calls
                        .iter()
                        .map(|(argument, _)| {
                            number += 1;
                            json!({"id": format!("call_{number}"), "type": "function", "function": {
                                "name": "tool_0", "arguments": json!({"a": argument}).to_string()}})
                        })
                        .collect();
                    messages.push(
                        json!({"role": "assistant", "content": said, "tool_calls": calls_json}),
                    );
                    for (index, (_, result)) in calls.iter().enumerate() {
                        messages.push(json!({"role": "tool", "content": result,
                            "tool_call_id": format!("call_{}", first + index + 1)}));
                    }
                }
            }
        }
        let mut body = json!({"model": "asked", "messages": messages, "max_tokens": self.cap});
        // A conversation with calls has tools: without, some dialects must make them up.
        let tools: Vec<_> = (0..self.tools.max(1))
            .map(|number| {
                json!({"type": "function", "function": {"name": format!("tool_{number}"),
                    "description": "Does.", "parameters": schema()}})
            })
            .collect();
        body["tools"] = json!(tools);
        if let Some(choice) = self.choice {
            body["tool_choice"] = json!(choice);
        }
        if let Some(temperature) = self.temperature {
            body["temperature"] = json!(temperature);
        }
        if let Some(user) = &self.user {
            body["user"] = json!(user);
        }
        if self.stream {
            body["stream"] = json!(true);
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }
}

/// A vendor that takes no key of its prompt cache: on the way out of Messages one comes of the user's id.
pub(crate) fn two_way(dialect: Dialect) -> Target<'static> {
    let mut target = able(dialect);
    target.abilities.prompt_cache_key = false;
    // Nor reasoning with each call: it would get one that nobody had.
    target.abilities.reasoning_content = false;
    target
}

/// Over and back, and over again.
fn round(from: Dialect, over: Dialect, body: &Value) -> (Value, Value, Value) {
    let there = value(from, body, &two_way(over));
    valid(over, &there).unwrap_or_else(|wrong| panic!("{wrong}\n{there:#}"));
    let back = value(over, &there, &two_way(from));
    valid(from, &back).unwrap_or_else(|wrong| panic!("{wrong}\n{back:#}"));
    let again = value(from, &back, &two_way(over));
    (there, back, again)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn chat_comes_back_from_both_as_it_was(talk in talk()) {
        let body = talk.chat();
        for over in others(Dialect::OpenaiChat) {
            let (there, back, again) = round(Dialect::OpenaiChat, over, &body);
            // Said outright over there, for its default is another.
            if over == Dialect::OpenaiResponses {
                prop_assert_eq!(&there["store"], &json!(false));
            }
            let mut wanted = body.clone();
            for image in wanted["messages"].as_array_mut().unwrap().iter_mut()
                .filter_map(|message| message["content"].as_array_mut()).flatten()
                .filter(|part| part["type"] == "image_url")
            {
                // The usual detail is said outright in Responses.
                if over == Dialect::OpenaiResponses {
                    image["image_url"]["detail"] = json!("auto");
                }
            }
            prop_assert_eq!(&back, &wanted, "over {:?}: {:#}", over, there);
            prop_assert_eq!(&again, &there);
        }
    }

    #[test]
    fn responses_and_messages_come_back_from_each_other(talk in talk()) {
        let body = talk.chat();
        for [from, over] in [
            [Dialect::OpenaiResponses, Dialect::AnthropicMessages],
            [Dialect::AnthropicMessages, Dialect::OpenaiResponses],
            [Dialect::OpenaiResponses, Dialect::OpenaiChat],
            [Dialect::AnthropicMessages, Dialect::OpenaiChat],
        ] {
            let start = value(Dialect::OpenaiChat, &body, &two_way(from));
            let (there, back, again) = round(from, over, &start);
            for member in ["input", "messages", "system", "instructions", "tools", "tool_choice",
                "max_tokens", "max_output_tokens", "temperature", "stream"]
            {
                prop_assert_eq!(&back[member], &start[member], "{} over {:?}: {:#}", member, over, there);
            }
            for member in ["input", "messages", "system", "instructions", "tools"] {
                prop_assert_eq!(&again[member], &there[member]);
            }
        }
    }

    #[test]
    fn any_json_is_bridged_or_refused_and_never_panics(
        body in arbitrary_json(), from in 0usize..3,
    ) {
        let from = DIALECTS[from];
        for to in others(from) {
            if let Ok(bridged) = bridged(from, &body.to_string(), &two_way(to)) {
                prop_assert!(serde_json::from_slice::<Value>(&bridged.body).is_ok());
            }
        }
    }

    #[test]
    fn any_bytes_are_bridged_or_refused_and_never_panic(
        body in proptest::collection::vec(any::<u8>(), 0..200), from in 0usize..3,
    ) {
        let from = DIALECTS[from];
        for to in others(from) {
            let _ = tollgate_dialect::bridge::request(from, &body, &two_way(to));
        }
    }
}

/// Objects whose members have the names that the dialects know and values of any kind.
fn arbitrary_json() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 44] = [
        "model",
        "messages",
        "input",
        "tools",
        "role",
        "content",
        "type",
        "text",
        "tool_calls",
        "function",
        "name",
        "arguments",
        "id",
        "call_id",
        "output",
        "tool_use_id",
        "source",
        "image_url",
        "url",
        "system",
        "instructions",
        "thinking",
        "signature",
        "summary",
        "encrypted_content",
        "tool_choice",
        "parameters",
        "input_schema",
        "max_tokens",
        "stop",
        "stop_sequences",
        "metadata",
        "reasoning",
        "effort",
        "format",
        "schema",
        "response_format",
        "json_schema",
        "namespace",
        "cache_control",
        "tool_call_id",
        "data",
        "media_type",
        "title",
    ];
    const WORDS: [&str; 30] = [
        "user",
        "assistant",
        "system",
        "tool",
        "text",
        "input_text",
        "output_text",
        "message",
        "function",
        "custom",
        "function_call",
        "function_call_output",
        "tool_use",
        "tool_result",
        "thinking",
        "image",
        "base64",
        "data:image/png;base64,AAAA",
        "{}",
        "{\"a\":1}",
        "",
        "auto",
        "json_schema",
        "reasoning",
        "call_1",
        "namespace",
        "document",
        "additional_tools",
        "high",
        "allowed_tools",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(|number| json!(number)),
        (0..WORDS.len()).prop_map(|index| json!(WORDS[index])),
    ];
    let inner = leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec(((0..NAMES.len()), inner), 0..7).prop_map(|members| {
                members
                    .into_iter()
                    .map(|(index, value)| (NAMES[index].to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    });
    proptest::collection::vec(((0..NAMES.len()), inner), 0..8).prop_map(|members| {
        let mut object: serde_json::Map<_, _> = members
            .into_iter()
            .map(|(index, value)| (NAMES[index].to_owned(), value))
            .collect();
        object.insert("model".into(), json!("asked"));
        object.insert("max_tokens".into(), json!(100));
        object.into()
    })
}
