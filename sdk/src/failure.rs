//! What a failure means, and short ways to say it.

use crate::Failure;

/// The kinds of failure the host knows. The set may grow: a host treats a kind it does not know as permanent.
///
/// ```
/// use tollgate_guest::{Failure, kind};
/// assert_eq!(Failure::new(kind::RATE_LIMITED).kind, "rate-limited");
/// ```
pub mod kind {
    /// Too many requests or tokens just now.
    pub const RATE_LIMITED: &str = "rate-limited";
    /// Money or a plan's allowance is used up.
    pub const QUOTA_EXHAUSTED: &str = "quota-exhausted";
    /// The credential is wrong, revoked or not allowed.
    pub const AUTH: &str = "auth";
    /// The request is at fault; no other credential would help.
    pub const INVALID_REQUEST: &str = "invalid-request";
    /// The request is longer than the model's window.
    pub const CONTEXT_LENGTH: &str = "context-length";
    /// The vendor's content rules said no.
    pub const CONTENT_FILTERED: &str = "content-filtered";
    /// The vendor has no such model, or not for this credential.
    pub const MODEL_NOT_FOUND: &str = "model-not-found";
    /// The vendor is short of capacity.
    pub const OVERLOADED: &str = "overloaded";
    /// Something broke at the vendor; the same request may well succeed again.
    pub const TRANSIENT: &str = "transient";
    /// Trying again will not help.
    pub const PERMANENT: &str = "permanent";
}

impl Failure {
    /// A failure of a kind (one of [`kind`]), in the host's own words.
    ///
    /// ```
    /// use tollgate_guest::{Failure, kind};
    /// let failure = Failure::new(kind::OVERLOADED);
    /// assert_eq!(failure.message, None);
    /// ```
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            retry_after_ms: None,
            message: None,
            extensions: Vec::new(),
        }
    }

    /// The failure of a provider that was asked for an operation it does not serve.
    ///
    /// ```
    /// use tollgate_guest::Failure;
    /// assert_eq!(Failure::unsupported("embeddings").kind, "permanent");
    /// ```
    pub fn unsupported(operation: &str) -> Self {
        Self::new(kind::PERMANENT)
            .with_message(format!("This provider does not serve `{operation}`."))
    }

    /// Adds the vendor's message. It goes to the client: no secrets, no account ids ([`classify`](crate::classify)
    /// takes them out).
    ///
    /// ```
    /// use tollgate_guest::{Failure, kind};
    /// let failure = Failure::new(kind::INVALID_REQUEST).with_message("`n` must be 1.");
    /// assert_eq!(failure.message.as_deref(), Some("`n` must be 1."));
    /// ```
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Adds how long to leave the credential alone, in milliseconds.
    ///
    /// ```
    /// use tollgate_guest::{Failure, kind};
    /// let failure = Failure::new(kind::RATE_LIMITED).retry_after(Some(1500));
    /// assert_eq!(failure.retry_after_ms, Some(1500));
    /// ```
    #[must_use]
    pub fn retry_after(mut self, milliseconds: Option<u64>) -> Self {
        self.retry_after_ms = milliseconds;
        self
    }
}
