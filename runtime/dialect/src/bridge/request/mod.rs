//! A request from one dialect to another.

use crate::{ApiError, Dialect};

use super::{Context, Target};

/// A request in the vendor's dialect.
#[derive(Debug)]
pub struct Bridged {
    /// JSON.
    pub body: Vec<u8>,
    /// For the answer's way back.
    pub context: Context,
}

/// Writes the request `body` of the dialect `from` in the target's dialect.
pub fn request(from: Dialect, body: &[u8], to: &Target<'_>) -> Result<Bridged, ApiError> {
    let _ = (from, body, to);
    Err(ApiError::new(crate::ErrorKind::Unsupported, "not yet"))
}
