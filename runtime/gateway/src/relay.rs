//! Relays an event stream from vendor to client: reads usage on the side, never collects, always ends in the grammar of
//! the client's dialect, always settles.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::Body;
use tollgate_dialect::bridge::{self, StreamBridge};
use tollgate_dialect::{
    AnswerRewriter, ApiError, Ended, ErrorKind, Operation, StreamFilter, StreamPosition,
    StreamSummary, StreamTap,
};
use tollgate_governance::Running;
use tollgate_plugin::TranslateError;
use tollgate_upstream::{Coalesce, UpstreamBody};

use crate::exchange::{self, Translation};
use crate::filters::Filters;
use crate::makers::Maker;
use crate::reply;
use crate::request::{Refusal, error_word};
use crate::settle::{self, Outcome, Progress, Settlement};
use crate::silence::Silence;
use crate::turns::Keeper;

/// A stream under way.
pub(crate) struct Relay {
    pub(crate) operation: Operation,
    /// Where the vendor speaks another dialect than the client.
    pub(crate) bridge: Option<StreamBridge>,
    pub(crate) silence: Silence,
    pub(crate) request_id: String,
    /// `None` once it has ended.
    pub(crate) source: Option<Coalesce<UpstreamBody>>,
    pub(crate) translator: Option<Translation>,
    pub(crate) tap: Option<StreamTap>,
    pub(crate) hide_usage: Option<StreamFilter>,
    pub(crate) rewriter: Option<(AnswerRewriter, Filters)>,
    pub(crate) settlement: Option<Settlement>,
    /// What is settled runs until its last bytes have left.
    pub(crate) running: Option<Arc<Running>>,
    /// Keeps the answer, if its client may name it later.
    pub(crate) keeper: Option<Keeper>,
    /// Who made it, where no bridge stands between.
    pub(crate) maker: Option<Maker>,
    pub(crate) ready: VecDeque<Bytes>,
    /// Whether its client is being answered.
    pub(crate) begun: bool,
}

impl Relay {
    /// Takes what was read before the answer was committed, in the standard dialect that the vendor was asked in. Where that
    /// is all of a stream, whoever calls this calls [`Worker::write_rows`](crate::worker::Worker::write_rows) before the
    /// client is answered, for all that end in a turn.
    pub(crate) fn begin(&mut self, first: Bytes) {
        self.standard(first);
        self.begun = true;
    }

    /// The next bytes for the client.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(settlement) = &self.settlement
            && settlement.is_killed(context)
        {
            let error = ApiError::new(ErrorKind::InvalidKey, "the API key was revoked");
            let refusal = Refusal {
                reason: "key-revoked".to_owned(),
                ..error.into()
            };
            self.end(refusal, false);
        }
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                if let Some(keeper) = &mut self.keeper {
                    keeper.push(&bytes);
                }
                return Poll::Ready(Some(reply::until_sent(bytes, self.running.as_ref())));
            }
            let Some(source) = &mut self.source else {
                return Poll::Ready(None);
            };
            let polled = Pin::new(source).poll_frame(context);
            if polled.is_pending() && self.silence.poll(context).is_ready() {
                self.ready.extend(self.sign_of_life());
                continue;
            }
            match ready!(polled) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.take(data);
                    }
                }
                Some(Err(error)) => {
                    tracing::warn!(request = self.request_id, %error, "a stream broke off");
                    let kind = match error.kind {
                        tollgate_upstream::ErrorKind::Timeout(_) => ErrorKind::UpstreamTimeout,
                        _ => ErrorKind::UpstreamFailed,
                    };
                    self.fail(ApiError::new(
                        kind,
                        "the upstream broke off in the middle of its answer",
                    ));
                }
                None => self.finish(),
            }
        }
    }

    /// What tells the client that somebody is there: nothing in the midst of an event, where a vendor's own stream may be
    /// silent, too, and nothing after the last.
    fn sign_of_life(&self) -> Option<Bytes> {
        let is_between =
            |tap: &StreamTap| !tap.is_ended() && (self.bridge.is_some() || !tap.is_mid_event());
        let sign = bridge::sign_of_life(self.operation.dialect());
        self.tap.as_ref().filter(|tap| is_between(tap))?;
        Some(Bytes::from_static(sign))
    }

    /// Takes bytes of the vendor's.
    fn take(&mut self, chunk: Bytes) {
        let chunk = match &mut self.translator {
            None => chunk,
            Some(translator) => match translator.push(chunk) {
                Ok(translated) => translated,
                Err(error) => return self.untranslatable(error),
            },
        };
        self.standard(chunk);
    }

    /// Takes bytes of a standard dialect.
    fn standard(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        let mut cut = false;
        if let Some(tap) = &mut self.tap {
            tap.push(&chunk);
            if let Some(settlement) = &self.settlement {
                let progress = settlement.progress(tap.output_bytes());
                cut = progress == Progress::Cut && !tap.is_ended();
            }
            // Charged before the last event leaves: whoever has seen the end of an answer finds it in the ledger. A
            // rewritten stream can still be refused by a policy, so it is charged at its very end.
            if self.rewriter.is_none() && tap.is_ended() {
                self.settle();
            }
        }
        let mut given_up = false;
        let chunk = match &mut self.bridge {
            None => chunk,
            Some(bridge) => {
                let mut bridged = Vec::with_capacity(chunk.len() + 256);
                bridge.push(&chunk, &mut bridged);
                // It told its client of a failure that is not the vendor's last word.
                given_up =
                    bridge.is_ended() && self.tap.as_ref().is_some_and(|tap| !tap.is_ended());
                Bytes::from(bridged)
            }
        };
        // A vendor's own signs of life have no form beyond the bridge, and its client waits for one all the same.
        if !chunk.is_empty() {
            self.silence.heard();
        }
        match (&mut self.hide_usage, &mut self.rewriter) {
            _ if chunk.is_empty() => {}
            (None, None) => self.ready.push_back(chunk),
            (Some(filter), None) => filter.push(chunk, |bytes| self.ready.push_back(bytes)),
            (filter, Some(_)) => {
                let mut visible = Vec::new();
                match filter {
                    Some(filter) => filter.push(chunk, |bytes| visible.push(bytes)),
                    None => visible.push(chunk),
                }
                for bytes in visible {
                    self.rewrite(&bytes);
                }
            }
        }
        if given_up {
            let error = ApiError::new(ErrorKind::UpstreamFailed, "the answer cannot be bridged");
            self.end(error.into(), true);
        } else if cut {
            // What has arrived is the client's.
            self.end(settle::exhausted(), false);
        }
    }

    fn rewrite(&mut self, bytes: &[u8]) {
        let Some((rewriter, filters)) = &mut self.rewriter else {
            return;
        };
        let mut out = Vec::with_capacity(bytes.len() + 64);
        let pushed = rewriter.push(bytes, filters, &mut out);
        if !out.is_empty() {
            self.ready.push_back(out.into());
        }
        if let Err(denied) = pushed {
            let refusal = filters.refusal(denied);
            self.end(refusal, false);
        }
    }

    fn untranslatable(&mut self, error: TranslateError) {
        tracing::warn!(request = self.request_id, %error, "a stream cannot be translated");
        self.fail(match error {
            TranslateError::Refused(failure) => exchange::in_stream(failure),
            TranslateError::Plugin(_) => ApiError::new(
                ErrorKind::UpstreamFailed,
                "the upstream's answer cannot be read",
            ),
        });
    }

    /// The vendor's stream has ended by itself.
    fn finish(&mut self) {
        if let Some(translator) = self.translator.take() {
            match translator.finish() {
                Ok(rest) => self.standard(rest),
                Err(error) => return self.untranslatable(error),
            }
        }
        if let Some(bridge) = &mut self.bridge {
            let mut rest = Vec::new();
            bridge.finish(&bridge::Upstream::Closed, &mut rest);
            match &self.rewriter {
                _ if rest.is_empty() => {}
                Some(_) => self.rewrite(&rest),
                None => self.ready.push_back(rest.into()),
            }
        }
        if let Some(filter) = &mut self.hide_usage {
            let mut rest = Vec::new();
            filter.finish(|bytes| rest.push(bytes));
            for bytes in rest {
                match &self.rewriter {
                    Some(_) => self.rewrite(&bytes),
                    None => self.ready.push_back(bytes),
                }
            }
        }
        if let Some((rewriter, filters)) = &mut self.rewriter {
            let mut out = Vec::new();
            let finished = rewriter.finish(filters, &mut out);
            if !out.is_empty() {
                self.ready.push_back(out.into());
            }
            if let Err(denied) = finished {
                let refusal = filters.refusal(denied);
                return self.end(refusal, false);
            }
        }
        self.source = None;
        self.settle();
    }

    /// Charges the stream as its events say that it ended; one that has not ended is told so.
    fn settle(&mut self) {
        let Some((position, summary)) = self.read() else {
            return;
        };
        let Some(settlement) = self.settlement.take() else {
            return;
        };
        let usage = settlement.used(&summary);
        let outcome = match summary.ended {
            Ended::Complete => Outcome::complete(200, usage),
            Ended::Failed { code, .. } if code.is_empty() => {
                Outcome::failed_in_stream(200, usage, "upstream-failed")
            }
            Ended::Failed { code, .. } => Outcome::failed_in_stream(200, usage, code),
            Ended::Cut => {
                // A stream that just stops looks complete to many clients; they must be told that it is not.
                let error = ApiError::new(
                    ErrorKind::UpstreamFailed,
                    "the upstream ended its answer too early",
                );
                // The bridge has told its client already.
                if self.bridge.is_none() {
                    let events = tollgate_dialect::stream_error(
                        self.operation.dialect(),
                        &error,
                        &self.request_id,
                        &position,
                    );
                    self.ready.push_back(events);
                }
                Outcome::failed_in_stream(200, usage, error_word(&error))
            }
        };
        let running = match self.begun {
            true => settlement.close(outcome),
            false => settlement.close_unwritten(outcome),
        };
        self.running = running.map(Arc::new);
    }

    /// What was read of the stream by its end, however it ends; once. The vendor may go on with the answer, or keep what there
    /// is of it, and what it signed comes back with the next turn.
    fn read(&mut self) -> Option<(StreamPosition, StreamSummary)> {
        let tap = self.tap.take()?;
        if let Some(maker) = &self.maker {
            maker.note(tap.opaque_marks());
        }
        let position = tap.position();
        let summary = tap.finish();
        if let Some(keeper) = &mut self.keeper {
            keeper.ended(position.response_id.as_deref(), &summary);
        }
        Some((position, summary))
    }

    fn fail(&mut self, error: ApiError) {
        let ended = self.tap.as_ref().is_some_and(StreamTap::is_ended);
        self.end(error.into(), ended);
    }

    /// Ends the stream with an error in the client's dialect, unless the client has seen the vendor's own end: what a policy
    /// or a spent budget ends it has not. Dropping the source closes the vendor's connection.
    fn end(&mut self, refusal: Refusal, ended: bool) {
        self.source = None;
        self.translator = None;
        self.rewriter = None;
        self.hide_usage = None;
        let Some((position, summary)) = self.read() else {
            return;
        };
        match &mut self.bridge {
            Some(bridge) => {
                let mut events = Vec::new();
                bridge.finish(&bridge::Upstream::Failed(refusal.error), &mut events);
                if !events.is_empty() {
                    self.ready.push_back(events.into());
                }
            }
            None if ended => {}
            None => self.ready.push_back(tollgate_dialect::stream_error(
                self.operation.dialect(),
                &refusal.error,
                &self.request_id,
                &position,
            )),
        }
        if let Some(settlement) = self.settlement.take() {
            let usage = settlement.part_way(summary.usage, summary.output_bytes_estimate);
            let outcome = Outcome {
                denied_by: refusal.denied_by,
                ..Outcome::failed_in_stream(200, usage, refusal.reason)
            };
            self.running = settlement.close(outcome).map(Arc::new);
        }
    }
}

impl Drop for Relay {
    /// The client went away, or a defect of ours ends its connection: what was streamed by then is charged.
    fn drop(&mut self) {
        // A client may close as soon as it has seen the last event, without waiting for the end of the body.
        let complete = self.tap.as_ref().is_some_and(StreamTap::is_ended);
        if let Some(settlement) = self.settlement.take()
            && let Some((_, summary)) = self.read()
        {
            // A client that leaves between the answer's last words and its usage has not been told what it cost.
            let usage = match complete {
                true => settlement.used(&summary),
                false => settlement.part_way(summary.usage, summary.output_bytes_estimate),
            };
            settlement.close(match complete {
                true => Outcome::complete(200, usage),
                false if std::thread::panicking() => Outcome::defect(usage),
                false => Outcome::cancelled(usage),
            });
        }
    }
}
