//! Event streams: read on the side, filtered, checked before the first byte is committed.

mod delta;
mod filter;
mod first;
mod last_response;
mod tap;

pub use filter::StreamFilter;
pub(crate) use first::failure;
pub use first::{Commit, commit_check, first_event_failure, sniff_event_stream};
pub use last_response::LastResponse;
pub(crate) use tap::event_type;
pub use tap::{Ended, StreamSummary, StreamTap};
