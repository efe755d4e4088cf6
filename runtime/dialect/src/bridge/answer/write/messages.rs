//! Writes Messages events. Blocks come strictly one after the other: of two parts that are open at once the later one
//! is held until the earlier one is whole.

use std::collections::VecDeque;

use super::hold::{Held, HeldKind};
use super::ran::Pair;
use super::{Exchange, put};
use crate::bridge::answer::escaped::{Escaped, escaped, number, string};
use crate::bridge::answer::event::{
    Annotation, Call, Event, Kind, Origin, Piece, Ran, Search, Stop, Tool,
};
use crate::bridge::answer::usage;
use crate::bridge::found;
use crate::json::text::quote;
use crate::{Dialect, Usage};

/// A stream under way.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The index of the next block.
    index: u64,
    current: Option<Current>,
    waiting: VecDeque<Held>,
    held: usize,
    calls: u64,
    refused: bool,
    searches: u64,
    stop: Option<(&'static [u8], Option<Vec<u8>>)>,
    usage: Option<Usage>,
}

/// The block under way.
#[derive(Debug)]
struct Current {
    part: u32,
    role: Role,
    /// Whether its start was written: reasoning that nobody can read is another block than one that can be read, so
    /// its start waits for the first word.
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Text,
    Reasoning,
    Arguments,
    /// A free-form text as the one member of an object.
    Wrapped,
}

impl Messages {
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn event(&mut self, exchange: Exchange<'_>, event: Event<'_>, out: &mut Vec<u8>) {
        match event {
            Event::Start { usage } => start(exchange, usage, out),
            Event::Open { part, kind } => {
                match kind {
                    Kind::Call(_) => self.calls += 1,
                    Kind::Refusal => self.refused = true,
                    Kind::Text | Kind::Reasoning => {}
                }
                if self.current.is_none() {
                    self.open(part, kind, out);
                } else {
                    self.wait(Held::new(part, HeldKind::of(kind)));
                }
            }
            Event::Piece { part, piece } => match &mut self.current {
                Some(current) if current.part == part => self.piece(piece, out),
                _ => self.hold(part, piece),
            },
            Event::Close { part } => self.close(part, out),
            Event::Ran(ran) => {
                self.searches += u64::from(matches!(ran, Ran::Search(_)));
                let pair = Pair::of(&ran, &exchange.context.family);
                if self.current.is_none() {
                    self.ran(exchange, &pair, out);
                } else {
                    self.wait(Held::new(u32::MAX, HeldKind::Ran(Box::new(pair))));
                }
            }
            Event::Stop(stop) => self.stop = Some(stop_reason(&stop, self.calls, self.refused)),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.end(out),
            Event::Served(_) | Event::Fail(_) => {}
        }
        while self.current.is_none()
            && let Some(held) = self.waiting.pop_front()
        {
            self.release(exchange, &held, out);
        }
    }

    fn wait(&mut self, held: Held) {
        self.held += held.bytes();
        self.waiting.push_back(held);
    }

    fn hold(&mut self, part: u32, piece: Piece<'_>) {
        let Some(held) = self.waiting.iter_mut().find(|held| held.part == part) else {
            return;
        };
        // Counted as it comes: to count all of the part's again for each piece was quadratic in its citations.
        self.held += match piece {
            Piece::Text(text, _) => {
                held.text.extend_from_slice(text.bytes());
                text.bytes().len()
            }
            Piece::Paragraph => {
                held.text.extend_from_slice(Escaped::PARAGRAPH.bytes());
                Escaped::PARAGRAPH.bytes().len()
            }
            Piece::Annotation(annotation) => {
                let citation = citation(&annotation);
                let bytes = citation.as_ref().map_or(0, Vec::len);
                held.citations.extend(citation);
                bytes
            }
            Piece::Seal(seal) => {
                held.seal = Some(seal.to_owned());
                seal.len()
            }
            Piece::Opaque(..) => 0,
        };
    }

    fn release(&mut self, exchange: Exchange<'_>, held: &Held, out: &mut Vec<u8>) {
        self.held = self.held.saturating_sub(held.bytes());
        let kind = match &held.kind {
            HeldKind::Ran(pair) => return self.ran(exchange, pair, out),
            kind => kind.kind(),
        };
        let Some(kind) = kind else {
            return;
        };
        self.open(held.part, kind, out);
        if !held.text.is_empty() {
            self.piece(Piece::Text(Escaped::trusted(&held.text), b""), out);
        }
        for citation in &held.citations {
            self.cite(citation, out);
        }
        if let Some(seal) = &held.seal {
            self.piece(Piece::Seal(seal), out);
        }
        if held.closed {
            self.close(held.part, out);
        }
    }

    fn open(&mut self, part: u32, kind: Kind<'_>, out: &mut Vec<u8>) {
        let role = match kind {
            Kind::Text | Kind::Refusal => Role::Text,
            Kind::Reasoning => Role::Reasoning,
            Kind::Call(call) if call.tool == Tool::Custom => Role::Wrapped,
            Kind::Call(_) => Role::Arguments,
        };
        match kind {
            Kind::Text | Kind::Refusal => {
                self.block(&[b"{\"type\":\"text\",\"text\":\"\"}"], out);
            }
            Kind::Call(call) => {
                let mut block = Vec::new();
                begin_call(&mut block, &call);
                self.block(&[&block, b"{}}"], out);
            }
            Kind::Reasoning => {}
        }
        self.current = Some(Current {
            part,
            role,
            begun: role != Role::Reasoning,
        });
        if role == Role::Wrapped {
            self.delta(
                &[b"{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"input\\\":\\\"\"}"],
                out,
            );
        }
    }

    fn piece(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        let Some(current) = &mut self.current else {
            return;
        };
        let text = match piece {
            Piece::Text(text, _) => text,
            Piece::Paragraph => Escaped::PARAGRAPH,
            Piece::Annotation(annotation) => {
                if let Some(citation) = citation(&annotation) {
                    self.cite(&citation, out);
                }
                return;
            }
            Piece::Seal(seal) => return self.seal(seal, out),
            Piece::Opaque(..) => return,
        };
        match current.role {
            Role::Text => self.delta(
                &[
                    b"{\"type\":\"text_delta\",\"text\":\"",
                    text.bytes(),
                    b"\"}",
                ],
                out,
            ),
            Role::Reasoning => {
                if !std::mem::replace(&mut current.begun, true) {
                    self.block(&[THINKING], out);
                }
                self.delta(
                    &[
                        b"{\"type\":\"thinking_delta\",\"thinking\":\"",
                        text.bytes(),
                        b"\"}",
                    ],
                    out,
                );
            }
            Role::Arguments => self.delta(
                &[
                    b"{\"type\":\"input_json_delta\",\"partial_json\":\"",
                    text.bytes(),
                    b"\"}",
                ],
                out,
            ),
            Role::Wrapped => {
                let twice = escaped(&String::from_utf8_lossy(text.bytes()));
                self.delta(
                    &[
                        b"{\"type\":\"input_json_delta\",\"partial_json\":\"",
                        &twice,
                        b"\"}",
                    ],
                    out,
                );
            }
        }
    }

    /// The mark of reasoning that can be read stands behind it; where nothing can be read it is a block of its own.
    fn seal(&mut self, seal: &str, out: &mut Vec<u8>) {
        let Some(current) = &mut self.current else {
            return;
        };
        if current.role != Role::Reasoning {
            return;
        }
        let seal = seal.as_bytes();
        if current.begun {
            self.delta(
                &[
                    b"{\"type\":\"signature_delta\",\"signature\":\"",
                    seal,
                    b"\"}",
                ],
                out,
            );
        } else {
            current.begun = true;
            self.block(
                &[b"{\"type\":\"redacted_thinking\",\"data\":\"", seal, b"\"}"],
                out,
            );
        }
    }

    fn cite(&self, citation: &[u8], out: &mut Vec<u8>) {
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.role == Role::Text)
        {
            self.delta(
                &[
                    b"{\"type\":\"citations_delta\",\"citation\":",
                    citation,
                    b"}",
                ],
                out,
            );
        }
    }

    fn close(&mut self, part: u32, out: &mut Vec<u8>) {
        match self.current.take_if(|current| current.part == part) {
            Some(current) => {
                if current.role == Role::Wrapped {
                    self.delta(
                        &[b"{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"}\"}"],
                        out,
                    );
                }
                if current.begun {
                    self.stop_block(out);
                }
            }
            None => {
                if let Some(held) = self.waiting.iter_mut().find(|held| held.part == part) {
                    held.closed = true;
                }
            }
        }
    }

    fn block(&self, block: &[&[u8]], out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":",
        );
        number(out, self.index);
        out.extend_from_slice(b",\"content_block\":");
        put(out, block);
        out.extend_from_slice(b"}\n\n");
    }

    fn delta(&self, delta: &[&[u8]], out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
        );
        number(out, self.index);
        out.extend_from_slice(b",\"delta\":");
        put(out, delta);
        out.extend_from_slice(b"}\n\n");
    }

    fn stop_block(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":",
        );
        number(out, self.index);
        out.extend_from_slice(b"}\n\n");
        self.index += 1;
    }

    fn ran(&mut self, exchange: Exchange<'_>, pair: &Pair, out: &mut Vec<u8>) {
        let id = pair.id(exchange, self.index);
        let mut block = Vec::new();
        pair.called(&mut block, &id, b"{}");
        self.block(&[&block], out);
        let input = escaped(&String::from_utf8_lossy(pair.input()));
        self.delta(
            &[
                b"{\"type\":\"input_json_delta\",\"partial_json\":\"",
                &input,
                b"\"}",
            ],
            out,
        );
        self.stop_block(out);
        block.clear();
        pair.came(&mut block, &id);
        self.block(&[&block], out);
        self.stop_block(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let (reason, sequence) = self.stop.take().unwrap_or((b"end_turn", None));
        put(
            out,
            &[
                b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"",
                reason,
                b"\",\"stop_sequence\":",
            ],
        );
        nullable(out, sequence.as_deref());
        out.extend_from_slice(b"},\"usage\":");
        let told = self.usage.unwrap_or_default();
        usage::write_final_delta(out, &told, self.searches);
        out.extend_from_slice(b"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    }
}

const THINKING: &[u8] = b"{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}";

/// A sign of life between two events.
pub(crate) const PING: &[u8] = b"event: ping\ndata: {\"type\":\"ping\"}\n\n";

fn start(exchange: Exchange<'_>, usage: Option<Usage>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{");
    message_head(out, exchange);
    out.extend_from_slice(
        b",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":",
    );
    let told = usage.unwrap_or_default();
    usage::write(out, Dialect::AnthropicMessages, &told, 0);
    out.extend_from_slice(b"}}\n\n");
}

/// Appends the first members of a message object.
pub(super) fn message_head(out: &mut Vec<u8>, exchange: Exchange<'_>) {
    out.extend_from_slice(b"\"id\":");
    quote(out, &exchange.stamp.id("msg_"));
    out.extend_from_slice(b",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    quote(out, &exchange.context.model);
}

/// Appends escaped text as a string, or null.
pub(super) fn nullable(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => string(out, Escaped::trusted(text)),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a call up to its input. One of a set names it, as the client's dialect knows it by both.
pub(super) fn begin_call(out: &mut Vec<u8>, call: &Call<'_>) {
    put(
        out,
        &[
            b"{\"type\":\"tool_use\",\"id\":\"",
            call.id.bytes(),
            b"\",\"name\":\"",
            call.name.bytes(),
        ],
    );
    if let Some(set) = call.namespace {
        put(
            out,
            &[
                b"\",\"toolset_name\":\"",
                set.bytes(),
                b"\",\"caller\":{\"type\":\"direct\"},\"input\":",
            ],
        );
    } else {
        out.extend_from_slice(b"\",\"input\":");
    }
}

/// Appends the results of a search, without brackets.
pub(super) fn pages_found(out: &mut Vec<u8>, search: &Search<'_>) {
    for (at, (url, title)) in search.pages.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put(
            out,
            &[
                b"{\"type\":\"web_search_result\",\"url\":\"",
                url.bytes(),
                b"\",\"title\":\"",
                title.bytes(),
                b"\",\"encrypted_content\":\"",
                found::ENCRYPTED.as_bytes(),
                b"\",\"page_age\":null}",
            ],
        );
    }
}

/// An annotation as a citation, if the dialect can say it.
pub(super) fn citation(annotation: &Annotation<'_>) -> Option<Vec<u8>> {
    let Origin::Page {
        url,
        title,
        passage,
    } = annotation.origin
    else {
        return None;
    };
    let mut out = b"{\"type\":\"web_search_result_location\",\"cited_text\":".to_vec();
    string(&mut out, passage);
    put(
        &mut out,
        &[
            b",\"encrypted_index\":\"",
            found::ENCRYPTED.as_bytes(),
            b"\",\"title\":",
        ],
    );
    string(&mut out, title);
    out.extend_from_slice(b",\"url\":");
    string(&mut out, url);
    out.push(b'}');
    Some(out)
}

/// The reason, and the sequence where one stopped the answer.
pub(super) fn stop_reason(
    stop: &Stop<'_>,
    calls: u64,
    refused: bool,
) -> (&'static [u8], Option<Vec<u8>>) {
    let reason: &[u8] = match stop {
        Stop::Turn if calls > 0 => b"tool_use",
        Stop::Turn if refused => b"refusal",
        Stop::Turn => b"end_turn",
        Stop::Length => b"max_tokens",
        Stop::Sequence(_) => b"stop_sequence",
        Stop::Filter => b"refusal",
        Stop::Pause => b"pause_turn",
    };
    let sequence = match stop {
        Stop::Sequence(Some(sequence)) => Some(sequence.bytes().to_vec()),
        _ => None,
    };
    (reason, sequence)
}
