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
        if let Some(after) = this.after.take() {
            return Poll::Ready(Some(after));
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
