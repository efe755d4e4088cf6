//! Writes Chat Completions chunks.

use super::{Exchange, put};
use crate::bridge::answer::escaped::{Escaped, number, string};
use crate::bridge::answer::event::{Annotation, Call, Event, Kind, Origin, Piece, Stop, Tool};
use crate::bridge::answer::usage;
use crate::json::text::quote;
use crate::{Dialect, Usage};

/// A stream under way.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    /// What every chunk begins with, up to its delta.
    head: Vec<u8>,
    parts: Vec<Part>,
    calls: u64,
    stop: Option<&'static [u8]>,
    usage: Option<Usage>,
    /// The service tier, where the vendor says one.
    served: Option<&'static str>,
    /// All of them, for they are told at once: streaming helpers cannot join lists whose members have no index.
    annotations: Vec<u8>,
    /// Whether reasoning was told, and whether more of it begins a paragraph.
    thought: bool,
    paragraph: bool,
    /// Characters of content so far. A client has all texts in one, and counts from the beginning of that.
    said: u64,
}

#[derive(Debug)]
struct Part {
    part: u32,
    role: Role,
    /// Characters of content before it.
    from: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Text,
    Refusal,
    Reasoning,
    Call { index: u64, custom: bool },
}

impl Chat {
    pub(super) fn event(&mut self, exchange: Exchange<'_>, event: Event<'_>, out: &mut Vec<u8>) {
        let usage_null = exchange.context.include_usage;
        let chunk = |chat: &Self, delta: &[&[u8]], logprobs: &[u8], out: &mut Vec<u8>| {
            chat.chunk(delta, logprobs, usage_null, out);
        };
        match event {
            Event::Start { .. } => {
                self.head = head(exchange);
                let delta: &[u8] = b"{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}";
                chunk(self, &[delta], b"", out);
            }
            Event::Open { part, kind } => {
                let role = match kind {
                    Kind::Text => Role::Text,
                    Kind::Refusal => Role::Refusal,
                    Kind::Reasoning => {
                        // A client joins all reasoning into one text. What nobody can read adds nothing to it.
                        self.paragraph = true;
                        Role::Reasoning
                    }
                    Kind::Call(call) => {
                        let index = self.calls;
                        self.calls += 1;
                        let mut delta = b"{\"tool_calls\":[{\"index\":".to_vec();
                        number(&mut delta, index);
                        begin_call(&mut delta, &call, Escaped::default());
                        delta.extend_from_slice(b"}]}");
                        chunk(self, &[&delta], b"", out);
                        Role::Call {
                            index,
                            custom: call.tool == Tool::Custom,
                        }
                    }
                };
                let from = self.said;
                self.parts.push(Part { part, role, from });
            }
            Event::Piece { part, piece } => self.piece(part, piece, usage_null, out),
            Event::Close { .. } | Event::Ran(_) | Event::Fail(_) => {}
            Event::Served(tier) => self.served = Some(tier),
            Event::Stop(stop) => self.stop = Some(finish_reason(&stop, self.calls)),
            Event::Usage(usage) => self.usage = Some(usage),
            Event::End => self.end(exchange, out),
        }
    }

    fn piece(&mut self, part: u32, piece: Piece<'_>, usage_null: bool, out: &mut Vec<u8>) {
        let Some(known) = self.parts.iter().rev().find(|known| known.part == part) else {
            return;
        };
        let (text, logprobs) = match piece {
            Piece::Text(text, logprobs) => (text, logprobs),
            Piece::Paragraph => {
                self.paragraph = true;
                return;
            }
            Piece::Annotation(annotation) => {
                let annotation = annotation.behind(known.from);
                let mut object = Vec::new();
                if annotate(&mut object, &annotation) {
                    if !self.annotations.is_empty() {
                        self.annotations.push(b',');
                    }
                    self.annotations.extend_from_slice(&object);
                }
                return;
            }
            // There is no place for what only its maker can read.
            Piece::Opaque(..) | Piece::Seal(_) => return,
        };
        let (role, escaped) = (known.role, text);
        let text = escaped.bytes();
        match role {
            Role::Text => {
                self.said += escaped.characters();
                self.chunk(
                    &[b"{\"content\":\"", text, b"\"}"],
                    logprobs,
                    usage_null,
                    out,
                );
            }
            Role::Refusal => {
                self.chunk(&[b"{\"refusal\":\"", text, b"\"}"], b"", usage_null, out);
            }
            Role::Reasoning => {
                let begins = std::mem::take(&mut self.paragraph);
                if begins && std::mem::replace(&mut self.thought, true) {
                    self.reason(Escaped::PARAGRAPH, usage_null, out);
                }
                self.reason(escaped, usage_null, out);
            }
            Role::Call { index, custom } => {
                let mut at = Vec::with_capacity(4);
                number(&mut at, index);
                let field: &[u8] = if custom {
                    b",\"custom\":{\"input\":\""
                } else {
                    b",\"function\":{\"arguments\":\""
                };
                let delta = [
                    &b"{\"tool_calls\":[{\"index\":"[..],
                    &at,
                    field,
                    text,
                    b"\"}}]}",
                ];
                self.chunk(&delta, b"", usage_null, out);
            }
        }
    }

    fn reason(&self, text: Escaped<'_>, usage_null: bool, out: &mut Vec<u8>) {
        let delta = [b"{\"reasoning_content\":\"", text.bytes(), b"\"}"];
        self.chunk(&delta, b"", usage_null, out);
    }

    fn chunk(&self, delta: &[&[u8]], logprobs: &[u8], usage_null: bool, out: &mut Vec<u8>) {
        put(out, &[&self.head, b"[{\"index\":0,\"delta\":"]);
        put(out, delta);
        if logprobs.is_empty() {
            out.extend_from_slice(b",\"logprobs\":null,\"finish_reason\":null}]");
        } else {
            put(
                out,
                &[
                    b",\"logprobs\":{\"content\":[",
                    logprobs,
                    b"],\"refusal\":null},\"finish_reason\":null}]",
                ],
            );
        }
        out.extend_from_slice(if usage_null {
            b",\"usage\":null}\n\n"
        } else {
            b"}\n\n"
        });
    }

    /// Bytes of the answer that are held.
    pub(super) fn held(&self) -> usize {
        self.annotations.len()
    }

    fn end(&mut self, exchange: Exchange<'_>, out: &mut Vec<u8>) {
        if !self.annotations.is_empty() {
            let delta: [&[u8]; 3] = [b"{\"annotations\":[", &self.annotations, b"]}"];
            self.chunk(&delta, b"", exchange.context.include_usage, out);
        }
        let reason = self.stop.unwrap_or(b"stop");
        put(
            out,
            &[
                &self.head,
                b"[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"",
                reason,
                b"\"}]",
            ],
        );
        service_tier(out, self.served);
        out.extend_from_slice(if exchange.context.include_usage {
            b",\"usage\":null}\n\n"
        } else {
            b"}\n\n"
        });
        // What nobody told is not told as zero.
        if exchange.context.include_usage
            && let Some(told) = &self.usage
        {
            put(out, &[&self.head, b"[]"]);
            service_tier(out, self.served);
            out.extend_from_slice(b",\"usage\":");
            usage::write(out, Dialect::OpenaiChat, told, 0);
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

fn head(exchange: Exchange<'_>) -> Vec<u8> {
    let mut head = b"data: {\"id\":".to_vec();
    quote(&mut head, &exchange.stamp.id("chatcmpl-"));
    head.extend_from_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
    number(&mut head, exchange.stamp.created);
    head.extend_from_slice(b",\"model\":");
    quote(&mut head, &exchange.context.model);
    head.extend_from_slice(b",\"choices\":");
    head
}

/// Appends the service tier, where the vendor said one.
pub(super) fn service_tier(out: &mut Vec<u8>, served: Option<&str>) {
    if let Some(tier) = served {
        put(out, &[b",\"service_tier\":\"", tier.as_bytes(), b"\""]);
    }
}

/// Appends the rest of a call whose object was begun, but for its closing brace.
pub(super) fn begin_call(out: &mut Vec<u8>, call: &Call<'_>, arguments: Escaped<'_>) {
    // The index in a stream stands before; a whole answer has none.
    out.extend_from_slice(if out.ends_with(b"{") {
        b"\"id\":"
    } else {
        b",\"id\":"
    });
    string(out, call.id);
    let words: [&[u8]; 2] = if call.tool == Tool::Custom {
        [
            b",\"type\":\"custom\",\"custom\":{\"name\":",
            b",\"input\":",
        ]
    } else {
        [
            b",\"type\":\"function\",\"function\":{\"name\":",
            b",\"arguments\":",
        ]
    };
    out.extend_from_slice(words[0]);
    string(out, call.name);
    out.extend_from_slice(words[1]);
    string(out, arguments);
    out.push(b'}');
}

/// Appends an annotation, if the dialect can say it.
pub(super) fn annotate(out: &mut Vec<u8>, annotation: &Annotation<'_>) -> bool {
    let Origin::Page { url, title, .. } = annotation.origin else {
        return false;
    };
    out.extend_from_slice(b"{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":");
    number(out, annotation.start);
    out.extend_from_slice(b",\"end_index\":");
    number(out, annotation.end);
    out.extend_from_slice(b",\"title\":");
    string(out, title);
    out.extend_from_slice(b",\"url\":");
    string(out, url);
    out.extend_from_slice(b"}}");
    true
}

pub(super) fn finish_reason(stop: &Stop<'_>, calls: u64) -> &'static [u8] {
    match stop {
        Stop::Turn | Stop::Sequence(_) if calls > 0 => b"tool_calls",
        Stop::Turn | Stop::Sequence(_) => b"stop",
        Stop::Length | Stop::Pause => b"length",
        Stop::Filter => b"content_filter",
    }
}
