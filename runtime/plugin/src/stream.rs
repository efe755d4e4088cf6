//! Guests with a memory of one stream: translators and answer filters, each on an instance of its own.

use std::sync::Arc;

use wasmtime::component::ResourceAny;

use crate::abi::Translate;
use crate::error::{FilterError, TranslateError};
use crate::instance::Instance;
use crate::pool::Pool;
use crate::state::{Lent, SharedCall};
use crate::{ErrorKind, PluginError, RequestView};

/// An instance that holds one resource of the guest's for the length of a stream.
struct Pinned {
    pool: Arc<Pool>,
    /// `None` after a failure: the instance is gone and every further step fails.
    held: Option<(Instance, ResourceAny)>,
}

impl Pinned {
    fn step<R>(
        &mut self,
        run: impl FnOnce(&mut Instance, ResourceAny, &Pool) -> Result<R, PluginError>,
    ) -> Result<R, PluginError> {
        let Some((instance, resource)) = &mut self.held else {
            let component = &*self.pool.template().component;
            return Err(PluginError::new(
                component,
                ErrorKind::Trap,
                "failed earlier in this stream",
            ));
        };
        let result = run(instance, *resource, &self.pool);
        if result.is_err() {
            self.held = None;
        }
        result
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some((mut instance, resource)) = self.held.take() {
            instance.drop_resource(self.pool.template(), resource);
            self.pool.give(instance);
        }
    }
}

/// One exchange's translator. Made before the request is sent, dropped after the answer's end.
pub struct Translator(Pinned);

impl Translator {
    pub(crate) fn new(pool: &Arc<Pool>, call: &SharedCall) -> Result<Self, PluginError> {
        let lent = Lent {
            call: Some(Arc::clone(call)),
            ..Lent::default()
        };
        let mut instance = pool.take()?;
        let resource = instance.call(pool.template(), lent, |calls, store| {
            calls.translator(store)
        })?;
        Ok(Self(Pinned {
            pool: Arc::clone(pool),
            held: Some((instance, resource)),
        }))
    }

    /// The vendor's request body for the standard body given.
    ///
    /// # Errors
    /// `Refused` with a sentence for the client; `Plugin` if the component failed.
    pub fn request(&mut self, body: &[u8]) -> Result<Vec<u8>, TranslateError> {
        self.run(Translate::Request(body))
    }

    /// The standard answer for a whole answer of the vendor.
    ///
    /// # Errors
    /// As `request`.
    pub fn response(&mut self, body: &[u8]) -> Result<Vec<u8>, TranslateError> {
        self.run(Translate::Response(body))
    }

    /// Standard stream bytes known after this chunk of the vendor's stream.
    ///
    /// # Errors
    /// As `request`.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Vec<u8>, TranslateError> {
        self.run(Translate::Push(chunk))
    }

    /// What is left at the end of the vendor's stream.
    ///
    /// # Errors
    /// As `request`.
    pub fn finish(mut self) -> Result<Vec<u8>, TranslateError> {
        self.run(Translate::Finish)
    }

    fn run(&mut self, step: Translate<'_>) -> Result<Vec<u8>, TranslateError> {
        self.0
            .step(|instance, resource, pool| {
                instance.call(pool.template(), Lent::default(), |calls, store| {
                    calls.translate(store, resource, step)
                })
            })?
            .map_err(TranslateError::Refused)
    }
}

/// One channel's answer filter.
pub struct AnswerFilter(Pinned);

impl AnswerFilter {
    pub(crate) fn new(
        pool: &Arc<Pool>,
        request: Arc<dyn RequestView>,
        kind: &str,
    ) -> Result<Self, PluginError> {
        let lent = Lent {
            request: Some(request),
            ..Lent::default()
        };
        let mut instance = pool.take()?;
        let resource = instance.call(pool.template(), lent, |calls, store| {
            calls.answer_filter(store, kind)
        })?;
        Ok(Self(Pinned {
            pool: Arc::clone(pool),
            held: Some((instance, resource)),
        }))
    }

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
    pub fn finish(mut self) -> Result<String, FilterError> {
        self.run(None)
    }

    fn run(&mut self, text: Option<&str>) -> Result<String, FilterError> {
        self.0
            .step(|instance, resource, pool| {
                instance.call(pool.template(), Lent::default(), |calls, store| {
                    calls.filter(store, resource, text)
                })
            })?
            .map_err(FilterError::Denied)
    }
}
