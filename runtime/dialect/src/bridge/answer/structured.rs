//! The answer by the tool that the vendor was made to call: its arguments are the text of the answer, and nothing else
//! is, or the client's parser fails on it.
//!
//! A model may write a text first, or a text alone: so text waits until it is known whether the tool is called.

use super::escaped::Escaped;
use super::event::{Annotation, Event, Kind, Origin, Piece, Sink};

/// What is known of the answer, and the texts that wait.
#[derive(Debug, Default)]
pub(super) struct Structured {
    state: State,
    waiting: Vec<Waiting>,
    /// Bytes in those.
    held: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Texts wait.
    #[default]
    Open,
    /// Something else was told first, or the answer is over: texts are told.
    Told,
    /// The tool was called: no other text is told.
    Answered,
}

#[derive(Debug)]
struct Waiting {
    part: u32,
    /// Escaped.
    text: Vec<u8>,
    sources: Vec<Source>,
    closed: bool,
}

/// Where a stretch of a text that waits comes from.
#[derive(Debug)]
struct Source {
    start: u64,
    end: u64,
    /// Address, title and passage of a page, or id and name of a file.
    words: [Vec<u8>; 3],
    /// Of a file.
    index: Option<u64>,
}

impl Structured {
    /// The tool is called; whether this call is the answer. A second one answers nothing.
    pub(super) fn answers(&mut self) -> bool {
        self.waiting.clear();
        self.held = 0;
        std::mem::replace(&mut self.state, State::Answered) != State::Answered
    }

    /// Begins a text; what becomes of it.
    pub(super) fn begin(&mut self, part: u32) -> State {
        if self.state == State::Open {
            self.waiting.push(Waiting {
                part,
                text: Vec::new(),
                sources: Vec::new(),
                closed: false,
            });
        }
        self.state
    }

    pub(super) fn push(&mut self, part: u32, piece: &Piece<'_>) {
        let Some(text) = self.waiting.iter_mut().find(|text| text.part == part) else {
            return;
        };
        match piece {
            Piece::Text(more, _) => {
                self.held += more.bytes().len();
                text.text.extend_from_slice(more.bytes());
            }
            Piece::Annotation(annotation) => {
                let source = Source::of(annotation);
                let words = source.words.iter().map(Vec::len).sum::<usize>();
                self.held += size_of::<Source>() + words;
                text.sources.push(source);
            }
            Piece::Paragraph | Piece::Opaque(..) | Piece::Seal(_) => {}
        }
    }

    pub(super) fn close(&mut self, part: u32) {
        if let Some(text) = self.waiting.iter_mut().find(|text| text.part == part) {
            text.closed = true;
        }
    }

    /// Tells the texts that wait: something else is told behind them, or nothing comes any more.
    pub(super) fn release(&mut self, sink: &mut dyn Sink) {
        if self.state == State::Open {
            self.state = State::Told;
        }
        self.held = 0;
        for text in self.waiting.drain(..) {
            let part = text.part;
            let kind = Kind::Text;
            sink.event(Event::Open { part, kind });
            if !text.text.is_empty() {
                let piece = Piece::Text(Escaped::trusted(&text.text), b"");
                sink.event(Event::Piece { part, piece });
            }
            for source in &text.sources {
                let piece = Piece::Annotation(source.annotation());
                sink.event(Event::Piece { part, piece });
            }
            if text.closed {
                sink.event(Event::Close { part });
            }
        }
    }

    /// Bytes of the answer that are held.
    pub(super) const fn held(&self) -> usize {
        self.held
    }
}

impl Source {
    fn of(annotation: &Annotation<'_>) -> Self {
        let (words, index) = match annotation.origin {
            Origin::Page {
                url,
                title,
                passage,
            } => ([url, title, passage], None),
            Origin::File { id, name, index } => ([id, name, Escaped::default()], Some(index)),
        };
        Self {
            start: annotation.start,
            end: annotation.end,
            words: words.map(|word| word.bytes().to_vec()),
            index,
        }
    }

    fn annotation(&self) -> Annotation<'_> {
        let [first, second, third] = self.words.each_ref().map(|word| Escaped::trusted(word));
        let origin = match self.index {
            None => Origin::Page {
                url: first,
                title: second,
                passage: third,
            },
            Some(index) => Origin::File {
                id: first,
                name: second,
                index,
            },
        };
        Annotation {
            start: self.start,
            end: self.end,
            origin,
        }
    }
}
