//! Compaction where no vendor compacts: an ordinary call sums the conversation up, and what the client goes on with is
//! what its users said and one sealed item that holds the summary.
//!
//! Sealed is not secret: the summary is the client's own, and whoever reads a request that carries one must be able to
//! open it. It is opened before policies look at the request, so that no text reaches a vendor behind their back.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::Stamp;
use super::opaque::{self, OpaqueKind};
use crate::json::walk::Raw;
use crate::{ApiError, Document, Edit, ErrorKind, Invalid, Operation};

/// What the summary is asked for with, as the last thing the user says.
const ASKED: &str = "\
This conversation is about to be replaced by a summary of it, and you write that summary now. Whoever goes on from it \
knows nothing else of what was said and cannot ask. Answer with the summary alone: do not go on with the work, call no \
tools, add no greeting.

Say, as far as there is any:
- what the user wants, with every condition, preference and correction, as exactly as it was said;
- what was done and decided so far, and why;
- what was found out: names, paths, identifiers, figures, commands, error messages, word for word where that matters;
- what did not work, so that it is not tried again;
- what is still open, what was being done last, and the next step.";

/// What a summary begins with once it is opened: says to the model what it reads, and tells it from what a user said.
const OPENED: &str =
    "This summary stands for everything that was said before, which is no longer here:\n\n";

/// The members of a request to compact that say the same of the call that sums up. Left out is what is about the answer:
/// its format, its tools' use, whether it is kept.
const SAME: [&str; 14] = [
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "metadata",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "tools",
    "user",
];

/// As much of what users said is kept word for word, the latest first, in bytes of JSON (about 20,000 tokens): else a
/// conversation of long pastes would not get any shorter. What is left out is in the summary.
const MOST_KEPT: usize = 80_000;

/// Who makes the seal: the summary is anybody's to read.
const ANY: &str = "any";

/// The ordinary Responses request that sums up what `document` asks to compact. Its beginning stays as it is, so that
/// the vendor's prompt cache hits.
///
/// # Errors
/// `input` is not what the dialect says.
pub fn summarising(document: &Document) -> Result<Document, ApiError> {
    let mut asked = document.clone();
    asked.apply(&Edit::Retain {
        pointer: String::new(),
        names: SAME.map(str::to_owned).to_vec(),
    })?;
    let question = json!({
        "type": "message", "role": "user", "content": [{ "type": "input_text", "text": ASKED }],
    });
    let question = to_raw_value(&question).map_err(|_| not_items())?;
    let said = items(document.get("input"))?;
    let all: Vec<&RawValue> = said
        .iter()
        .map(|item| &**item)
        .chain([&*question])
        .collect();
    let mut set = |pointer: &str, value: String| {
        asked.apply(&Edit::Set {
            pointer: pointer.to_owned(),
            value,
        })
    };
    set(
        "/input",
        serde_json::to_string(&all).map_err(|_| not_items())?,
    )?;
    set("/store", "false".to_owned())?;
    let offers = document
        .get("tools")
        .is_some_and(|tools| Raw::new(tools).items().next().is_some());
    if offers {
        // They stay, for they stand at the beginning of what is cached; none may be called.
        set("/tool_choice", r#""none""#.to_owned())?;
    }
    Ok(asked)
}

/// The answer to a request to compact: `input` is what was asked to be compacted, `answer` the Responses object that sums
/// it up.
///
/// # Errors
/// The answer holds no whole summary: half of one would lose the rest of the conversation without a word.
pub fn compacted(input: Option<&[u8]>, answer: &[u8], stamp: &Stamp) -> Result<Vec<u8>, ApiError> {
    let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|_| {
        ApiError::new(
            ErrorKind::UpstreamFailed,
            "the vendor's answer cannot be read",
        )
    })?;
    if answer
        .status
        .as_deref()
        .is_some_and(|status| status != "completed")
    {
        return Err(ApiError::new(
            ErrorKind::UpstreamFailed,
            "the summary of the conversation broke off before its end; nothing was compacted",
        ));
    }
    let summary = answer.text();
    if summary.trim().is_empty() {
        return Err(ApiError::new(
            ErrorKind::UpstreamFailed,
            "the vendor gave no summary of the conversation; nothing was compacted",
        ));
    }
    let kept = kept(&items(input)?);
    let mut output: Vec<Item<'_>> = Vec::with_capacity(kept.len() + 1);
    for (number, Kept { role, content }) in kept.iter().enumerate() {
        output.push(Item::Message {
            id: format!("{}_{number}", stamp.id("msg_")),
            role,
            status: "completed",
            content,
        });
    }
    let text = format!("{OPENED}{}", summary.trim());
    output.push(Item::Compaction {
        id: stamp.id("cmp_"),
        encrypted_content: opaque::seal(ANY, OpaqueKind::Summary, &text),
    });
    let whole = Compaction {
        id: stamp.id("resp_"),
        object: "response.compaction",
        created_at: stamp.created,
        output,
        usage: answer.usage,
    };
    serde_json::to_vec(&whole).map_err(|error| {
        ApiError::new(
            ErrorKind::Internal,
            format!("the compacted conversation cannot be written: {error}"),
        )
    })
}

/// What a client that asked to compact is answered.
#[derive(Serialize)]
struct Compaction<'a> {
    id: String,
    object: &'static str,
    created_at: u64,
    output: Vec<Item<'a>>,
    usage: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    Message {
        id: String,
        role: &'a str,
        status: &'static str,
        content: &'a RawValue,
    },
    Compaction {
        id: String,
        encrypted_content: String,
    },
}

/// Puts the summaries that this gateway sealed where anybody can read them: a sealed compaction becomes a message of the
/// user. A request without one stays as it is.
///
/// # Errors
/// None on a document that could be parsed.
pub fn open_summaries(document: &mut Document, operation: Operation) -> Result<(), Invalid> {
    if operation.reads_as() != Operation::Responses {
        return Ok(());
    }
    let Some(input) = document.get("input").filter(|input| may_be_sealed(input)) else {
        return Ok(());
    };
    let mut opened = false;
    let items: Vec<Cow<'_, [u8]>> = Raw::new(input)
        .items()
        .map(|item| match summary(item) {
            Some(text) => {
                opened = true;
                let message = json!({
                    "type": "message", "role": "user",
                    "content": [{ "type": "input_text", "text": text }],
                });
                Cow::Owned(message.to_string().into_bytes())
            }
            None => Cow::Borrowed(item.bytes),
        })
        .collect();
    if !opened {
        return Ok(());
    }
    let mut value = b"[".to_vec();
    value.extend(items.join(&b','));
    value.push(b']');
    let value = String::from_utf8_lossy(&value).into_owned();
    document.apply(&Edit::Set {
        pointer: "/input".to_owned(),
        value,
    })
}

/// A look at the bytes; an escape may stand for any letter of the mark.
fn may_be_sealed(input: &[u8]) -> bool {
    let holds = |text: &[u8]| memchr::memmem::find(input, text).is_some();
    holds(b"\"tg1.") || holds(b"\\u00")
}

/// The summary in an item, if it is a compaction of ours.
fn summary(item: Raw<'_>) -> Option<String> {
    let kind = item.get("type")?.text()?;
    if !matches!(&*kind, "compaction" | "compaction_summary") {
        return None;
    }
    let opened = opaque::open(&item.get("encrypted_content")?.text()?)?;
    (opened.kind == OpaqueKind::Summary).then_some(opened.payload)
}

fn not_items() -> ApiError {
    ApiError::new(
        ErrorKind::InvalidRequest,
        "`input` must be a string or an array",
    )
    .with_param("input")
}

/// The items of an input, which may be a text or absent.
fn items(input: Option<&[u8]>) -> Result<Vec<Box<RawValue>>, ApiError> {
    let input = match input {
        None | Some(b"null") => return Ok(Vec::new()),
        Some(input) => input,
    };
    if !input.starts_with(b"\"") {
        return serde_json::from_slice(input).map_err(|_| not_items());
    }
    let text: String = serde_json::from_slice(input).map_err(|_| not_items())?;
    let message = json!({ "type": "message", "role": "user", "content": text });
    Ok(vec![to_raw_value(&message).map_err(|_| not_items())?])
}

/// A message that goes on being there.
struct Kept {
    role: String,
    content: Box<RawValue>,
}

/// What is kept word for word: what users said, and instructions that stand among it.
fn kept(items: &[Box<RawValue>]) -> Vec<Kept> {
    #[derive(Deserialize)]
    struct Head<'a> {
        #[serde(rename = "type")]
        kind: Option<String>,
        role: Option<String>,
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    let mut room = MOST_KEPT;
    let mut found = Vec::new();
    for item in items.iter().rev() {
        let Ok(Head {
            kind,
            role: Some(role),
            content: Some(content),
        }) = serde_json::from_str(item.get())
        else {
            continue;
        };
        if kind.is_some_and(|kind| kind != "message") {
            continue;
        }
        let Some(content) = parts(content) else {
            continue;
        };
        match &*role {
            "system" | "developer" => {}
            "user" if content.get().len() <= room => room -= content.get().len(),
            // The newest are an unbroken row: what is older than one that has no room has none either.
            "user" => {
                room = 0;
                continue;
            }
            _ => continue,
        }
        found.push(Kept { role, content });
    }
    found.reverse();
    found
}

/// The parts of a message's content; none of a summary that was opened: the new one holds what it says.
fn parts(content: &RawValue) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Part {
        text: Option<String>,
    }
    let text = match serde_json::from_str::<String>(content.get()) {
        Ok(text) => text,
        Err(_) => {
            let parts: Vec<Part> = serde_json::from_str(content.get()).ok()?;
            let first = parts.into_iter().next().and_then(|part| part.text);
            let opened = first.is_some_and(|text| text.starts_with(OPENED));
            return (!opened).then(|| content.to_owned());
        }
    };
    match text.starts_with(OPENED) {
        true => None,
        false => to_raw_value(&json!([{ "type": "input_text", "text": text }])).ok(),
    }
}

/// What is read of a Responses object.
#[derive(Deserialize)]
struct Answer<'a> {
    status: Option<String>,
    #[serde(default)]
    output: Vec<Said>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    content: Option<Vec<Text>>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    text: Option<String>,
}

impl Answer<'_> {
    fn text(&self) -> String {
        let messages = self.output.iter().filter(|item| item.kind == "message");
        let parts = messages
            .filter_map(|item| item.content.as_deref())
            .flatten();
        let texts = parts
            .filter(|part| part.kind == "output_text")
            .filter_map(|part| part.text.as_deref());
        texts.collect()
    }
}

#[cfg(test)]
mod tests;
