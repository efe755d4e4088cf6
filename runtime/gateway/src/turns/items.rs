//! Conversations and their items: shown, listed, added to, taken from.
//!
//! A conversation stands at its last answer, which has all that came before it. What is added or taken away between answers
//! makes a new place to stand at: a turn of items alone.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tollgate_dialect::{ApiError, Document, ErrorKind};
use tollgate_governance::AccountId;

use super::resume::locked;
use super::serve::{MOST_ITEMS, list, not_found, with_id};
use super::{Kept, Record, Turns};

/// What was added is told in the order in which it was written, all of it.
const AS_WRITTEN: &str = "order=asc&limit=100";

/// What may be done with a conversation, by whom, and for how long it is kept.
pub(crate) struct Desk<'a> {
    pub(crate) turns: &'a Turns,
    pub(crate) account: AccountId,
    pub(crate) now_ms: u64,
    /// Of what is written now. Unix milliseconds.
    pub(crate) expires_ms: u64,
    /// Longer ones are not kept. Bytes.
    pub(crate) longest: usize,
    /// Whether the key may leave so many bytes more on the disk.
    pub(crate) may_keep: &'a dyn Fn(usize) -> Result<(), ApiError>,
}

/// A conversation and where it stands.
struct Stand {
    created: u64,
    metadata: String,
    head: Option<String>,
    tokens: u64,
}

/// Something of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// `/conversations/{id}`.
    Whole,
    /// `/conversations/{id}/items`.
    Items,
    /// `/conversations/{id}/items/{item}`.
    Item(String),
}

#[derive(Deserialize)]
struct Changed {
    #[serde(deserialize_with = "Option::deserialize")]
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Added<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

impl Desk<'_> {
    /// Answers what is asked of a conversation.
    ///
    /// # Errors
    /// It is not there, not this account's, busy, kept elsewhere, would be too long, or the request makes no sense.
    pub(crate) fn serve(
        &self,
        id: &str,
        part: &Part,
        method: &Method,
        query: &str,
        body: &[u8],
    ) -> Result<(StatusCode, String), ApiError> {
        // Whose it is comes first: nobody else is to be in its way. Where it stands is read once the place is taken, as
        // whoever was in it has moved that.
        self.stand(id)?;
        let _place = match *method == Method::GET {
            true => None,
            false => Some(self.turns.enter(id).ok_or_else(|| locked(id))?),
        };
        let stand = self.stand(id)?;
        let answer = match (part, method) {
            (Part::Whole, &Method::DELETE) => {
                self.turns.forget(id);
                // Also where an answer has come after them, which has them as well: they were put in by themselves, and no
                // client knows another name under which they could be deleted.
                self.turns.forget(&items_of(id));
                json!({ "id": id, "object": "conversation.deleted", "deleted": true }).to_string()
            }
            (Part::Whole, &Method::POST) => {
                let changed: Changed = read(body, "metadata")?;
                let metadata = Value::from(changed.metadata.unwrap_or_default()).to_string();
                let answer = conversation(id, stand.created, &metadata);
                (self.may_keep)(metadata.len())?;
                self.write(id, Stand { metadata, ..stand })?;
                answer
            }
            (Part::Whole, _) => conversation(id, stand.created, &stand.metadata),
            (Part::Items, &Method::POST) => self.add(id, stand, body)?,
            (Part::Items, _) => list(self.items(id, &stand)?, query)?.to_string(),
            (Part::Item(item), &Method::DELETE) => self.take(id, stand, item)?,
            (Part::Item(item), _) => {
                let items = self.items(id, &stand)?;
                let found = items.into_iter().find(|one| one["id"] == **item);
                found.ok_or_else(|| not_found("Item", item))?.to_string()
            }
        };
        Ok((StatusCode::OK, answer))
    }

    fn stand(&self, id: &str) -> Result<Stand, ApiError> {
        let found = self.turns.find(id, self.account, self.now_ms);
        match found.as_deref() {
            Some(Record {
                kept:
                    Kept::Conversation {
                        created,
                        metadata,
                        head,
                    },
                tokens,
                ..
            }) => Ok(Stand {
                created: *created,
                metadata: metadata.clone(),
                head: head.clone(),
                tokens: *tokens,
            }),
            _ => Err(not_found("Conversation", id)),
        }
    }

    /// All items, oldest first, each with an id.
    fn items(&self, id: &str, stand: &Stand) -> Result<Vec<Value>, ApiError> {
        Ok(numbered(id, self.said(id, stand)?))
    }

    /// All items as they were written.
    fn said(&self, id: &str, stand: &Stand) -> Result<Vec<Value>, ApiError> {
        #[derive(Deserialize)]
        struct Output {
            output: Vec<Value>,
        }
        let Some(head) = &stand.head else {
            return Ok(Vec::new());
        };
        let found = self.turns.find(head, self.account, self.now_ms);
        match found.as_deref().map(|found| &found.kept) {
            Some(Kept::Here { input, response }) => {
                let mut said: Vec<Value> = serde_json::from_str(input).unwrap_or_default();
                let answered = serde_json::from_str(response);
                said.extend(answered.map_or_else(|_| Vec::new(), |answer: Output| answer.output));
                Ok(said)
            }
            Some(Kept::There { .. }) => Err(ApiError::new(
                ErrorKind::Unsupported,
                format!(
                    "the last answer of the conversation '{id}' is kept by its vendor, and its items with it: ask for those of the response `{head}`"
                ),
            )),
            _ => Err(ApiError::new(
                ErrorKind::AnswerNotFound,
                format!(
                    "the items of the conversation '{id}' are gone: its last answer was deleted, has expired, was too long to be kept or not to be kept"
                ),
            )),
        }
    }

    fn add(&self, id: &str, stand: Stand, body: &[u8]) -> Result<String, ApiError> {
        let added: Added<'_> = read(body, "items")?;
        if added.items.len() > MOST_ITEMS {
            let message = format!("at most {MOST_ITEMS} items can be added at once");
            return Err(ApiError::new(ErrorKind::InvalidRequest, message).with_param("items"));
        }
        let mut said = self.said(id, &stand)?;
        let before = said.len();
        said.extend(checked(&added.items, &said)?);
        let told = numbered(id, said.clone()).split_off(before);
        let told = list(told, AS_WRITTEN)?.to_string();
        self.move_to(id, stand, said)?;
        Ok(told)
    }

    fn take(&self, id: &str, stand: Stand, item: &str) -> Result<String, ApiError> {
        // Written with their ids, which say at which place they were: those of the others are to stay what they are.
        let mut items = self.items(id, &stand)?;
        let place = items.iter().position(|one| one["id"] == *item);
        items.remove(place.ok_or_else(|| not_found("Item", item))?);
        let answer = conversation(id, stand.created, &stand.metadata);
        self.move_to(id, stand, items)?;
        Ok(answer)
    }

    /// From now on the conversation consists of these items.
    fn move_to(&self, id: &str, stand: Stand, items: Vec<Value>) -> Result<(), ApiError> {
        let kept = Kept::Here {
            input: Value::from(items).to_string(),
            response: r#"{"output":[]}"#.to_owned(),
        };
        let turn = Record {
            account: self.account,
            expires_ms: self.expires_ms,
            tokens: 0,
            kept,
        };
        if turn.size() > self.longest {
            return Err(ApiError::new(
                ErrorKind::BodyTooLarge,
                format!(
                    "the conversation '{id}' would be longer than the {} bytes that are kept",
                    self.longest
                ),
            ));
        }
        (self.may_keep)(turn.size())?;
        // Under the same name each time: what was there is written over, and nothing of it is left behind.
        let head = items_of(id);
        if !self.turns.keep(&head, turn) {
            return Err(busy());
        }
        let head = Some(head);
        self.write(id, Stand { head, ..stand })
    }

    fn write(&self, id: &str, stand: Stand) -> Result<(), ApiError> {
        let kept = Kept::Conversation {
            created: stand.created,
            metadata: stand.metadata,
            head: stand.head,
        };
        let record = Record {
            account: self.account,
            expires_ms: self.expires_ms,
            tokens: stand.tokens,
            kept,
        };
        match self.turns.keep(id, record) {
            true => Ok(()),
            false => Err(busy()),
        }
    }
}

/// Under which name the items of a conversation are kept that stand behind no answer.
pub(super) fn items_of(conversation: &str) -> String {
    format!("{conversation}_items")
}

pub(super) fn busy() -> ApiError {
    let message = "turns come faster than they can be written; try again in 1 s";
    ApiError::new(ErrorKind::Overloaded, message).with_retry_after_ms(1_000)
}

/// Items as they are listed. Who has no id is known by his place, counted behind all that have one of that kind: those were
/// written down when others were taken away, and are to stay what they are.
fn numbered(conversation: &str, items: Vec<Value>) -> Vec<Value> {
    let number = |item: &Value| {
        let number = item["id"].as_str()?.strip_prefix("item_")?;
        let (number, whose) = number.split_once('_')?;
        (whose == conversation).then(|| number.parse::<usize>().ok())?
    };
    let behind = items.iter().filter_map(number).max();
    let first = behind.map_or(0, |last| last.saturating_add(1));
    let items = items.into_iter().enumerate();
    items
        .map(|(place, item)| with_id(item, conversation, first.saturating_add(place)))
        .collect()
}

/// Items that a client adds to those that are there: a conversation that has something else in it no vendor would go on with.
pub(super) fn checked(added: &[&RawValue], there: &[Value]) -> Result<Vec<Value>, ApiError> {
    let wrong = |place: usize, what: &str| {
        let message = format!("`items[{place}]` {what}");
        ApiError::new(ErrorKind::InvalidRequest, message).with_param(format!("items[{place}]"))
    };
    let mut items: Vec<Value> = Vec::with_capacity(added.len());
    for (place, item) in added.iter().enumerate() {
        let item: Value = serde_json::from_str(item.get())
            .map_err(|error| wrong(place, &format!("cannot be read: {error}")))?;
        if !item["type"].is_string() && !item["role"].is_string() {
            return Err(wrong(place, "is no item: it has neither a type nor a role"));
        }
        let id = item["id"].as_str();
        let mut others = there.iter().chain(&items);
        if id.is_some() && others.any(|other| other["id"].as_str() == id) {
            return Err(wrong(place, "has the id of another item"));
        }
        items.push(item);
    }
    Ok(items)
}

/// A conversation as it is shown.
pub(super) fn conversation(id: &str, created: u64, metadata: &str) -> String {
    let metadata: Value = serde_json::from_str(metadata).unwrap_or_else(|_| json!({}));
    json!({ "id": id, "object": "conversation", "created_at": created, "metadata": metadata })
        .to_string()
}

/// A body of which one member matters.
fn read<'a, T: Deserialize<'a>>(body: &'a [u8], member: &str) -> Result<T, ApiError> {
    // By itself serde takes a struct from an array, too.
    Document::parse(bytes::Bytes::copy_from_slice(body))?;
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("`{member}` is missing or not what the vendors' API says: {error}");
        ApiError::new(ErrorKind::InvalidRequest, message).with_param(member)
    })
}
