//! The text in requests and answers, for content policies, and how to put changed text back.

use std::borrow::Cow;

use crate::{Document, Invalid, Operation};

mod rewriter;

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
/// # Errors
/// A part of the body has a shape in which text could hide.
pub fn segments(_document: &Document, _operation: Operation) -> Result<Vec<Segment<'_>>, Invalid> {
    todo!()
}

/// Puts changed text back; all else stays byte for byte.
///
/// # Errors
/// A position that is not there or is named twice.
pub fn replace(
    _document: &mut Document,
    _operation: Operation,
    _replacements: &[(usize, String)],
) -> Result<(), Invalid> {
    todo!()
}

/// All text of a whole JSON answer.
///
/// # Errors
/// As [`segments`].
pub fn answer_segments(_answer: &Document, _operation: Operation) -> Result<Vec<Segment<'_>>, Invalid> {
    todo!()
}

/// Puts changed text back into a whole JSON answer; token probabilities that would show the old text are dropped.
///
/// # Errors
/// As [`replace`].
pub fn replace_answer(
    _answer: &mut Document,
    _operation: Operation,
    _replacements: &[(usize, String)],
) -> Result<(), Invalid> {
    todo!()
}
