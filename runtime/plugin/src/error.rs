//! What can go wrong with a component, told so that an operator knows which one and why.

use thiserror::Error;

/// A component failed. The router acts on `kind`; `message` is for the log, the console and `doctor`. It never holds
/// a secret: nothing secret ever reaches a component.
#[derive(Debug, Clone, Error)]
#[error("component `{component}`: {message}")]
pub struct PluginError {
    /// The component's id (manifest id or file stem), or the file's name while it is being loaded.
    pub component: String,
    /// What kind of failure this is.
    pub kind: ErrorKind,
    /// One sentence.
    pub message: String,
}

/// The kinds of failure, by what the host may conclude from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The file cannot be used: damaged, foreign, too big, built for an unknown contract.
    Load,
    /// The guest trapped.
    Trap,
    /// The guest ran longer than a call may.
    Timeout,
    /// The guest wanted more memory than it may have.
    Memory,
    /// The guest ran out of time or memory at a call that was handed much: what it was handed may be to blame.
    TooLarge,
    /// The guest answered something that the contract does not allow.
    BadAnswer,
    /// The guest refused on purpose: its configuration, a signature.
    Refused,
    /// The component does not export the interface that was asked for.
    Unsupported,
    /// No instance could be had now: the engine's slots, or the channels of one answer, are all in use.
    Busy,
    /// The guest timed out again and again and is left alone for a while: it was not called.
    Suspended,
    /// The host itself failed: cache directory, watcher, engine.
    Host,
}

impl PluginError {
    /// An error of the component called `component`.
    pub fn new(component: impl Into<String>, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            component: component.into(),
            kind,
            message: message.into(),
        }
    }

    /// An error of the host itself, where no component is to blame.
    pub(crate) fn host(message: impl Into<String>) -> Self {
        Self::new("host", ErrorKind::Host, message)
    }
}

/// `prepare` did not give a plan.
#[derive(Debug, Clone, Error)]
pub enum PrepareError {
    /// The component failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The component says that this attempt cannot be made.
    #[error("the provider refused the attempt: {0:?}")]
    Refused(crate::Failure),
}

/// A translator did not give bytes.
#[derive(Debug, Clone, Error)]
pub enum TranslateError {
    /// The component failed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The component says what is wrong: with the request, with the vendor's answer, or at the vendor.
    #[error("the provider reports {}: {}", .0.kind.word(), .0.message.as_deref().unwrap_or("no message"))]
    Refused(crate::Failure),
}

/// An answer filter did not let text through.
#[derive(Debug, Clone, Error)]
pub enum FilterError {
    /// The component failed. Filters fail closed.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The policy ends the answer.
    #[error("denied: {}", .0.reason)]
    Denied(crate::Denial),
}
