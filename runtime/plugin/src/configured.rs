//! A component with an operator's configuration: every call to a guest goes through here.

use std::sync::Arc;

use crate::{
    Answer, CallView, CandidatesView, CatalogueRequest, Component, Failure, FailedAnswerView, FilterError, Judgement,
    MacSource, OutcomeView, Plan, PluginError, PrepareError, RequestView, Segment, SignHead, TranslateError, Verdict,
    Window,
};

/// A component with its configuration and its own pool of instances.
pub struct Configured {}

/// One exchange's translator; pins its instance until dropped.
pub struct Translator {}

/// One channel's answer filter; pins its instance until dropped.
pub struct AnswerFilter {}

fn later<T>() -> Result<T, PluginError> {
    Err(PluginError::host("not yet"))
}

#[allow(clippy::missing_errors_doc, unused_variables, missing_docs, reason = "filled in next")]
impl Configured {
    pub fn component(&self) -> &Arc<Component> {
        unimplemented!()
    }
    pub fn remembered(&self, call: &dyn CallView) -> Option<Arc<Plan>> {
        None
    }
    pub fn prepare(&self, call: &Arc<dyn CallView + Send + Sync>) -> Result<Arc<Plan>, PrepareError> {
        Ok(later()?)
    }
    pub fn classify(&self, answer: Arc<dyn FailedAnswerView>) -> Result<Failure, PluginError> {
        later()
    }
    pub fn respond(&self, call: &Arc<dyn CallView + Send + Sync>, body: &[u8]) -> Result<Answer, PluginError> {
        later()
    }
    pub fn sign(&self, head: &SignHead<'_>, macs: Arc<dyn MacSource>) -> Result<Vec<(String, String)>, PluginError> {
        later()
    }
    pub fn read_capacity(&self, headers: &[(String, String)], now: u64) -> Result<Vec<Window>, PluginError> {
        later()
    }
    pub fn catalogue_request(&self, endpoint: &str) -> Result<CatalogueRequest, PluginError> {
        later()
    }
    pub fn catalogue_read(&self, body: &[u8]) -> Result<Vec<String>, PluginError> {
        later()
    }
    pub fn translator(&self, call: &Arc<dyn CallView + Send + Sync>) -> Result<Translator, PluginError> {
        later()
    }
    pub fn admit(&self, request: Arc<dyn RequestView>) -> Result<Verdict, PluginError> {
        later()
    }
    pub fn inspect(&self, request: Arc<dyn RequestView>, segments: &[Segment<'_>]) -> Result<Judgement, PluginError> {
        later()
    }
    pub fn rank(
        &self,
        request: Arc<dyn RequestView>,
        candidates: Arc<dyn CandidatesView>,
    ) -> Result<Vec<u32>, PluginError> {
        later()
    }
    pub fn observe(&self, outcome: Arc<dyn OutcomeView>) -> Result<(), PluginError> {
        later()
    }
    pub fn answer_filter(&self, request: Arc<dyn RequestView>, kind: &str) -> Result<AnswerFilter, PluginError> {
        later()
    }
}

#[allow(clippy::missing_errors_doc, unused_variables, missing_docs, reason = "filled in next")]
impl Translator {
    pub fn request(&mut self, body: &[u8]) -> Result<Vec<u8>, TranslateError> {
        Ok(later()?)
    }
    pub fn response(&mut self, body: &[u8]) -> Result<Vec<u8>, TranslateError> {
        Ok(later()?)
    }
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<u8>, TranslateError> {
        Ok(later()?)
    }
    pub fn finish(self) -> Result<Vec<u8>, TranslateError> {
        Ok(later()?)
    }
}

#[allow(clippy::missing_errors_doc, unused_variables, missing_docs, reason = "filled in next")]
impl AnswerFilter {
    pub fn push(&mut self, text: &str) -> Result<String, FilterError> {
        Ok(later()?)
    }
    pub fn finish(self) -> Result<String, FilterError> {
        Ok(later()?)
    }
}
