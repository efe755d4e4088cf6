//! Reads what tools did that the vendor ran itself: whole in Responses, in two blocks in Messages.

use crate::bridge::answer::escaped::{Escaped, escaped};
use crate::bridge::answer::event::{
    Code, Event, Outcome, Ran, Runs, Search, ServerCall, Sink, word,
};
use crate::json::scan::is_value;
use crate::json::walk::{Raw, Shape};

/// An item that is a call of an MCP server's tool.
pub(super) fn read_server_call(item: Raw<'_>, sink: &mut dyn Sink) {
    let some = |name: &str| item.get(name).filter(|value| !value.is_null());
    let shown;
    let (outcome, texts) = match (some("error"), some("output")) {
        (Some(error), _) => {
            // An object that nobody knows is shown as it is.
            shown = escaped(&String::from_utf8_lossy(error.bytes));
            let told = said_of(error).unwrap_or_else(|| vec![Escaped::trusted(&shown)]);
            (Outcome::Failed, told)
        }
        (None, Some(output)) => (Outcome::Done, Escaped::of(output).into_iter().collect()),
        // It gave nothing.
        (None, None)
            if item
                .get("status")
                .is_some_and(|status| status.is_word("completed")) =>
        {
            (Outcome::Done, Vec::new())
        }
        (None, None) => (Outcome::Unknown, Vec::new()),
    };
    sink.event(Event::Ran(Ran::Call(ServerCall {
        id: word(item, "id"),
        server: word(item, "server_label"),
        name: word(item, "name"),
        arguments: word(item, "arguments"),
        outcome,
        texts,
    })));
}

/// What an error says of itself: in words, or in the content that the tool gave.
fn said_of(error: Raw<'_>) -> Option<Vec<Escaped<'_>>> {
    if let Some(text) = Escaped::of(error) {
        return Some(vec![text]);
    }
    if let Some(message) = error.get("message").and_then(Escaped::of) {
        return Some(vec![message]);
    }
    let content = error.get("content")?;
    if let Some(text) = Escaped::of(content) {
        return Some(vec![text]);
    }
    let texts = content.items().map(|part| part.get("text"));
    let texts: Option<Vec<_>> = texts.map(|text| text.and_then(Escaped::of)).collect();
    texts.filter(|_| content.shape() == Shape::Array)
}

/// An item that is a run of code.
pub(super) fn read_code(item: Raw<'_>, sink: &mut dyn Sink) {
    let status = item.get("status");
    let is =
        |words: &[&str]| status.is_some_and(|status| words.iter().any(|word| status.is_word(word)));
    let outputs = item.get("outputs").into_iter().flat_map(Raw::items);
    sink.event(Event::Ran(Ran::Code(Code {
        runs: Runs::Code,
        id: word(item, "id"),
        container: word(item, "container_id"),
        code: word(item, "code"),
        outcome: match () {
            () if is(&["failed"]) => Outcome::Failed,
            () if is(&["in_progress", "interpreting", "incomplete"]) => Outcome::Unknown,
            () => Outcome::Done,
        },
        logs: outputs
            .map(|output| word(output, "logs"))
            .filter(|logs| !logs.is_empty())
            .collect(),
    })));
}

/// A tool that was called, and of which nothing came yet (Messages).
#[derive(Debug)]
pub(super) struct Called {
    number: u32,
    id: Vec<u8>,
    what: What,
    /// Its input as it comes: JSON, escaped; where it grows too long, it is not kept.
    input: Vec<u8>,
    /// Whether the input came whole with the block: pieces of it count for more.
    whole: bool,
    /// Bytes that it was counted as.
    kept: usize,
}

#[derive(Debug)]
enum What {
    Search,
    Server {
        server: Vec<u8>,
        name: Vec<u8>,
    },
    /// Code, in a member of its input, or all of that.
    Code(Runs),
}

/// A query longer than this is not shown. Bytes.
const LONGEST_QUERY: usize = 16 << 10;

/// Arguments and code are, as long as the answer may be held at all.
const LONGEST_INPUT: usize = 16 << 20;

impl Called {
    /// The tool that a block calls; nothing if it is none that the bridge tells of.
    pub(super) fn of(block: Raw<'_>, number: u32) -> Option<Self> {
        let kind = block.get("type").and_then(Raw::inner)?;
        let name = block.get("name").and_then(Raw::inner).unwrap_or_default();
        let what = match (kind, name) {
            (b"mcp_tool_use", name) => What::Server {
                server: word(block, "server_name").bytes().to_vec(),
                name: name.to_vec(),
            },
            (b"server_tool_use", b"web_search") => What::Search,
            (b"server_tool_use", b"code_execution") => What::Code(Runs::Code),
            (b"server_tool_use", b"bash_code_execution") => What::Code(Runs::Command),
            (b"server_tool_use", b"text_editor_code_execution") => What::Code(Runs::Edit),
            _ => return None,
        };
        let input = block
            .get("input")
            .filter(|input| input.members().next().is_some());
        Some(Self {
            number,
            id: word(block, "id").bytes().to_vec(),
            what,
            kept: block.bytes.len(),
            whole: input.is_some(),
            input: input.map_or_else(Vec::new, |input| {
                escaped(&String::from_utf8_lossy(input.bytes))
            }),
        })
    }

    /// Bytes that it was counted as: those of its block, and of the pieces of its input.
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    /// Takes more of the input; how much of it is kept.
    pub(super) fn push(&mut self, text: Escaped<'_>) -> usize {
        if std::mem::take(&mut self.whole) {
            self.input.clear();
        }
        let most = match self.what {
            What::Search => LONGEST_QUERY,
            What::Server { .. } | What::Code(_) => LONGEST_INPUT,
        };
        if self.input.len() + text.bytes().len() >= most {
            return 0;
        }
        self.input.extend_from_slice(text.bytes());
        self.kept += text.bytes().len();
        text.bytes().len()
    }

    /// The same call as the block's of this number.
    pub(super) const fn is(&self, number: u32) -> bool {
        self.number == number
    }

    /// Whether the block says what came of it.
    pub(super) fn is_answered_by(&self, block: Raw<'_>) -> bool {
        word(block, "tool_use_id").bytes() == self.id
    }

    /// Tells of it, with the block that says what came of it, if one does.
    pub(super) fn tell(&self, came: Option<Raw<'_>>, sink: &mut dyn Sink) {
        let input = Escaped::trusted(&self.input);
        match &self.what {
            What::Search => search(input, came, sink),
            What::Server { server, name } => sink.event(Event::Ran(Ran::Call(ServerCall {
                id: Escaped::trusted(&self.id),
                server: Escaped::trusted(server),
                name: Escaped::trusted(name),
                arguments: input,
                outcome: match came.map(|came| came.get("is_error")) {
                    None => Outcome::Unknown,
                    Some(error) if error.is_some_and(|error| error.bytes == b"true") => {
                        Outcome::Failed
                    }
                    Some(_) => Outcome::Done,
                },
                texts: came.map(texts_of).unwrap_or_default(),
            }))),
            What::Code(runs) => {
                let json = input.text();
                let json = json.as_bytes();
                let member = match runs {
                    Runs::Code => Some("code"),
                    Runs::Command => Some("command"),
                    Runs::Edit => None,
                };
                let found = member
                    .filter(|_| is_value(json))
                    .and_then(|member| Raw::new(json).get(member).and_then(Escaped::of));
                let (outcome, logs) = match came {
                    None => (Outcome::Unknown, Vec::new()),
                    Some(came) => ended(came),
                };
                sink.event(Event::Ran(Ran::Code(Code {
                    runs: *runs,
                    id: Escaped::trusted(&self.id),
                    container: Escaped::default(),
                    code: found.unwrap_or(input),
                    outcome,
                    logs,
                })));
            }
        }
    }
}

/// Tells of a search whose call nobody saw.
pub(super) fn search(input: Escaped<'_>, came: Option<Raw<'_>>, sink: &mut dyn Sink) {
    let input = input.text();
    let checked = is_value(input.as_bytes());
    let query = word(Raw::new(input.as_bytes()), "query");
    let pages = came.and_then(|came| came.get("content"));
    sink.event(Event::Ran(Ran::Search(Search {
        query: if checked { query } else { Escaped::default() },
        pages: pages
            .into_iter()
            .flat_map(Raw::items)
            .map(|page| (word(page, "url"), word(page, "title")))
            .filter(|(url, _)| !url.is_empty())
            .collect(),
    })));
}

/// The texts of a result: one, or a list of blocks.
fn texts_of(came: Raw<'_>) -> Vec<Escaped<'_>> {
    let Some(content) = came.get("content") else {
        return Vec::new();
    };
    match Escaped::of(content) {
        Some(text) => vec![text],
        None => content
            .items()
            .filter_map(|part| part.get("text").and_then(Escaped::of))
            .collect(),
    }
}

/// How a run of code ended, and what it wrote: an error says its code, an edit of a file what it shows of it.
fn ended(came: Raw<'_>) -> (Outcome, Vec<Escaped<'_>>) {
    let Some(content) = came.get("content") else {
        return (Outcome::Done, Vec::new());
    };
    let code = word(content, "error_code");
    if !code.is_empty() {
        return (Outcome::Failed, vec![code]);
    }
    let written = ["stdout", "stderr", "content"]
        .into_iter()
        .map(|name| word(content, name));
    let lines = content
        .get("lines")
        .into_iter()
        .flat_map(Raw::items)
        .filter_map(Escaped::of);
    let logs = written.chain(lines).filter(|text| !text.is_empty());
    let code = content.get("return_code").and_then(Raw::count);
    let outcome = match code {
        Some(0) | None => Outcome::Done,
        Some(_) => Outcome::Failed,
    };
    (outcome, logs.collect())
}
