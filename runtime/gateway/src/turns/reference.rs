//! On the way in: a reference to an item of an answer that the gateway keeps becomes the item, as its client would send it.
//!
//! Clients that let answers be stored name what was answered instead of sending it, some SDKs unless they are told otherwise.
//! No vendor has items that were made here, and policies are to see what they say.

use std::collections::HashMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;
use tollgate_dialect::{ApiError, Document, Edit, ErrorKind, bridge};
use tollgate_governance::AccountId;

use super::resume::Output;
use super::{Kept, Record, Turns};

/// What stands for an item, with nothing but its id.
const REFERENCE: &str = "item_reference";
/// No reference is without it, and in a text its quotes are escaped: this look at the input is all that others pay.
static MARK: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"item_reference\""));

/// Answers that are read for one request. A conversation, however long, takes one: the last answer has all before it in its
/// input. This is for requests that are put together of many conversations.
pub(super) const MOST_ANSWERS: usize = 1_000;
/// And bytes of them, for the thread does nothing else meanwhile: eight of the longest that are kept.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// An item that is named instead of sent.
struct Reference {
    /// Where it stands in the input.
    place: usize,
    item: String,
    /// In which it lies.
    answer: String,
}

/// Items by their ids, none of those that were not found yet.
type Items<'a> = HashMap<&'a str, Option<Box<RawValue>>>;

/// Puts in place of each reference the item of the kept answer in which it lies. Ids that were not made here stay: a vendor
/// may know them. `longest`: what the input may become, in bytes.
///
/// # Errors
/// An item is not there, or not this account's; too much is named.
pub(crate) fn dereference(
    turns: &Turns,
    account: AccountId,
    document: &mut Document,
    longest: usize,
    now_ms: u64,
) -> Result<(), ApiError> {
    let input = document.get("input");
    let Some(input) = input.filter(|input| MARK.find(input).is_some()) else {
        return Ok(());
    };
    // What is no input others say better.
    let Ok(mut items) = serde_json::from_slice::<Vec<&RawValue>>(input) else {
        return Ok(());
    };
    let all = items.iter().enumerate();
    let references: Vec<_> = all
        .filter_map(|(place, item)| Reference::read(place, item))
        .collect();
    if references.is_empty() {
        return Ok(());
    }
    let found = find(turns, account, &references, now_ms)?;
    for reference in &references {
        let place = items.get_mut(reference.place);
        if let (Some(place), Some(Some(item))) = (place, found.get(&*reference.item)) {
            *place = item;
        }
    }
    let length: usize = items.iter().map(|item| item.get().len() + 1).sum();
    if length > longest {
        let message = format!(
            "with the items that it refers to the input is larger than the {longest} bytes allowed here"
        );
        return Err(ApiError::new(ErrorKind::BodyTooLarge, message).with_param("input"));
    }
    let value = serde_json::to_string(&items).unwrap_or_else(|_| "[]".to_owned());
    let pointer = "/input".to_owned();
    Ok(document.apply(&Edit::Set { pointer, value })?)
}

impl Reference {
    /// What this item names, if it is a reference and was made here.
    fn read(place: usize, item: &RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(rename = "type")]
            kind: String,
            id: String,
        }
        // Serde takes an object from an array, too.
        let item = item.get().starts_with('{').then_some(item)?;
        let named: Named = serde_json::from_str(item.get()).ok()?;
        let answer = bridge::answer_of(&named.id).filter(|_| named.kind == REFERENCE)?;
        Some(Self {
            place,
            answer: answer.into_owned(),
            item: named.id,
        })
    }
}

/// All items that are named. The last first: what came before lies in its answer's input, so that one read finds them all.
/// One answer at a time is in memory, and of it only what is named stays.
fn find<'a>(
    turns: &Turns,
    account: AccountId,
    references: &'a [Reference],
    now_ms: u64,
) -> Result<Items<'a>, ApiError> {
    let mut items: Items<'a> = references.iter().map(|one| (&*one.item, None)).collect();
    let (mut answers, mut bytes) = (0, 0);
    for reference in references.iter().rev() {
        let is_found = |items: &Items<'_>| matches!(items.get(&*reference.item), Some(Some(_)));
        if is_found(&items) {
            continue;
        }
        if answers == MOST_ANSWERS || bytes > MOST_BYTES {
            return Err(too_many());
        }
        let found = turns.find(&reference.answer, account, now_ms);
        if let Some(record) = found {
            (answers, bytes) = (answers + 1, bytes + record.size());
            take(&record, &reference.answer, &mut items);
        }
        if !is_found(&items) {
            return Err(not_found(reference));
        }
    }
    Ok(items)
}

/// Takes what is named out of an answer: of its output, and of its input, where clients name what they sent without an id as
/// it is listed.
fn take(record: &Record, answer: &str, items: &mut Items<'_>) {
    let Kept::Here { input, response } = &record.kept else {
        return;
    };
    let answered = serde_json::from_str(response);
    let answered = answered.map_or_else(|_| Vec::new(), |answered: Output<'_>| answered.output);
    let said: Vec<&RawValue> = serde_json::from_str(input).unwrap_or_default();
    let answered = answered
        .into_iter()
        .filter_map(|item| Some((item, id_of(item)?)));
    let said = said.into_iter().enumerate().map(|(number, item)| {
        let listed = || format!("item_{number}_{answer}");
        (item, id_of(item).unwrap_or_else(listed))
    });
    for (item, id) in answered.chain(said) {
        if let Some(place @ None) = items.get_mut(&*id) {
            *place = Some(item.to_owned());
        }
    }
}

fn id_of(item: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Item {
        #[serde(rename = "type")]
        kind: Option<String>,
        id: String,
    }
    let item = item.get().starts_with('{').then_some(item)?;
    let item: Item = serde_json::from_str(item.get()).ok()?;
    // Who put a reference into a conversation has not named the item itself.
    (item.kind.as_deref() != Some(REFERENCE)).then_some(item.id)
}

fn not_found(reference: &Reference) -> ApiError {
    let param = format!("input[{}]", reference.place);
    let message = format!(
        "`{param}`: Item with id '{}' not found. Items are not kept where `store` is false or nothing is kept of the account; send the item itself.",
        reference.item
    );
    ApiError::new(ErrorKind::AnswerNotFound, message).with_param(param)
}

fn too_many() -> ApiError {
    let message = format!(
        "`input` refers to items of more than {MOST_ANSWERS} answers, or of answers of more than {} MiB; send the items themselves",
        MOST_BYTES >> 20
    );
    ApiError::new(ErrorKind::BodyTooLarge, message).with_param("input")
}
