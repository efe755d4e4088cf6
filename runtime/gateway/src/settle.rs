//! Ends a request exactly once, whatever happens to it: charges it, writes its usage row, counts it, tells observers.
//!
//! A [`Settlement`] is opened when a request has been admitted. Closing it says how the request ended; dropping it (the
//! client went away, a task was cancelled, a panic) settles what is known by then, so that no path forgets a charge.

use std::borrow::Cow;
use std::cell::RefMut;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tollgate_dialect::{Operation, StreamSummary, Usage};
use tollgate_governance::{
    Admission, Caller, Charge, Factor, Headroom, KeyId, OnExhaust, Price, Running, Tokens,
    UsageRow, charge, hold_dearest,
};
use tollgate_plugin::Interface;
use tollgate_store::JournalWriter;
use uuid::Uuid;

use crate::metrics::{Ended, Finished};
use crate::pulse::Beat;
use crate::request::{Act, Refusal, Request};
use crate::route::Candidate;
use crate::snapshot::Policy;
use crate::underway::Place;
use crate::views::OutcomeFacts;
use crate::worker::Worker;

#[cfg(test)]
mod tests;

/// What the status of a request is whose client went away, as nginx has it.
const CLIENT_CLOSED: u16 = 499;

/// An admitted request that has not ended yet.
pub(crate) struct Settlement {
    worker: Rc<Worker>,
    open: Option<Place>,
}

/// What is known of a request so far.
pub(crate) struct Open {
    id: Uuid,
    operation: Operation,
    caller: Arc<Caller>,
    requested: Box<str>,
    /// The model that is served, by its own name.
    model: Box<str>,
    /// See [`Request::capped`].
    capped: bool,
    stream: bool,
    session: Option<String>,
    tags: Vec<(String, String)>,
    acts: Vec<Act>,
    observers: Vec<Arc<Policy>>,
    admission: Option<Admission>,
    started: Instant,
    first_byte: Option<Duration>,
    /// Estimated input tokens: what is charged when the vendor was asked and never told.
    input_estimate: u64,
    route: Option<Candidate>,
    price: Price,
    factor: Factor,
    attempts: u32,
    beat: Option<Beat>,
    sent: bool,
    /// Bytes of output text that were streamed so far.
    streamed: u64,
    /// How much of that the journal knows, and since when; none if it does not know the request.
    journaled: Option<(u64, Duration)>,
    /// A budget had no room for more than is held when so much had been streamed, bytes.
    exhausted_at: Option<u64>,
    /// Somebody wants the answer to end now.
    killed: bool,
    /// Wakes the answer's stream.
    waker: Option<Waker>,
}

/// Whether an answer may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    GoOn,
    /// Nothing is left to pay for more of it.
    Cut,
}

/// How a request ended.
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    /// The status the client got.
    pub(crate) status: u16,
    pub(crate) usage: Usage,
    /// The kind of failure; empty if none.
    pub(crate) error: Cow<'static, str>,
    pub(crate) limited_by: String,
    /// Whether it leaves a row: all do but refusals of a key that has left too many.
    pub(crate) recorded: bool,
}

impl Settlement {
    /// Opens the settlement of an admitted request.
    pub(crate) fn open(
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
            caller: Arc::clone(&request.caller),
            requested: request.requested.clone(),
            model: request.served.clone(),
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

    /// The request is on its way to the vendor: from here on an abort costs its input.
    pub(crate) fn sent(&mut self) {
        if let Some(mut open) = self.open_mut() {
            open.sent = true;
        }
    }

    /// The vendor's answer has begun.
    pub(crate) fn answered(&mut self) {
        if let Some(mut open) = self.open_mut() {
            let took = open.started.elapsed();
            open.first_byte = Some(took);
            if let Some(route) = &open.route {
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
    pub(crate) fn close(mut self, outcome: Outcome) -> Option<Running> {
        self.settle(outcome)
    }

    fn settle(&mut self, outcome: Outcome) -> Option<Running> {
        let place = self.open.take()?;
        let mut open = self.worker.underway.leave(place)?;
        let tokens = tokens(&outcome.usage);
        let charge = charge(&open.price, &tokens, open.factor);
        let now_ms = self.worker.now_ms();
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
        // Written before the client sees its last byte. A row that cannot be written is kept and tried again, and no
        // new request is admitted meanwhile.
        let written = match outcome.recorded {
            true => {
                let row = open.row(&outcome, &amounts, now_ms);
                self.worker.journal.borrow_mut().append(&row, &ledger)
            }
            false => Ok(()),
        };
        if let Err(error) = written {
            self.worker.shard().late_row();
            tracing::error!(request = %open.id, charged = charge.charged, %error, "a usage row is not on the disk yet");
        }
        self.worker.shard().finished(&Finished {
            operation: open.operation,
            ended: outcome.ended,
            usage: outcome.usage,
            charged: charge.charged,
            first_byte_ms: open.first_byte.map(milliseconds),
            total_ms: milliseconds(amounts.total),
        });
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
        }
    }
}

impl Outcome {
    /// The client got everything.
    pub(crate) fn complete(status: u16, usage: Usage) -> Self {
        Self {
            ended: Ended::Status(status),
            status,
            usage,
            error: Cow::Borrowed(""),
            limited_by: String::new(),
            recorded: true,
        }
    }

    /// The client got an error. Failed attempts cost no tokens.
    pub(crate) fn failed(status: u16, error: impl Into<Cow<'static, str>>) -> Self {
        Self {
            error: error.into(),
            ..Self::complete(status, Usage::default())
        }
    }

    /// A defect of ours ended it.
    pub(crate) fn defect(usage: Usage) -> Self {
        Self {
            usage,
            ..Self::failed(500, "internal")
        }
    }

    /// The client went away in the middle.
    pub(crate) fn cancelled(usage: Usage) -> Self {
        Self {
            ended: Ended::Cancelled,
            error: Cow::Borrowed("client-closed"),
            ..Self::complete(CLIENT_CLOSED, usage)
        }
    }

    /// The stream failed after it had begun.
    pub(crate) fn failed_in_stream(
        status: u16,
        usage: Usage,
        error: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            ended: Ended::FailedInStream,
            error: error.into(),
            ..Self::complete(status, usage)
        }
    }
}

/// Writes the row of a request that was refused before it was admitted: an operator wants to see who runs into what.
pub(crate) fn refused(
    worker: &Rc<Worker>,
    request: &mut Request,
    refusal: &Refusal,
    status: u16,
    started: Instant,
) {
    if !worker.journal.borrow().has_room() {
        // Rows that cannot be written are kept in memory: those of what was charged, not those of every refusal.
        worker.shard().refused(request.operation, status);
        return;
    }
    let key = request.caller.id();
    let recorded = worker
        .refusals
        .borrow_mut()
        .may_keep(key, 0, worker.now_ms());
    let mut settlement = Settlement::open(worker, request, None, started);
    settlement.settle(Outcome {
        limited_by: refusal.limited_by.clone(),
        recorded,
        ..Outcome::failed(status, refusal.reason.clone())
    });
}

/// How often the progress of a stream is noted: what a killed process under-charges is at most what was streamed since.
const CHECKPOINT: Duration = Duration::from_secs(1);

struct Amounts {
    admitted_ms: u64,
    hold: u64,
    /// It was admitted, and so counts against the limits.
    counted: bool,
    charge: Charge,
    tokens: Tokens,
    total: Duration,
}

impl Open {
    fn estimate(&self, output_bytes: u64) -> Usage {
        if self.operation.counts() {
            // Counting is free at every vendor that offers it, and nothing is held for it.
            return Usage::default();
        }
        Usage {
            input: if self.sent { self.input_estimate } else { 0 },
            output: output_bytes.div_ceil(4),
            estimated: true,
            ..Usage::default()
        }
    }

    /// Notes the request in the journal as it would be charged if the process were killed now: what was streamed, or
    /// else its hold. Says whether there was anything new to note.
    pub(crate) fn note(&mut self, journal: &mut JournalWriter, due: Duration, now_ms: u64) -> bool {
        let Some(admission) = &self.admission else {
            return false;
        };
        let total = self.started.elapsed();
        let known = self
            .journaled
            .is_some_and(|(streamed, at)| streamed == self.streamed || total < at + CHECKPOINT);
        if total < due || !self.sent || known {
            return false;
        }
        let usage = self.estimate(self.streamed);
        let tokens = tokens(&usage);
        let mut charge = charge(&self.price, &tokens, self.factor);
        if self.streamed == 0 {
            charge.charged = admission.hold();
        }
        let mut ledger = Vec::new();
        if let Some(entry) = admission.preview(charge.charged, now_ms).entry {
            entry.encode(&mut ledger);
        }
        let amounts = Amounts {
            admitted_ms: admission.admitted_ms(),
            hold: admission.hold(),
            counted: true,
            charge,
            tokens,
            total,
        };
        let outcome = Outcome {
            usage,
            ..Outcome::failed(500, "gateway-stopped")
        };
        let row = UsageRow {
            recovered: true,
            ..self.row(&outcome, &amounts, now_ms)
        };
        journal.buffer_hold(&row, &ledger);
        self.journaled = Some((self.streamed, total));
        true
    }

    /// Holds for more output before what is held for is used up, a slice at a time.
    fn extend(&mut self, now_ms: impl FnOnce() -> u64) -> Progress {
        let Some(admission) = &mut self.admission else {
            return Progress::GoOn;
        };
        let streamed = self.streamed.div_ceil(4);
        // Three quarters: a stream that comes fast must not outrun its hold while it is looked at. A capped one cannot.
        if self.capped || streamed * 4 < admission.output() * 3 {
            return Progress::GoOn;
        }
        let path = &self.caller.path;
        let slice = path.default_output();
        let again = self
            .exhausted_at
            .is_none_or(|at| self.streamed.saturating_sub(at) >= slice / 2);
        if again {
            let output = admission.output().max(streamed).saturating_add(slice);
            let prices = std::iter::once(&self.price);
            let hold = hold_dearest(prices, self.input_estimate, output, self.factor).unwrap_or(0);
            let extended = admission.extend(path, &self.model, output, hold, now_ms());
            self.exhausted_at = extended.is_err().then_some(self.streamed);
        }
        // What is held is paid for: an answer is cut where that ends, not before.
        let spent = streamed >= admission.output();
        match (self.exhausted_at, path.on_exhaust()) {
            (Some(_), OnExhaust::Cut) if spent => Progress::Cut,
            _ => Progress::GoOn,
        }
    }

    /// Ends the answer soon if it was asked for with this key.
    pub(crate) fn kill(&mut self, key: KeyId) {
        if self.caller.id() == key
            && !std::mem::replace(&mut self.killed, true)
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    fn row<'a>(&'a self, outcome: &'a Outcome, amounts: &Amounts, now_ms: u64) -> UsageRow<'a> {
        let path = &self.caller.path;
        let route = self.route.as_ref();
        let own = self.tags.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        let tags = path.tags().into_iter().chain(own);
        let of = |text: fn(&Candidate) -> &str| Cow::Borrowed(route.map_or("", text));
        UsageRow {
            request: self.id,
            admitted_ms: amounts.admitted_ms,
            ended_ms: now_ms,
            path: Cow::Owned(path.ids()),
            names: Cow::Owned(path.names()),
            tags: tags
                .map(|(name, value)| (Cow::from(name), Cow::from(value)))
                .collect(),
            key: self.caller.id(),
            key_label: Cow::Borrowed(self.caller.label()),
            operation: Cow::Borrowed(self.operation.as_str()),
            dialect: Cow::Borrowed(self.operation.dialect().as_str()),
            dialect_out: match route {
                Some(route) => Cow::Borrowed(route.spoken(self.operation).dialect().as_str()),
                None => Cow::Borrowed(""),
            },
            requested_model: Cow::Borrowed(&self.requested),
            mapped_model: match self.model == self.requested {
                true => Cow::Borrowed(""),
                false => Cow::Borrowed(&self.model),
            },
            upstream_model: of(|route| &route.model),
            provider: of(|route| &route.upstream.provider_id),
            upstream: of(|route| &route.upstream.name),
            credential: of(|route| route.upstream.credential_name.as_deref().unwrap_or("")),
            stream: self.stream,
            status: outcome.status,
            error: Cow::Borrowed(&outcome.error),
            limited_by: Cow::Borrowed(&outcome.limited_by),
            counted: amounts.counted,
            tokens: amounts.tokens,
            estimated: outcome.usage.estimated,
            base_cost: amounts.charge.base,
            factor: self.factor,
            price_version: Cow::Borrowed(&self.price.version),
            charged: amounts.charge.charged,
            hold: amounts.hold,
            ttfb_ms: self.first_byte.map(milliseconds),
            total_ms: milliseconds(amounts.total),
            retries: self.attempts.saturating_sub(1),
            session: Cow::Borrowed(self.session.as_deref().unwrap_or_default()),
            recovered: false,
            policies: self
                .acts
                .iter()
                .map(|act| tollgate_governance::PolicyAct {
                    component: Cow::Borrowed(&act.component),
                    digest: act.digest,
                })
                .collect(),
        }
    }
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

pub(crate) fn tokens(usage: &Usage) -> Tokens {
    Tokens {
        input: usage.input,
        cache_read: usage.cache_read,
        cache_write_5m: usage.cache_write_5m,
        cache_write_1h: usage.cache_write_1h,
        output: usage.output,
        reasoning: usage.reasoning,
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
