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
    without_credential(upstream, &body).map_or(body, Bytes::from)
}

/// Text of an answer as a policy may read it, and apart its end where that may be the beginning of our credential: the text
/// that follows belongs behind it, as vendors stream a word in many pieces.
pub(crate) fn blotted_text(upstream: &Upstream, mut text: String) -> (String, String) {
    let Some(credential) = &upstream.credential else {
        return (text, String::new());
    };
    if let Some(blotted) = without_credential(upstream, text.as_bytes()) {
        // Secrets are text, so what stands around them is text, too: nothing is lost here.
        text = String::from_utf8_lossy(&blotted).into_owned();
    }
    // A secret begins with a whole character, so this is a border between two.
    let at = text.len() - credential.begun_in(text.as_bytes());
    let waits = text.split_off(at);
    (text, waits)
}

/// `None` if none of it stands there.
fn without_credential(upstream: &Upstream, said: &[u8]) -> Option<Vec<u8>> {
    let blotted = upstream.credential.as_ref()?.blotted(said)?;
    tracing::warn!(
        upstream = upstream.name,
        "a vendor repeated our credential; it was blotted out"
    );
    Some(blotted)
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
