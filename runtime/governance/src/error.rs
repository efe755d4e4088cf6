//! Why an operation on the directory was refused; every refusal of a value names its field.

/// Why the directory refused an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// A value cannot be accepted (HTTP 400).
    #[error("{field}: {message}")]
    Invalid {
        /// The member of the request that is wrong, e.g. `limits.rpm`.
        field: &'static str,
        /// What is wrong with it, for a person.
        message: String,
    },
    /// The thing named does not exist (HTTP 404).
    #[error("no {what} `{name}`")]
    NotFound {
        /// `account`, `key`, `token`, `upstream`, `policy` or `credential`.
        what: &'static str,
        /// The name or id asked for.
        name: String,
    },
    /// The state of other things forbids it (HTTP 409).
    #[error("{field}: {message}")]
    Conflict {
        /// The member of the request that conflicts.
        field: &'static str,
        /// With what it conflicts, for a person.
        message: String,
    },
    /// It is there, but not for whoever asks to change (HTTP 403).
    #[error("{message}")]
    Forbidden {
        /// Whose business it is, for a person.
        message: String,
    },
}

impl DirectoryError {
    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }

    pub(crate) fn conflict(field: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict {
            field,
            message: message.into(),
        }
    }

    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound {
            what,
            name: name.into(),
        }
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::Forbidden {
            message: message.into(),
        }
    }

    /// The member of the request to point at, if one is to blame.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid { field, .. } | Self::Conflict { field, .. } => Some(field),
            Self::NotFound { .. } | Self::Forbidden { .. } => None,
        }
    }
}
