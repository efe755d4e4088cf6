//! What the gateway must know of a request before it can decide anything.

use crate::document::{boolean, integer, string, wrong};
use crate::json::walk::{Raw, Shape};
use crate::{Document, Invalid, Operation};

/// The facts of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The model asked for.
    pub model: String,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The output cap in tokens; where several members set one, the largest (a vendor may read any of them).
    pub output_cap: Option<u64>,
    /// Messages: tokens of the output that are set aside for thinking. A cap must be larger, or vendors refuse it.
    pub thinking_budget: u64,
    /// Responses: the answer is to be fetched later, by its id.
    pub background: bool,
    /// How many answers are asked for (`n`): the output cap holds for each.
    pub choices: u64,
    /// A key of the conversation that stays the same from turn to turn, if the client gave one.
    pub session: Option<String>,
    /// Chat: whether the client asked for the usage chunk (`stream_options.include_usage`).
    pub wants_usage: bool,
    /// Bytes of the body that the model will read as text, roughly four to a token: all of it, but encoded images and
    /// files only in part.
    pub input_chars_estimate: u64,
}

/// No model writes this much; a larger cap is a mistake or an attempt to overflow a sum.
const LARGEST_CAP: u64 = 100_000_000;
/// No vendor gives this many answers to one request.
const MOST_CHOICES: u64 = 1_024;
/// Model names are short.
const LONGEST_MODEL: usize = 256;
/// Sessions are keys, not content.
const LONGEST_SESSION: usize = 512;

/// The members that cap the output, for each operation.
const fn cap_members(operation: Operation) -> &'static [&'static str] {
    match operation {
        Operation::ChatCompletions => &["max_completion_tokens", "max_tokens"],
        Operation::Responses | Operation::Compact => &["max_output_tokens"],
        Operation::Messages => &["max_tokens"],
        Operation::InputTokens | Operation::CountTokens | Operation::Embeddings => &[],
    }
}

/// Reads the facts and refuses what could be read in two ways.
///
/// # Errors
/// A member is missing, of the wrong type, out of range, or there twice.
pub fn facts(document: &Document, operation: Operation) -> Result<Facts, Invalid> {
    if let Some(name) = document.name_twice() {
        // A policy could judge the one while the vendor acts on the other.
        return Err(Invalid::param(
            name.clone(),
            format!("`{name}` is there twice"),
        ));
    }
    let reads_as = operation.reads_as();
    let mut model = None;
    let mut content = None;
    let mut session = Session::default();
    let mut found = Facts {
        model: String::new(),
        stream: false,
        output_cap: None,
        thinking_budget: 0,
        background: false,
        choices: 1,
        session: None,
        wants_usage: false,
        input_chars_estimate: document.text_bytes(),
    };
    for (_, key, value) in document.entries() {
        match &*key.bytes() {
            b"model" => model = Some(model_name(value)?),
            b"messages" if !matches!(reads_as, Operation::Responses | Operation::Embeddings) => {
                expect("messages", value, &[Shape::Array])?;
                content = Some(());
            }
            b"input" if matches!(reads_as, Operation::Responses | Operation::Embeddings) => {
                expect("input", value, &[Shape::String, Shape::Array])?;
                content = Some(());
            }
            _ if value.is_null() => {}
            b"tools" => expect("tools", value, &[Shape::Array])?,
            b"metadata" => {
                expect("metadata", value, &[Shape::Object])?;
                session.metadata(value);
            }
            b"stream" if operation.streams() => found.stream = boolean("stream", value)?,
            b"n" if operation == Operation::ChatCompletions => found.choices = choices(value)?,
            b"stream_options" => found.wants_usage = wants_usage(value)?,
            b"system" if reads_as == Operation::Messages => {
                expect("system", value, &[Shape::String, Shape::Array])?;
            }
            b"thinking" if operation == Operation::Messages => {
                found.thinking_budget = thinking_budget(value);
            }
            b"background" if operation == Operation::Responses => {
                found.background = boolean("background", value)?;
            }
            b"prompt_cache_key" => session.offer(3, value),
            b"session_id" => session.offer(4, value),
            b"user" => session.offer(1, value),
            b"safety_identifier" => session.offer(0, value),
            // What stands for a conversation held by the vendor can stand for its content.
            b"prompt" | b"previous_response_id" if reads_as == Operation::Responses => {
                content = Some(())
            }
            b"conversation" if reads_as == Operation::Responses => {
                content = Some(());
                session.offer(2, value.get("id").unwrap_or(value));
            }
            name => {
                if let Some(name) = cap_members(operation)
                    .iter()
                    .find(|member| member.as_bytes() == name)
                {
                    found.output_cap = found.output_cap.max(Some(cap(name, value)?));
                }
            }
        }
    }
    let content_member = match reads_as {
        Operation::Responses | Operation::Embeddings => "input",
        _ => "messages",
    };
    found.model = model.ok_or_else(|| missing("model"))?;
    content.ok_or_else(|| missing(content_member))?;
    found.session = session.best.map(|(_, session)| session);
    Ok(found)
}

/// Lowers the output cap of a request to `cap` tokens: every member that sets a higher one, and where none is set the
/// one that current models read.
///
/// # Errors
/// None on a document whose [`facts`] could be read.
pub fn lower_output_cap(
    document: &mut Document,
    operation: Operation,
    cap: u64,
) -> Result<(), Invalid> {
    let mut capped = false;
    for name in cap_members(operation) {
        if let Some(old) = document.get_u64(name)? {
            capped = true;
            if old > cap {
                document.set_number(name, cap);
            }
        }
    }
    if let Some(name) = cap_members(operation).first()
        && !capped
    {
        document.set_number(name, cap);
    }
    Ok(())
}

fn missing(name: &str) -> Invalid {
    Invalid::param(name, format!("`{name}` is missing"))
}

fn expect(name: &str, value: Raw<'_>, shapes: &[Shape]) -> Result<(), Invalid> {
    if shapes.contains(&value.shape()) {
        return Ok(());
    }
    let wanted: Vec<_> = shapes.iter().map(|shape| shape.named()).collect();
    Err(wrong(name, &wanted.join(" or "), value))
}

fn model_name(value: Raw<'_>) -> Result<String, Invalid> {
    let model = string("model", value)?;
    let problem = if model.trim().is_empty() {
        "must not be empty"
    } else if model.len() > LONGEST_MODEL {
        "is longer than 256 bytes"
    } else if model.chars().any(char::is_control) {
        "must not contain control characters"
    } else {
        return Ok(model.into_owned());
    };
    Err(Invalid::param("model", format!("`model` {problem}")))
}

fn cap(name: &str, value: Raw<'_>) -> Result<u64, Invalid> {
    let cap = integer(name, value)?;
    if cap > LARGEST_CAP {
        return Err(Invalid::param(
            name,
            format!("`{name}` must be at most {LARGEST_CAP}, not {cap}"),
        ));
    }
    Ok(cap)
}

fn choices(value: Raw<'_>) -> Result<u64, Invalid> {
    match integer("n", value)? {
        choices @ 1..=MOST_CHOICES => Ok(choices),
        other => Err(Invalid::param(
            "n",
            format!("`n` must be between 1 and {MOST_CHOICES}, not {other}"),
        )),
    }
}

fn wants_usage(options: Raw<'_>) -> Result<bool, Invalid> {
    expect("stream_options", options, &[Shape::Object])?;
    match options.get("include_usage") {
        Some(value) if !value.is_null() => boolean("stream_options.include_usage", value),
        _ => Ok(false),
    }
}

/// What is no number is the vendor's to refuse.
fn thinking_budget(thinking: Raw<'_>) -> u64 {
    let budget = thinking.get("budget_tokens");
    let budget = budget.and_then(|budget| integer("thinking.budget_tokens", budget).ok());
    budget.filter(|budget| *budget <= LARGEST_CAP).unwrap_or(0)
}

/// The best key of the conversation so far: the more specific member wins.
#[derive(Default)]
struct Session {
    best: Option<(u8, String)>,
}

impl Session {
    fn offer(&mut self, rank: u8, value: Raw<'_>) {
        if self.best.as_ref().is_some_and(|(best, _)| *best > rank) {
            return;
        }
        if let Some(text) = value.text()
            && !text.is_empty()
            && text.len() <= LONGEST_SESSION
        {
            self.best = Some((rank, text.into_owned()));
        }
    }

    /// `metadata.user_id` may itself be JSON with a session in it.
    fn metadata(&mut self, metadata: Raw<'_>) {
        if let Some(value) = metadata.get("session_id") {
            self.offer(4, value);
        }
        let Some(value) = metadata.get("user_id") else {
            return;
        };
        if let Some(text) = value.text()
            && let Some(inner) = Raw::new(text.as_bytes()).get("session_id")
        {
            self.offer(4, inner);
        } else {
            self.offer(2, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(operation: Operation, body: &str) -> Result<Facts, Invalid> {
        facts(
            &Document::parse(body.as_bytes().to_vec().into()).unwrap(),
            operation,
        )
    }

    fn chat(rest: &str) -> Result<Facts, Invalid> {
        read(
            Operation::ChatCompletions,
            &format!(r#"{{"model":"m","messages":[]{rest}}}"#),
        )
    }

    fn refused(outcome: Result<Facts, Invalid>) -> (String, String) {
        let invalid = outcome.unwrap_err();
        (invalid.param.unwrap(), invalid.message)
    }

    #[test]
    fn a_plain_chat_request_is_read() {
        let facts =
            chat(r#","stream":true,"max_tokens":50,"stream_options":{"include_usage":true},"n":2"#)
                .unwrap();
        assert_eq!(facts.model, "m");
        assert!(facts.stream && facts.wants_usage);
        assert_eq!(
            (facts.output_cap, facts.choices, facts.session),
            (Some(50), 2, None)
        );
        assert!(facts.input_chars_estimate > 90);
    }

    #[test]
    fn null_counts_as_absent_where_a_member_is_optional() {
        let facts = chat(
            r#","stream":null,"max_tokens":null,"stream_options":null,"n":null,"tools":null,"metadata":null"#,
        );
        let facts = facts.unwrap();
        assert_eq!(
            (facts.stream, facts.output_cap, facts.choices),
            (false, None, 1)
        );
    }

    #[test]
    fn each_operation_has_its_own_content_and_cap() {
        let facts = read(
            Operation::Responses,
            r#"{"model":"m","input":"hi","max_output_tokens":9,"max_tokens":5}"#,
        );
        assert_eq!(facts.unwrap().output_cap, Some(9));
        let facts = read(
            Operation::Messages,
            r#"{"model":"m","messages":[],"max_tokens":0,"system":[]}"#,
        );
        assert_eq!(facts.unwrap().output_cap, Some(0));
        assert!(read(Operation::Embeddings, r#"{"model":"m","input":[1,2]}"#).is_ok());
        assert!(read(Operation::CountTokens, r#"{"model":"m","messages":[]}"#).is_ok());
        assert!(
            read(
                Operation::Responses,
                r#"{"model":"m","previous_response_id":"r"}"#
            )
            .is_ok()
        );
        assert_eq!(
            refused(read(Operation::Responses, r#"{"model":"m","messages":[]}"#)).0,
            "input"
        );
        assert_eq!(
            refused(read(Operation::Messages, r#"{"model":"m","input":[]}"#)).0,
            "messages"
        );
    }

    #[test]
    fn tokens_for_thinking_are_read_where_a_number_says_them() {
        for (thinking, expected) in [
            (r#"{"type":"enabled","budget_tokens":8000}"#, 8_000),
            (r#"{"type":"adaptive"}"#, 0),
            (r#"{"budget_tokens":"many"}"#, 0),
            ("7", 0),
        ] {
            let body =
                format!(r#"{{"model":"m","messages":[],"max_tokens":9000,"thinking":{thinking}}}"#);
            let facts = read(Operation::Messages, &body).unwrap();
            assert_eq!(facts.thinking_budget, expected, "{thinking}");
        }
    }

    #[test]
    fn of_two_caps_the_larger_counts_and_both_are_lowered() {
        let body = r#"{"model":"m","messages":[],"max_completion_tokens":10,"max_tokens":90000}"#;
        assert_eq!(
            read(Operation::ChatCompletions, body).unwrap().output_cap,
            Some(90_000)
        );
        let other = r#"{"model":"m","messages":[],"max_completion_tokens":90000,"max_tokens":10}"#;
        assert_eq!(
            read(Operation::ChatCompletions, other).unwrap().output_cap,
            Some(90_000)
        );
        let lowered = |body: &str, operation| {
            let mut document = Document::parse(body.as_bytes().to_vec().into()).unwrap();
            lower_output_cap(&mut document, operation, 50).unwrap();
            String::from_utf8(document.to_bytes().to_vec()).unwrap()
        };
        assert_eq!(
            lowered(body, Operation::ChatCompletions),
            r#"{"model":"m","messages":[],"max_completion_tokens":10,"max_tokens":50}"#
        );
        assert_eq!(
            lowered("{}", Operation::ChatCompletions),
            r#"{"max_completion_tokens":50}"#
        );
        assert_eq!(
            lowered(r#"{"max_tokens":60}"#, Operation::Messages),
            r#"{"max_tokens":50}"#
        );
        assert_eq!(
            lowered(r#"{"max_output_tokens":null}"#, Operation::Responses),
            r#"{"max_output_tokens":50}"#
        );
        assert_eq!(lowered("{}", Operation::Embeddings), "{}");
    }

    #[test]
    fn wrong_types_and_hostile_numbers_are_named() {
        assert_eq!(
            refused(chat(r#","max_tokens":-1"#)).1,
            "`max_tokens` must be a non-negative integer, not -1"
        );
        assert_eq!(refused(chat(r#","max_tokens":1e9"#)).0, "max_tokens");
        assert_eq!(
            refused(chat(r#","max_tokens":18446744073709551615"#)).0,
            "max_tokens"
        );
        assert_eq!(
            refused(chat(r#","max_completion_tokens":"5""#)).0,
            "max_completion_tokens"
        );
        assert_eq!(refused(chat(r#","n":0"#)).0, "n");
        assert_eq!(refused(chat(r#","n":1000000"#)).0, "n");
        assert_eq!(
            refused(chat(r#","stream":"true""#)).1,
            "`stream` must be a boolean, not a string"
        );
        assert_eq!(refused(chat(r#","stream_options":[]"#)).0, "stream_options");
        assert_eq!(
            refused(chat(r#","stream_options":{"include_usage":1}"#)).0,
            "stream_options.include_usage"
        );
        assert_eq!(refused(chat(r#","tools":{}"#)).0, "tools");
        let model = |model: &str| {
            refused(read(
                Operation::ChatCompletions,
                &format!(r#"{{"model":{model},"messages":[]}}"#),
            ))
            .1
        };
        assert_eq!(model("5"), "`model` must be a string, not a number");
        assert_eq!(model("null"), "`model` must be a string, not null");
        assert_eq!(model("\" \""), "`model` must not be empty");
        assert_eq!(
            model("\"a\\u0000\""),
            "`model` must not contain control characters"
        );
        assert_eq!(
            model(&format!("\"{}\"", "m".repeat(257))),
            "`model` is longer than 256 bytes"
        );
        assert_eq!(
            refused(read(Operation::Messages, r#"{"messages":[]}"#)).1,
            "`model` is missing"
        );
        let content = refused(read(
            Operation::ChatCompletions,
            r#"{"model":"m","messages":"hi"}"#,
        ));
        assert_eq!(content.1, "`messages` must be an array, not a string");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        assert_eq!(
            refused(chat(r#","model":"other""#)),
            ("model".into(), "`model` is there twice".into())
        );
        assert_eq!(refused(chat(r#","mess\u0061ges":[]"#)).0, "messages");
        assert_eq!(refused(chat(r#","x":1,"x":2"#)).0, "x");
    }

    #[test]
    fn the_most_specific_session_wins() {
        let session = |rest: &str| chat(rest).unwrap().session;
        assert_eq!(
            session(r#","user":"u","prompt_cache_key":"k","safety_identifier":"s""#).as_deref(),
            Some("k")
        );
        assert_eq!(
            session(r#","safety_identifier":"s","user":"u""#).as_deref(),
            Some("u")
        );
        assert_eq!(
            session(r#","metadata":{"user_id":"who"},"user":"u""#).as_deref(),
            Some("who")
        );
        let nested = r#","metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"abc\"}"}"#;
        assert_eq!(session(nested).as_deref(), Some("abc"));
        assert_eq!(session(r#","user":5,"prompt_cache_key":"""#), None);
        let conversation = read(
            Operation::Responses,
            r#"{"model":"m","conversation":{"id":"conv_1"}}"#,
        )
        .unwrap();
        assert_eq!(conversation.session.as_deref(), Some("conv_1"));
    }
}
