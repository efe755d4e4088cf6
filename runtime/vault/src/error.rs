//! What can go wrong with secrets, told without telling any.

use std::path::PathBuf;

/// Why the vault cannot do what was asked. No variant carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The master key is not 32 bytes of base64.
    #[error("{0} does not hold a master key: 32 bytes in base64")]
    MasterKeyFormat(String),
    /// Others may read the key file.
    #[error("the key file {} may be read by others (mode {mode:03o}); allow only its owner: chmod 600", path.display())]
    KeyFileMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file cannot be read or made.
    #[error("the key file {}: {error}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The passphrase cannot be turned into a key.
    #[error("the passphrase: {0}")]
    Passphrase(String),
    /// The bytes were sealed under another master key.
    #[error("`{0}` was sealed under another master key")]
    WrongMasterKey(String),
    /// The bytes were altered, cut, or belong to another name.
    #[error("the sealed record of `{0}` is damaged or belongs to another name")]
    Damaged(String),
    /// A newer Tollgate sealed it.
    #[error("`{name}` is sealed in format {found}; this Tollgate knows format 1")]
    Newer {
        /// Which record.
        name: String,
        /// The format it has.
        found: u8,
    },
    /// The credential has no such field.
    #[error("credential `{credential}` has no field `{field}`")]
    UnknownField {
        /// Which credential.
        credential: String,
        /// The field asked for.
        field: String,
    },
    /// A template is not well formed.
    #[error("a template has a `{{` or `}}` without its partner")]
    Template,
    /// The algorithm is unknown.
    #[error("unknown MAC algorithm `{0}`")]
    Algorithm(String),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness,
}
