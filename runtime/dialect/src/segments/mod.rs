//! The text in requests and answers, for content policies, and how to put changed text back.

use std::borrow::Cow;

use crate::document::Place;
use crate::json::splice::Splice;
use crate::json::text::quote;
use crate::json::walk::{Raw, Shape};
use crate::{Document, Invalid, Operation};

mod find;
mod rewriter;

use find::{Field, Finder, Found};

pub use rewriter::{AnswerRewriter, Channel, Denied, TextFilter};

/// Who wrote a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// System prompt or instructions.
    System,
    /// The application's author.
    Developer,
    /// The person, and whatever has no known role.
    User,
    /// The model.
    Assistant,
    /// A tool's answer.
    Tool,
}

impl Role {
    /// The name in the component contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// What a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Said.
    Text,
    /// What a tool was called with.
    ToolArguments,
    /// What a tool gave back.
    ToolResult,
    /// Thought.
    Reasoning,
}

impl Kind {
    /// The name in the component contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::ToolArguments => "tool-arguments",
            Self::ToolResult => "tool-result",
            Self::Reasoning => "reasoning",
        }
    }
}

/// One piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who wrote it.
    pub role: Role,
    /// What it is.
    pub kind: Kind,
    /// The text, unescaped.
    pub text: Cow<'a, str>,
}

/// All text of a request, in the order of the body. The position in this list names a segment to `replace`.
///
/// Tool definitions and parameters are not text; neither is what is encoded, encrypted or signed. Changing reasoning that
/// carries a signature makes the vendor refuse it.
///
/// # Errors
/// A part of the body has a shape in which text could hide.
pub fn segments(document: &Document, operation: Operation) -> Result<Vec<Segment<'_>>, Invalid> {
    Ok(in_request(document, operation)?
        .iter()
        .map(|(_, found)| segment(found))
        .collect())
}

/// Puts changed text back; all else stays byte for byte.
///
/// # Errors
/// A position that is not there or is named twice.
pub fn replace(
    document: &mut Document,
    operation: Operation,
    replacements: &[(usize, String)],
) -> Result<(), Invalid> {
    put_back(document, operation, replacements, in_request)
}

/// All text of a whole JSON answer.
///
/// # Errors
/// As [`segments`].
pub fn answer_segments(
    answer: &Document,
    operation: Operation,
) -> Result<Vec<Segment<'_>>, Invalid> {
    Ok(in_answer(answer, operation)?
        .iter()
        .map(|(_, found)| segment(found))
        .collect())
}

/// How much text is in a whole JSON answer, bytes; of one that cannot be read, its own length.
pub fn output_text_bytes(operation: Operation, answer: &[u8]) -> u64 {
    if operation == Operation::Embeddings {
        return 0;
    }
    let text = || {
        let document = Document::parse(bytes::Bytes::copy_from_slice(answer)).ok()?;
        let segments = answer_segments(&document, operation).ok()?;
        Some(segments.iter().map(|segment| segment.text.len()).sum())
    };
    text().unwrap_or(answer.len()) as u64
}

/// Puts changed text back into a whole JSON answer; token probabilities that would show the old text are dropped.
///
/// # Errors
/// As [`replace`].
pub fn replace_answer(
    answer: &mut Document,
    operation: Operation,
    replacements: &[(usize, String)],
) -> Result<(), Invalid> {
    put_back(answer, operation, replacements, in_answer)
}

type Places<'a> = Vec<(Place, Found<'a>)>;

fn segment<'a>(found: &Found<'a>) -> Segment<'a> {
    Segment {
        role: found.role,
        kind: found.kind,
        text: found.value.text().unwrap_or_default(),
    }
}

fn in_request(document: &Document, operation: Operation) -> Result<Places<'_>, Invalid> {
    each_member(document, Role::User, |finder, name, value| {
        match (operation.reads_as(), name) {
            (Operation::ChatCompletions, b"messages") => finder.chat_messages(value),
            (Operation::ChatCompletions, b"prediction") => {
                value.get("content").map_or(Ok(()), |content| {
                    finder.prompt("prediction.content", Role::Assistant, content)
                })
            }
            (Operation::Responses, b"instructions") => {
                finder.prompt("instructions", Role::System, value)
            }
            (Operation::Responses, b"input") => finder.prompt("input", Role::User, value),
            (Operation::Responses, b"prompt") => {
                value
                    .get("variables")
                    .into_iter()
                    .for_each(|variables| finder.strings(variables));
                Ok(())
            }
            (Operation::Messages, b"system") => finder.prompt("system", Role::System, value),
            (Operation::Messages, b"messages") => finder.anthropic_messages(value),
            (Operation::Embeddings, b"input") => {
                finder.embeddings(value);
                Ok(())
            }
            _ => Ok(()),
        }
    })
}

fn in_answer(answer: &Document, operation: Operation) -> Result<Places<'_>, Invalid> {
    each_member(answer, Role::Assistant, |finder, name, value| {
        match (operation, name) {
            (Operation::ChatCompletions, b"choices") => choices(finder, value, "message"),
            (Operation::Responses | Operation::Compact, b"output") => finder.items("output", value),
            (Operation::Responses, b"output_text") => {
                finder.text(Field::Other, value);
                Ok(())
            }
            (Operation::Messages, b"content") => finder.parts("content", value),
            _ => Ok(()),
        }
    })
}

/// Text of all choices of a chat answer, or of a streamed piece of one (`message` or `delta`).
fn choices<'a>(finder: &mut Finder<'a>, choices: Raw<'a>, member: &str) -> Result<(), Invalid> {
    for (position, choice) in choices.items().enumerate() {
        finder.group(
            choice
                .get("index")
                .and_then(Raw::count)
                .map_or(position, |index| index as usize),
        );
        let before = finder.found.len();
        for (_, message) in choice.members().filter(|(key, _)| key.is(member)) {
            finder.chat_message(&format!("choices[{position}].{member}"), message)?;
        }
        if let Some(probabilities) = choice.get("logprobs").filter(|value| !value.is_null()) {
            let spelled = finder.found[before..]
                .iter_mut()
                .filter(|found| matches!(found.field, Field::Text | Field::Refusal));
            spelled.for_each(|found| found.probabilities = Some(probabilities));
        }
    }
    Ok(())
}

fn each_member<'a>(
    document: &'a Document,
    role: Role,
    mut find: impl FnMut(&mut Finder<'a>, &[u8], Raw<'a>) -> Result<(), Invalid>,
) -> Result<Places<'a>, Invalid> {
    let mut places = Vec::new();
    for (place, key, value) in document.entries() {
        let mut finder = Finder::new(role);
        find(&mut finder, &key.bytes(), value)?;
        places.extend(finder.found.into_iter().map(|found| (place, found)));
    }
    Ok(places)
}

fn put_back(
    document: &mut Document,
    operation: Operation,
    replacements: &[(usize, String)],
    find: impl for<'a> Fn(&'a Document, Operation) -> Result<Places<'a>, Invalid>,
) -> Result<(), Invalid> {
    let mut by_place: Vec<(Place, Vec<Splice>)> = Vec::new();
    {
        let places = find(document, operation)?;
        let mut seen = vec![false; places.len()];
        for (index, text) in replacements {
            let Some((place, found)) = places.get(*index) else {
                return Err(Invalid::body(format!(
                    "there is no text number {index} to replace"
                )));
            };
            if std::mem::replace(&mut seen[*index], true) {
                return Err(Invalid::body(format!(
                    "text number {index} is replaced twice"
                )));
            }
            if found.value.text().as_deref() == Some(text) {
                continue;
            }
            let position = by_place
                .iter()
                .position(|(known, _)| known == place)
                .unwrap_or_else(|| {
                    by_place.push((*place, Vec::new()));
                    by_place.len() - 1
                });
            exchange(&mut by_place[position].1, found, text);
        }
    }
    for (place, mut splices) in by_place {
        sort(&mut splices);
        document.splice(place, &splices);
    }
    Ok(())
}

/// The splices that put `text` in place of what was found, and drop the probabilities that spell the old text.
fn exchange(splices: &mut Vec<Splice>, found: &Found<'_>, text: &str) {
    let mut with = Vec::with_capacity(text.len() + 2);
    quote(&mut with, text);
    splices.push(over(found.value, with));
    if let Some(probabilities) = found.probabilities {
        let empty = if probabilities.shape() == Shape::Array {
            &b"[]"[..]
        } else {
            b"null"
        };
        if probabilities.bytes != empty {
            splices.push(over(probabilities, empty.to_vec()));
        }
    }
}

fn over(value: Raw<'_>, with: Vec<u8>) -> Splice {
    Splice {
        range: value.at..value.at + value.bytes.len(),
        with,
    }
}

/// Brings splices into order; what two texts both drop is dropped once.
fn sort(splices: &mut Vec<Splice>) {
    splices.sort_by_key(|splice| splice.range.start);
    splices.dedup_by_key(|splice| splice.range.start);
}

#[cfg(test)]
mod tests;
