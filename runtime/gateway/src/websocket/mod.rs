//! Responses over a WebSocket: one connection, many requests, each of which goes the way that every request goes.

mod accept;
mod session;
mod vendors;

use tollgate_dialect::Operation;

pub(crate) use accept::{Slot, accept};
pub(crate) use session::serve;
pub(crate) use vendors::{Vendors, send};

/// What is asked for over a WebSocket.
const RESPONSES: Operation = Operation::Responses;
