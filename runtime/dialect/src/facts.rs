//! What the gateway must know of a request before it can decide anything.

use crate::{Document, Invalid, Operation};

/// The facts of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The model asked for.
    pub model: String,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The output cap in tokens; where several members set one, the largest (a vendor may read any of them).
    pub output_cap: Option<u64>,
    /// How many answers are asked for (`n`): the output cap holds for each.
    pub choices: u64,
    /// A key of the conversation that stays the same from turn to turn, if the client gave one.
    pub session: Option<String>,
    /// Chat: whether the client asked for the usage chunk (`stream_options.include_usage`).
    pub wants_usage: bool,
    /// Bytes of the body that the model will read as text, roughly four to a token: all of it, but encoded images and
    /// files only in part.
    pub input_chars_estimate: u64,
}

/// Reads the facts and refuses what could be read in two ways.
///
/// # Errors
/// A member is missing, of the wrong type, out of range, or there twice.
pub fn facts(_document: &Document, _operation: Operation) -> Result<Facts, Invalid> {
    todo!()
}
