//! Ends a request exactly once, whatever happens to it: charges it, writes its usage row, counts it, tells observers.
//!
//! A [`Settlement`] is opened when a request has been admitted. Closing it says how the request ended; dropping it (the
//! client went away, a task was cancelled, a panic) settles what is known by then, so that no path forgets a charge.

use std::cell::RefMut;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use http::Response;
use tollgate_dialect::{ApiError, ErrorKind, StreamSummary, Usage};
use tollgate_governance::{Admission, Headroom, Price, Running, charge};
use tollgate_plugin::Interface;

use crate::deliver;
use crate::identify::no_such_key;
use crate::metrics::Finished;
use crate::reply::Reply;
use crate::request::{Refusal, Request};
use crate::route::Candidate;
use crate::underway::Place;
use crate::views::OutcomeFacts;
use crate::worker::Worker;

mod open;
mod outcome;
#[cfg(test)]
mod tests;

pub(crate) use open::{Open, Progress, tokens};
pub(crate) use outcome::Outcome;

use open::{Amounts, milliseconds};

/// A request whose key was killed when it had been admitted. It counts against the limits of requests, so its row must say
/// so: counted until the next start and not after it, it was refused first and let in then.
pub(crate) struct Killed(Settlement);

impl Killed {
    /// Gives back what is held, writes the row and says so.
    pub(crate) fn refuse(self, request: &Request) -> Response<Reply> {
        deliver::refused(request, no_such_key().into(), Usage::default(), self.0)
    }
}

/// An admitted request that has not ended yet.
pub(crate) struct Settlement {
    worker: Rc<Worker>,
    open: Option<Place>,
}

impl Settlement {
    /// Opens the settlement of an admitted request, unless its key was killed since it was looked up: policies and the wait
    /// for a place take their time, and a worker looks for answers to end once for each key.
    ///
    /// # Errors
    /// The key does not work any more.
    pub(crate) fn begin(
        worker: &Rc<Worker>,
        request: &mut Request,
        admission: Option<Admission>,
        started: Instant,
    ) -> Result<Self, Killed> {
        let killed = worker.control.kills().since(&mut request.kills_seen);
        let settlement = Self::open(worker, request, admission, started);
        match killed.contains(&request.caller.id()) {
            true => Err(Killed(settlement)),
            false => Ok(settlement),
        }
    }

    /// Opens a settlement.
    fn open(
        worker: &Rc<Worker>,
        request: &mut Request,
        admission: Option<Admission>,
        started: Instant,
    ) -> Self {
        worker.shard().opened();
        let observers = request
            .policies
            .with(Interface::Observation)
            .cloned()
            .collect();
        let open = Open {
            id: request.id,
            operation: request.operation,
            beside: request.beside.is_some(),
            word: request.word(),
            free: request.is_free(),
            caller: Arc::clone(&request.caller),
            requested: Arc::clone(&request.requested),
            model: Arc::clone(&request.served),
            capped: request.capped.is_some(),
            stream: request.facts.stream,
            session: request.facts.session.clone(),
            tags: std::mem::take(&mut request.tags),
            acts: std::mem::take(&mut request.acts),
            observers,
            admission,
            started,
            first_byte: None,
            input_estimate: request.facts.input_chars_estimate.div_ceil(4),
            route: None,
            price: Price::default(),
            factor: request.caller.path.price_factor(),
            attempts: 0,
            beat: None,
            sent: false,
            streamed: 0,
            journaled: None,
            exhausted_at: None,
            killed: false,
            waker: None,
        };
        Self {
            worker: Rc::clone(worker),
            open: Some(worker.underway.enter(open)),
        }
    }

    /// An attempt begins.
    pub(crate) fn attempt(&mut self, route: &Candidate, price: Option<&Price>) {
        if let Some(mut open) = self.open_mut() {
            open.route = Some(Arc::clone(route));
            open.price = price.cloned().unwrap_or_default();
            open.attempts += 1;
            open.beat = Some(route.upstream.pulse.begin());
            open.sent = false;
            // What another vendor streamed before it broke off is not this one's.
            open.streamed = 0;
        }
    }

    /// Nothing of this attempt was sent, as the request itself was found wanting here. What the row names is whom the
    /// request was sent to before, or nobody: reports tell by that what was refused here from what failed at a vendor.
    pub(crate) fn unsent(&mut self, before: Option<&Candidate>) {
        if let Some(mut open) = self.open_mut() {
            open.route = before.map(Arc::clone);
            open.price = Price::default();
            open.beat = None;
        }
    }

    /// The request is on its way to the vendor: from here on an abort costs its input.
    pub(crate) fn sent(&mut self) {
        if let Some(mut open) = self.open_mut() {
            open.sent = true;
        }
    }

    /// Whether this attempt was sent to its vendor.
    pub(crate) fn is_sent(&self) -> bool {
        self.open_mut().is_some_and(|open| open.sent)
    }

    /// The vendor's answer has begun.
    pub(crate) fn answered(&mut self) {
        if let Some(mut open) = self.open_mut() {
            let took = open.started.elapsed();
            open.first_byte = Some(took);
            // What is only looked up comes sooner than any answer.
            if let Some(route) = open.route.as_ref().filter(|_| !open.beside) {
                route.upstream.pulse.first_byte(took);
            }
        }
    }

    /// So many bytes of output text have been streamed. An answer that outgrows its hold is held for anew; says
    /// otherwise where no budget has room and the account wants such answers cut.
    pub(crate) fn progress(&self, output_bytes: u64) -> Progress {
        match self.open_mut() {
            Some(mut open) => {
                open.streamed = output_bytes;
                open.extend(|| self.worker.now_ms())
            }
            None => Progress::GoOn,
        }
    }

    /// Whether somebody wants the answer to end now; if not, whom to wake when that changes.
    pub(crate) fn is_killed(&self, context: &Context<'_>) -> bool {
        let Some(mut open) = self.open_mut() else {
            return false;
        };
        let waker = context.waker();
        if !open
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            open.waker = Some(waker.clone());
        }
        open.killed
    }

    /// When the request was admitted, and the caller's own limits right after.
    pub(crate) fn headroom(&self) -> Option<(u64, Headroom)> {
        let open = self.open.as_ref()?.open.borrow();
        let admission = open.admission.as_ref()?;
        Some((admission.admitted_ms(), admission.headroom()))
    }

    fn open_mut(&self) -> Option<RefMut<'_, Open>> {
        self.open.as_ref().map(|place| place.open.borrow_mut())
    }

    /// What is charged when the vendor did not say: the estimated input, and what was streamed at four bytes a token.
    pub(crate) fn estimate(&self, output_bytes: u64) -> Usage {
        match &self.open {
            Some(place) => place.open.borrow().estimate(output_bytes),
            None => Usage::default(),
        }
    }

    /// What is charged for a stream.
    pub(crate) fn used(&self, stream: &StreamSummary) -> Usage {
        match stream.usage {
            Some(told) if stream.usage_is_whole => told,
            told => self.part_way(told, stream.output_bytes_estimate),
        }
    }

    /// What is charged for a stream that did not reach its end: what the vendor told so far counts where it is more than
    /// the estimate, as the beginning of a stream tells little or nothing of the end (some vendors say 0 there).
    pub(crate) fn part_way(&self, told: Option<Usage>, output_bytes: u64) -> Usage {
        let estimate = self.estimate(output_bytes);
        let Some(told) = told else { return estimate };
        let input = match tokens(&told).total_input() {
            0 => estimate.input,
            _ => told.input,
        };
        Usage {
            input,
            output: told.output.max(estimate.output),
            estimated: true,
            ..told
        }
    }

    /// Ends the request. What comes back keeps its place under limits of concurrency until its answer has left.
    pub(crate) fn close(self, outcome: Outcome) -> Option<Running> {
        let worker = Rc::clone(&self.worker);
        let running = self.close_unwritten(outcome);
        worker.write_rows();
        running
    }

    /// As [`Settlement::close`], but whoever hands the answer on calls [`Worker::write_rows`] before its client sees the last
    /// byte: one write is made for all that end in a turn. (Each alone cost a request 0.75 µs.)
    pub(crate) fn close_unwritten(mut self, outcome: Outcome) -> Option<Running> {
        self.settle(outcome)
    }

    fn settle(&mut self, mut outcome: Outcome) -> Option<Running> {
        let place = self.open.take()?;
        let mut open = self.worker.underway.leave(place)?;
        if is_absurd(&outcome.usage) {
            let told = tokens(&outcome.usage);
            tracing::error!(request = %open.id, ?told, "no request has so many tokens: the estimate is charged");
            outcome.usage = open.estimate(open.streamed);
        }
        let tokens = tokens(&outcome.usage);
        let charge = charge(&open.price, &tokens, open.factor);
        let now_ms = self.worker.now_ms();
        if let Some(policy) = &outcome.denied_by {
            let denials = self.worker.control.denials();
            denials.note(policy, &open.caller, &outcome.error, now_ms);
        }
        let mut amounts = Amounts {
            admitted_ms: now_ms,
            hold: 0,
            counted: false,
            charge,
            tokens,
            total: open.started.elapsed(),
        };
        let (mut ledger, mut running) = (Vec::new(), None);
        if let Some(admission) = open.admission.take() {
            amounts.admitted_ms = admission.admitted_ms();
            amounts.hold = admission.hold();
            amounts.counted = true;
            let settled;
            (settled, running) = admission.settle_running(tokens.total(), charge.charged, now_ms);
            if let Some(entry) = settled.entry {
                entry.encode(&mut ledger);
            }
        }
        if outcome.recorded {
            let row = open.row(&outcome, &amounts, now_ms);
            let mut journal = self.worker.journal.borrow_mut();
            journal.buffer_final(&row, &ledger);
            if journal.is_failing() {
                self.worker.shard().late_row();
                let charged = charge.charged;
                tracing::error!(request = %open.id, charged, "a usage row is not on the disk yet");
            }
        }
        let shard = self.worker.shard();
        match open.beside {
            true => shard.looked_up(open.operation, outcome.ended),
            false => shard.finished(&Finished {
                operation: open.operation,
                provider: open
                    .route
                    .as_ref()
                    .map(|route| route.upstream.provider_place),
                ended: outcome.ended,
                usage: outcome.usage,
                charged: charge.charged,
                first_byte_ms: open.first_byte.map(milliseconds),
                total_ms: milliseconds(amounts.total),
            }),
        }
        observe(&open, &outcome, charge.charged, amounts.total);
        running
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some(place) = &self.open {
            let streamed = place.open.borrow().streamed;
            let usage = self.estimate(streamed);
            self.settle(match std::thread::panicking() {
                true => Outcome::defect(usage),
                false => Outcome::cancelled(usage),
            });
            self.worker.write_rows();
        }
    }
}

/// Writes the row of a request that was refused before it was admitted: an operator wants to see who runs into what.
pub(crate) fn refused(
    worker: &Rc<Worker>,
    request: &mut Request,
    refusal: Refusal,
    status: u16,
    started: Instant,
) {
    let outcome = Outcome::refused(status, refusal, Usage::default());
    uncounted(worker, request, outcome, started);
}

/// Writes the row of a request that counts against no limit: it was refused, or answered out of what is kept here.
pub(crate) fn uncounted(
    worker: &Rc<Worker>,
    request: &mut Request,
    outcome: Outcome,
    started: Instant,
) {
    if !worker.journal.borrow_mut().has_room() {
        // Rows that cannot be written are kept in memory: those of what was charged, not those of every refusal.
        worker.shard().refused(request.operation, outcome.status);
        return;
    }
    let key = request.caller.id();
    let recorded = worker
        .refusals
        .borrow_mut()
        .may_keep(key, 0, worker.now_ms());
    let settlement = Settlement::open(worker, request, None, started);
    settlement.close(Outcome {
        recorded,
        ..outcome
    });
}

/// Nothing is left to pay for more of an answer. What has come of it is charged; the rest is not bought any more.
pub(crate) fn exhausted() -> Refusal {
    let error = ApiError::new(
        ErrorKind::QuotaExceeded,
        "the budget is used up; the answer was ended here",
    );
    Refusal {
        reason: "budget-exhausted".to_owned(),
        ..Refusal::from(error)
    }
}

/// No vendor has a window of so many tokens, nor a hundredth of it: with a figure like that, charged, one broken answer would
/// empty every wallet and spoil the sums of a year.
const ABSURD: u64 = 100_000_000;

fn is_absurd(usage: &Usage) -> bool {
    tokens(usage).total() > ABSURD
}

fn observe(open: &Open, outcome: &Outcome, charged: u64, total: Duration) {
    if open.observers.is_empty() {
        return;
    }
    let usage = &outcome.usage;
    let facts = Arc::new(OutcomeFacts {
        request_id: open.id.to_string(),
        status: outcome.status,
        model: open.requested.to_string(),
        upstream: match (&open.route, open.first_byte) {
            (Some(route), Some(_)) => route.upstream.name.clone(),
            // The last one that was asked did not answer.
            _ => String::new(),
        },
        input_tokens: tokens(usage).total_input(),
        output_tokens: usage.output,
        charged,
        duration_ms: milliseconds(total),
        account_path: {
            let nodes = open.caller.path.nodes().iter();
            nodes.map(|node| node.account.name.clone()).collect()
        },
    });
    for policy in &open.observers {
        if let Some(guest) = &policy.guest
            && let Err(error) = guest.observe(Arc::<OutcomeFacts>::clone(&facts))
        {
            tracing::warn!(policy = policy.id, %error, "an observer failed");
        }
    }
}
