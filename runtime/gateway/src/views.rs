//! What guests may see of a request: the host side of the resources in `wit/`.

use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use tollgate_dialect::{Document, Facts, Operation};
use tollgate_governance::Caller;
use tollgate_plugin::{
    AnswerHeadView, CallView, CandidatesView, FailedAnswerView, OutcomeView, RequestView,
};
use uuid::Uuid;

use crate::route::Candidate;

fn visible<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?;
    match tollgate_plugin::header_is_visible(name) {
        true => value.to_str().ok(),
        false => None,
    }
}

/// A request, for policies. A snapshot: later amendments make a new one.
pub(crate) struct RequestFacts {
    pub(crate) id: Uuid,
    /// Written out when a policy asks for it; few do.
    pub(crate) id_text: OnceLock<String>,
    pub(crate) operation: Operation,
    pub(crate) facts: Facts,
    pub(crate) document: Arc<Document>,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) body_size: u64,
}

impl RequestView for RequestFacts {
    fn id(&self) -> &str {
        self.id_text.get_or_init(|| self.id.to_string())
    }
    fn operation(&self) -> &str {
        self.operation.as_str()
    }
    fn dialect(&self) -> &str {
        self.operation.dialect().as_str()
    }
    fn model(&self) -> &str {
        &self.facts.model
    }
    fn streaming(&self) -> bool {
        self.facts.stream
    }
    fn output_cap(&self) -> Option<u64> {
        self.facts.output_cap
    }
    fn parameter(&self, name: &str) -> Option<String> {
        // The host of components hides content members; this answers any.
        let raw = self.document.get(name)?;
        Some(String::from_utf8_lossy(raw).into_owned())
    }
    fn header(&self, name: &str) -> Option<String> {
        visible(&self.headers, name).map(str::to_owned)
    }
    fn account_path(&self) -> Vec<String> {
        let nodes = self.caller.path.nodes().iter();
        nodes.map(|node| node.account.name.clone()).collect()
    }
    fn key_label(&self) -> &str {
        self.caller.label()
    }
    fn body_size(&self) -> u64 {
        self.body_size
    }
}

/// One attempt, for a provider.
pub(crate) struct CallFacts {
    pub(crate) operation: Operation,
    pub(crate) model: Arc<str>,
    pub(crate) stream: bool,
    pub(crate) endpoint: Arc<str>,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) session: Option<Arc<str>>,
    pub(crate) attempt: u32,
}

impl CallView for CallFacts {
    fn operation(&self) -> &str {
        self.operation.as_str()
    }
    fn dialect(&self) -> &str {
        self.operation.dialect().as_str()
    }
    fn model(&self) -> &str {
        &self.model
    }
    fn streaming(&self) -> bool {
        self.stream
    }
    fn endpoint(&self) -> &str {
        &self.endpoint
    }
    fn header(&self, name: &str) -> Option<&str> {
        visible(&self.headers, name)
    }
    fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }
    fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// A vendor's answer that is not a success, for its provider.
pub(crate) struct FailedAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
    pub(crate) operation: Operation,
}

impl FailedAnswerView for FailedAnswer {
    fn status(&self) -> u16 {
        self.status
    }
    fn header(&self, name: &str) -> Option<&str> {
        visible(&self.headers, name)
    }
    fn body(&self) -> &[u8] {
        &self.body
    }
    fn operation(&self) -> &str {
        self.operation.as_str()
    }
}

/// Status and headers of a vendor's answer, for its translator.
pub(crate) struct AnswerHead {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) arrived_ms: u64,
}

impl AnswerHeadView for AnswerHead {
    fn status(&self) -> u16 {
        self.status
    }
    fn header(&self, name: &str) -> Option<&str> {
        visible(&self.headers, name)
    }
    fn arrived_at(&self) -> u64 {
        self.arrived_ms
    }
}

/// Who could serve a request, for routing policies.
pub(crate) struct CandidateFacts(pub(crate) Vec<Candidate>, pub(crate) u64);

impl CandidateFacts {
    fn at(&self, position: u32) -> Option<&Candidate> {
        self.0.get(position as usize)
    }
}

impl CandidatesView for CandidateFacts {
    fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
    fn upstream(&self, position: u32) -> &str {
        self.at(position)
            .map_or("", |candidate| &candidate.upstream.name)
    }
    fn provider(&self, position: u32) -> &str {
        self.at(position)
            .map_or("", |candidate| &candidate.upstream.provider_id)
    }
    fn model(&self, position: u32) -> &str {
        self.at(position).map_or("", |candidate| &candidate.model)
    }
    fn tier(&self, position: u32) -> &str {
        self.at(position)
            .map_or("", |candidate| &candidate.upstream.tier)
    }
    fn input_price(&self, position: u32) -> Option<u64> {
        self.at(position)?.price.as_ref().map(|price| price.input)
    }
    fn output_price(&self, position: u32) -> Option<u64> {
        self.at(position)?.price.as_ref().map(|price| price.output)
    }
    fn load(&self, position: u32) -> u32 {
        self.at(position)
            .map_or(0, |candidate| candidate.upstream.pulse.load())
    }
    fn latency_ms(&self, position: u32) -> u32 {
        self.at(position)
            .map_or(0, |candidate| candidate.upstream.pulse.latency_ms())
    }
    fn healthy(&self, position: u32) -> bool {
        self.at(position)
            .is_some_and(|candidate| candidate.available(self.1))
    }
}

/// How a request ended, for observers.
pub(crate) struct OutcomeFacts {
    pub(crate) request_id: String,
    pub(crate) status: u16,
    pub(crate) model: String,
    pub(crate) upstream: String,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) charged: u64,
    pub(crate) duration_ms: u64,
    pub(crate) account_path: Vec<String>,
}

impl OutcomeView for OutcomeFacts {
    fn request_id(&self) -> &str {
        &self.request_id
    }
    fn status(&self) -> u16 {
        self.status
    }
    fn model(&self) -> &str {
        &self.model
    }
    fn upstream(&self) -> &str {
        &self.upstream
    }
    fn input_tokens(&self) -> u64 {
        self.input_tokens
    }
    fn output_tokens(&self) -> u64 {
        self.output_tokens
    }
    fn charged(&self) -> u64 {
        self.charged
    }
    fn duration_ms(&self) -> u64 {
        self.duration_ms
    }
    fn account_path(&self) -> Vec<String> {
        self.account_path.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_visible() {
        let mut headers = HeaderMap::new();
        let hidden = [
            "authorization",
            "x-api-key",
            "cookie",
            "proxy-authorization",
        ];
        for name in hidden {
            headers.insert(name, "secret".parse().unwrap());
        }
        headers.insert("user-agent", "tool/1".parse().unwrap());
        for name in hidden {
            assert!(visible(&headers, name).is_none(), "{name}");
            assert!(
                visible(&headers, &name.to_uppercase()).is_none(),
                "{name} in capitals"
            );
        }
        assert_eq!(visible(&headers, "user-agent"), Some("tool/1"));
    }
}
