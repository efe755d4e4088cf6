//! Accounts, effective policy, limits, prices. Pure: time and randomness are arguments.
//!
//! The control plane owns one [`Directory`]. An operation on it validates and returns [`Change`]s; the caller makes
//! them durable and only then hands them to [`Directory::apply`]. The data plane never sees the directory: it reads
//! an immutable [`Accounts`] snapshot, asks [`Counters`] for admission and settles the [`Admission`] it got.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod account;
mod attachment;
mod audit;
mod calendar;
mod caller;
mod codec;
mod credential;
mod directory;
mod error;
mod ids;
mod key;
mod ledger;
mod limits;
mod management;
mod money;
mod node;
mod path;
mod pattern;
mod price;
mod random;
mod record;
mod snapshot;
mod token;
mod upstream;
mod usage;
mod window;

pub use account::{
    Account, AccountPatch, Billing, BudgetMode, LimitKind, Limits, LimitsPatch, OnExhaust, Status,
    ZoneChange, present,
};
pub use attachment::{Attachment, AttachmentDraft};
pub use audit::{
    AuditChain, AuditCheckpoint, AuditDecodeError, AuditDraft, AuditEntry, AuditFinding, AuditHash,
    AuditSigner, AuditSubject, AuditVerifier, CheckpointError, canonical_json, change_subject,
    change_summary, changes_nothing,
};
pub use calendar::{Day, Zone};
pub use caller::Caller;
pub use credential::CredentialRecord;
pub use directory::{Attached, DEFAULT_GRACE_MS, DeleteMode, Directory, tightens};
pub use error::DirectoryError;
pub use ids::{AccountId, KeyId, RequestIds, TokenId};
pub use key::{Key, KeyDraft, KeyState, NewKey, Scope};
pub use ledger::{
    Balance, Begun, Book, Cause, Entry, Forgotten, IdempotencyKey, Ledger, LedgerError, Lot,
    OpenHold, Operation, Pending, Post, Posting, Receipt, Source, Totals, micro_units,
};
pub use limits::{
    Admission, Ask, Bound, Counters, Exceeded, Headroom, LimitUse, Rate, Running, Settled, Spent,
};
pub use management::{ManagementToken, NewToken, Role, TokenDraft};
pub use money::show_money;
pub use node::Node;
pub use path::Path;
pub use pattern::matches as pattern_matches;
pub use price::{
    Charge, Factor, ListPrice, ListTier, Price, PriceError, Rates, Tier, Tokens, charge, cost,
    hold, hold_dearest, output_to_hold,
};
pub use random::{OsRandom, Random};
pub use record::{Change, Record, RecordError, RecordKind};
pub use snapshot::Accounts;
pub use token::{KeyHasher, KeyMac, Malformed, Secret, TokenKind};
pub use upstream::{Upstream, UpstreamDraft, UpstreamModel};
pub use usage::{
    ABOVE, CLIENT_CLOSED, PolicyAct, Rollup, RollupFilter, RollupKey, Span, Sums, UsageDecodeError,
    UsageRow,
};
