//! A text of Messages with its sources.
//!
//! Vendors cut a text into blocks where its sources change; the pieces are one text. The sources of a block are told when
//! it ends, for only then it is known how far they reach.

use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Annotation, Event, Origin, Piece, Sink, word};
use crate::json::walk::Raw;

/// A text under way.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) part: u32,
    characters: u64,
    /// Where the block at hand began.
    from: u64,
    sources: Vec<Source>,
}

/// A source, its words escaped: address, title and passage of a page; id and name of a file.
#[derive(Debug)]
pub(super) struct Source {
    file: bool,
    words: [Vec<u8>; 3],
    index: u64,
}

/// So many sources of one block are told before it ends.
const MOST_SOURCES: usize = 64;

impl Source {
    /// A citation's source, if it has an address.
    pub(super) fn read(citation: Raw<'_>) -> Option<Self> {
        let [url, source, file] = ["url", "source", "file_id"].map(|name| word(citation, name));
        let url = if url.is_empty() { source } else { url };
        let (first, title) = if url.is_empty() {
            (file, "document_title")
        } else {
            (url, "title")
        };
        let words = [first, word(citation, title), word(citation, "cited_text")];
        let index = citation.get("document_index").and_then(Raw::count);
        (!first.is_empty()).then(|| Self {
            file: url.is_empty(),
            words: words.map(|word| word.bytes().to_vec()),
            index: index.unwrap_or(0),
        })
    }
}

impl Text {
    pub(super) fn new(part: u32) -> Self {
        Self {
            part,
            ..Self::default()
        }
    }

    pub(super) fn grow(&mut self, piece: Escaped<'_>) {
        self.characters += piece.characters();
    }

    pub(super) fn cite(&mut self, source: Source, sink: &mut dyn Sink) {
        self.sources.push(source);
        if self.sources.len() >= MOST_SOURCES {
            self.annotate(sink);
        }
    }

    pub(super) fn end_block(&mut self, sink: &mut dyn Sink) {
        self.annotate(sink);
        self.from = self.characters;
    }

    pub(super) fn annotate(&mut self, sink: &mut dyn Sink) {
        for source in self.sources.drain(..) {
            let [first, second, third] = source.words.each_ref().map(|word| Escaped::trusted(word));
            let origin = if source.file {
                Origin::File {
                    id: first,
                    name: second,
                    index: source.index,
                }
            } else {
                Origin::Page {
                    url: first,
                    title: second,
                    passage: third,
                }
            };
            let piece = Piece::Annotation(Annotation {
                start: self.from,
                end: self.characters,
                origin,
            });
            let part = self.part;
            sink.event(Event::Piece { part, piece });
        }
    }
}
