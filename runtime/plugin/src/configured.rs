//! A component with an operator's configuration: every call to a guest goes through here.

use std::sync::Arc;

use crate::error::PrepareError;
use crate::instance::Template;
use crate::limits::BYTES_A_PIECE;
use crate::memo::Memo;
use crate::plan::{
    check_answer, check_catalogue, check_headers, check_judgement, check_order, check_page,
    check_plan, check_verdict,
};
use crate::pool::Pool;
use crate::shard::Sharded;
use crate::state::{Lent, SharedCall};
use crate::stream::{AnswerFilters, Translator};
use crate::{
    Answer, AnswerHeadView, CallView, CandidatesView, CataloguePage, CatalogueRequest, Component,
    ErrorKind, FailedAnswerView, Failure, Interface, Judgement, MacSource, OutcomeView, Plan,
    PluginError, RequestView, Segment, SignHead, Verdict, Window,
};

/// A component with its configuration, its own instances and its remembered plans.
///
/// Every call is synchronous and ends within the configured time. Errors are the same for all: `Unsupported` if the
/// component does not export the interface, `Trap`, `Timeout`, `Memory`, `TooLarge` for either at a call that was handed
/// much, `BadAnswer` for what it may not answer, `Busy` if no instance can be had, `Suspended` while the component is left
/// alone because it timed out again and again.
pub struct Configured {
    component: Arc<Component>,
    pool: Arc<Pool>,
    memo: Option<Memo>,
    /// The plan that each thread got last.
    last: Sharded<Option<Arc<Plan>>>,
}

impl std::fmt::Debug for Configured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configured")
            .field("component", &self.component)
            .finish_non_exhaustive()
    }
}

impl Configured {
    /// Makes a first instance, which shows whether the configuration is accepted.
    pub(crate) fn new(
        component: Arc<Component>,
        template: Arc<Template>,
        config: Option<String>,
    ) -> Result<Self, PluginError> {
        let pool = Pool::new(template, config, component.isolation());
        let first = pool.fresh(true)?;
        pool.give(first);
        Ok(Self {
            memo: component.memoises().then(Memo::new),
            last: Sharded::new(|| None),
            component,
            pool,
        })
    }

    /// The component.
    pub fn component(&self) -> &Arc<Component> {
        &self.component
    }

    /// How many instances were made so far, for gauges.
    pub fn instances_made(&self) -> u64 {
        self.pool.instantiated()
    }

    /// How many warm instances are idle, for gauges.
    pub fn instances_idle(&self) -> usize {
        self.pool.idle()
    }

    /// The remembered plan for a call that would be read the same as an earlier one. Calls no guest and allocates
    /// nothing, so it needs only a reference: ask here first and make an `Arc` of the call only for `prepare`.
    pub fn remembered(&self, call: &dyn CallView) -> Option<Arc<Plan>> {
        self.memo.as_ref()?.find(call)
    }

    /// The plan for one attempt: remembered, or asked of the guest and remembered where its answer depends on nothing
    /// but what it read.
    ///
    /// # Errors
    /// `Refused` with the component's reason if it says that the attempt cannot be made; else as all calls.
    pub fn prepare(&self, call: &SharedCall) -> Result<Arc<Plan>, PrepareError> {
        if let Some(plan) = self.remembered(&**call) {
            return Ok(plan);
        }
        self.needs(Interface::Exchange)?;
        let lent = Lent {
            call: Some(Arc::clone(call)),
            ..Lent::default()
        };
        let (answer, reads) = self.pool.with(|instance, template| {
            if self.memo.is_some() {
                instance.state().recorder.start();
            }
            let answer = instance.call(template, lent, |calls, store| calls.prepare(store))?;
            let state = instance.state();
            let reads = state.recorder.stop().filter(|_| !state.logged());
            Ok((answer, reads))
        })?;
        let plan = self.checked(answer.map_err(PrepareError::Refused)?)?;
        if let (Some(memo), Some(reads)) = (&self.memo, reads)
            && !memo.learn(&**call, reads, Arc::clone(&plan))
        {
            tracing::warn!(
                component = self.component.id(),
                "its `prepare` is no function of what it reads, as the contract asks; its plans are not remembered"
            );
        }
        Ok(plan)
    }

    /// The plan, checked. A plan that equals the last one of this thread is that one: it has been checked, and what a
    /// caller made of it can be found by its address.
    fn checked(&self, plan: Plan) -> Result<Arc<Plan>, PluginError> {
        let mut last = self.last.mine().lock();
        if let Some(last) = &*last
            && **last == plan
        {
            return Ok(Arc::clone(last));
        }
        check_plan(&plan, self.component.manifest()).map_err(|why| self.bad(why))?;
        let plan = Arc::new(plan);
        *last = Some(Arc::clone(&plan));
        Ok(plan)
    }

    /// What a failed answer means.
    ///
    /// # Errors
    /// As all calls.
    pub fn classify(&self, answer: Arc<dyn FailedAnswerView>) -> Result<Failure, PluginError> {
        self.needs(Interface::Exchange)?;
        let lent = Lent {
            failed: Some(answer),
            ..Lent::default()
        };
        self.pool.with(|instance, template| {
            instance.call(template, lent, |calls, store| calls.classify(store))
        })
    }

    /// An answer without any upstream. `body` is the request's; for a streaming call the answer is the whole stream.
    ///
    /// # Errors
    /// As all calls.
    pub fn respond(&self, call: &SharedCall, body: &[u8]) -> Result<Answer, PluginError> {
        self.needs(Interface::Responder)?;
        let lent = Lent {
            call: Some(Arc::clone(call)),
            bytes: body.len(),
            ..Lent::default()
        };
        let answer = self.pool.with(|instance, template| {
            instance.call(template, lent, |calls, store| calls.respond(store, body))
        })?;
        check_answer(&answer).map_err(|why| self.bad(why))?;
        Ok(answer)
    }

    /// Headers to add to a request that is signed as a whole; templates in their values are to be filled in.
    ///
    /// # Errors
    /// `Refused` with the component's sentence; else as all calls.
    pub fn sign(
        &self,
        call: &SharedCall,
        head: SignHead,
        macs: Arc<dyn MacSource>,
    ) -> Result<Vec<(String, String)>, PluginError> {
        self.needs(Interface::Signing)?;
        let lent = Lent {
            call: Some(Arc::clone(call)),
            head: Some(Arc::new(head)),
            macs: Some(macs),
            ..Lent::default()
        };
        let headers = self
            .pool
            .with(|instance, template| {
                instance.call(template, lent, |calls, store| calls.sign(store))
            })?
            .map_err(|why| self.refused(why))?;
        check_headers(&headers, self.component.manifest()).map_err(|why| self.bad(why))?;
        Ok(headers)
    }

    /// The vendor's own windows as the head of an answer tells them.
    ///
    /// # Errors
    /// As all calls.
    pub fn read_capacity(
        &self,
        answer: Arc<dyn AnswerHeadView>,
    ) -> Result<Vec<Window>, PluginError> {
        self.needs(Interface::Capacity)?;
        let lent = Lent {
            answer_head: Some(answer),
            ..Lent::default()
        };
        self.pool.with(|instance, template| {
            instance.call(template, lent, |calls, store| calls.read_capacity(store))
        })
    }

    /// How to list the vendor's models at the endpoint of this name.
    ///
    /// # Errors
    /// As all calls.
    pub fn catalogue_request(&self, endpoint: &str) -> Result<CatalogueRequest, PluginError> {
        self.needs(Interface::Catalogue)?;
        let request = self.pool.with(|instance, template| {
            instance.call(template, Lent::default(), |calls, store| {
                calls.catalogue_request(store, endpoint)
            })
        })?;
        check_catalogue(&request, self.component.manifest()).map_err(|why| self.bad(why))?;
        Ok(request)
    }

    /// One page of models, from a listing's body.
    ///
    /// # Errors
    /// `Refused` with the component's sentence; else as all calls.
    pub fn catalogue_read(&self, body: &[u8]) -> Result<CataloguePage, PluginError> {
        self.needs(Interface::Catalogue)?;
        let page = self
            .pool
            .with(|instance, template| {
                let lent = Lent::of(body);
                instance.call(template, lent, |calls, store| {
                    calls.catalogue_read(store, body)
                })
            })?
            .map_err(|why| self.refused(why))?;
        check_page(&page).map_err(|why| self.bad(why))?;
        Ok(page)
    }

    /// A translator for one exchange. It has an instance of its own until it is dropped, and keeps this component
    /// alive whatever is loaded meanwhile.
    ///
    /// # Errors
    /// As all calls.
    pub fn translator(&self, call: &SharedCall) -> Result<Translator, PluginError> {
        self.needs(Interface::Translation)?;
        Translator::new(&self.pool, call)
    }

    /// Whether a request may go on.
    ///
    /// # Errors
    /// As all calls; the caller must then deny.
    pub fn admit(&self, request: Arc<dyn RequestView>) -> Result<Verdict, PluginError> {
        self.needs(Interface::Admission)?;
        let lent = Lent {
            request: Some(request),
            ..Lent::default()
        };
        let verdict = self.pool.with(|instance, template| {
            instance.call(template, lent, |calls, store| calls.admit(store))
        })?;
        check_verdict(&verdict).map_err(|why| self.bad(why))?;
        Ok(verdict)
    }

    /// What a content policy says to a request's text.
    ///
    /// # Errors
    /// As all calls; the caller must then deny.
    pub fn inspect(
        &self,
        request: Arc<dyn RequestView>,
        segments: Vec<Segment>,
    ) -> Result<Judgement, PluginError> {
        self.needs(Interface::Content)?;
        let count = segments.len();
        let lent = Lent {
            request: Some(request),
            bytes: segments
                .iter()
                .map(|segment| segment.text.len() + BYTES_A_PIECE)
                .sum(),
            segments: Some(Arc::new(segments)),
            ..Lent::default()
        };
        let judgement = self.pool.with(|instance, template| {
            instance.call(template, lent, |calls, store| calls.inspect(store))
        })?;
        check_judgement(&judgement, count).map_err(|why| self.bad(why))?;
        Ok(judgement)
    }

    /// Positions of the candidates in the order to try; one left out is removed.
    ///
    /// # Errors
    /// As all calls.
    pub fn rank(
        &self,
        request: Arc<dyn RequestView>,
        candidates: Arc<dyn CandidatesView>,
    ) -> Result<Vec<u32>, PluginError> {
        self.needs(Interface::Routing)?;
        let count = candidates.count();
        let lent = Lent {
            request: Some(request),
            candidates: Some(candidates),
            ..Lent::default()
        };
        let order = self.pool.with(|instance, template| {
            instance.call(template, lent, |calls, store| calls.rank(store))
        })?;
        check_order(&order, count).map_err(|why| self.bad(why))?;
        Ok(order)
    }

    /// Tells how a request ended.
    ///
    /// # Errors
    /// As all calls.
    pub fn observe(&self, outcome: Arc<dyn OutcomeView>) -> Result<(), PluginError> {
        self.needs(Interface::Observation)?;
        let lent = Lent {
            outcome: Some(outcome),
            ..Lent::default()
        };
        self.pool.with(|instance, template| {
            instance.call(template, lent, |calls, store| calls.observe(store))
        })
    }

    /// The filters of one answer: one for each channel, all on one instance, which they have for their own until the
    /// last is dropped.
    ///
    /// # Errors
    /// `Unsupported`; the caller must then end the answer.
    pub fn answer_filters(
        &self,
        request: Arc<dyn RequestView>,
    ) -> Result<AnswerFilters, PluginError> {
        self.needs(Interface::AnswerContent)?;
        Ok(AnswerFilters::new(&self.pool, request))
    }

    fn needs(&self, interface: Interface) -> Result<(), PluginError> {
        if self.component.exports(interface) {
            return Ok(());
        }
        Err(self.error(
            ErrorKind::Unsupported,
            format!("does not export `{}`", interface.name()),
        ))
    }

    fn bad(&self, why: String) -> PluginError {
        self.error(ErrorKind::BadAnswer, why)
    }

    fn refused(&self, why: String) -> PluginError {
        self.error(ErrorKind::Refused, why)
    }

    fn error(&self, kind: ErrorKind, message: String) -> PluginError {
        PluginError::new(self.component.id(), kind, message)
    }
}
