//! Tells how long a vendor has been silent in the middle of a stream.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// No stretch is shorter, whatever the configuration says.
const LEAST: Duration = Duration::from_millis(100);

/// A watch over one stream.
pub(crate) struct Silence {
    stretch: Duration,
    /// Nothing until somebody has to wait: a stream that is there to its end needs neither clock nor timer.
    waiting: Option<Waiting>,
}

struct Waiting {
    heard: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    /// A watch for stretches of silence, from the first wait on.
    pub(crate) fn over(stretch: Duration) -> Self {
        Self {
            stretch: stretch.max(LEAST),
            waiting: None,
        }
    }

    /// Something was said. The timer is left as it is: it is set anew when it fires, not at every event.
    pub(crate) fn heard(&mut self) {
        if let Some(waiting) = &mut self.waiting {
            waiting.heard = Instant::now();
        }
    }

    /// Ready whenever another stretch of silence has passed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let stretch = self.stretch;
        let waiting = self
            .waiting
            .get_or_insert_with(|| Waiting::from(Instant::now(), stretch));
        while waiting.timer.as_mut().poll(context).is_ready() {
            let silent = waiting.passed(Instant::now(), stretch);
            waiting.timer.as_mut().reset(waiting.heard + stretch);
            if silent {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl Waiting {
    fn from(heard: Instant, stretch: Duration) -> Self {
        Self {
            heard,
            timer: Box::pin(sleep_until(heard + stretch)),
        }
    }

    /// Whether a stretch of silence has passed; if so, the next begins.
    fn passed(&mut self, now: Instant, stretch: Duration) -> bool {
        let silent = now.saturating_duration_since(self.heard) >= stretch;
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
        let (start, stretch) = (Instant::now(), Duration::from_secs(15));
        let mut waiting = Waiting::from(start, stretch);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!waiting.passed(after(14), stretch));
        assert!(waiting.passed(after(15), stretch));
        assert!(!waiting.passed(after(29), stretch));
        waiting.heard = after(29);
        assert!(!waiting.passed(after(43), stretch));
        assert!(waiting.passed(after(44), stretch));
        assert!(waiting.passed(after(59), stretch));
        assert!(
            !waiting.passed(start, stretch),
            "a clock that runs backwards"
        );
    }
}
