//! Leaves a component alone that times out again and again: each time-out holds up a worker, and with it every tenant
//! whose requests that worker serves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::limits::{SUSPENSION_FIRST, SUSPENSION_LONGEST, TIMEOUTS_IN_A_ROW};
use crate::{ErrorKind, PluginError};

/// What is known of the time-outs of one configured component. Costs a call one load of each flag while all is well.
pub(crate) struct Guard {
    started: Instant,
    /// Milliseconds since `started` up to which nothing is called; 0: not suspended.
    until: AtomicU64,
    /// Whether there is anything to forget after a success.
    marked: AtomicBool,
    row: Mutex<Row>,
}

#[derive(Default)]
struct Row {
    timeouts: u32,
    suspensions: u32,
    /// One call is under way to see whether the component answers again.
    trying: bool,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            until: AtomicU64::new(0),
            marked: AtomicBool::new(false),
            row: Mutex::default(),
        }
    }

    /// Asked before each call.
    ///
    /// # Errors
    /// `Suspended` while the component is left alone.
    pub(crate) fn enter(&self, component: &str) -> Result<(), PluginError> {
        if self.until.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.enter_at(component, self.started.elapsed())
    }

    fn enter_at(&self, component: &str, now: Duration) -> Result<(), PluginError> {
        let now = milliseconds(now);
        let mut row = self.row.lock();
        let until = self.until.load(Ordering::Relaxed);
        if until == 0 {
            return Ok(());
        }
        if now >= until {
            // This call tries for all; the others wait as long again for what becomes of it.
            row.trying = true;
            let span = milliseconds(span(row.suspensions));
            self.until.store(now + span, Ordering::Relaxed);
            return Ok(());
        }
        Err(PluginError::new(
            component,
            ErrorKind::Suspended,
            format!(
                "timed out {} times in a row; it is not called for another {} ms",
                row.timeouts,
                until - now
            ),
        ))
    }

    /// Told after each call what became of it: `None` for an answer.
    pub(crate) fn note(&self, component: &str, failure: Option<ErrorKind>) {
        match failure {
            Some(ErrorKind::Timeout) => self.timed_out_at(component, self.started.elapsed()),
            // Says nothing of the component. (One account's long texts suspended the policy that looked at them, and all
            // others were refused.)
            Some(
                ErrorKind::TooLarge | ErrorKind::Busy | ErrorKind::Host | ErrorKind::Suspended,
            ) => {}
            // A trap is a failure, but a quick one.
            _ => {
                if self.marked.load(Ordering::Relaxed) {
                    self.answered(component);
                }
            }
        }
    }

    fn answered(&self, component: &str) {
        let mut row = self.row.lock();
        if self.until.load(Ordering::Relaxed) != 0 {
            if !row.trying {
                // It began before the component was suspended.
                return;
            }
            tracing::info!(component, "a suspended component answers again");
        }
        *row = Row::default();
        self.until.store(0, Ordering::Relaxed);
        self.marked.store(false, Ordering::Relaxed);
    }

    fn timed_out_at(&self, component: &str, now: Duration) {
        let mut row = self.row.lock();
        self.marked.store(true, Ordering::Relaxed);
        let suspended = self.until.load(Ordering::Relaxed) != 0;
        if suspended && !row.trying {
            // It began before the component was suspended.
            return;
        }
        row.timeouts = row.timeouts.saturating_add(1);
        if row.timeouts < TIMEOUTS_IN_A_ROW {
            return;
        }
        row.trying = false;
        let span = span(row.suspensions);
        row.suspensions = row.suspensions.saturating_add(1);
        self.until
            .store(milliseconds(now + span).max(1), Ordering::Relaxed);
        tracing::warn!(
            component,
            timeouts = row.timeouts,
            suspended_ms = milliseconds(span),
            "a component times out again and again; it is not called for a while"
        );
    }
}

/// Twice as long each time, up to a limit.
fn span(suspensions: u32) -> Duration {
    SUSPENSION_FIRST
        .saturating_mul(1_u32 << suspensions.min(16))
        .min(SUSPENSION_LONGEST)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Duration = Duration::from_secs(10);

    fn suspended() -> Guard {
        let guard = Guard::new();
        for _ in 0..TIMEOUTS_IN_A_ROW {
            assert!(guard.enter_at("c", AT).is_ok());
            guard.timed_out_at("c", AT);
        }
        guard
    }

    #[test]
    fn only_timeouts_in_a_row_suspend() {
        let guard = Guard::new();
        for _ in 0..10 {
            guard.timed_out_at("c", AT);
            guard.timed_out_at("c", AT);
            guard.note("c", None);
        }
        assert!(guard.enter_at("c", AT).is_ok());
        let error = suspended().enter_at("c", AT).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Suspended);
        assert!(error.message.contains("3 times in a row"), "{error}");
    }

    #[test]
    fn one_call_tries_again_and_the_time_doubles_while_it_fails() {
        let guard = suspended();
        let mut now = AT;
        for round in 0..20 {
            let wait = span(round);
            assert!(
                guard
                    .enter_at("c", now + wait - Duration::from_millis(1))
                    .is_err()
            );
            now += wait;
            assert!(guard.enter_at("c", now).is_ok(), "round {round}");
            assert!(
                guard.enter_at("c", now).is_err(),
                "only one tries, round {round}"
            );
            guard.timed_out_at("c", now);
        }
        assert_eq!(span(20), SUSPENSION_LONGEST);
    }

    #[test]
    fn an_answer_ends_it_and_stragglers_change_nothing() {
        let guard = suspended();
        // Both began before the suspension.
        guard.note("c", None);
        guard.timed_out_at("c", AT);
        assert!(guard.enter_at("c", AT).is_err());
        assert!(guard.enter_at("c", AT + SUSPENSION_FIRST).is_ok());
        guard.note("c", None);
        assert!(guard.enter("c").is_ok());
        guard.timed_out_at("c", AT);
        assert!(guard.enter("c").is_ok(), "the row begins anew");
    }
}
