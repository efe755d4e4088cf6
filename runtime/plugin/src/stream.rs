//! Guests with a memory of one stream: translators and answer filters, on an instance of their own.

use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::component::ResourceAny;

use crate::abi::Translate;
use crate::error::{FilterError, TranslateError};
use crate::instance::Instance;
use crate::limits::CHANNELS_AN_ANSWER;
use crate::pool::Pool;
use crate::state::{Lent, SharedCall};
use crate::{AnswerHeadView, ErrorKind, PluginError, RequestView};

fn failed_earlier(pool: &Pool) -> PluginError {
    PluginError::new(
        &*pool.template().component,
        ErrorKind::Trap,
        "failed earlier in this answer",
    )
}

/// One exchange's translator. Made before the request is sent, dropped after the answer's end.
pub struct Translator {
    pool: Arc<Pool>,
    /// `None` after a failure: the instance is gone and every further step fails.
    held: Option<(Instance, ResourceAny)>,
}

impl Translator {
    pub(crate) fn new(pool: &Arc<Pool>, call: &SharedCall) -> Result<Self, PluginError> {
        let lent = Lent {
            call: Some(Arc::clone(call)),
            ..Lent::default()
        };
        let held = pool.open(lent, |calls, store| calls.translator(store))?;
        Ok(Self {
            pool: Arc::clone(pool),
            held: Some(held),
        })
    }

    /// The vendor's request body for the standard body given.
    ///
    /// # Errors
    /// `Refused` with what the component says is wrong; `Plugin` if it failed.
    pub fn request(&mut self, body: &[u8]) -> Result<Vec<u8>, TranslateError> {
        self.run(Lent::of(body), Translate::Request(body))
    }

    /// Tells that the vendor has answered with a success. To be called once, before `response` or the first `push`.
    ///
    /// # Errors
    /// As `request`.
    pub fn answered(&mut self, head: Arc<dyn AnswerHeadView>) -> Result<(), TranslateError> {
        let lent = Lent {
            answer_head: Some(head),
            ..Lent::default()
        };
        self.run(lent, Translate::Answered).map(drop)
    }

    /// The standard answer for a whole answer of the vendor.
    ///
    /// # Errors
    /// As `request`.
    pub fn response(&mut self, body: &[u8]) -> Result<Vec<u8>, TranslateError> {
        self.run(Lent::of(body), Translate::Response(body))
    }

    /// Standard stream bytes known after this chunk of the vendor's stream.
    ///
    /// # Errors
    /// As `request`.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<u8>, TranslateError> {
        self.run(Lent::of(chunk), Translate::Push(chunk))
    }

    /// What is left at the end of the vendor's stream.
    ///
    /// # Errors
    /// As `request`.
    pub fn finish(mut self) -> Result<Vec<u8>, TranslateError> {
        self.run(Lent::default(), Translate::Finish)
    }

    fn run(&mut self, lent: Lent, step: Translate<'_>) -> Result<Vec<u8>, TranslateError> {
        let Some((instance, resource)) = &mut self.held else {
            return Err(failed_earlier(&self.pool).into());
        };
        let resource = *resource;
        let result = self.pool.step(instance, lent, |calls, store| {
            calls.translate(store, resource, step)
        });
        if result.is_err() {
            self.held = None;
        }
        result?.map_err(TranslateError::Refused)
    }
}

impl Drop for Translator {
    fn drop(&mut self) {
        if let Some((mut instance, resource)) = self.held.take() {
            self.pool.drop_resource(&mut instance, resource);
            self.pool.give(instance);
        }
    }
}

/// One policy's filters of one answer.
pub struct AnswerFilters {
    request: Arc<dyn RequestView>,
    shared: Arc<Shared>,
}

/// One channel's filter.
pub struct AnswerFilter {
    shared: Arc<Shared>,
    resource: ResourceAny,
}

/// The instance that all channels of an answer have together: an answer with many channels must not use up the
/// engine's instances. They belong to one caller, so that nothing can leak between them.
struct Shared {
    pool: Arc<Pool>,
    state: Mutex<Answer>,
}

#[derive(Default)]
struct Answer {
    instance: Option<Instance>,
    open: usize,
    /// A channel has failed: the instance is gone, and with it what every other channel held back.
    failed: bool,
}

impl AnswerFilters {
    pub(crate) fn new(pool: &Arc<Pool>, request: Arc<dyn RequestView>) -> Self {
        Self {
            request,
            shared: Arc::new(Shared {
                pool: Arc::clone(pool),
                state: Mutex::default(),
            }),
        }
    }

    /// A filter for a channel that begins: `text`, `tool-arguments` or `reasoning`.
    ///
    /// # Errors
    /// `Busy` if the answer has too many channels open, or no instance can be had; else as all calls. The caller must
    /// then end the answer.
    pub fn open(&self, kind: &str) -> Result<AnswerFilter, PluginError> {
        let lent = Lent {
            request: Some(Arc::clone(&self.request)),
            ..Lent::default()
        };
        let pool = &*self.shared.pool;
        let mut answer = self.shared.state.lock();
        if answer.failed {
            return Err(failed_earlier(pool));
        }
        if answer.open >= CHANNELS_AN_ANSWER {
            return Err(PluginError::new(
                &*pool.template().component,
                ErrorKind::Busy,
                format!("the answer has {CHANNELS_AN_ANSWER} channels open, and may have no more"),
            ));
        }
        let opened = match &mut answer.instance {
            Some(instance) => pool.step(instance, lent, |calls, store| {
                calls.answer_filter(store, kind)
            }),
            None => pool
                .open(lent, |calls, store| calls.answer_filter(store, kind))
                .map(|(instance, resource)| {
                    answer.instance = Some(instance);
                    resource
                }),
        };
        let resource = opened.inspect_err(|_| answer.fail())?;
        answer.open += 1;
        drop(answer);
        Ok(AnswerFilter {
            shared: Arc::clone(&self.shared),
            resource,
        })
    }
}

impl Answer {
    fn fail(&mut self) {
        self.failed = true;
        self.instance = None;
    }
}

impl AnswerFilter {
    /// What may go out now that this text has arrived.
    ///
    /// # Errors
    /// `Denied` if the policy ends the answer; `Plugin` if it failed, which must end the answer too.
    pub fn push(&mut self, text: &str) -> Result<String, FilterError> {
        self.run(Some(text))
    }

    /// What was held back and may go out, at the channel's end.
    ///
    /// # Errors
    /// As `push`.
    pub fn finish(self) -> Result<String, FilterError> {
        self.run(None)
    }

    fn run(&self, text: Option<&str>) -> Result<String, FilterError> {
        let pool = &*self.shared.pool;
        let mut answer = self.shared.state.lock();
        let Some(instance) = &mut answer.instance else {
            return Err(failed_earlier(pool).into());
        };
        let lent = Lent::of(text.unwrap_or_default().as_bytes());
        let result = pool.step(instance, lent, |calls, store| {
            calls.filter(store, self.resource, text)
        });
        if result.is_err() {
            answer.fail();
        }
        drop(answer);
        result?.map_err(FilterError::Denied)
    }
}

impl Drop for AnswerFilter {
    fn drop(&mut self) {
        let mut answer = self.shared.state.lock();
        answer.open -= 1;
        if let Some(instance) = &mut answer.instance {
            self.shared.pool.drop_resource(instance, self.resource);
            if !instance.is_sound() {
                answer.fail();
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(instance) = self.state.get_mut().instance.take() {
            self.pool.give(instance);
        }
    }
}
