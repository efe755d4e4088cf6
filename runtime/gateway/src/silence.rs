//! Tells how long a vendor has been silent in the middle of a stream.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// So long may a vendor think before its client is told that somebody is still there. Anthropic itself pings every few
/// seconds; clients and proxies between give up after a minute.
const SILENCE: Duration = Duration::from_secs(15);

/// A watch over one stream.
pub(crate) struct Silence {
    heard: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    /// Begins to listen.
    pub(crate) fn new() -> Self {
        let heard = Instant::now();
        Self {
            heard,
            timer: Box::pin(sleep_until(heard + SILENCE)),
        }
    }

    /// Something was said. The timer is left as it is: it is set anew when it fires, not at every event.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    /// Ready whenever another stretch of silence has passed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            let silent = self.passed(Instant::now());
            self.timer.as_mut().reset(self.heard + SILENCE);
            if silent {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Whether a stretch of silence has passed; if so, the next begins.
    fn passed(&mut self, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.heard) >= SILENCE;
        if silent {
            self.heard = now;
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_stretch_of_silence_is_told_once_and_words_begin_it_anew() {
        let mut silence = Silence::new();
        let start = silence.heard;
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!silence.passed(after(14)));
        assert!(silence.passed(after(15)));
        assert!(!silence.passed(after(29)));
        silence.heard = after(29);
        assert!(!silence.passed(after(43)));
        assert!(silence.passed(after(44)));
        assert!(silence.passed(after(59)));
        assert!(!silence.passed(start), "a clock that runs backwards");
    }
}
