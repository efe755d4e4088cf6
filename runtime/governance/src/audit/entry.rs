//! One entry of the audit log, the way it is hashed, and the end of the chain that the next one is linked to.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::canonical::canonical_json;
use super::hash::AuditHash;

/// The version this crate writes.
const VERSION: u64 = 1;

/// What an act was about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSubject {
    /// Id or name of the thing.
    pub id: String,
    /// Path of the account it is or belongs to; empty where it belongs to none.
    pub path: String,
}

/// What a caller knows of an act before it has a place in the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditDraft {
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Who did it, e.g. `management-token`.
    pub actor: String,
    /// What was done, e.g. `account.create`.
    pub act: String,
    /// To what.
    pub subject: AuditSubject,
    /// What changed by it. Never a secret: nothing is ever taken out of the log again.
    pub changes: Value,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Version of this shape.
    pub v: u64,
    /// Its number: 1, 2, 3 …, without gaps.
    pub sequence: u64,
    /// Unix milliseconds, by the clock of the gateway: it may go back where that did.
    pub at_ms: u64,
    /// See [`AuditDraft::actor`].
    pub actor: String,
    /// See [`AuditDraft::act`].
    pub act: String,
    /// See [`AuditDraft::subject`].
    pub subject: AuditSubject,
    /// See [`AuditDraft::changes`].
    pub changes: Value,
    /// The hash of the entry before; zeros for the first.
    pub previous: AuditHash,
    /// SHA-256 over the canonical JSON of the members above (without `previous` and this), then the 32 bytes of
    /// `previous`.
    pub hash: AuditHash,
}

/// Why bytes are not an entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditDecodeError {
    /// Not what [`AuditEntry::encode`] writes.
    #[error("it cannot be read: {0}")]
    Damaged(String),
    /// Written by a newer Tollgate.
    #[error("it is of version {0}; this Tollgate reads up to {VERSION}")]
    Newer(u64),
}

impl AuditEntry {
    /// The hash that the entry should have.
    #[must_use]
    pub fn computed_hash(&self) -> AuditHash {
        let body = json!({
            "v": self.v, "sequence": self.sequence, "at_ms": self.at_ms, "actor": self.actor, "act": self.act,
            "subject": { "id": self.subject.id, "path": self.subject.path }, "changes": self.changes,
        });
        AuditHash::of(&[canonical_json(&body).as_bytes(), &self.previous.0])
    }

    /// The bytes to store: the whole entry as canonical JSON.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "an entry is made of strings, numbers and JSON: it always serialises"
    )]
    pub fn encode(&self) -> Vec<u8> {
        let value = serde_json::to_value(self).expect("an entry serialises");
        canonical_json(&value).into_bytes()
    }

    /// Reads what [`AuditEntry::encode`] wrote, to the byte: what merely means the same was altered, too. Whether its
    /// hash is right an [`AuditVerifier`](super::AuditVerifier) tells.
    ///
    /// # Errors
    /// When the bytes are damaged or of a newer version.
    pub fn decode(bytes: &[u8]) -> Result<Self, AuditDecodeError> {
        let damaged = |why: &str| AuditDecodeError::Damaged(why.to_owned());
        let value: Value = serde_json::from_slice(bytes).map_err(|_| damaged("it is not JSON"))?;
        match value["v"].as_u64() {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(AuditDecodeError::Newer(newer)),
            _ => return Err(damaged("it has no version")),
        }
        if canonical_json(&value).as_bytes() != bytes {
            return Err(damaged("it is not written as entries are"));
        }
        serde_json::from_value(value).map_err(|_| damaged("it has not the members of an entry"))
    }
}

/// The end of a log: what its next entry is linked to. The default is that of an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditChain {
    /// Number of the last entry; 0: there is none.
    pub sequence: u64,
    /// Its hash.
    pub hash: AuditHash,
}

impl AuditChain {
    /// The end of a log of which this is the last entry.
    #[must_use]
    pub fn after(entry: &AuditEntry) -> Self {
        Self {
            sequence: entry.sequence,
            hash: entry.hash,
        }
    }

    /// The end of a log whose last entry cannot be read: what is written next is linked to the bytes that are there, and
    /// whoever verifies finds the damage, but management goes on.
    #[must_use]
    pub fn after_damage(sequence: u64, bytes: &[u8]) -> Self {
        Self {
            sequence,
            hash: AuditHash::of(&[bytes]),
        }
    }

    /// The entry that tells of an act, as the next of this log. It is in the log once it is stored.
    #[must_use]
    pub fn link(&self, draft: AuditDraft) -> AuditEntry {
        let mut entry = AuditEntry {
            v: VERSION,
            sequence: self.sequence.saturating_add(1),
            at_ms: draft.at_ms,
            actor: draft.actor,
            act: draft.act,
            subject: draft.subject,
            changes: whole(draft.changes),
            previous: self.hash,
            hash: AuditHash::default(),
        };
        entry.hash = entry.computed_hash();
        entry
    }
}

/// Numbers with a fraction as text: they have more than one way to be written, and a reader may round them.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::String(number.to_string()),
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, whole(member)))
            .collect(),
        other => other,
    }
}
