//! What is wrong with a body, said so that the sender can mend it.

/// A body that cannot be served: a 400 naming the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The member at fault in the notation of error bodies, for example `messages[2].content`; `None` where the fault
    /// is the body as a whole.
    pub param: Option<String>,
    /// A sentence for the person who sent it.
    pub message: String,
}

impl Invalid {
    /// A fault of the body as a whole.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self {
            param: None,
            message: message.into(),
        }
    }

    /// A fault of the member `param`.
    pub(crate) fn param(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            message: message.into(),
        }
    }
}
