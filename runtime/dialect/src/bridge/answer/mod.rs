//! A vendor's answer on its way back: read in the vendor's dialect, told in the words of the middle, written in the
//! client's dialect. Streams (`bridge::stream`) use the same readers and writers.

mod escaped;
mod event;
mod failure;
mod mend;
mod middle;
mod read;
mod structured;
mod unwrap;
mod usage;
mod write;

use std::sync::Arc;

use super::{Context, Stamp};
use crate::{ApiError, UsageHints};

pub(crate) use event::{Event, Sink};
pub(crate) use failure::{cut, too_large};
pub(crate) use mend::mended_json;
pub(crate) use middle::Middle;
pub(crate) use read::Reader;
pub(crate) use write::{Exchange, PING, Whole, Writer};

/// A vendor's whole JSON answer as the client's. `hints` say where else the vendor tells usage.
///
/// # Errors
/// The body is no answer, or one that reports a failure.
pub fn answer(
    context: &Context,
    stamp: &Stamp,
    hints: &Arc<UsageHints>,
    body: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let exchange = Exchange { context, stamp };
    let mut whole = Whole::new(context.from);
    let mut middle = Middle::default();
    Reader::new(context.to, hints.clone()).whole(body, &mut |event: Event<'_>| {
        middle.event(context, &stamp.request_id, event, &mut |event: Event<
            '_,
        >| {
            whole.event(exchange, event);
        });
    });
    whole.finish(exchange)
}
