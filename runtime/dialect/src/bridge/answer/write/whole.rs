//! Collects what the middle tells into a whole answer.

use super::chat::{annotate, begin_call, finish_reason, service_tier};
use super::item::arguments;
use super::messages::{begin_call as begin_block, citation, message_head, nullable, stop_reason};
use super::ran::Pair;
use super::responses::Responses;
use super::{Exchange, put};
use crate::bridge::answer::escaped::{Escaped, number, string};
use crate::bridge::answer::event::{Annotation, Call, Event, Kind, Piece, Ran, Tool};
use crate::bridge::answer::usage;
use crate::json::text::quote;
use crate::{ApiError, Dialect, Usage};

/// The writer of one whole answer.
#[derive(Debug)]
pub(crate) struct Whole {
    body: Body,
    parts: Vec<Part>,
    calls: u64,
    refused: bool,
    searches: u64,
    stop: Option<Reason>,
    usage: Option<Usage>,
    /// The service tier, where the vendor says one.
    served: Option<&'static str>,
    failed: Option<ApiError>,
    ended: bool,
}

/// Why it stopped, in the dialect's word, and the sequence where one did it.
type Reason = (&'static [u8], Option<Vec<u8>>);

#[derive(Debug)]
enum Body {
    Chat,
    Messages,
    /// Written as it is told.
    Responses(Box<Responses>, Vec<u8>),
}

/// A part as it comes together; all text escaped.
#[derive(Debug)]
struct Part {
    part: u32,
    role: Role,
    text: Vec<u8>,
    /// Bytes of the text whose characters have been counted, and how many those are: an annotation asks how long all texts
    /// before it are, and counted anew for each, a thousand of them behind 10 MB took seconds.
    counted: (usize, u64),
    /// In the target's form.
    sources: Vec<Vec<u8>>,
    logprobs: Vec<u8>,
    seal: Option<String>,
}

#[derive(Debug)]
enum Role {
    Text,
    Refusal,
    Reasoning,
    Call {
        id: Vec<u8>,
        name: Vec<u8>,
        namespace: Option<Vec<u8>>,
        tool: Tool,
    },
    /// A tool that the vendor ran.
    Ran(Box<Pair>),
}

impl Whole {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            body: match dialect {
                Dialect::OpenaiResponses => {
                    Body::Responses(Box::new(Responses::new(false)), Vec::new())
                }
                Dialect::AnthropicMessages => Body::Messages,
                Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => Body::Chat,
            },
            parts: Vec::new(),
            calls: 0,
            refused: false,
            searches: 0,
            stop: None,
            usage: None,
            served: None,
            failed: None,
            ended: false,
        }
    }

    pub(crate) fn event(&mut self, exchange: Exchange<'_>, event: Event<'_>) {
        if let Event::Fail(error) = event {
            self.failed = Some(error);
            return;
        }
        self.ended |= matches!(event, Event::End);
        if let Body::Responses(writer, out) = &mut self.body {
            return writer.event(exchange, event, out);
        }
        match event {
            Event::Open { part, kind } => self.open(part, kind),
            Event::Piece { part, piece } => self.piece(part, piece),
            Event::Ran(ran) => self.ran(&ran, &exchange.context.family),
            Event::Stop(stop) => {
                self.stop = Some(match self.body {
                    Body::Messages => stop_reason(&stop, self.calls, self.refused),
                    _ => (finish_reason(&stop, self.calls), None),
                });
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Served(tier) => self.served = Some(tier),
            _ => {}
        }
    }

    /// The answer's body.
    pub(crate) fn finish(self, exchange: Exchange<'_>) -> Result<Vec<u8>, ApiError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        if !self.ended {
            return Err(crate::bridge::answer::failure::cut());
        }
        Ok(match self.body {
            Body::Responses(_, out) => out,
            Body::Chat => self.chat(exchange),
            Body::Messages => self.messages(exchange),
        })
    }

    fn open(&mut self, part: u32, kind: Kind<'_>) {
        let role = match kind {
            Kind::Text => Role::Text,
            Kind::Refusal => {
                self.refused = true;
                Role::Refusal
            }
            Kind::Reasoning => Role::Reasoning,
            Kind::Call(call) => {
                self.calls += 1;
                Role::Call {
                    id: call.id.bytes().to_vec(),
                    name: call.name.bytes().to_vec(),
                    namespace: call.namespace.map(|set| set.bytes().to_vec()),
                    tool: call.tool,
                }
            }
        };
        self.parts.push(Part::new(part, role));
    }

    fn ran(&mut self, ran: &Ran<'_>, family: &str) {
        self.searches += u64::from(matches!(ran, Ran::Search(_)));
        if matches!(self.body, Body::Messages) {
            let role = Role::Ran(Box::new(Pair::of(ran, family)));
            self.parts.push(Part::new(u32::MAX, role));
        }
    }

    fn piece(&mut self, part: u32, piece: Piece<'_>) {
        let to_messages = matches!(self.body, Body::Messages);
        let before = match piece {
            Piece::Annotation(_) if !to_messages => self.characters_before(part),
            _ => 0,
        };
        let Some(known) = self
            .parts
            .iter_mut()
            .rev()
            .find(|known| known.part == part && !matches!(known.role, Role::Ran(_)))
        else {
            return;
        };
        match piece {
            Piece::Text(text, logprobs) => {
                known.text.extend_from_slice(text.bytes());
                if !logprobs.is_empty() {
                    if !known.logprobs.is_empty() {
                        known.logprobs.push(b',');
                    }
                    known.logprobs.extend_from_slice(logprobs);
                }
            }
            Piece::Paragraph => known.text.extend_from_slice(Escaped::PARAGRAPH.bytes()),
            Piece::Annotation(annotation) => {
                let annotation = annotation.behind(before);
                known.sources.extend(source(&annotation, to_messages));
            }
            Piece::Seal(seal) => known.seal = Some(seal.to_owned()),
            Piece::Opaque(..) => {}
        }
    }

    /// Characters of the texts before a part: a chat client has them all in one.
    fn characters_before(&mut self, part: u32) -> u64 {
        let before = self.parts.iter_mut().take_while(|known| known.part != part);
        before
            .filter(|known| matches!(known.role, Role::Text))
            .map(Part::characters)
            .sum()
    }

    /// The text of all parts of a kind, if there are any.
    fn joined(&self, which: impl Fn(&Role) -> bool, between: &[u8]) -> Option<Vec<u8>> {
        let texts: Vec<&[u8]> = self
            .parts
            .iter()
            .filter(|part| which(&part.role))
            .map(|part| part.text.as_slice())
            // What nobody can read is no paragraph.
            .filter(|text| between.is_empty() || !text.is_empty())
            .collect();
        (!texts.is_empty()).then(|| texts.join(between))
    }

    fn chat(&self, exchange: Exchange<'_>) -> Vec<u8> {
        let text = self.joined(|role| matches!(role, Role::Text), b"");
        let refusal = self.joined(|role| matches!(role, Role::Refusal), b"");
        let between = Escaped::PARAGRAPH.bytes();
        let reasoning = self.joined(|role| matches!(role, Role::Reasoning), between);
        let size: usize = self.parts.iter().map(|part| part.text.len() + 128).sum();
        let mut body = Vec::with_capacity(size + 512);
        let out = &mut body;
        out.extend_from_slice(b"{\"id\":");
        quote(out, &exchange.stamp.id("chatcmpl-"));
        out.extend_from_slice(b",\"object\":\"chat.completion\",\"created\":");
        number(out, exchange.stamp.created);
        out.extend_from_slice(b",\"model\":");
        quote(out, &exchange.context.model);
        out.extend_from_slice(
            b",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":",
        );
        let nothing = refusal.is_none() && self.calls == 0;
        let empty: &[u8] = b"";
        nullable(out, text.as_deref().or(nothing.then_some(empty)));
        out.extend_from_slice(b",\"refusal\":");
        nullable(out, refusal.as_deref());
        if let Some(reasoning) = reasoning.filter(|reasoning| !reasoning.is_empty()) {
            out.extend_from_slice(b",\"reasoning_content\":");
            string(out, Escaped::trusted(&reasoning));
        }
        let mut calls = Vec::new();
        for part in &self.parts {
            if let Some(call) = part.call() {
                let mut object = b"{".to_vec();
                begin_call(&mut object, &call, Escaped::trusted(&part.text));
                object.push(b'}');
                calls.push(object);
            }
        }
        if !calls.is_empty() {
            put(out, &[b",\"tool_calls\":[", &calls.join(&b","[..]), b"]"]);
        }
        out.extend_from_slice(b",\"annotations\":[");
        let sources: Vec<&[u8]> = self
            .parts
            .iter()
            .flat_map(|part| part.sources.iter().map(Vec::as_slice))
            .collect();
        out.extend_from_slice(&sources.join(&b","[..]));
        out.extend_from_slice(b"]},\"logprobs\":");
        let logprobs: Vec<&[u8]> = self
            .parts
            .iter()
            .map(|part| part.logprobs.as_slice())
            .filter(|logprobs| !logprobs.is_empty())
            .collect();
        if logprobs.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            put(
                out,
                &[
                    b"{\"content\":[",
                    &logprobs.join(&b","[..]),
                    b"],\"refusal\":null}",
                ],
            );
        }
        let reason = self.stop.as_ref().map_or(&b"stop"[..], |stop| stop.0);
        put(out, &[b",\"finish_reason\":\"", reason, b"\"}]"]);
        service_tier(out, self.served);
        if let Some(told) = &self.usage {
            out.extend_from_slice(b",\"usage\":");
            usage::write(out, Dialect::OpenaiChat, told, 0);
        }
        out.push(b'}');
        body
    }

    fn messages(&self, exchange: Exchange<'_>) -> Vec<u8> {
        let size: usize = self.parts.iter().map(|part| part.text.len() + 128).sum();
        let mut body = Vec::with_capacity(size + 512);
        let out = &mut body;
        out.push(b'{');
        message_head(out, exchange);
        out.extend_from_slice(b",\"content\":[");
        let from = out.len();
        for (index, part) in (0..).zip(&self.parts) {
            let before = out.len();
            if before > from {
                out.push(b',');
            }
            let began = out.len();
            part.block(out, exchange, index);
            if out.len() == began {
                out.truncate(before);
            }
        }
        out.extend_from_slice(b"],\"stop_reason\":\"");
        let (reason, sequence) = match &self.stop {
            Some((reason, sequence)) => (*reason, sequence.as_deref()),
            None => (&b"end_turn"[..], None),
        };
        put(out, &[reason, b"\",\"stop_sequence\":"]);
        nullable(out, sequence);
        out.extend_from_slice(b",\"usage\":");
        let told = self.usage.unwrap_or_default();
        usage::write(out, Dialect::AnthropicMessages, &told, self.searches);
        out.push(b'}');
        body
    }
}

fn source(annotation: &Annotation<'_>, to_messages: bool) -> Option<Vec<u8>> {
    if to_messages {
        return citation(annotation);
    }
    let mut out = Vec::new();
    annotate(&mut out, annotation).then_some(out)
}

impl Part {
    fn new(part: u32, role: Role) -> Self {
        Self {
            part,
            role,
            text: Vec::new(),
            counted: (0, 0),
            sources: Vec::new(),
            logprobs: Vec::new(),
            seal: None,
        }
    }

    /// The call that it is, if it is one.
    fn call(&self) -> Option<Call<'_>> {
        let Role::Call {
            id,
            name,
            namespace,
            tool,
        } = &self.role
        else {
            return None;
        };
        Some(Call {
            id: Escaped::trusted(id),
            name: Escaped::trusted(name),
            namespace: namespace.as_deref().map(Escaped::trusted),
            tool: *tool,
        })
    }

    fn characters(&mut self) -> u64 {
        let (bytes, before) = self.counted;
        // Texts come in whole characters.
        let more = self.text.get(bytes..).unwrap_or_default();
        let characters = before + Escaped::trusted(more).characters();
        self.counted = (self.text.len(), characters);
        characters
    }

    /// Appends the part as a Messages block, or as two; nothing where it has nothing to say.
    fn block(&self, out: &mut Vec<u8>, exchange: Exchange<'_>, index: u64) {
        match &self.role {
            Role::Text | Role::Refusal => {
                put(out, &[b"{\"type\":\"text\",\"text\":\"", &self.text, b"\""]);
                if !self.sources.is_empty() {
                    put(
                        out,
                        &[b",\"citations\":[", &self.sources.join(&b","[..]), b"]"],
                    );
                }
                out.push(b'}');
            }
            Role::Reasoning => match (&self.seal, self.text.is_empty()) {
                (Some(seal), true) => put(
                    out,
                    &[
                        b"{\"type\":\"redacted_thinking\",\"data\":\"",
                        seal.as_bytes(),
                        b"\"}",
                    ],
                ),
                (None, true) => {}
                (seal, false) => put(
                    out,
                    &[
                        b"{\"type\":\"thinking\",\"thinking\":\"",
                        &self.text,
                        b"\",\"signature\":\"",
                        seal.as_deref().unwrap_or_default().as_bytes(),
                        b"\"}",
                    ],
                ),
            },
            Role::Call { tool, .. } => {
                if let Some(call) = self.call() {
                    begin_block(out, &call);
                }
                self.input(out, *tool == Tool::Custom);
                out.push(b'}');
            }
            Role::Ran(pair) => {
                let id = pair.id(exchange, index);
                pair.called(out, &id, pair.input());
                out.push(b',');
                pair.came(out, &id);
            }
        }
    }

    /// Appends the input of a call: an object, whatever the model wrote.
    fn input(&self, out: &mut Vec<u8>, custom: bool) {
        if custom {
            put(out, &[b"{\"input\":\"", &self.text, b"\"}"]);
        } else {
            let text = Escaped::trusted(&self.text).text();
            arguments(out, text.trim(), &self.text);
        }
    }
}
