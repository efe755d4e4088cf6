//! Lets the other requests of this turn go first.
//!
//! Requests arrive in handfuls: one look at the sockets finds dozens. Written as soon as each is ready, every one wakes
//! its peer from sleep; written together, the first wakes it and the others find it awake. A wake-up costs the sender
//! 3 to 4 µs on a virtual machine.

use std::future::poll_fn;
use std::task::Poll;

/// Comes back after the tasks that are ready now. Waits for nothing: alone, it is back at once (0.1 µs).
pub(crate) async fn pass() {
    let mut passed = false;
    poll_fn(|context| {
        if passed {
            return Poll::Ready(());
        }
        passed = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
