//! The Responses dialect over a WebSocket: a client's messages become requests, an answer's events become messages; and
//! the other way round towards vendors that have a WebSocket themselves.
//!
//! One connection carries many responses, one after the other. A request may name the response before it and bring only
//! what is new; the connection's memory makes it whole again, for policies and for whichever vendor is asked.

mod create;
mod fault;
mod memory;
mod messages;
#[cfg(test)]
mod tests;
mod vendor;

pub use create::Create;
pub use fault::{Fault, refusal};
pub use memory::{Memory, Turn};
pub use messages::{Messages, warm_up};
pub use vendor::{Asking, Heard, Refusal, Standing, Unreadable};

/// Puts the name of a client's stream into a message for it.
fn addressed(message: &[u8], lane: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + lane.map_or(0, |lane| lane.len() + 16));
    let (Some(lane), Some((b'{', rest))) = (lane, message.trim_ascii_start().split_first()) else {
        out.extend_from_slice(message);
        return out;
    };
    // Names of streams are letters, digits, `_`, `-` and `.`: nothing to escape.
    out.extend_from_slice(b"{\"stream_id\":\"");
    out.extend_from_slice(lane.as_bytes());
    out.push(b'"');
    if rest.trim_ascii_start().first() != Some(&b'}') {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    out
}
