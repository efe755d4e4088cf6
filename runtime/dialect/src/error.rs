//! What went wrong, independent of any dialect.

/// Why a request was not served. One table (`render`) says what each dialect's client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Requests or tokens a minute or an hour, or too many at once: passes by itself soon.
    RateLimited,
    /// A daily or monthly limit of money, requests or tokens: passes at its reset.
    QuotaExceeded,
    /// The request alone is larger than a limit: never passes.
    LargerThanLimit,
    /// Prepaid money is used up.
    WalletEmpty,
    /// The model is not there, or not for this account.
    ModelNotFound,
    /// The account may not use this endpoint.
    EndpointForbidden,
    /// The client's address may not use this key.
    AddressForbidden,
    /// Key missing, wrong, expired, revoked, or an account above it disabled.
    InvalidKey,
    /// A policy said no; the message is the policy's.
    DeniedByPolicy,
    /// No upstream can serve now.
    Overloaded,
    /// The body is malformed or a field has a wrong value.
    InvalidRequest,
    /// What is asked for cannot be done here.
    Unsupported,
    /// The body is larger than the gateway takes.
    BodyTooLarge,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The answer or conversation that the request goes on with is not there, or not for this account.
    TurnNotFound,
    /// Another answer is being added to the conversation that the request goes on with.
    ConversationLocked,
    /// The answer or conversation that a path names, or the item that an input refers to, is not there, or not for this
    /// account.
    AnswerNotFound,
    /// No such path.
    NotFound,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// The upstream refused the request as invalid.
    UpstreamRejected,
    /// The input does not fit the model's context window.
    ContextLength,
    /// The upstream's content filter refused.
    ContentFiltered,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The upstream failed.
    UpstreamFailed,
    /// The gateway failed.
    Internal,
}

/// A failure on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Why.
    pub kind: ErrorKind,
    /// A sentence for the person who asked. No secrets, no other account's figures.
    pub message: String,
    /// The field at fault, in the notation of error bodies.
    pub param: Option<String>,
    /// How long to wait, in milliseconds: for `QuotaExceeded` the time left until the reset.
    pub retry_after_ms: Option<u64>,
    /// When the limit resets, in Unix milliseconds.
    pub resets_at: Option<u64>,
}

impl ApiError {
    /// An error of this kind with this message and nothing else.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            retry_after_ms: None,
            resets_at: None,
        }
    }

    /// The same, naming the field at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same, with a time to wait in milliseconds.
    #[must_use]
    pub fn with_retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.retry_after_ms = Some(milliseconds);
        self
    }

    /// The same, with the moment of the reset in Unix milliseconds.
    #[must_use]
    pub fn with_resets_at(mut self, unix_milliseconds: u64) -> Self {
        self.resets_at = Some(unix_milliseconds);
        self
    }
}

impl From<crate::Invalid> for ApiError {
    fn from(invalid: crate::Invalid) -> Self {
        Self {
            param: invalid.param,
            ..Self::new(ErrorKind::InvalidRequest, invalid.message)
        }
    }
}
