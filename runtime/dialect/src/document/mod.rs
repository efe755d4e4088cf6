//! A request body: checked whole, indexed at the top level, edited by splices.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{Edit, Invalid};

/// A JSON object that keeps every byte nobody edited.
#[derive(Debug, Clone)]
pub struct Document {
    raw: Bytes,
}

impl Document {
    /// Checks the whole body (UTF-8, JSON grammar, nesting of at most 128, an object at the top) and indexes its
    /// top-level members.
    ///
    /// # Errors
    /// What is wrong, with the byte offset in words.
    pub fn parse(raw: Bytes) -> Result<Self, Invalid> {
        Ok(Self { raw })
    }

    /// The raw JSON of a top-level member; of several with this name the last.
    pub fn get(&self, _name: &str) -> Option<&[u8]> {
        todo!()
    }

    /// A top-level string; `None` where missing or `null`.
    ///
    /// # Errors
    /// The member is of another type.
    pub fn get_string(&self, _name: &str) -> Result<Option<Cow<'_, str>>, Invalid> {
        todo!()
    }

    /// A top-level non-negative integer; `None` where missing or `null`.
    ///
    /// # Errors
    /// The member is of another type, negative, or beyond 64 bits.
    pub fn get_u64(&self, _name: &str) -> Result<Option<u64>, Invalid> {
        todo!()
    }

    /// A top-level boolean; `None` where missing or `null`.
    ///
    /// # Errors
    /// The member is of another type.
    pub fn get_bool(&self, _name: &str) -> Result<Option<bool>, Invalid> {
        todo!()
    }

    /// Whether `to_bytes` will differ from what was parsed.
    pub fn is_modified(&self) -> bool {
        todo!()
    }

    /// Makes one change; see [`Edit`].
    ///
    /// # Errors
    /// The pointer or the value is malformed, or the body has something else than the edit supposes.
    pub fn apply(&mut self, _edit: &Edit) -> Result<(), Invalid> {
        todo!()
    }

    /// The body as edited: untouched, the very bytes that were parsed; else one copy.
    pub fn to_bytes(&self) -> Bytes {
        self.raw.clone()
    }
}
