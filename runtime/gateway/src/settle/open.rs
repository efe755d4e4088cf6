//! What is known of a request that has not ended yet: enough to charge it at any moment, and to write its row.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use tollgate_dialect::{Operation, Usage};
use tollgate_governance::{
    Admission, Caller, Charge, Factor, KeyId, OnExhaust, PolicyAct, Price, Tokens, UsageRow,
    charge, hold_dearest,
};
use tollgate_store::JournalWriter;
use uuid::Uuid;

use super::outcome::Outcome;
use crate::pulse::Beat;
use crate::route::Candidate;
use crate::snapshot::Policy;

/// What is known of a request so far.
pub(crate) struct Open {
    pub(super) id: Uuid,
    pub(super) operation: Operation,
    /// See [`Request::beside`].
    pub(super) beside: bool,
    /// See [`Request::word`].
    pub(super) word: &'static str,
    /// See [`Request::is_free`].
    pub(super) free: bool,
    pub(super) caller: Arc<Caller>,
    pub(super) requested: Arc<str>,
    /// The model that is served, by its own name.
    pub(super) model: Arc<str>,
    /// See [`Request::capped`].
    pub(super) capped: bool,
    pub(super) stream: bool,
    pub(super) session: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) acts: Vec<Arc<Policy>>,
    pub(super) observers: Vec<Arc<Policy>>,
    pub(super) admission: Option<Admission>,
    pub(super) started: Instant,
    pub(super) first_byte: Option<Duration>,
    /// Estimated input tokens: what is charged when the vendor was asked and never told.
    pub(super) input_estimate: u64,
    pub(super) route: Option<Candidate>,
    pub(super) price: Price,
    pub(super) factor: Factor,
    pub(super) attempts: u32,
    pub(super) beat: Option<Beat>,
    pub(super) sent: bool,
    /// Bytes of output text that were streamed so far.
    pub(super) streamed: u64,
    /// How much of that the journal knows, and since when; none if it does not know the request.
    pub(super) journaled: Option<(u64, Duration)>,
    /// A budget had no room for more than is held when so much had been streamed, bytes.
    pub(super) exhausted_at: Option<u64>,
    /// Somebody wants the answer to end now.
    pub(super) killed: bool,
    /// Wakes the answer's stream.
    pub(super) waker: Option<Waker>,
}

/// Whether an answer may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    GoOn,
    /// Nothing is left to pay for more of it.
    Cut,
}

/// How often the progress of a stream is noted: what a killed process under-charges is at most what was streamed since.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// An answer that outgrows what counted of it counts so much more at once, tokens: counting takes the lock that all requests take.
const COUNTED_AHEAD: u64 = 1_024;

/// What a request comes to.
pub(super) struct Amounts {
    pub(super) admitted_ms: u64,
    pub(super) hold: u64,
    /// It was admitted, and so counts against the limits.
    pub(super) counted: bool,
    pub(super) charge: Charge,
    pub(super) tokens: Tokens,
    pub(super) total: Duration,
}

impl Open {
    pub(super) fn estimate(&self, output_bytes: u64) -> Usage {
        if self.free {
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
    pub(super) fn extend(&mut self, now_ms: impl Fn() -> u64) -> Progress {
        let Some(admission) = &mut self.admission else {
            return Progress::GoOn;
        };
        let streamed = self.streamed.div_ceil(4);
        // Limits of tokens count what is longer than expected while it comes, whatever money is held for it.
        if streamed > admission.counted_output() {
            admission.grow(streamed.saturating_add(COUNTED_AHEAD), now_ms());
        }
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

    pub(super) fn row<'a>(
        &'a self,
        outcome: &'a Outcome,
        amounts: &Amounts,
        now_ms: u64,
    ) -> UsageRow<'a> {
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
            operation: Cow::Borrowed(self.word),
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
                .chain(&outcome.denied_by)
                .map(|policy| PolicyAct {
                    component: Cow::Borrowed(&policy.component),
                    digest: policy.digest(),
                })
                .collect(),
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

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
