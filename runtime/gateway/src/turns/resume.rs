//! On the way in: a request that names what came before gets it put in front of its own input.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tollgate_dialect::{ApiError, Document, Edit, ErrorKind};
use tollgate_governance::AccountId;

use super::underway::Place;
use super::{Found, Kept, Turns};

/// What a request goes on with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Thread {
    /// The conversation that its answer is added to.
    pub(crate) conversation: Option<String>,
    /// Its place there, until the answer is added. None: nothing is added, as where tokens are counted.
    pub(crate) place: Option<Arc<Place>>,
    /// The answer that the client named, where what came before is in the request by now: it reads the name again.
    pub(crate) previous: Option<String>,
    /// Who holds what came before.
    pub(crate) held: Held,
    /// Tokens of what a vendor holds. It counts them as input again.
    pub(crate) tokens: u64,
}

/// Who holds what came before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Held {
    /// The request, by now.
    #[default]
    Here,
    /// The vendor of this upstream: nobody else can go on with it.
    At(String),
    /// A vendor, if anybody: the gateway has not seen the id before. It may be older than the gateway, or made beside it
    /// with the same credential. Vendors' ids cannot be guessed, so who has one is asked no further; the vendor says
    /// whether it is there.
    Unseen {
        /// Where the request names it.
        param: &'static str,
        /// The id.
        id: String,
    },
}

impl Thread {
    /// What a client hears when nobody can go on.
    pub(crate) fn not_found(&self, model: &str) -> ApiError {
        let (what, param) = match (&self.held, &self.conversation) {
            (Held::Unseen { param, id }, _) => return not_found(param, id),
            (_, None) => ("previous response", "previous_response_id"),
            (_, Some(_)) => ("last response of the conversation", "conversation"),
        };
        ApiError::new(
            ErrorKind::TurnNotFound,
            format!("the vendor that holds the {what} does not serve the model `{model}`"),
        )
        .with_param(param)
    }
}

/// Resolves what a Responses request names. What the gateway keeps is put into the request; what a vendor keeps stays
/// named. `answers`: what is made of it is added to the conversation that it names.
///
/// # Errors
/// It is not there, or not this account's, or its conversation is being added to.
pub(crate) fn resume(
    turns: &Turns,
    account: AccountId,
    document: &mut Document,
    answers: bool,
    now_ms: u64,
) -> Result<Option<Thread>, ApiError> {
    let previous = document.get_string("previous_response_id")?;
    let previous = previous.map(|id| id.into_owned());
    let conversation = conversation_id(document.get("conversation"))?;
    let mut thread = Thread::default();
    let (id, param) = match (previous, conversation) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            let error = ApiError::new(
                ErrorKind::InvalidRequest,
                "`previous_response_id` and `conversation` cannot be used together",
            );
            return Err(error.with_param("conversation"));
        }
        (Some(id), None) => (id, "previous_response_id"),
        (None, Some(id)) => {
            let mut found = turns.look(&id, account, now_ms);
            if answers && matches!(found, Found::Own(_)) {
                // Whose it is comes first: nobody else is to be in its way. Where it stands is read after that: whoever was
                // in it has moved it.
                let place = turns.enter(&id).ok_or_else(|| locked(&id))?;
                thread.place = Some(Arc::new(place));
                found = turns.look(&id, account, now_ms);
            }
            let found = match found {
                Found::Own(found) => found,
                Found::Another => return Err(not_found("conversation", &id)),
                Found::Nothing => return Ok(Some(unseen("conversation", id))),
            };
            let Kept::Conversation { head, .. } = &found.kept else {
                return Err(not_found("conversation", &id));
            };
            remove(document, "/conversation")?;
            thread.conversation = Some(id);
            match head {
                None => return Ok(Some(thread)),
                Some(head) => (head.clone(), "conversation"),
            }
        }
    };
    let found = match turns.look(&id, account, now_ms) {
        Found::Own(found) => found,
        Found::Nothing if param == "previous_response_id" => return Ok(Some(unseen(param, id))),
        Found::Nothing | Found::Another => {
            return Err(match &thread.conversation {
                None => not_found(param, &id),
                Some(named) => ApiError::new(
                    ErrorKind::TurnNotFound,
                    format!(
                        "Conversation '{named}' cannot go on: its last answer was deleted, has expired, was too long to be kept or not to be kept."
                    ),
                )
                .with_param(param),
            });
        }
    };
    match &found.kept {
        Kept::There { upstream, .. } => {
            thread.held = Held::At(upstream.clone());
            thread.tokens = found.tokens;
            if param == "conversation" {
                let value = serde_json::Value::from(id).to_string();
                set(document, "/previous_response_id", value)?;
            }
        }
        Kept::Here { input, response } => {
            let whole = joined(input, response, document.get("input"))
                .ok_or_else(|| not_found(param, &id))?;
            remove(document, "/previous_response_id")?;
            set(document, "/input", whole)?;
            thread.previous = (param == "previous_response_id").then_some(id);
        }
        Kept::Conversation { .. } => return Err(not_found(param, &id)),
    }
    Ok(Some(thread))
}

/// Milliseconds between the looks whether the conversation is free. Where a vendor keeps the answers, one is added when its
/// stream has ended, and whoever has its last event may ask for the next one before that.
const WAITS_MS: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// Tries again for a quarter of a second.
pub(crate) async fn patiently<T>(
    mut again: impl FnMut() -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut resumed = again();
    for wait in WAITS_MS {
        if !is_locked(&resumed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        resumed = again();
    }
    resumed
}

/// Whether a request would go on were it not for another answer that is being added to its conversation.
pub(crate) fn is_locked<T>(resumed: &Result<T, ApiError>) -> bool {
    let error = resumed.as_ref().err();
    error.is_some_and(|error| error.kind == ErrorKind::ConversationLocked)
}

pub(super) fn locked(id: &str) -> ApiError {
    ApiError::new(
        ErrorKind::ConversationLocked,
        format!(
            "another response is being added to the conversation '{id}': one at a time; try again when it has ended"
        ),
    )
    .with_param("conversation")
}

fn unseen(param: &'static str, id: String) -> Thread {
    Thread {
        held: Held::Unseen { param, id },
        ..Thread::default()
    }
}

/// A conversation is named by its id, or by an object that has it.
fn conversation_id(value: Option<&[u8]>) -> Result<Option<String>, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Named {
        Id(String),
        Object { id: String },
    }
    let Some(value) = value.filter(|value| *value != b"null") else {
        return Ok(None);
    };
    match serde_json::from_slice(value) {
        // Serde takes an object from an array, too.
        Ok(Named::Id(id) | Named::Object { id }) if !value.starts_with(b"[") => Ok(Some(id)),
        _ => {
            let error = ApiError::new(
                ErrorKind::InvalidRequest,
                "`conversation` must be an id or an object with one",
            );
            Err(error.with_param("conversation"))
        }
    }
}

fn not_found(param: &str, id: &str) -> ApiError {
    let what = match param {
        "conversation" => "Conversation",
        _ => "Previous response",
    };
    ApiError::new(
        ErrorKind::TurnNotFound,
        format!("{what} with id '{id}' not found."),
    )
    .with_param(param)
}

fn set(document: &mut Document, pointer: &str, value: String) -> Result<(), ApiError> {
    let pointer = pointer.to_owned();
    Ok(document.apply(&Edit::Set { pointer, value })?)
}

fn remove(document: &mut Document, pointer: &str) -> Result<(), ApiError> {
    let pointer = pointer.to_owned();
    Ok(document.apply(&Edit::Remove { pointer })?)
}

/// The items of an input that is a text or an array, as the JSON text of an array.
pub(super) fn items(input: Option<&[u8]>) -> String {
    match input {
        Some(text @ [b'"', ..]) => {
            let text = String::from_utf8_lossy(text);
            format!(r#"[{{"type":"message","role":"user","content":{text}}}]"#)
        }
        Some(array @ [b'[', ..]) => String::from_utf8_lossy(array).into_owned(),
        _ => "[]".to_owned(),
    }
}

/// What is read of a kept answer.
#[derive(Deserialize)]
pub(super) struct Output<'a> {
    #[serde(borrow)]
    pub(super) output: Vec<&'a RawValue>,
}

/// What was said, what was answered, and what is said now, as one input.
fn joined(input: &str, response: &str, own: Option<&[u8]>) -> Option<String> {
    let said: Vec<&RawValue> = serde_json::from_str(input).ok()?;
    let answered: Output<'_> = serde_json::from_str(response).ok()?;
    let own = items(own);
    let own: Vec<&RawValue> = serde_json::from_str(&own).ok()?;
    let all: Vec<&RawValue> = said.into_iter().chain(answered.output).chain(own).collect();
    serde_json::to_string(&all).ok()
}
