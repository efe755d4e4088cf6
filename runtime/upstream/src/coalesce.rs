//! Merges what has already arrived, waits for nothing.
//!
//! A streamed answer often arrives as many small chunks in one read. Handed on one by one, each costs a
//! write system call. [`Coalesce`] takes a frame and keeps taking while more are ready; only then does it
//! pass on what it has, as one frame. It never sleeps: an event that stands alone leaves in the same poll,
//! and without being copied.
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};

/// No merged frame grows beyond this many bytes (a larger single frame passes unchanged).
const CAP: usize = 64 * 1024;

/// See the module's text.
#[derive(Debug)]
pub struct Coalesce<B: Body<Data = Bytes>> {
    inner: B,
    held: Held,
    /// What ended the last merge and goes out next: trailers, an error, or a frame that did not fit.
    after: Option<Result<Frame<Bytes>, B::Error>>,
    yields: u8,
    yields_left: u8,
}

#[derive(Debug)]
enum Held {
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Held {
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(b) => b.len(),
            Self::Many(b) => b.len(),
        }
    }

    fn push(&mut self, more: Bytes) {
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => *self = Self::One(more),
            Self::One(first) => {
                // Room for the rest of a typical burst: one allocation, few growths.
                let mut all = BytesMut::with_capacity((first.len() + more.len()).max(8 * 1024));
                all.extend_from_slice(&first);
                all.extend_from_slice(&more);
                *self = Self::Many(all);
            }
            Self::Many(mut all) => {
                all.extend_from_slice(&more);
                *self = Self::Many(all);
            }
        }
    }

    fn take(&mut self) -> Option<Bytes> {
        match std::mem::replace(self, Self::Nothing) {
            Self::Nothing => None,
            Self::One(bytes) => Some(bytes),
            Self::Many(bytes) => Some(bytes.freeze()),
        }
    }
}

impl<B: Body<Data = Bytes>> Coalesce<B> {
    /// Wraps a body that is driven where it is polled (such as [`crate::UpstreamBody`]): what has arrived is
    /// ready at once, so no time is given to other tasks.
    pub fn new(inner: B) -> Self {
        Self::with_yields(inner, 0)
    }

    /// Wraps a body that another task feeds through a channel: gives that task up to `yields` turns in which
    /// to hand over what it has, per frame that arrives. Two are enough for hyper's own bodies.
    pub fn with_yields(inner: B, yields: u8) -> Self {
        Self {
            inner,
            held: Held::Nothing,
            after: None,
            yields,
            yields_left: yields,
        }
    }

    /// The wrapped body.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }
}

impl<B> Body for Coalesce<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        match this.after.take() {
            None => {}
            // The frame that did not fit begins the next merge.
            Some(Ok(frame)) if frame.is_data() => {
                let data = frame.into_data().unwrap_or_default();
                if data.len() >= CAP || this.inner.is_end_stream() {
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                this.held.push(data);
            }
            after => return Poll::Ready(after),
        }
        loop {
            match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        let held = this.held.len();
                        if held > 0 && held + data.len() > CAP {
                            this.after = Some(Ok(Frame::data(data)));
                            break;
                        }
                        this.held.push(data);
                        this.yields_left = this.yields;
                        if this.held.len() >= CAP || this.inner.is_end_stream() {
                            break;
                        }
                    }
                    Err(frame) => {
                        this.after = Some(Ok(frame));
                        break;
                    }
                },
                Poll::Ready(Some(Err(error))) => {
                    // What arrived before the error still belongs to the client.
                    this.after = Some(Err(error));
                    break;
                }
                Poll::Ready(None) => break,
                Poll::Pending if matches!(this.held, Held::Nothing) => return Poll::Pending,
                Poll::Pending if this.yields_left > 0 => {
                    this.yields_left -= 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => break,
            }
        }
        this.yields_left = this.yields;
        match this.held.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Ready(this.after.take()),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.held, Held::Nothing) && self.after.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.held.len()
            + match &self.after {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                _ => 0,
            };
        let inner = self.inner.size_hint();
        let waiting = waiting as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(waiting));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(waiting));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http::HeaderMap;

    use super::*;

    /// Says what a script says; `None` is Pending.
    struct Script(VecDeque<Option<Result<Frame<Bytes>, &'static str>>>);

    impl Body for Script {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            match self.0.pop_front() {
                None => Poll::Ready(None),
                Some(None) => Poll::Pending,
                Some(Some(frame)) => Poll::Ready(Some(frame)),
            }
        }
    }

    fn data(text: &str) -> Option<Result<Frame<Bytes>, &'static str>> {
        Some(Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes()))))
    }

    /// Polls to the end; each poll as text: `~` pending, `!` error, `^` trailers.
    fn polls(
        yields: u8,
        script: impl IntoIterator<Item = Option<Result<Frame<Bytes>, &'static str>>>,
    ) -> Vec<String> {
        let mut body = Coalesce::with_yields(Script(script.into_iter().collect()), yields);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut seen = Vec::new();
        loop {
            seen.push(match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Pending => "~".to_owned(),
                Poll::Ready(None) => return seen,
                Poll::Ready(Some(Err(error))) => format!("!{error}"),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.len() > 20 => data.len().to_string(),
                    Ok(data) => String::from_utf8(data.to_vec()).unwrap(),
                    Err(_) => "^".to_owned(),
                },
            });
        }
    }

    #[test]
    fn merges_what_is_there_and_waits_for_nothing() {
        assert_eq!(
            polls(0, [data("a"), data("b"), None, data("c"), None, data("d")]),
            ["ab", "c", "d"]
        );
    }

    #[test]
    fn yields_at_most_as_often_as_allowed_without_a_new_frame() {
        assert_eq!(
            polls(2, [data("a"), None, None, None, data("b")]),
            ["~", "~", "a", "b"]
        );
        assert_eq!(
            polls(2, [data("a"), None, data("b"), None, None, None]),
            ["~", "~", "~", "ab"]
        );
    }

    #[test]
    fn an_error_or_trailers_come_after_what_arrived_before() {
        assert_eq!(
            polls(0, [data("a"), data("b"), Some(Err("cut"))]),
            ["ab", "!cut"]
        );
        let trailers = Some(Ok(Frame::trailers(HeaderMap::new())));
        assert_eq!(polls(0, [data("a"), trailers]), ["a", "^"]);
    }

    #[test]
    fn merged_frames_stay_below_the_cap_and_nothing_is_lost() {
        let big = "x".repeat(40 * 1024);
        assert_eq!(
            polls(0, [data(&big), data(&big), data("tail")]),
            ["40960", "40964"]
        );
        let huge = "x".repeat(100 * 1024);
        assert_eq!(
            polls(0, [data("a"), data(&huge), data("b")]),
            ["a", "102400", "b"]
        );
    }

    #[test]
    fn a_single_frame_is_not_copied() {
        let only = Bytes::from_static(b"data: 1\n\n");
        let script = VecDeque::from([Some(Ok(Frame::data(only.clone()))), None]);
        let mut body = Coalesce::new(Script(script));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
            panic!("not ready")
        };
        assert_eq!(frame.into_data().unwrap().as_ptr(), only.as_ptr());
    }
}
