//! The items of a response.

use super::put;
use crate::bridge::ClientTool;
use crate::bridge::answer::escaped::{Escaped, number, string};
use crate::bridge::answer::event::{Annotation, Origin};
use crate::json::scan::is_value;
use crate::json::walk::{Raw, Shape};

/// An item under way.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) part: u32,
    pub(super) index: u64,
    pub(super) role: Role,
    /// The id, and for calls `call_id`, `name` and `namespace`: escaped.
    pub(super) id: Vec<u8>,
    pub(super) call_id: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) namespace: Option<Vec<u8>>,
    /// What every event of its texts has in common: `"item_id":…,"output_index":…`.
    pub(super) place: Vec<u8>,
    pub(super) text: Vec<u8>,
    /// Elements, without brackets.
    pub(super) annotations: Vec<u8>,
    pub(super) annotated: u64,
    pub(super) logprobs: Vec<u8>,
    pub(super) seal: Option<String>,
    /// Whether its first part was announced.
    pub(super) begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Text,
    Refusal,
    Reasoning,
    Function,
    Custom,
    Search,
    /// A call of another tool that the client knows by its type: an item of its own when it is whole.
    Later(ClientTool),
}

impl Role {
    /// The event of its deltas, and what stands in it before the text; nothing where there are none.
    pub(super) const fn delta(self) -> Option<(&'static str, &'static [u8])> {
        const CONTENT: &[u8] = b",\"content_index\":0,\"delta\":\"";
        const SUMMARY: &[u8] = b",\"summary_index\":0,\"delta\":\"";
        const INPUT: &[u8] = b",\"delta\":\"";
        Some(match self {
            Self::Text => ("response.output_text.delta", CONTENT),
            Self::Refusal => ("response.refusal.delta", CONTENT),
            Self::Reasoning => ("response.reasoning_summary_text.delta", SUMMARY),
            Self::Function => ("response.function_call_arguments.delta", INPUT),
            Self::Custom => ("response.custom_tool_call_input.delta", INPUT),
            Self::Search | Self::Later(_) => return None,
        })
    }
}

impl Item {
    /// An item of which nothing is known yet but what it is.
    pub(super) fn new(part: u32, role: Role) -> Self {
        Self {
            part,
            index: 0,
            role,
            id: Vec::new(),
            call_id: Vec::new(),
            name: Vec::new(),
            namespace: None,
            place: Vec::new(),
            text: Vec::new(),
            annotations: Vec::new(),
            annotated: 0,
            logprobs: Vec::new(),
            seal: None,
            begun: false,
        }
    }

    /// Appends the item; `full`: with what is in it.
    pub(super) fn write(&self, out: &mut Vec<u8>, status: &[u8], full: bool) {
        let text: &[u8] = if full { &self.text } else { b"" };
        put(out, &[b"{\"id\":\"", &self.id]);
        match self.role {
            Role::Text | Role::Refusal => {
                put(
                    out,
                    &[
                        b"\",\"type\":\"message\",\"status\":\"",
                        status,
                        b"\",\"role\":\"assistant\",\"content\":[",
                    ],
                );
                if full {
                    self.content(out, true);
                }
                out.extend_from_slice(b"]}");
            }
            Role::Reasoning => {
                out.extend_from_slice(b"\",\"type\":\"reasoning\",\"summary\":[");
                if !text.is_empty() {
                    put(
                        out,
                        &[b"{\"type\":\"summary_text\",\"text\":\"", text, b"\"}"],
                    );
                }
                out.push(b']');
                if let Some(seal) = self.seal.as_deref().filter(|_| full) {
                    put(out, &[b",\"encrypted_content\":\"", seal.as_bytes(), b"\""]);
                }
                out.push(b'}');
            }
            Role::Search => {
                let text = Escaped::trusted(text).text();
                put(
                    out,
                    &[
                        b"\",\"type\":\"tool_search_call\",\"execution\":\"client\",\"status\":\"",
                        status,
                        b"\",\"call_id\":\"",
                        &self.call_id,
                        b"\",\"arguments\":",
                    ],
                );
                arguments(out, text.trim(), if full { &self.text } else { b"" });
                out.push(b'}');
            }
            // Told when it is whole, by what it is called with.
            Role::Later(_) => {}
            Role::Function | Role::Custom => {
                let (kind, input): (&[u8], &[u8]) = if self.role == Role::Custom {
                    (b"custom_tool_call", b"\",\"input\":\"")
                } else {
                    (b"function_call", b"\",\"arguments\":\"")
                };
                put(
                    out,
                    &[
                        b"\",\"type\":\"",
                        kind,
                        b"\",\"status\":\"",
                        status,
                        b"\",\"call_id\":\"",
                        &self.call_id,
                        b"\",\"name\":\"",
                        &self.name,
                    ],
                );
                if let Some(namespace) = &self.namespace {
                    put(out, &[b"\",\"namespace\":\"", namespace]);
                }
                put(out, &[input, text, b"\"}"]);
            }
        }
    }

    /// Appends a message's one part.
    pub(super) fn content(&self, out: &mut Vec<u8>, full: bool) {
        let (text, annotations, logprobs): (&[u8], &[u8], &[u8]) = if full {
            (&self.text, &self.annotations, &self.logprobs)
        } else {
            (b"", b"", b"")
        };
        if self.role == Role::Refusal {
            put(
                out,
                &[b"{\"type\":\"refusal\",\"refusal\":\"", text, b"\"}"],
            );
        } else {
            put(
                out,
                &[
                    b"{\"type\":\"output_text\",\"annotations\":[",
                    annotations,
                    b"],\"logprobs\":[",
                    logprobs,
                    b"],\"text\":\"",
                    text,
                    b"\"}",
                ],
            );
        }
    }
}

/// Appends arguments as an object, whatever the model wrote: `text` is what it wrote, `escaped` the same between the
/// quotes of a string.
pub(super) fn arguments(out: &mut Vec<u8>, text: &str, escaped: &[u8]) {
    let object = Raw::new(text.as_bytes()).shape() == Shape::Object && is_value(text.as_bytes());
    if object {
        out.extend_from_slice(text.as_bytes());
    } else if text.is_empty() {
        out.extend_from_slice(b"{}");
    } else {
        put(out, &[b"{\"arguments\":\"", escaped, b"\"}"]);
    }
}

pub(super) fn write_annotation(out: &mut Vec<u8>, annotation: &Annotation<'_>) {
    match annotation.origin {
        Origin::Page { url, title, .. } => {
            out.extend_from_slice(b"{\"type\":\"url_citation\",\"start_index\":");
            number(out, annotation.start);
            out.extend_from_slice(b",\"end_index\":");
            number(out, annotation.end);
            out.extend_from_slice(b",\"title\":");
            string(out, title);
            out.extend_from_slice(b",\"url\":");
            string(out, url);
        }
        Origin::File { id, name, index } => {
            out.extend_from_slice(b"{\"type\":\"file_citation\",\"file_id\":");
            string(out, id);
            out.extend_from_slice(b",\"filename\":");
            string(out, name);
            out.extend_from_slice(b",\"index\":");
            number(out, index);
        }
    }
    out.push(b'}');
}
