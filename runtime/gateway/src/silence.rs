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
    heard: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    /// Begins to listen for stretches of silence.
    pub(crate) fn over(stretch: Duration) -> Self {
        let (heard, stretch) = (Instant::now(), stretch.max(LEAST));
        Self {
            stretch,
            heard,
            timer: Box::pin(sleep_until(heard + stretch)),
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
            self.timer.as_mut().reset(self.heard + self.stretch);
            if silent {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Whether a stretch of silence has passed; if so, the next begins.
    fn passed(&mut self, now: Instant) -> bool {
        let silent = now.saturating_duration_since(self.heard) >= self.stretch;
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
        let mut silence = Silence::over(Duration::from_secs(15));
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
