//! Upstream credentials: envelope encryption and master keys.
//!
//! Every credential is sealed with a data key of its own (AES-256-GCM); the data key is sealed with a key derived from
//! the master key. Both are bound to the credential's name, so records cannot be swapped. An opened [`Credential`] is
//! wiped on drop and never prints a value.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod credential;
mod error;
mod master;
mod sealed;
mod template;
mod vault;

pub use credential::Credential;
pub use error::VaultError;
pub use master::{MASTER_KEY_VARIABLE, MasterKeySource, PASSPHRASE_VARIABLE};
pub use sealed::SealedCredential;
pub use vault::Vault;
