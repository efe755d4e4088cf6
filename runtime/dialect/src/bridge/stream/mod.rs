//! A vendor's stream as the client's, in any chunking.

use std::sync::Arc;

use super::answer::{Event, Exchange, Middle, PING, Reader, Writer, cut, too_large};
use super::{Context, Stamp};
use crate::sse::{self, Splitter};
use crate::{ApiError, Dialect, UsageHints};

/// How the vendor's stream came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// It was closed in order.
    Closed,
    /// It broke, took too long, or was given up, for this reason.
    Failed(ApiError),
}

/// The bridge of one stream.
///
/// What is told is written at once, but for what cannot be said yet:
/// - an event is read when it is whole;
/// - a Responses client is told each text again when it is whole, and the whole output at the end: the answer is held once;
/// - a Messages client is told one block after the other: of calls that a vendor tells intertwined the later one waits
///   until the earlier one's arguments are whole;
/// - a call waits for its name, which may come in pieces, and for its id, until something else follows its whole
///   arguments or the answer ends;
/// - where a tool stands in for a schema, text waits until it is known whether that tool is called.
///
/// `limit` bounds the bytes of all of these together: a stream that needs more ends with a failure.
#[derive(Debug)]
pub struct StreamBridge {
    context: Context,
    stamp: Stamp,
    limit: usize,
    splitter: Splitter,
    state: State,
}

#[derive(Debug)]
struct State {
    reader: Reader,
    middle: Middle,
    writer: Writer,
    /// The client's terminal event was written.
    ended: bool,
}

impl StreamBridge {
    /// A bridge for the answer to the request that `context` is of. `hints` say where else the vendor tells usage.
    pub fn new(context: Context, stamp: Stamp, hints: Arc<UsageHints>, limit: usize) -> Self {
        let state = State {
            reader: Reader::new(context.to, hints),
            middle: Middle::default(),
            writer: Writer::new(context.from),
            ended: false,
        };
        Self {
            context,
            stamp,
            limit,
            splitter: Splitter::default(),
            state,
        }
    }

    /// Takes bytes as they arrived; appends what the client is to get.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Self {
            context,
            stamp,
            limit,
            splitter,
            state,
        } = self;
        if state.ended {
            return;
        }
        let exchange = Exchange { context, stamp };
        // The error only ends the split: the client has been told.
        let _ = splitter.push(bytes, |event| {
            state.event(exchange, event, *limit, out);
            if state.ended { Err(()) } else { Ok(()) }
        });
        // What is held is held together: the event that is not whole yet comes on top of what was told.
        if !state.ended && splitter.held() + state.held() > *limit {
            state.fail(exchange, &too_large(), out);
        }
    }

    /// Takes a whole JSON answer, which some vendors give where they were asked for a stream; appends the client's
    /// stream. Nothing else may have been pushed.
    pub fn whole(&mut self, body: &[u8], out: &mut Vec<u8>) {
        let Self {
            context,
            stamp,
            limit,
            state,
            ..
        } = self;
        let exchange = Exchange { context, stamp };
        if !state.ended {
            state.tell(exchange, *limit, out, |reader, sink| {
                reader.whole(body, sink)
            });
        }
    }

    /// The vendor's stream has ended; appends the client's terminal event if that was not written yet.
    pub fn finish(&mut self, upstream: &Upstream, out: &mut Vec<u8>) {
        let Self {
            context,
            stamp,
            limit,
            splitter,
            state,
        } = self;
        if state.ended {
            return;
        }
        let exchange = Exchange { context, stamp };
        let rest = splitter.rest();
        // Some vendors forget the last blank line. What was cut off within its data says nothing.
        if let Some(event) = sse::read(&rest)
            && (event.data.trim_ascii() == b"[DONE]"
                || crate::json::scan::is_value(event.data.trim_ascii()))
        {
            state.event(exchange, &rest, *limit, out);
        }
        if state.ended {
            return;
        }
        match upstream {
            Upstream::Closed => {
                state.tell(exchange, *limit, out, Reader::closed);
                if !state.ended {
                    state.fail(exchange, &cut(), out);
                }
            }
            Upstream::Failed(error) => state.fail(exchange, error, out),
        }
    }

    /// Whether the client's terminal event has been written: nothing follows it.
    pub fn is_ended(&self) -> bool {
        self.state.ended
    }

    /// Bytes held of the answer, of which `limit` is the most. What it repeats of the request is beside it ([`Context::echo`]).
    pub fn held(&self) -> usize {
        self.splitter.held() + self.state.held()
    }
}

/// What tells a client of this dialect that somebody is there: an event that it overlooks, or a comment.
#[must_use]
pub const fn sign_of_life(dialect: Dialect) -> &'static [u8] {
    match dialect {
        Dialect::AnthropicMessages => PING,
        _ => b": keep-alive\n\n",
    }
}

impl State {
    fn event(&mut self, exchange: Exchange<'_>, event: &[u8], limit: usize, out: &mut Vec<u8>) {
        let Some(event) = sse::read(event) else {
            return;
        };
        self.tell(exchange, limit, out, |reader, sink| {
            reader.event(event.name, &event.data, sink);
        });
    }

    fn tell(
        &mut self,
        exchange: Exchange<'_>,
        limit: usize,
        out: &mut Vec<u8>,
        read: impl FnOnce(&mut Reader, &mut dyn super::answer::Sink),
    ) {
        let Self {
            reader,
            middle,
            writer,
            ..
        } = self;
        let (mut failed, mut ended) = (None, false);
        let mut sink = |event: Event<'_>| {
            let context = exchange.context;
            middle.event(
                context,
                &exchange.stamp.request_id,
                event,
                &mut |event: Event<'_>| match event {
                    Event::Fail(error) => failed = Some(error),
                    event => {
                        ended |= matches!(event, Event::End);
                        writer.event(exchange, event, out);
                    }
                },
            );
        };
        read(reader, &mut sink);
        self.ended |= ended;
        if self.ended {
            return;
        }
        if let Some(error) = failed {
            self.fail(exchange, &error, out);
        } else if self.held() > limit {
            self.fail(exchange, &too_large(), out);
        }
    }

    fn held(&self) -> usize {
        self.reader.held() + self.middle.held() + self.writer.held()
    }

    fn fail(&mut self, exchange: Exchange<'_>, error: &ApiError, out: &mut Vec<u8>) {
        self.writer.fail(exchange, error, out);
        self.ended = true;
    }
}
