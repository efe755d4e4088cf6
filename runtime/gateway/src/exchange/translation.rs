//! A component that stands between the vendor's dialect and a standard one. It reads whole answers of the vendor's, so
//! what a vendor repeats of our credential is blotted out before: no secret enters a component's memory.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tollgate_plugin::{TranslateError, Translator};

use crate::snapshot::Upstream;
use crate::views::AnswerHead;

/// One exchange's translator.
pub(crate) struct Translation {
    translator: Translator,
    upstream: Arc<Upstream>,
}

impl Translation {
    pub(super) fn new(translator: Translator, upstream: &Arc<Upstream>) -> Self {
        Self {
            translator,
            upstream: Arc::clone(upstream),
        }
    }

    /// The vendor's request body for a standard one.
    pub(super) fn request(&mut self, body: &[u8]) -> Result<Bytes, TranslateError> {
        self.translator.request(body).map(Bytes::from)
    }

    /// The vendor has answered with a success.
    pub(super) fn answered(&mut self, mut head: AnswerHead) -> Result<(), TranslateError> {
        head.headers = blotted_headers(&self.upstream, head.headers);
        self.translator.answered(Arc::new(head))
    }

    /// The standard answer for the vendor's whole one.
    pub(super) fn response(&mut self, body: Bytes) -> Result<Bytes, TranslateError> {
        let body = blotted(&self.upstream, body);
        self.translator.response(&body).map(Bytes::from)
    }

    /// What is known of the standard stream after a chunk of the vendor's. A secret that a chunk's border cuts in two is
    /// not found: vendors repeat keys in refusals, which are whole.
    pub(crate) fn push(&mut self, chunk: Bytes) -> Result<Bytes, TranslateError> {
        let chunk = blotted(&self.upstream, chunk);
        self.translator.push(&chunk).map(Bytes::from)
    }

    /// What is left at the end of the vendor's stream.
    pub(crate) fn finish(self) -> Result<Bytes, TranslateError> {
        self.translator.finish().map(Bytes::from)
    }
}

/// A body of the vendor's as a component may read it.
pub(super) fn blotted(upstream: &Upstream, body: Bytes) -> Bytes {
    let credential = upstream.credential.as_ref();
    match credential.and_then(|credential| credential.blotted(&body)) {
        Some(blotted) => {
            tracing::warn!(
                upstream = upstream.name,
                "a vendor repeated our credential; it was blotted out"
            );
            blotted.into()
        }
        None => body,
    }
}

/// Headers of the vendor's as a component may read them.
pub(super) fn blotted_headers(upstream: &Upstream, mut headers: HeaderMap) -> HeaderMap {
    if let Some(credential) = &upstream.credential {
        for value in headers.values_mut() {
            if credential.occurs_in(value.as_bytes()) {
                *value = HeaderValue::from_static("***");
            }
        }
    }
    headers
}
