//! The items of a response that is read, and what was told of them.

use super::said::Said;
use crate::bridge::answer::escaped::Escaped;
use crate::bridge::answer::event::{Annotation, Event, Origin, Search, Sink, word};
use crate::json::walk::Raw;

/// An item and what was told of it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) index: Option<u64>,
    pub(super) id: Vec<u8>,
    pub(super) call_id: Vec<u8>,
    pub(super) shape: Shape,
    /// Nothing more is expected of it.
    pub(super) done: bool,
    /// An item of the last snapshot is this one.
    pub(super) claimed: bool,
}

#[derive(Debug)]
pub(super) enum Shape {
    Message(Message),
    Reasoning {
        part: Option<u32>,
        thought: Thought,
    },
    Call {
        part: Option<u32>,
        said: Said,
        /// The arguments that came before the name, escaped.
        early: Vec<u8>,
    },
    /// What says all it has to say when it is done, or nothing.
    Other,
}

/// The parts of a message's content.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) contents: Vec<Content>,
    /// The index of the part that was announced last.
    pub(super) announced: Option<u64>,
}

/// What kind of item it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Message,
    Reasoning,
    Call,
    Other,
}

/// The text of a reasoning item: paragraphs, the last of which may go on.
#[derive(Debug, Default)]
pub(super) struct Thought {
    /// Whether there is text.
    pub(super) told: bool,
    /// Whether more of it begins a paragraph.
    pub(super) paragraph: bool,
    /// The place of the last paragraph among the item's.
    pub(super) index: u64,
    /// What was said of that one.
    pub(super) said: Said,
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) index: u64,
    pub(super) refusal: bool,
    pub(super) part: u32,
    pub(super) said: Said,
    pub(super) annotated: bool,
    pub(super) open: bool,
}

impl Shape {
    pub(super) fn of(item: Raw<'_>) -> Self {
        match item.get("type").and_then(Raw::inner) {
            Some(b"message") => Self::Message(Message::default()),
            Some(b"reasoning") => Self::reasoning(),
            Some(b"function_call" | b"custom_tool_call") => Self::call(),
            _ => Self::Other,
        }
    }

    pub(super) fn call() -> Self {
        Self::Call {
            part: None,
            said: Said::default(),
            early: Vec::new(),
        }
    }

    pub(super) fn reasoning() -> Self {
        Self::Reasoning {
            part: None,
            thought: Thought::default(),
        }
    }

    pub(super) const fn sort(&self) -> Sort {
        match self {
            Self::Message(_) => Sort::Message,
            Self::Reasoning { .. } => Sort::Reasoning,
            Self::Call { .. } => Sort::Call,
            Self::Other => Sort::Other,
        }
    }

    /// Whether it is a call that nobody can be told of yet.
    pub(super) const fn is_nameless(&self) -> bool {
        matches!(self, Self::Call { part: None, .. })
    }
}

impl Message {
    /// The part of this index. One that was not announced goes on with the last one: some vendors count on with each piece.
    pub(super) fn find(&self, index: u64, refusal: bool) -> Option<usize> {
        // Sources say where they stand in their own part.
        let fits = |content: &Content| content.refusal == refusal && !content.annotated;
        self.here(index, refusal).or_else(|| {
            let last = self.contents.len().checked_sub(1)?;
            (self.announced != Some(index) && fits(&self.contents[last])).then_some(last)
        })
    }

    fn here(&self, index: u64, refusal: bool) -> Option<usize> {
        let mut contents = self.contents.iter();
        contents.position(|content| content.index == index && content.refusal == refusal)
    }

    /// The index under which this part of the whole item was told, the `rank`-th that says anything; it is announced where it
    /// was not.
    pub(super) fn index_of(
        &mut self,
        index: u64,
        rank: usize,
        refusal: bool,
        text: Escaped<'_>,
    ) -> u64 {
        if self.here(index, refusal).is_some() {
            return index;
        }
        // Some vendors begin to count elsewhere.
        let told = self
            .contents
            .get(rank)
            .filter(|content| content.refusal == refusal && content.said.rest(text).is_some());
        if let Some(told) = told {
            return told.index;
        }
        self.announced = Some(index);
        index
    }

    /// Whether all of these texts were told as one part.
    pub(super) fn has_said_in_one(&self, texts: &[Escaped<'_>]) -> bool {
        let [content] = self.contents.as_slice() else {
            return false;
        };
        let whole: Vec<u8> = texts
            .iter()
            .flat_map(|text| text.bytes())
            .copied()
            .collect();
        let rest = content.said.rest(Escaped::trusted(&whole));
        texts.len() > 1 && rest.is_some_and(|rest| rest.is_empty())
    }
}

impl Thought {
    /// Takes more of the text, of the paragraph at this place as the vendor counts; whether it begins a paragraph.
    pub(super) fn grow(&mut self, index: u64, text: Escaped<'_>) -> bool {
        let begins = std::mem::take(&mut self.paragraph) && self.told;
        if begins {
            self.said = Said::default();
            // A vendor may count to the end of all numbers.
            self.index = self.index.saturating_add(1);
        }
        self.told = true;
        self.index = self.index.max(index);
        self.said.push(text);
        begins
    }

    /// What the last word on the paragraph at this place has beyond what was told.
    pub(super) fn missing<'a>(&self, index: u64, text: Escaped<'a>) -> Option<Escaped<'a>> {
        match (self.told, self.paragraph) {
            (false, _) => Some(text),
            (true, true) => (index > self.index).then_some(text),
            (true, false) if index == self.index => self.said.rest(text),
            (true, false) => None,
        }
    }
}

impl Item {
    pub(super) fn close(&mut self, sink: &mut dyn Sink) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        match &mut self.shape {
            Shape::Message(message) => {
                let contents = message.contents.iter_mut();
                contents.for_each(|content| content.close(sink));
            }
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

/// What was searched for; nothing where the vendor opened a page or looked for something in one, which is no search.
pub(super) fn read_search(item: Raw<'_>) -> Option<Search<'_>> {
    let action = item.get("action");
    let kind = action.and_then(|action| action.get("type"));
    if kind.is_some_and(|kind| !kind.is_word("search")) {
        return None;
    }
    let sources = action.and_then(|action| action.get("sources"));
    let query = action.map_or_else(Escaped::default, |action| word(action, "query"));
    let queries = action.and_then(|action| action.get("queries"));
    let first = queries
        .into_iter()
        .flat_map(Raw::items)
        .find_map(Escaped::some);
    let search = Search {
        query: match first {
            Some(first) if query.is_empty() => first,
            _ => query,
        },
        pages: sources
            .into_iter()
            .flat_map(Raw::items)
            .map(|source| (word(source, "url"), word(source, "title")))
            .filter(|(url, _)| !url.is_empty())
            .collect(),
    };
    (!search.query.is_empty() || !search.pages.is_empty()).then_some(search)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_begins_behind_the_last_of_all_numbers() {
        let text = Escaped::default();
        let mut thought = Thought::default();
        thought.grow(u64::MAX, text);
        thought.paragraph = true;
        assert!(thought.grow(0, text));
        assert_eq!(thought.index, u64::MAX);
    }
}
