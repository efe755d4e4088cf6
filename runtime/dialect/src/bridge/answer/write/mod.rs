//! Writers: what the middle tells, in the client's dialect. Streams event by event; whole answers at their end.

mod chat;
mod client_tool;
mod hold;
mod item;
mod messages;
mod ran;
mod response;
mod responses;
mod whole;

use super::event::Event;
use crate::bridge::{Context, Stamp};
use crate::{ApiError, Dialect};

pub(crate) use messages::PING;
pub(crate) use whole::Whole;

/// The writer of one stream.
#[derive(Debug)]
pub(crate) enum Writer {
    Chat(chat::Chat),
    Responses(Box<responses::Responses>),
    Messages(Box<messages::Messages>),
}

/// What a writer knows of the exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange<'a> {
    pub(crate) context: &'a Context,
    pub(crate) stamp: &'a Stamp,
}

impl Writer {
    pub(crate) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenaiResponses => Self::Responses(Box::new(responses::Responses::new(true))),
            Dialect::AnthropicMessages => Self::Messages(Box::default()),
            Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => Self::Chat(chat::Chat::default()),
        }
    }

    pub(crate) fn event(&mut self, exchange: Exchange<'_>, event: Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Chat(chat) => chat.event(exchange, event, out),
            Self::Responses(responses) => responses.event(exchange, event, out),
            Self::Messages(messages) => messages.event(exchange, event, out),
        }
    }

    /// Bytes of the answer that are held.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Chat(chat) => chat.held(),
            Self::Responses(responses) => responses.held(),
            Self::Messages(messages) => messages.held(),
        }
    }

    /// Ends the stream with a failure.
    pub(crate) fn fail(&mut self, exchange: Exchange<'_>, error: &ApiError, out: &mut Vec<u8>) {
        match self {
            Self::Responses(responses) => responses.fail(exchange, error, out),
            Self::Chat(_) | Self::Messages(_) => out.extend_from_slice(&crate::stream_error(
                exchange.context.from,
                error,
                &exchange.stamp.request_id,
                &crate::StreamPosition::default(),
            )),
        }
    }
}

/// Appends pieces one after the other.
fn put(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}
