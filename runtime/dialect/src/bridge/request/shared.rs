//! What more than one dialect says the same way.

use std::borrow::Cow;

use base64::Engine;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Way;
use super::json::Json;
use super::members::invalid;
use super::model::{
    Body, CacheMark, CacheOptions, Choice, Effort, Function, Grammar, Item, Part, Reasoning, Role,
    Schema, Source,
};
use super::names::fitting;
use super::text::{Raw, Str};
use crate::bridge::Target;
use crate::{ApiError, Dialect};

/// A tool that clients know by its type, as whoever does not know it is told of it.
#[derive(Deserialize)]
pub(crate) struct Described<'k> {
    #[serde(borrow)]
    pub(crate) description: Str<'k>,
    #[serde(borrow)]
    pub(crate) schema: Raw<'k>,
}

/// An effort by its name; nothing where the vendor is to choose.
pub(crate) fn read_effort(name: &str, param: &str) -> Result<Option<Effort>, ApiError> {
    if matches!(name, "default" | "auto") {
        return Ok(None);
    }
    Effort::from_name(name).map(Some).ok_or_else(|| {
        let message =
            format!("`{param}` must be one of none, minimal, low, medium, high, xhigh, max.");
        invalid(message).with_param(param)
    })
}

/// A choice that is one word.
pub(crate) fn plain_choice(word: Str<'_>) -> Result<Choice<'_>, ApiError> {
    match &*word {
        "auto" => Ok(Choice::Auto),
        "none" => Ok(Choice::None),
        "required" | "any" => Ok(Choice::Required),
        other => Err(
            invalid(format!("`tool_choice` has the unknown value `{other}`."))
                .with_param("tool_choice"),
        ),
    }
}

/// A URL, or what is in it.
pub(crate) fn located(url: Str<'_>) -> Source<'_> {
    if url.starts_with("data:") {
        Source::DataUrl(url)
    } else {
        Source::Url(url)
    }
}

/// `file_data`: a `data:` URL, or base64 alone, whose type only the name can tell.
pub(crate) fn inline<'a>(data: Str<'a>, name: Option<&str>) -> Source<'a> {
    if data.starts_with("data:") {
        return Source::DataUrl(data);
    }
    let media_type = match name
        .and_then(|name| name.rsplit_once('.'))
        .map(|(_, end)| end)
    {
        Some("txt" | "md" | "csv") => "text/plain",
        _ => "application/pdf",
    };
    Source::Base64 {
        media_type: media_type.into(),
        data,
    }
}

/// An output cap, which leaves room for an answer.
pub(crate) fn positive(cap: Option<u64>, param: &str) -> Result<Option<u64>, ApiError> {
    if cap == Some(0) {
        return Err(invalid(format!("`{param}` must be at least 1.")).with_param(param));
    }
    Ok(cap)
}

/// Content that is neither text nor parts.
pub(crate) fn not_content(param: &str) -> ApiError {
    invalid(format!("`{param}` must be a string or an array.")).with_param(param)
}

/// A conversation in which nobody says anything.
pub(crate) fn nothing_said(from: Dialect) -> ApiError {
    let param = match from {
        Dialect::OpenaiResponses => "input",
        _ => "messages",
    };
    invalid(format!("`{param}` says nothing.")).with_param(param)
}

/// `data` as base64 of UTF-8 text.
pub(crate) fn decode_text(data: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data)
        .ok()?;
    String::from_utf8(bytes).ok()
}

/// The schema of a function without arguments.
pub(crate) const EMPTY_SCHEMA: &str = r#"{"type":"object","properties":{}}"#;

/// The schema of a function that stands in for a custom tool.
pub(crate) const FREE_SCHEMA: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as it is."}},"required":["input"],"additionalProperties":false}"#;

/// What is said after a custom tool's description where only words can tell its grammar.
pub(crate) fn grammar_told(grammar: Option<&Grammar<'_>>) -> String {
    grammar.map_or_else(String::new, |grammar| {
        format!(
            "\n\nThe `input` must match this {} grammar:\n{}",
            &*grammar.syntax, &*grammar.definition
        )
    })
}

/// The schema of a function's arguments.
pub(crate) fn some_schema<'a>(schema: Option<Raw<'a>>) -> &'a str {
    match schema.map(RawValue::get) {
        None => EMPTY_SCHEMA,
        Some(json) if json[1..].trim_start() == "}" => EMPTY_SCHEMA,
        Some(json) => json,
    }
}

/// The same, and it says that they are an object, as Messages wants it.
pub(crate) fn object_schema<'a>(schema: Option<Raw<'a>>) -> Cow<'a, str> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
    }
    let json = some_schema(schema);
    match serde_json::from_str::<Kind<'_>>(json) {
        Ok(Kind { kind: None }) if json.starts_with('{') => {
            Cow::Owned(format!("{{\"type\":\"object\",{}", &json[1..]))
        }
        _ => Cow::Borrowed(json),
    }
}

/// A schema's name: the client's, or one for those that had none.
pub(crate) fn schema_name<'s>(schema: &'s Schema<'_>) -> Cow<'s, str> {
    match schema.name.as_deref() {
        Some(name) => fitting(name, 64),
        None => Cow::Borrowed("answer"),
    }
}

/// Whether a tool is told to be strict. Messages takes members that may be left out under it, the other dialects refuse them.
pub(crate) fn strict_tool(tool: &Function<'_>, way: Way) -> bool {
    let fits = || tool.schema.is_some_and(strict_by_itself);
    tool.strict == Some(true) && (way.from != Dialect::AnthropicMessages || fits())
}

/// Whether every object of the schema requires all of its members and allows no other, so that a strict vendor takes it.
pub(crate) fn strict_by_itself(schema: Raw<'_>) -> bool {
    fn strict(value: &Value) -> bool {
        match value {
            Value::Object(object) => {
                let closed = match object.get("properties").and_then(Value::as_object) {
                    Some(properties) => {
                        let required = object.get("required").and_then(Value::as_array);
                        object.get("additionalProperties") == Some(&Value::Bool(false))
                            && properties.keys().all(|name| {
                                required.is_some_and(|required| {
                                    required.iter().any(|known| known == name.as_str())
                                })
                            })
                    }
                    None => object.get("type").and_then(Value::as_str) != Some("object"),
                };
                closed && object.values().all(strict)
            }
            Value::Array(list) => list.iter().all(strict),
            _ => true,
        }
    }
    serde_json::from_str(schema.get()).is_ok_and(|schema: Value| strict(&schema))
}

impl CacheMark {
    /// As `cache_control`.
    pub(crate) const fn control(self) -> &'static str {
        if self.long {
            r#"{"type":"ephemeral","ttl":"1h"}"#
        } else {
            r#"{"type":"ephemeral"}"#
        }
    }

    /// As `prompt_cache_breakpoint`.
    pub(crate) const fn breakpoint(self) -> &'static str {
        if self.long {
            r#"{"mode":"explicit","ttl":"12h"}"#
        } else {
            r#"{"mode":"explicit"}"#
        }
    }
}

impl CacheOptions<'_> {
    /// As `prompt_cache_options`, where the vendor takes the marks that they are about: with `explicit` it caches what is
    /// marked and nothing else. Chat knows no `ttl` of hours.
    pub(crate) fn write(&self, to: &Target<'_>, json: &mut Json) {
        let ttl = self.ttl.as_deref();
        let ttl = ttl.filter(|ttl| to.dialect != Dialect::OpenaiChat || *ttl != "12h");
        if !to.abilities.prompt_cache_breakpoints || (self.mode.is_none() && ttl.is_none()) {
            return;
        }
        json.key("prompt_cache_options");
        json.open();
        if let Some(mode) = &self.mode {
            json.text_member("mode", mode);
        }
        if let Some(ttl) = ttl {
            json.text_member("ttl", ttl);
        }
        json.close();
    }
}

/// Whether anything of this carries a cache mark.
pub(crate) fn has_marks(items: &[Item<'_>]) -> bool {
    let marked = |parts: &[Part<'_>]| parts.iter().any(|part| part.cache.is_some());
    items.iter().any(|item| match item {
        Item::Message(message) => marked(&message.parts),
        Item::Result(result) => result.cache.is_some() || marked(&result.parts),
        Item::Reasoning(_) | Item::Call(_) | Item::Ran(_) => false,
    })
}

/// What can be read of reasoning, in one text.
pub(crate) fn reasoning_text<'r>(reasoning: &'r Reasoning<'_>) -> Cow<'r, str> {
    match &*reasoning.text {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(one),
        many => Cow::Owned(
            many.iter()
                .map(|text| &**text)
                .collect::<Vec<_>>()
                .join("\n\n"),
        ),
    }
}

/// The texts of parts that are all text, one after the other.
pub(crate) fn all_text<'p>(parts: &'p [Part<'_>]) -> Option<Vec<&'p str>> {
    parts
        .iter()
        .map(|part| match &part.body {
            Body::Text(text) => Some(&**text),
            _ => None,
        })
        .collect()
}

/// The service tiers of Chat and Responses. Some vendors have words of their own, which others answer with a 400.
pub(crate) fn own_tier<'s>(tier: Option<&'s Str<'_>>) -> Option<&'s str> {
    const TIERS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];
    tier.map(|tier| &**tier).filter(|tier| TIERS.contains(tier))
}

/// Texts in one, an empty line between them.
pub(crate) fn joined<'p>(texts: &[&'p str]) -> Cow<'p, str> {
    match texts {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(one),
        many => Cow::Owned(many.join("\n\n")),
    }
}

/// Instructions at the beginning, and where the rest begins.
pub(crate) fn leading_instructions<'c>(items: &'c [Item<'_>]) -> (Vec<&'c str>, usize) {
    let mut texts = Vec::new();
    let mut count = 0;
    for item in items {
        let Item::Message(message) = item else { break };
        if !matches!(message.role, Role::System | Role::Developer) {
            break;
        }
        let Some(said) = all_text(&message.parts) else {
            break;
        };
        texts.extend(said);
        count += 1;
    }
    (texts, count)
}

/// JSON without the white space between its tokens: a client's indentation is nothing to a model.
pub(crate) fn compact(json: &str) -> Cow<'_, str> {
    let mut kept: Option<String> = None;
    let mut from = 0;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b' ' | b'\n' | b'\r' | b'\t' if !quoted => {
                kept.get_or_insert_with(|| String::with_capacity(json.len()))
                    .push_str(&json[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    match kept {
        None => Cow::Borrowed(json),
        Some(mut kept) => {
            kept.push_str(&json[from..]);
            Cow::Owned(kept)
        }
    }
}
