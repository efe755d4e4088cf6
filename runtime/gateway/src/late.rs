//! Keeps the client of a stream company while no vendor has begun to answer: some think for minutes before their
//! first byte, and clients and proxies between give up after one. Nothing but signs of life goes out meanwhile, so whoever
//! fails may still be followed by another; what cannot be served after all is told in the stream.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::body::Body;
use tollgate_dialect::bridge;
use tollgate_dialect::{ApiError, ErrorKind, Operation, StreamPosition};
use tollgate_governance::Path;
use uuid::Uuid;

use crate::deliver;
use crate::reply::{self, Reply};
use crate::silence::Silence;
use crate::worker::Worker;

type Answering = Pin<Box<dyn Future<Output = Response<Reply>>>>;

/// An answer that has not begun.
pub(crate) struct Late {
    worker: Rc<Worker>,
    answering: Answering,
    silence: Silence,
    operation: Operation,
    id: Uuid,
    /// What came of it.
    answer: Option<Reply>,
}

/// Waits a stretch of silence for an answer, and begins one without it if there is none by then.
pub(crate) async fn answer(
    worker: &Rc<Worker>,
    path: &Path,
    operation: Operation,
    id: Uuid,
    mut answering: Answering,
) -> Response<Reply> {
    let stretch = Duration::from_millis(worker.config().server.keep_alive_ms);
    if let Ok(answer) = tokio::time::timeout(stretch, answering.as_mut()).await {
        return answer;
    }
    let mut response = Response::new(Reply::Late(Box::new(Late {
        worker: Rc::clone(worker),
        answering,
        silence: Silence::over(stretch),
        operation,
        id,
        answer: None,
    })));
    let headers = response.headers_mut();
    deliver::as_a_stream(headers);
    let mut text = [0; 36];
    reply::identify(headers, id.hyphenated().encode_lower(&mut text));
    let now_ms = worker.now_ms();
    let headroom = worker.control.counters().headroom(path, now_ms);
    deliver::rate_limits(headers, operation.dialect(), &headroom, now_ms);
    response
}

impl Late {
    /// The next bytes for the client.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(answer) = &mut self.answer {
                let polled = Pin::new(answer).poll_frame(context);
                return polled.map(|frame| frame?.ok()?.into_data().ok());
            }
            match self.answering.as_mut().poll(context) {
                Poll::Ready(answer) => {
                    self.answer = Some(self.in_stream(answer));
                    self.worker.write_rows();
                }
                Poll::Pending => {
                    std::task::ready!(self.silence.poll(context));
                    let sign = bridge::sign_of_life(self.operation.dialect());
                    return Poll::Ready(Some(Bytes::from_static(sign)));
                }
            }
        }
    }

    /// The body of an answer whose head has been sent already.
    fn in_stream(&self, answer: Response<Reply>) -> Reply {
        if answer.status() == StatusCode::OK && deliver::is_event_stream(answer.headers()) {
            return answer.into_body();
        }
        let told = answer.extensions().get::<ApiError>().cloned();
        let error = told.unwrap_or_else(|| {
            let message = "the upstream refused the request";
            ApiError::new(ErrorKind::UpstreamRejected, message)
        });
        let mut text = [0; 36];
        let id = &*self.id.hyphenated().encode_lower(&mut text);
        let nowhere = StreamPosition::default();
        Reply::whole(tollgate_dialect::stream_error(
            self.operation.dialect(),
            &error,
            id,
            &nowhere,
        ))
    }
}
