//! Collects a stream into the whole JSON answer, for clients that did not ask for a stream of a vendor that only streams.

mod budget;
mod chat;
mod messages;
mod responses;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::Value;

use self::budget::Budget;
use crate::Operation;
use crate::sse::{self, Splitter};
use crate::stream::first_event_failure;

/// Why a stream gives no whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incomplete {
    /// It ended with a failure event: code and message as the vendor wrote them, and the event's data.
    Failed {
        /// Empty if there was none.
        code: String,
        /// Empty if there was none.
        message: String,
        /// For the provider to classify.
        data: Vec<u8>,
    },
    /// It ended without its terminal event.
    Cut,
    /// An event cannot be read.
    Unreadable(String),
    /// It is larger than the limit given.
    TooLarge,
}

/// Collects one stream, in any chunking.
#[derive(Debug)]
pub struct Aggregator {
    splitter: Splitter,
    collected: Collected,
    /// What went wrong already: nothing that comes later mends it.
    failed: Option<Incomplete>,
}

impl Aggregator {
    /// A collector for a stream that answers `operation` and holds at most `limit` bytes.
    ///
    /// The limit is on what is held, the unfinished event included, and not on what passes: an answer of a megabyte
    /// easily comes in a hundred megabytes of events.
    pub fn new(operation: Operation, limit: usize) -> Self {
        let answer = match operation {
            Operation::ChatCompletions => Answer::Chat(chat::Chat::default()),
            Operation::Responses => Answer::Responses(responses::Responses::default()),
            Operation::Messages => Answer::Messages(messages::Messages::default()),
            Operation::Compact
            | Operation::InputTokens
            | Operation::CountTokens
            | Operation::Embeddings => Answer::NeverStreams,
        };
        Self {
            splitter: Splitter::default(),
            collected: Collected {
                operation,
                budget: Budget::new(limit),
                answer,
                complete: false,
            },
            failed: None,
        }
    }

    /// Takes bytes as they arrived.
    ///
    /// # Errors
    /// The stream cannot become an answer.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Incomplete> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        if self.collected.complete {
            return Ok(());
        }
        let Self {
            splitter,
            collected,
            ..
        } = self;
        let taken = splitter
            .push(chunk, |event| collected.event(event))
            .and_then(|()| collected.budget.has_room_for(splitter.held()));
        if let Err(failed) = &taken {
            self.failed = Some(failed.clone());
        }
        taken
    }

    /// The stream has ended: the whole answer.
    ///
    /// # Errors
    /// The stream cannot become an answer.
    pub fn finish(mut self) -> Result<Bytes, Incomplete> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        // Some vendors forget the last blank line. What was cut off within its data says nothing.
        let tail = self.splitter.rest();
        match self.collected.event(&tail) {
            Ok(()) | Err(Incomplete::Unreadable(_)) => {}
            Err(failed) => return Err(failed),
        }
        let complete = self.collected.complete;
        let answer = match self.collected.answer {
            Answer::Chat(chat) => chat.finish(complete),
            Answer::Messages(messages) if complete => messages.finish(),
            Answer::Responses(responses) if complete => responses.finish(),
            _ => Err(Incomplete::Cut),
        }?;
        Ok(Bytes::from(Value::Object(answer).to_string()))
    }
}

/// Everything but the bytes of the unfinished event.
#[derive(Debug)]
struct Collected {
    operation: Operation,
    budget: Budget,
    answer: Answer,
    /// The terminal event has been seen: what follows is of no interest.
    complete: bool,
}

#[derive(Debug)]
enum Answer {
    Chat(chat::Chat),
    Responses(responses::Responses),
    Messages(messages::Messages),
    NeverStreams,
}

impl Collected {
    fn event(&mut self, event: &[u8]) -> Result<(), Incomplete> {
        let Some(event) = sse::read(event) else {
            return Ok(());
        };
        let data = event.data.trim_ascii();
        if self.complete || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.complete = matches!(self.answer, Answer::Chat(_));
            return Ok(());
        }
        self.budget.has_room_for(data.len())?;
        // The message of a syntax error tells a place, never the text there.
        let read = serde_json::from_slice(data)
            .map_err(|error| unreadable(format!("an event is no JSON: {error}")))?;
        let Value::Object(read) = read else {
            return Err(unreadable("an event is no JSON object"));
        };
        if let Some((code, message)) = first_event_failure(self.operation, data) {
            return Err(Incomplete::Failed {
                code,
                message,
                data: data.to_vec(),
            });
        }
        let budget = &mut self.budget;
        self.complete = match &mut self.answer {
            Answer::Chat(chat) => chat.event(read, budget)?,
            Answer::Responses(responses) => responses.event(read, budget)?,
            Answer::Messages(messages) => messages.event(read, budget)?,
            Answer::NeverStreams => {
                return Err(unreadable(format!(
                    "{} never stream",
                    self.operation.as_str()
                )));
            }
        };
        Ok(())
    }
}

fn unreadable(why: impl Into<String>) -> Incomplete {
    Incomplete::Unreadable(why.into())
}
