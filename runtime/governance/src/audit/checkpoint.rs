//! A signed note of how far a log had got, to be kept where whoever can write the log cannot.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::canonical::canonical_json;
use super::entry::AuditChain;
use super::hash::{AuditHash, from_hex, to_hex};
use crate::random::Random;

/// Says what the file is, and keeps the signature from standing for anything else.
const FORMAT: &str = "tollgate-audit-checkpoint";
const VERSION: u64 = 1;

/// Says that at a moment the log had so many entries, the last one with this hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCheckpoint {
    /// `tollgate-audit-checkpoint`.
    pub format: String,
    /// Version of this shape.
    pub v: u64,
    /// Number of the last entry; 0: the log was empty.
    pub sequence: u64,
    /// Its hash.
    pub hash: AuditHash,
    /// When it was made, Unix milliseconds.
    pub at_ms: u64,
    /// The Ed25519 key that it is signed with, 64 hexadecimal digits.
    pub public_key: String,
    /// Over the canonical JSON of the members above: 128 hexadecimal digits.
    pub signature: String,
}

/// Why a checkpoint cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint, or one of a newer Tollgate.
    #[error("it is not a checkpoint of the audit log that this Tollgate reads")]
    Unknown,
    /// A member is not what was signed.
    #[error("its signature does not match: it was altered")]
    Signature,
    /// Signed, but not by the gateway whose log it is held against.
    #[error("it is signed with another key than this gateway's")]
    AnotherKey,
}

impl AuditCheckpoint {
    /// Checks the signature. `expected`: the gateway's own key, where it is known.
    ///
    /// # Errors
    /// [`CheckpointError`] says what is wrong.
    pub fn check(&self, expected: Option<&str>) -> Result<(), CheckpointError> {
        if self.format != FORMAT || self.v != VERSION {
            return Err(CheckpointError::Unknown);
        }
        let key: [u8; 32] = from_hex(&self.public_key).ok_or(CheckpointError::Signature)?;
        let signature: [u8; 64] = from_hex(&self.signature).ok_or(CheckpointError::Signature)?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(self.signed().as_bytes(), &signature)
            .map_err(|_| CheckpointError::Signature)?;
        match expected {
            Some(expected) if expected != self.public_key => Err(CheckpointError::AnotherKey),
            _ => Ok(()),
        }
    }

    fn signed(&self) -> String {
        canonical_json(&json!({
            "format": self.format, "v": self.v, "sequence": self.sequence, "hash": self.hash, "at_ms": self.at_ms,
            "public_key": self.public_key,
        }))
    }
}

/// Signs checkpoints.
pub struct AuditSigner(Ed25519KeyPair);

impl std::fmt::Debug for AuditSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AuditSigner")
            .field(&self.public_key())
            .finish()
    }
}

impl AuditSigner {
    /// A new secret to make a signer of.
    pub fn new_seed(random: &mut dyn Random) -> zeroize::Zeroizing<[u8; 32]> {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        random.fill(&mut *seed);
        seed
    }

    /// The signer of this secret; none if it is no secret of one.
    #[must_use]
    pub fn from_seed(seed: &[u8]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The key that its signatures are checked with, 64 hexadecimal digits.
    #[must_use]
    pub fn public_key(&self) -> String {
        to_hex(self.0.public_key().as_ref())
    }

    /// Signs how far a log has got.
    #[must_use]
    pub fn sign(&self, chain: AuditChain, at_ms: u64) -> AuditCheckpoint {
        let mut checkpoint = AuditCheckpoint {
            format: FORMAT.to_owned(),
            v: VERSION,
            sequence: chain.sequence,
            hash: chain.hash,
            at_ms,
            public_key: self.public_key(),
            signature: String::new(),
        };
        let signature = self.0.sign(checkpoint.signed().as_bytes());
        checkpoint.signature = to_hex(signature.as_ref());
        checkpoint
    }
}
