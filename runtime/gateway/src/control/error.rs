//! Why a control operation was refused: one type for the management API, the command line and the start.

use std::path::PathBuf;

/// What sort of refusal it is; the management API turns it into a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong: 400.
    Invalid,
    /// It is not for whoever asks: 403.
    Forbidden,
    /// What it names is not there: 404.
    NotFound,
    /// It cannot be done in the present state: 409.
    Conflict,
    /// It cannot be done now, and nothing of it was; or it is done and the disk has not confirmed it, which the message
    /// says: 503.
    Unavailable,
    /// The gateway failed: 500.
    Internal,
}

/// A refused or failed control operation. Never holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    /// The sort of refusal.
    pub kind: Kind,
    /// The request's field that is to blame, as a dotted path.
    pub field: Option<String>,
    /// A whole sentence for the operator.
    pub message: String,
}

impl ControlError {
    /// A field of the request is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Invalid,
            field: Some(field.into()),
            message: message.into(),
        }
    }

    /// A thing is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::NotFound,
            field: None,
            message: message.into(),
        }
    }

    /// It is not for whoever asks.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Forbidden,
            field: None,
            message: message.into(),
        }
    }

    /// The present state forbids it.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Conflict,
            field: None,
            message: message.into(),
        }
    }

    /// It cannot be done at the moment.
    pub fn unavailable(message: impl std::fmt::Display) -> Self {
        Self {
            kind: Kind::Unavailable,
            field: None,
            message: message.to_string(),
        }
    }

    /// The gateway itself failed.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self {
            kind: Kind::Internal,
            field: None,
            message: message.to_string(),
        }
    }
}

/// Why the gateway did not start. Each names what to look at.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder of the data directory.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory or a secret in it is open to others.
    #[error("{} can be read by others (mode {mode:o}): run chmod {wanted:o} on it", path.display())]
    Mode {
        /// Which one.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What the mode should be.
        wanted: u32,
    },
    /// The store did not open.
    #[error("the store in {}: {reason}", path.display())]
    Store {
        /// The data directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The vault did not open: wrong or missing master key.
    #[error("the vault: {0}")]
    Vault(String),
    /// The component host did not start.
    #[error("the component host: {0}")]
    Components(String),
    /// A setting of the configuration that only shows to be wrong when it is used.
    #[error("configuration, {key}: {reason}")]
    Config {
        /// The key, as `section.key`.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// What the store holds does not make sense.
    #[error("the stored state: {0}")]
    State(String),
}
