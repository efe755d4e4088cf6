//! The answer in the middle: what every reader tells and every writer understands, one thing at a time.
//!
//! A whole answer is told in the same words as a stream, only faster: so the two cannot differ in what they keep.

use super::escaped::Escaped;
use crate::bridge::ClientTool;
use crate::bridge::opaque::OpaqueKind;
use crate::json::walk::Raw;
use crate::{ApiError, Usage};

/// One thing told of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Event<'a> {
    /// The answer has begun. Some vendors know the size of the input already.
    Start { usage: Option<Usage> },
    /// A part begins. Several can be open at once; `part` tells them apart and grows from one to the next.
    Open { part: u32, kind: Kind<'a> },
    /// More of an open part.
    Piece { part: u32, piece: Piece<'a> },
    /// A part is whole.
    Close { part: u32 },
    /// The vendor has run a tool of its own: whole, at once.
    Ran(Ran<'a>),
    /// Why the answer stops. Comes once, before `End`.
    Stop(Stop<'a>),
    /// What it cost; the last one told counts.
    Usage(Usage),
    /// The service tier that it was served in, in the words of Chat and Responses.
    Served(&'static str),
    /// The answer is whole. Nothing comes after it.
    End,
    /// The answer has failed. Nothing comes after it.
    Fail(ApiError),
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Text for the reader.
    Text,
    /// Text that says why there is none.
    Refusal,
    /// What the model thought.
    Reasoning,
    /// A call of a tool of the client's.
    Call(Call<'a>),
}

/// A tool call. Its pieces of text are its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    /// Empty where the vendor gave none.
    pub(crate) id: Escaped<'a>,
    pub(crate) name: Escaped<'a>,
    /// The client's namespace of the tool.
    pub(crate) namespace: Option<Escaped<'a>>,
    pub(crate) tool: Tool,
}

/// What the client knows a tool as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Its input are arguments: JSON.
    Function,
    /// Its input is text.
    Custom,
    /// One that the client knows by its type, told by the arguments of a function.
    Item(ClientTool),
}

/// More of a part.
#[derive(Debug, Clone)]
pub(crate) enum Piece<'a> {
    /// Text, with the elements of its token probabilities between their brackets (empty: none).
    Text(Escaped<'a>, &'a [u8]),
    /// The next paragraph of a reasoning part begins.
    Paragraph,
    /// Where the text comes from.
    Annotation(Annotation<'a>),
    /// What the vendor signed or encrypted, as it gave it.
    Opaque(OpaqueKind, &'a str),
    /// The same, sealed for a foreign client.
    Seal(&'a str),
}

/// A source of a stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Annotation<'a> {
    /// The stretch, in characters from the beginning of the part.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) origin: Origin<'a>,
}

impl Annotation<'_> {
    /// The same, where so many characters stand before the part.
    pub(crate) fn behind(self, characters: u64) -> Self {
        Self {
            start: self.start.saturating_add(characters),
            end: self.end.saturating_add(characters),
            ..self
        }
    }
}

/// Where a stretch of text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// A page.
    Page {
        url: Escaped<'a>,
        title: Escaped<'a>,
        /// The passage of the page.
        passage: Escaped<'a>,
    },
    /// A file that the vendor keeps.
    File {
        id: Escaped<'a>,
        name: Escaped<'a>,
        index: u64,
    },
}

/// A tool that the vendor ran itself, and what came of it.
#[derive(Debug, Clone)]
pub(crate) enum Ran<'a> {
    Search(Search<'a>),
    Call(ServerCall<'a>),
    Code(Code<'a>),
}

/// What came of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed,
    /// The answer ended before it did.
    Unknown,
}

/// A call of a remote MCP server's tool.
#[derive(Debug, Clone)]
pub(crate) struct ServerCall<'a> {
    /// The vendor's.
    pub(crate) id: Escaped<'a>,
    pub(crate) server: Escaped<'a>,
    pub(crate) name: Escaped<'a>,
    /// JSON, or what the model wrote for it.
    pub(crate) arguments: Escaped<'a>,
    pub(crate) outcome: Outcome,
    /// What it gave, or what went wrong.
    pub(crate) texts: Vec<Escaped<'a>>,
}

/// What runs: vendors of Messages tell it, and want it told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// The code of a program.
    Code,
    /// A command of a shell.
    Command,
    /// An edit of a file: what the editor was called with.
    Edit,
}

/// A run of code.
#[derive(Debug, Clone)]
pub(crate) struct Code<'a> {
    pub(crate) runs: Runs,
    /// The vendor's, and that of the container that it ran in, where it tells them.
    pub(crate) id: Escaped<'a>,
    pub(crate) container: Escaped<'a>,
    pub(crate) code: Escaped<'a>,
    pub(crate) outcome: Outcome,
    /// What it wrote.
    pub(crate) logs: Vec<Escaped<'a>>,
}

/// A search of the web.
#[derive(Debug, Clone)]
pub(crate) struct Search<'a> {
    pub(crate) query: Escaped<'a>,
    /// Address and title of each page found.
    pub(crate) pages: Vec<(Escaped<'a>, Escaped<'a>)>,
}

/// Why an answer stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop<'a> {
    /// It is complete, or waits for the results of its tool calls.
    Turn,
    /// The cap on output tokens, or the context window, is reached.
    Length,
    /// A stop sequence was written: which, where it is known.
    Sequence(Option<Escaped<'a>>),
    /// The vendor's filter, or the model by itself, refused to go on.
    Filter,
    /// The vendor paused a long turn; the client may let it go on.
    Pause,
}

impl<'a> Stop<'a> {
    /// The meaning of a reason in any vendor's words; nothing where it is the word for a failure.
    pub(crate) fn from_word(word: Escaped<'a>) -> Option<Self> {
        Some(match word.bytes() {
            b"length"
            | b"max_tokens"
            | b"max_output_tokens"
            | b"model_context_window_exceeded"
            | b"model_length"
            | b"compaction" => Self::Length,
            b"content_filter" | b"refusal" | b"sensitive" | b"safety" => Self::Filter,
            b"stop_sequence" => Self::Sequence(None),
            b"pause_turn" => Self::Pause,
            b"error" | b"network_error" => return None,
            // `stop`, `end_turn`, `tool_calls`, `tool_use`, `function_call` and what vendors make up.
            _ => Self::Turn,
        })
    }
}

/// Who is told.
pub(crate) trait Sink {
    fn event(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Sink for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}

/// The member's string; empty where there is none.
pub(crate) fn word<'a>(object: Raw<'a>, name: &str) -> Escaped<'a> {
    object.get(name).and_then(Escaped::of).unwrap_or_default()
}

/// What is between the brackets of an array of objects; empty for anything else.
pub(crate) fn elements(value: Raw<'_>) -> &[u8] {
    match value.bytes {
        [b'[', inner @ .., b']'] => inner.trim_ascii(),
        _ => b"",
    }
}
