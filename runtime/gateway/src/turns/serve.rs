//! What can be asked of kept answers: show, list the input, delete. And how a conversation is begun.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tollgate_dialect::{ApiError, Document, ErrorKind};
use tollgate_governance::AccountId;
use uuid::Uuid;

use super::items::{Part, busy, checked, conversation, items_of};
use super::{Kept, Record, Turns};

/// A request about something kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `/responses/{id}`.
    Response(String),
    /// `/responses/{id}/input_items`.
    InputItems(String),
    /// `/conversations`.
    Conversations,
    /// `/conversations/{id}` and what is below it.
    Conversation(String, Part),
}

/// As many input items as are listed at most, and by default.
pub(super) const MOST_ITEMS: usize = 100;
const USUAL_ITEMS: usize = 20;

/// Items that are listed with a status, which clients need not write: what was said is complete.
const HAVE_A_STATUS: [&str; 5] = [
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
];

/// Answers from what the gateway keeps itself.
///
/// # Errors
/// It is not there, not this account's, or the request makes no sense.
pub(crate) fn serve(
    turns: &Turns,
    account: AccountId,
    asked: &Asked,
    method: &Method,
    query: &str,
    now_ms: u64,
) -> Result<(StatusCode, Bytes), ApiError> {
    let delete = *method == Method::DELETE;
    let answer = match asked {
        Asked::Response(id) | Asked::InputItems(id) => {
            let found = turns.find(id, account, now_ms);
            let Some(Kept::Here { input, response }) = found.as_deref().map(|found| &found.kept)
            else {
                return Err(not_found("Response", id));
            };
            match asked {
                Asked::InputItems(_) => {
                    let said: Vec<Value> = serde_json::from_str(input).unwrap_or_default();
                    let said = said.into_iter().enumerate();
                    let items = said.map(|(number, item)| with_id(item, id, number));
                    list(items.collect(), query)?.to_string()
                }
                _ if delete => {
                    turns.forget(id);
                    json!({ "id": id, "object": "response", "deleted": true }).to_string()
                }
                _ => response.clone(),
            }
        }
        Asked::Conversations | Asked::Conversation(..) => {
            return Err(not_found("Response", ""));
        }
    };
    Ok((StatusCode::OK, answer.into()))
}

/// Begins a conversation, with the items of the body if it has any.
///
/// # Errors
/// The body is not what the vendors' API says.
pub(crate) fn begin(
    turns: &Turns,
    account: AccountId,
    id: Uuid,
    body: &[u8],
    now_ms: u64,
    expires_ms: u64,
) -> Result<Bytes, ApiError> {
    #[derive(Deserialize, Default)]
    struct New<'a> {
        #[serde(borrow, default)]
        items: Option<Vec<&'a RawValue>>,
        #[serde(default)]
        metadata: Option<Map<String, Value>>,
    }
    let new: New<'_> = match body.trim_ascii() {
        b"" => New::default(),
        _ => {
            // By itself serde takes a struct from an array, too: `[]` was a conversation.
            Document::parse(Bytes::copy_from_slice(body))?;
            serde_json::from_slice(body).map_err(|error| {
                ApiError::new(
                    ErrorKind::InvalidRequest,
                    format!("the body is not a conversation: {error}"),
                )
            })?
        }
    };
    let simple = id.simple();
    let name = format!("conv_{simple}");
    let metadata = Value::from(new.metadata.unwrap_or_default()).to_string();
    let created = now_ms / 1_000;
    let record = |kept| Record {
        account,
        expires_ms,
        tokens: 0,
        kept,
    };
    let head = match new.items.filter(|items| !items.is_empty()) {
        None => None,
        Some(items) => {
            let head = items_of(&name);
            let input = Value::from(checked(&items, &[])?).to_string();
            let response = r#"{"output":[]}"#.to_owned();
            if !turns.keep(&head, record(Kept::Here { input, response })) {
                return Err(busy());
            }
            Some(head)
        }
    };
    let answer = conversation(&name, created, &metadata);
    let kept = Kept::Conversation {
        created,
        metadata,
        head,
    };
    turns.keep(&name, record(kept));
    Ok(answer.into())
}

pub(super) fn not_found(what: &str, id: &str) -> ApiError {
    ApiError::new(
        ErrorKind::AnswerNotFound,
        format!("{what} with id '{id}' not found."),
    )
    .with_param("id")
}

/// A page of items, newest first unless asked otherwise.
pub(super) fn list(mut items: Vec<Value>, query: &str) -> Result<Value, ApiError> {
    let parameter = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    let refuse = |name: &str| {
        ApiError::new(
            ErrorKind::InvalidRequest,
            format!("`{name}` has a value that cannot be"),
        )
        .with_param(name)
    };
    let limit = match parameter("limit") {
        None => USUAL_ITEMS,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=MOST_ITEMS).contains(limit))
            .ok_or_else(|| refuse("limit"))?,
    };
    match parameter("order").as_deref() {
        None | Some("desc") => items.reverse(),
        Some("asc") => {}
        Some(_) => return Err(refuse("order")),
    }
    if let Some(after) = parameter("after") {
        let place = items.iter().position(|item| item["id"] == *after);
        let place = place.ok_or_else(|| refuse("after"))?;
        items.drain(..=place);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let end = |item: Option<&Value>| item.map_or(Value::Null, |item| item["id"].clone());
    Ok(json!({
        "object": "list",
        "first_id": end(items.first()),
        "last_id": end(items.last()),
        "has_more": more,
        "data": items,
    }))
}

/// An item of a response or conversation as it is listed: clients leave out what a list must have.
pub(super) fn with_id(mut item: Value, whole: &str, number: usize) -> Value {
    if let Value::Object(members) = &mut item {
        members.entry("type").or_insert_with(|| json!("message"));
        members
            .entry("id")
            .or_insert_with(|| json!(format!("item_{number}_{whole}")));
        let kind = members["type"].as_str().unwrap_or_default();
        let (message, has_status) = (kind == "message", HAVE_A_STATUS.contains(&kind));
        if has_status {
            members
                .entry("status")
                .or_insert_with(|| json!("completed"));
        }
        let assistant = members.get("role").is_some_and(|role| role == "assistant");
        if let Some(content) = members.get_mut("content").filter(|_| message) {
            complete(content, assistant);
        }
    }
    item
}

/// A text by itself becomes a part, and parts get what the types of the vendors' SDKs require of them.
fn complete(content: &mut Value, assistant: bool) {
    if let Value::String(text) = content {
        let kind = if assistant {
            "output_text"
        } else {
            "input_text"
        };
        *content = json!([{ "type": kind, "text": text }]);
    }
    let parts = content.as_array_mut().into_iter().flatten();
    for part in parts.filter_map(Value::as_object_mut) {
        match part.get("type").and_then(Value::as_str) {
            Some("output_text") => {
                part.entry("annotations").or_insert_with(|| json!([]));
            }
            Some("input_image") => {
                part.entry("detail").or_insert_with(|| json!("auto"));
            }
            _ => {}
        }
    }
}
