//! Records as the store keeps them: a kind, an id and a versioned JSON envelope.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::attachment::Attachment;
use crate::credential::CredentialRecord;
use crate::ids::{AccountId, KeyId, TokenId};
use crate::key::Key;
use crate::management::ManagementToken;
use crate::upstream::Upstream;

/// The version this crate writes.
const VERSION: u64 = 1;

/// Which kind of record; the store keeps one table for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// [`Account`], by its id.
    Account,
    /// [`Key`], by its id.
    Key,
    /// [`Upstream`], by its name.
    Upstream,
    /// [`Attachment`], by its id.
    Attachment,
    /// [`CredentialRecord`], by its name.
    Credential,
    /// [`ManagementToken`], by its id.
    Token,
}

/// One record read from the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A node of the tree.
    Account(Arc<Account>),
    /// An inference key.
    Key(Arc<Key>),
    /// A way to a vendor.
    Upstream(Arc<Upstream>),
    /// A policy at work.
    Attachment(Arc<Attachment>),
    /// A sealed credential.
    Credential(Arc<CredentialRecord>),
    /// A management token of an account.
    Token(Arc<ManagementToken>),
}

/// One change of a record, to be made durable and then applied. `None` removes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A node of the tree.
    Account(AccountId, Option<Arc<Account>>),
    /// An inference key.
    Key(KeyId, Option<Arc<Key>>),
    /// A way to a vendor.
    Upstream(String, Option<Arc<Upstream>>),
    /// A policy at work.
    Attachment(String, Option<Arc<Attachment>>),
    /// A sealed credential.
    Credential(String, Option<Arc<CredentialRecord>>),
    /// A management token of an account.
    Token(TokenId, Option<Arc<ManagementToken>>),
}

/// Why bytes from the store are not a record. Never quotes their content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not JSON, or not of this kind.
    #[error("a damaged {kind:?} record: {reason}")]
    Damaged {
        /// Its table.
        kind: RecordKind,
        /// What the parser said.
        reason: String,
    },
    /// Written by a newer Tollgate.
    #[error("a {kind:?} record of version {found}; this Tollgate reads up to {VERSION}")]
    Newer {
        /// Its table.
        kind: RecordKind,
        /// The version it carries.
        found: u64,
    },
    /// The records do not fit together.
    #[error("inconsistent records: {0}")]
    Inconsistent(String),
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    v: u64,
    #[serde(flatten)]
    record: &'a T,
}

#[derive(Deserialize)]
struct Version {
    v: u64,
}

impl Change {
    /// Its table.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Account(..) => RecordKind::Account,
            Self::Key(..) => RecordKind::Key,
            Self::Upstream(..) => RecordKind::Upstream,
            Self::Attachment(..) => RecordKind::Attachment,
            Self::Credential(..) => RecordKind::Credential,
            Self::Token(..) => RecordKind::Token,
        }
    }

    /// Its key within the table.
    #[must_use]
    pub fn id(&self) -> Vec<u8> {
        match self {
            Self::Account(id, _) => id.as_bytes().to_vec(),
            Self::Key(id, _) => id.as_bytes().to_vec(),
            Self::Token(id, _) => id.as_bytes().to_vec(),
            Self::Upstream(name, _) | Self::Attachment(name, _) | Self::Credential(name, _) => {
                name.as_bytes().to_vec()
            }
        }
    }

    /// The bytes to store; none removes the record.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Account(_, record) => record.as_deref().map(encode),
            Self::Key(_, record) => record.as_deref().map(encode),
            Self::Upstream(_, record) => record.as_deref().map(encode),
            Self::Attachment(_, record) => record.as_deref().map(encode),
            Self::Credential(_, record) => record.as_deref().map(encode),
            Self::Token(_, record) => record.as_deref().map(encode),
        }
    }
}

impl Record {
    /// Reads a record that [`Change::bytes`] wrote, in this or an earlier version.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer version.
    pub fn decode(kind: RecordKind, bytes: &[u8]) -> Result<Self, RecordError> {
        Ok(match kind {
            RecordKind::Account => Self::Account(decode(kind, bytes)?),
            RecordKind::Key => Self::Key(decode(kind, bytes)?),
            RecordKind::Upstream => Self::Upstream(decode(kind, bytes)?),
            RecordKind::Attachment => Self::Attachment(decode(kind, bytes)?),
            RecordKind::Credential => Self::Credential(decode(kind, bytes)?),
            RecordKind::Token => Self::Token(decode(kind, bytes)?),
        })
    }
}

impl From<Record> for Change {
    fn from(record: Record) -> Self {
        match record {
            Record::Account(record) => Self::Account(record.id, Some(record)),
            Record::Key(record) => Self::Key(record.id, Some(record)),
            Record::Upstream(record) => Self::Upstream(record.name.clone(), Some(record)),
            Record::Attachment(record) => Self::Attachment(record.id.clone(), Some(record)),
            Record::Credential(record) => Self::Credential(record.name.clone(), Some(record)),
            Record::Token(record) => Self::Token(record.id, Some(record)),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "records are maps of strings and numbers: they always serialise"
)]
fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    serde_json::to_vec(&Envelope { v: VERSION, record }).expect("a record serialises")
}

fn decode<T: DeserializeOwned>(kind: RecordKind, bytes: &[u8]) -> Result<Arc<T>, RecordError> {
    let damaged = |error: serde_json::Error| RecordError::Damaged {
        kind,
        // Only the category and the place: the message of a type error may quote a value.
        reason: format!("{:?} error at byte {}", error.classify(), error.column()),
    };
    let Version { v } = serde_json::from_slice(bytes).map_err(damaged)?;
    match v {
        VERSION => serde_json::from_slice(bytes).map(Arc::new).map_err(damaged),
        found => Err(RecordError::Newer { kind, found }),
    }
}
