//! Reads Messages: a stream's blocks, or those of a whole answer, which begin with all they have to say.

use super::Common;
use super::arguments::Arguments;
use super::cited::{Source, Text};
use super::ran::{self, Called};
use crate::bridge::answer::escaped::{Escaped, escaped};
use crate::bridge::answer::event::{Call, Event, Kind, Piece, Sink, Stop, Tool, word};
use crate::bridge::answer::failure;
use crate::bridge::opaque::OpaqueKind;
use crate::json::walk::{Raw, Shape};
use crate::stream::event_type;

/// The blocks that are open, and what has been told.
#[derive(Debug, Default)]
pub(super) struct Messages {
    id: Option<Vec<u8>>,
    started: bool,
    blocks: Vec<Block>,
    /// Calls whose blocks ended before their arguments were whole, and nothing has followed: a cap on the output may have
    /// cut them, which the vendor says only behind them.
    unsure: Vec<Asked>,
    /// The text under way: vendors cut a text into blocks where its sources change, and the pieces are one text.
    text: Option<Text>,
    /// Whether anything but the beginning was told.
    told: bool,
    /// Whether arguments came that no name of a tool belongs to.
    nameless: bool,
    /// Tools that the vendor runs itself, of which nothing came yet.
    called: Vec<Called>,
    /// How many of them there were.
    tools_run: u32,
    reason: Vec<u8>,
    sequence: Option<Vec<u8>>,
    explanation: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Block {
    index: u64,
    /// The id of a call, or of the one that it is the result of; empty of all others.
    id: Vec<u8>,
    is_result: bool,
    kind: BlockKind,
}

#[derive(Debug)]
enum BlockKind {
    Text,
    Reasoning {
        part: u32,
        /// The signature's pieces, unescaped.
        signature: String,
        redacted: bool,
    },
    Call(Asked),
    /// One of those that the vendor runs itself, by its number.
    Called(u32),
    Other,
}

/// A tool call.
#[derive(Debug)]
struct Asked {
    part: u32,
    told: bool,
    /// The input that the block began with, escaped: it counts where no pieces come.
    input: Vec<u8>,
    arguments: Arguments,
}

impl Messages {
    pub(super) fn event(
        &mut self,
        name: Option<&[u8]>,
        event: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        match event_type(event).or(name).unwrap_or_default() {
            b"content_block_delta" => {
                let (mut index, mut delta) = (None, None);
                for (key, value) in event.members() {
                    match key.0 {
                        b"index" => index = value.count(),
                        b"delta" => delta = Some(value),
                        _ => {}
                    }
                }
                if let Some(delta) = delta {
                    self.start(common, sink);
                    self.delta(index, delta, common, sink);
                }
            }
            b"content_block_start" => {
                if let Some(block) = event.get("content_block") {
                    self.start(common, sink);
                    self.begin(index(event), block, common, sink);
                }
            }
            b"content_block_stop" => self.end_block(index(event), sink),
            b"message_start" => {
                let message = event.get("message");
                let id = message.map_or_else(Escaped::default, |message| word(message, "id"));
                if let Some(known) = &self.id {
                    // A proxy may repeat the beginning; it may not splice a second message in.
                    if known != id.bytes() && self.told {
                        return common.fail(
                            failure::told("", "The vendor began a second message.".to_owned()),
                            sink,
                        );
                    }
                    return;
                }
                self.id = Some(id.bytes().to_vec());
                common.usage(message.and_then(|message| message.get("usage")));
                if !common.hints.stream_pointers.is_empty() {
                    common.hinted(event, |hints| &hints.stream_pointers);
                }
                self.start(common, sink);
            }
            b"message_delta" => {
                if let Some(delta) = event.get("delta") {
                    self.reasons(delta);
                }
                common.usage(event.get("usage"));
                if !common.hints.stream_pointers.is_empty() {
                    common.hinted(event, |hints| &hints.stream_pointers);
                }
            }
            b"message_stop" => self.end(common, sink),
            b"error" => {
                let told = crate::stream::failure(common.operation, event);
                let (code, message) = told.unwrap_or_default();
                common.fail(failure::told(&code, message), sink);
            }
            _ => {}
        }
    }

    pub(super) fn whole(&mut self, answer: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        let content = answer.get("content");
        let Some(content) =
            content.filter(|content| matches!(content.shape(), Shape::Array | Shape::String))
        else {
            return common.fail(failure::no_answer(), sink);
        };
        self.start(common, sink);
        if let Some(text) = Escaped::of(content) {
            self.write(text, common, sink);
        }
        for (index, block) in content.items().enumerate() {
            if common.is_full() {
                break;
            }
            if index > 0 {
                self.end_block(Some(index as u64 - 1), sink);
            }
            // The last one ends behind the stop reason: a vendor that cut it has made its input an object again.
            self.begin(Some(index as u64), block, common, sink);
        }
        self.reasons(answer);
        self.end(common, sink);
    }

    fn start(&mut self, common: &Common, sink: &mut dyn Sink) {
        if !std::mem::replace(&mut self.started, true) {
            let usage = common.told();
            sink.event(Event::Start { usage });
        }
    }

    fn reasons(&mut self, from: Raw<'_>) {
        let keep = |name: &str| {
            let found = from.get(name).and_then(Escaped::some);
            found.map(|word| word.bytes().to_vec())
        };
        if let Some(reason) = keep("stop_reason") {
            self.reason = reason;
        }
        if let Some(sequence) = keep("stop_sequence") {
            self.sequence = Some(sequence);
        }
        let details = from.get("stop_details");
        if let Some(explanation) = details.map(|details| word(details, "explanation"))
            && !explanation.is_empty()
        {
            self.explanation = Some(explanation.bytes().to_vec());
        }
    }

    fn end(&mut self, common: &mut Common, sink: &mut dyn Sink) {
        if !self.started {
            return common.fail(failure::cut(), sink);
        }
        let reason = std::mem::take(&mut self.reason);
        let sequence = self.sequence.take();
        let Some(mut stop) = Stop::from_word(Escaped::trusted(&reason)) else {
            return common.fail(failure::told("", String::new()), sink);
        };
        if let Stop::Sequence(told) = &mut stop {
            *told = sequence.as_deref().map(Escaped::trusted);
        }
        // What was broken off may have lost a call; what is complete may not.
        if self.nameless && matches!(stop, Stop::Turn | Stop::Sequence(_)) {
            return common.fail(failure::nameless(), sink);
        }
        sink.event(Event::Stop(stop));
        self.end_unsure(sink);
        while let Some(block) = self.blocks.first() {
            let index = block.index;
            self.end_block(Some(index), sink);
        }
        self.end_unsure(sink);
        self.end_text(sink);
        for called in std::mem::take(&mut self.called) {
            called.tell(None, sink);
        }
        if let Some(explanation) = self.explanation.take().filter(|_| stop == Stop::Filter) {
            let part = common.open(Kind::Refusal, sink);
            let piece = Piece::Text(Escaped::trusted(&explanation), b"");
            sink.event(Event::Piece { part, piece });
            sink.event(Event::Close { part });
        }
        common.end(sink);
    }

    /// Where the block of this index is; without an index the last one.
    fn find(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(index) => self.blocks.iter().rposition(|block| block.index == index),
            None => self.blocks.len().checked_sub(1),
        }
    }

    fn begin(
        &mut self,
        index: Option<u64>,
        block: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        let id = id_of(block);
        // Told twice is told once.
        if let Some(at) = self.find(index)
            && !id.is_empty()
            && self.blocks[at].id == id.bytes()
            && self.blocks[at].is_result == is_result(block)
        {
            return;
        }
        // A block that was not ended before another takes its place is whole.
        self.end_block(index.or(Some(u64::MAX)), sink);
        self.end_unsure(sink);
        self.told = true;
        // A block that begins with what it has to say is kept until it ends.
        common.place();
        common.kept += block.bytes.len();
        let kind = block.get("type").and_then(Raw::inner).unwrap_or_default();
        if kind != b"text" {
            self.end_text(sink);
        }
        let kind = match kind {
            b"text" => {
                self.write(word(block, "text"), common, sink);
                for citation in block.get("citations").into_iter().flat_map(Raw::items) {
                    self.cite(citation, common, sink);
                }
                BlockKind::Text
            }
            b"thinking" => {
                let part = common.open(Kind::Reasoning, sink);
                let text = word(block, "thinking");
                if !text.is_empty() {
                    let piece = Piece::Text(text, b"");
                    sink.event(Event::Piece { part, piece });
                }
                BlockKind::Reasoning {
                    part,
                    signature: word(block, "signature").text().into_owned(),
                    redacted: false,
                }
            }
            b"redacted_thinking" => BlockKind::Reasoning {
                part: common.open(Kind::Reasoning, sink),
                signature: word(block, "data").text().into_owned(),
                redacted: true,
            },
            b"tool_use" if word(block, "name").is_empty() => {
                self.nameless = true;
                BlockKind::Other
            }
            b"tool_use" => {
                let call = Call {
                    id: word(block, "id"),
                    name: word(block, "name"),
                    namespace: None,
                    tool: Tool::Function,
                };
                let input = block.get("input").filter(|input| {
                    input.shape() != Shape::Null
                        && (input.shape() != Shape::Object || input.members().next().is_some())
                });
                BlockKind::Call(Asked {
                    part: common.open(Kind::Call(call), sink),
                    told: false,
                    input: input.map_or_else(Vec::new, |input| {
                        escaped(&String::from_utf8_lossy(input.bytes))
                    }),
                    arguments: Arguments::default(),
                })
            }
            b"server_tool_use" | b"mcp_tool_use" => {
                let number = self.tools_run;
                match Called::of(block, number) {
                    Some(called) => {
                        self.tools_run += 1;
                        self.called.push(called);
                        BlockKind::Called(number)
                    }
                    None => BlockKind::Other,
                }
            }
            kind if kind.ends_with(b"_tool_result") => {
                self.came(block, common, sink);
                BlockKind::Other
            }
            // The vendor's other tools have done their work; what came of it is in the text.
            _ => BlockKind::Other,
        };
        common.kept += id.bytes().len();
        self.blocks.push(Block {
            index: index.unwrap_or(u64::MAX),
            id: id.bytes().to_vec(),
            is_result: is_result(block),
            kind,
        });
    }

    /// The vendor tells what came of a tool that it ran itself.
    fn came(&mut self, block: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        // It is told at once, and not kept.
        common.kept = common.kept.saturating_sub(block.bytes.len());
        let mut called = self.called.iter();
        match called.position(|called| called.is_answered_by(block)) {
            Some(at) => {
                let called = self.called.remove(at);
                common.kept = common.kept.saturating_sub(called.kept());
                called.tell(Some(block), sink);
            }
            None if block
                .get("type")
                .is_some_and(|kind| kind.is_word("web_search_tool_result")) =>
            {
                ran::search(Escaped::default(), Some(block), sink);
            }
            None => {}
        }
    }

    fn delta(
        &mut self,
        index: Option<u64>,
        delta: Raw<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        self.told = true;
        let (mut kind, mut text, mut citation) = (&b""[..], Escaped::default(), None);
        for (key, value) in delta.members() {
            match key.0 {
                b"type" => kind = value.inner().unwrap_or_default(),
                b"text" | b"thinking" | b"partial_json" | b"signature" => {
                    text = Escaped::of(value).unwrap_or_default();
                }
                b"citation" => citation = Some(value),
                _ => {}
            }
        }
        match kind {
            b"text_delta" => {
                self.fits(index, false, common, sink);
                self.write(text, common, sink);
            }
            b"citations_delta" => {
                if let Some(citation) = citation {
                    self.fits(index, false, common, sink);
                    self.cite(citation, common, sink);
                }
            }
            b"thinking_delta" if !text.is_empty() => {
                let at = self.fits(index, true, common, sink);
                if let BlockKind::Reasoning { part, .. } = self.blocks[at].kind {
                    let piece = Piece::Text(text, b"");
                    sink.event(Event::Piece { part, piece });
                }
            }
            b"signature_delta" if !text.is_empty() => {
                let at = self.fits(index, true, common, sink);
                if let BlockKind::Reasoning { signature, .. } = &mut self.blocks[at].kind {
                    common.kept += text.bytes().len();
                    signature.push_str(&text.text());
                }
            }
            b"input_json_delta" if !text.is_empty() => self.input(index, text, common, sink),
            _ => {}
        }
    }

    fn input(
        &mut self,
        index: Option<u64>,
        text: Escaped<'_>,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) {
        // Arguments of a call that never began have no tool to go to.
        let Some(at) = self.find(index) else {
            self.nameless = true;
            return;
        };
        match &mut self.blocks[at].kind {
            BlockKind::Call(asked) => {
                asked.told = true;
                asked.arguments.push(text);
                let (part, piece) = (asked.part, Piece::Text(text, b""));
                sink.event(Event::Piece { part, piece });
            }
            BlockKind::Called(number) => {
                let mut called = self.called.iter_mut();
                if let Some(called) = called.find(|called| called.is(*number)) {
                    common.kept += called.push(text);
                }
            }
            _ => {}
        }
    }

    /// A delta goes by its own type: where the block is of another kind, or never began, a block of the delta's kind
    /// takes its place. Returns where the block is.
    fn fits(
        &mut self,
        index: Option<u64>,
        reasoning: bool,
        common: &mut Common,
        sink: &mut dyn Sink,
    ) -> usize {
        let known = self.find(index).filter(|at| {
            let kind = &self.blocks[*at].kind;
            if reasoning {
                matches!(kind, BlockKind::Reasoning { .. })
            } else {
                matches!(kind, BlockKind::Text)
            }
        });
        if let Some(at) = known {
            return at;
        }
        self.end_block(index, sink);
        self.end_unsure(sink);
        common.place();
        let kind = if reasoning {
            self.end_text(sink);
            BlockKind::Reasoning {
                part: common.open(Kind::Reasoning, sink),
                signature: String::new(),
                redacted: false,
            }
        } else {
            BlockKind::Text
        };
        self.blocks.push(Block {
            index: index.unwrap_or(u64::MAX),
            id: Vec::new(),
            is_result: false,
            kind,
        });
        self.blocks.len() - 1
    }

    fn text(&mut self, common: &mut Common, sink: &mut dyn Sink) -> &mut Text {
        self.text
            .get_or_insert_with(|| Text::new(common.open(Kind::Text, sink)))
    }

    fn write(&mut self, piece: Escaped<'_>, common: &mut Common, sink: &mut dyn Sink) {
        if piece.is_empty() {
            return;
        }
        let text = self.text(common, sink);
        text.grow(piece);
        let (part, piece) = (text.part, Piece::Text(piece, b""));
        sink.event(Event::Piece { part, piece });
    }

    fn cite(&mut self, citation: Raw<'_>, common: &mut Common, sink: &mut dyn Sink) {
        // A passage of a document that the client itself sent has no address.
        if let Some(source) = Source::read(citation) {
            self.text(common, sink).cite(source, sink);
        }
    }

    fn end_text(&mut self, sink: &mut dyn Sink) {
        if let Some(mut text) = self.text.take() {
            text.annotate(sink);
            sink.event(Event::Close { part: text.part });
        }
    }

    /// Something follows, or why the answer stops has been told: what these calls have is all there is of them.
    fn end_unsure(&mut self, sink: &mut dyn Sink) {
        for Asked { part, .. } in self.unsure.drain(..) {
            sink.event(Event::Close { part });
        }
    }

    fn end_block(&mut self, index: Option<u64>, sink: &mut dyn Sink) {
        let Some(at) = self.find(index) else {
            return;
        };
        match self.blocks.remove(at).kind {
            BlockKind::Text => {
                if let Some(text) = &mut self.text {
                    text.end_block(sink);
                }
            }
            BlockKind::Reasoning {
                part,
                signature,
                redacted,
            } => {
                if !signature.is_empty() {
                    let kind = if redacted {
                        OpaqueKind::Redacted
                    } else {
                        OpaqueKind::Signature
                    };
                    let piece = Piece::Opaque(kind, &signature);
                    sink.event(Event::Piece { part, piece });
                }
                sink.event(Event::Close { part });
            }
            BlockKind::Call(mut asked) => {
                let part = asked.part;
                let input = std::mem::take(&mut asked.input);
                if !asked.told && !input.is_empty() {
                    let input = Escaped::trusted(&input);
                    asked.arguments.push(input);
                    let piece = Piece::Text(input, b"");
                    sink.event(Event::Piece { part, piece });
                }
                if asked.arguments.is_whole() {
                    sink.event(Event::Close { part });
                } else {
                    self.unsure.push(asked);
                }
            }
            BlockKind::Called(_) | BlockKind::Other => {}
        }
    }
}

fn is_result(block: Raw<'_>) -> bool {
    block.get("tool_use_id").is_some()
}

fn id_of(block: Raw<'_>) -> Escaped<'_> {
    let own = word(block, "id");
    if own.is_empty() {
        word(block, "tool_use_id")
    } else {
        own
    }
}

fn index(event: Raw<'_>) -> Option<u64> {
    event.get("index").and_then(Raw::count)
}
