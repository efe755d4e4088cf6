//! The items of a response that is read, and what was told of them.

use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Annotation, Event, Origin, Search, Sink, word};
use crate::json::walk::Raw;

/// An item and what was told of it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) index: Option<u64>,
    pub(super) id: Vec<u8>,
    pub(super) shape: Shape,
    /// Nothing more is expected of it.
    pub(super) done: bool,
}

#[derive(Debug)]
pub(super) enum Shape {
    /// The parts of its content, by their index.
    Message(Vec<Content>),
    Reasoning {
        part: Option<u32>,
        /// Whether there is text, and whether more of it begins a paragraph.
        told: bool,
        paragraph: bool,
    },
    Call {
        part: Option<u32>,
        told: bool,
    },
    /// What says all it has to say when it is done, or nothing.
    Other,
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) index: u64,
    pub(super) part: u32,
    pub(super) told: bool,
    pub(super) annotated: bool,
    pub(super) open: bool,
}

impl Shape {
    pub(super) fn of(item: Raw<'_>) -> Self {
        match item.get("type").and_then(Raw::inner) {
            Some(b"message") => Self::Message(Vec::new()),
            Some(b"reasoning") => Self::reasoning(),
            Some(b"function_call" | b"custom_tool_call") => Self::Call {
                part: None,
                told: false,
            },
            _ => Self::Other,
        }
    }

    pub(super) fn reasoning() -> Self {
        Self::Reasoning {
            part: None,
            told: false,
            paragraph: false,
        }
    }
}

impl Item {
    pub(super) fn close(&mut self, sink: &mut dyn Sink) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        match &mut self.shape {
            Shape::Message(contents) => contents.iter_mut().for_each(|content| content.close(sink)),
            Shape::Reasoning { part, .. } | Shape::Call { part, .. } => {
                if let Some(part) = *part {
                    sink.event(Event::Close { part });
                }
            }
            Shape::Other => {}
        }
    }
}

impl Content {
    pub(super) fn close(&mut self, sink: &mut dyn Sink) {
        if std::mem::take(&mut self.open) {
            sink.event(Event::Close { part: self.part });
        }
    }
}

pub(super) fn read_annotation(annotation: Raw<'_>) -> Option<Annotation<'_>> {
    let count = |name: &str| annotation.get(name).and_then(Raw::count).unwrap_or(0);
    let origin = match annotation.get("type").and_then(Raw::inner)? {
        b"url_citation" => Origin::Page {
            url: word(annotation, "url"),
            title: word(annotation, "title"),
            passage: Escaped::default(),
        },
        b"file_citation" | b"container_file_citation" => Origin::File {
            id: word(annotation, "file_id"),
            name: word(annotation, "filename"),
            index: count("index"),
        },
        _ => return None,
    };
    Some(Annotation {
        start: count("start_index"),
        end: count("end_index"),
        origin,
    })
}

pub(super) fn read_search(item: Raw<'_>) -> Search<'_> {
    let action = item.get("action");
    let sources = action.and_then(|action| action.get("sources"));
    Search {
        query: action.map_or_else(Escaped::default, |action| word(action, "query")),
        pages: sources
            .into_iter()
            .flat_map(Raw::items)
            .map(|source| (word(source, "url"), word(source, "title")))
            .filter(|(url, _)| !url.is_empty())
            .collect(),
    }
}
