//! Ends a request exactly once, whatever happens to it: charges it, writes its usage row, counts it, tells observers.
//!
//! A [`Settlement`] is opened when a request has been admitted. Closing it says how the request ended; dropping it (the
//! client went away, a task was cancelled, a panic) settles what is known by then, so that no path forgets a charge.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_dialect::{Operation, Usage};
use tollgate_governance::{Admission, Caller, Price, Tokens, UsageRow, cost};
use tollgate_plugin::Interface;
use uuid::Uuid;

use crate::metrics::{Ended, Finished};
use crate::pulse::Beat;
use crate::request::{Act, Refusal, Request};
use crate::route::Candidate;
use crate::snapshot::Policy;
use crate::views::OutcomeFacts;
use crate::worker::Worker;

/// What the status of a request is whose client went away, as nginx has it.
const CLIENT_CLOSED: u16 = 499;

/// An admitted request that has not ended yet.
pub(crate) struct Settlement {
    worker: Rc<Worker>,
    open: Option<Box<Open>>,
}

struct Open {
    id: Uuid,
    operation: Operation,
    caller: Arc<Caller>,
    requested: Box<str>,
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
    attempts: u32,
    beat: Option<Beat>,
    sent: bool,
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
        Self {
            worker: Rc::clone(worker),
            open: Some(Box::new(Open {
                id: request.id,
                operation: request.operation,
                caller: Arc::clone(&request.caller),
                requested: request.requested.clone(),
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
                attempts: 0,
                beat: None,
                sent: false,
            })),
        }
    }

    /// An attempt begins.
    pub(crate) fn attempt(&mut self, route: &Candidate, price: Option<&Price>) {
        if let Some(open) = &mut self.open {
            open.route = Some(Arc::clone(route));
            open.price = price.copied().unwrap_or_default();
            open.attempts += 1;
            open.beat = Some(route.upstream.pulse.begin());
            open.sent = false;
        }
    }

    /// The request is on its way to the vendor: from here on an abort costs its input.
    pub(crate) fn sent(&mut self) {
        if let Some(open) = &mut self.open {
            open.sent = true;
        }
    }

    /// The vendor's answer has begun.
    pub(crate) fn answered(&mut self) {
        if let Some(open) = &mut self.open {
            let took = open.started.elapsed();
            open.first_byte = Some(took);
            if let Some(route) = &open.route {
                route.upstream.pulse.first_byte(took);
            }
        }
    }

    /// The admission, for the caller's rate-limit headers.
    pub(crate) fn admission(&self) -> Option<&Admission> {
        self.open.as_ref()?.admission.as_ref()
    }

    /// What is charged when the vendor did not say: the estimated input, and what was streamed at four bytes a token.
    pub(crate) fn estimate(&self, output_bytes: u64) -> Usage {
        let input = self
            .open
            .as_ref()
            .filter(|open| open.sent)
            .map_or(0, |open| open.input_estimate);
        Usage {
            input,
            output: output_bytes.div_ceil(4),
            estimated: true,
            ..Usage::default()
        }
    }

    /// What is charged for a stream that did not reach its end: what the vendor told so far counts where it is more than
    /// the estimate, as the beginning of a stream tells little or nothing of the end (some vendors say 0 there).
    pub(crate) fn part_way(&self, told: Option<Usage>, output_bytes: u64) -> Usage {
        let estimate = self.estimate(output_bytes);
        let Some(told) = told else { return estimate };
        let input = match told.input + told.cache_read + told.cache_write_5m + told.cache_write_1h {
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

    /// Ends the request.
    pub(crate) fn close(mut self, outcome: Outcome) {
        self.settle(outcome);
    }

    fn settle(&mut self, outcome: Outcome) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let tokens = tokens(&outcome.usage);
        let charged = cost(&open.price, &tokens);
        let (admitted_ms, hold) = match open.admission.take() {
            Some(admission) => {
                let facts = (admission.admitted_ms(), admission.hold());
                admission.settle(charged);
                facts
            }
            None => (self.worker.now_ms(), 0),
        };
        let total = open.started.elapsed();
        write_row(
            &self.worker,
            &open,
            &outcome,
            Amounts {
                admitted_ms,
                hold,
                charged,
                tokens,
                total,
            },
        );
        self.worker.shard().finished(&Finished {
            operation: open.operation,
            ended: outcome.ended,
            usage: outcome.usage,
            charged,
            first_byte_ms: open.first_byte.map(milliseconds),
            total_ms: milliseconds(total),
        });
        observe(&open, &outcome, charged, total);
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if self.open.is_some() {
            let usage = self.estimate(0);
            self.settle(if std::thread::panicking() {
                Outcome {
                    usage,
                    ..Outcome::failed(500, "internal")
                }
            } else {
                Outcome::cancelled(usage)
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
        }
    }

    /// The client got an error. Failed attempts cost no tokens.
    pub(crate) fn failed(status: u16, error: impl Into<Cow<'static, str>>) -> Self {
        Self {
            error: error.into(),
            ..Self::complete(status, Usage::default())
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
    let mut settlement = Settlement::open(worker, request, None, started);
    settlement.settle(Outcome {
        limited_by: refusal.limited_by.clone(),
        ..Outcome::failed(status, refusal.reason.clone())
    });
}

struct Amounts {
    admitted_ms: u64,
    hold: u64,
    charged: u64,
    tokens: Tokens,
    total: Duration,
}

fn write_row(worker: &Worker, open: &Open, outcome: &Outcome, amounts: Amounts) {
    let path = &open.caller.path;
    let route = open.route.as_ref();
    let mut tags: Vec<(Cow<'_, str>, Cow<'_, str>)> = path
        .tags
        .iter()
        .map(|(name, value)| (Cow::from(name.as_str()), Cow::from(value.as_str())))
        .collect();
    tags.extend(
        open.tags
            .iter()
            .map(|(name, value)| (Cow::from(name.as_str()), Cow::from(value.as_str()))),
    );
    let row = UsageRow {
        request: open.id,
        admitted_ms: amounts.admitted_ms,
        ended_ms: worker.now_ms(),
        path: Cow::Borrowed(&path.ids),
        names: Cow::Borrowed(&path.names),
        tags,
        key: open.caller.key,
        key_label: Cow::Borrowed(&open.caller.label),
        operation: Cow::Borrowed(open.operation.as_str()),
        dialect: Cow::Borrowed(open.operation.dialect().as_str()),
        requested_model: Cow::Borrowed(&open.requested),
        upstream_model: route.map_or(Cow::Borrowed(""), |route| Cow::Borrowed(&*route.model)),
        provider: route.map_or(Cow::Borrowed(""), |route| {
            Cow::Borrowed(&*route.upstream.provider_id)
        }),
        upstream: route.map_or(Cow::Borrowed(""), |route| {
            Cow::Borrowed(&*route.upstream.name)
        }),
        credential: Cow::Borrowed(
            route
                .and_then(|route| route.upstream.credential_name.as_deref())
                .unwrap_or_default(),
        ),
        stream: open.stream,
        status: outcome.status,
        error: Cow::Borrowed(&outcome.error),
        limited_by: Cow::Borrowed(&outcome.limited_by),
        counted: amounts.hold > 0 || route.is_some(),
        tokens: amounts.tokens,
        estimated: outcome.usage.estimated,
        charged: amounts.charged,
        hold: amounts.hold,
        ttfb_ms: open.first_byte.map(milliseconds),
        total_ms: milliseconds(amounts.total),
        retries: open.attempts.saturating_sub(1),
        session: Cow::Borrowed(open.session.as_deref().unwrap_or_default()),
        policies: open
            .acts
            .iter()
            .map(|act| tollgate_governance::PolicyAct {
                component: Cow::Borrowed(&act.component),
                digest: act.digest,
            })
            .collect(),
    };
    if let Err(error) = worker.usage.submit(&row) {
        worker.shard().lost_row();
        tracing::error!(request = %open.id, charged = amounts.charged, %error, "a usage row could not be stored");
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
        upstream: open
            .route
            .as_ref()
            .map_or_else(String::new, |route| route.upstream.name.clone()),
        input_tokens: usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h,
        output_tokens: usage.output,
        charged,
        duration_ms: milliseconds(total),
        account_path: Arc::clone(&open.caller.path.names),
    });
    for policy in &open.observers {
        if let Some(guest) = &policy.guest
            && let Err(error) = guest.observe(Arc::<OutcomeFacts>::clone(&facts))
        {
            tracing::warn!(policy = policy.id, %error, "an observer failed");
        }
    }
}

fn tokens(usage: &Usage) -> Tokens {
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
