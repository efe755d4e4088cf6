//! What the management API answers: plain values, no secret among them.

use std::collections::BTreeMap;

use serde::Serialize;
use tollgate_governance::{Account, AccountId, Attachment, KeyId, KeyState, Scope, Upstream};

use super::effective::{Effective, Used};
use crate::snapshot::Problem;

/// An account with what takes effect on it.
#[derive(Debug, Clone, Serialize)]
pub struct AccountView {
    /// The record.
    #[serde(flatten)]
    pub account: Account,
    /// Names from the root, `root/dept/alice`.
    pub path: String,
    /// What the whole path says together.
    pub effective: Effective,
    /// What of the account itself means nothing now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// An account in a list.
#[derive(Debug, Clone, Serialize)]
pub struct AccountLine {
    /// The record.
    #[serde(flatten)]
    pub account: Account,
    /// Names from the root.
    pub path: String,
    /// Whether every account of the path is active.
    pub enabled: bool,
    /// What its subtree has used.
    #[serde(flatten)]
    pub used: Used,
}

/// Accounts.
#[derive(Debug, Clone, Serialize)]
pub struct AccountList {
    /// Each after the one above it.
    pub accounts: Vec<AccountLine>,
    /// What to ask for `after` to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<AccountId>,
}

/// An account that is gone from the tree.
#[derive(Debug, Clone, Serialize)]
pub struct ArchivedAccount {
    /// Its id.
    pub id: AccountId,
    /// The account above it at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<AccountId>,
    /// Its name, which others may have by now.
    pub name: String,
    /// A friendlier name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// When it was archived, Unix milliseconds.
    pub deleted_ms: u64,
}

/// Accounts that are gone from the tree.
#[derive(Debug, Clone, Serialize)]
pub struct ArchivedList {
    /// Oldest first.
    pub accounts: Vec<ArchivedAccount>,
}

/// An account that was deleted.
#[derive(Debug, Clone, Serialize)]
pub struct DeletedAccount {
    /// Its id.
    pub deleted: AccountId,
    /// Its path.
    pub path: String,
    /// How many accounts go, it included.
    pub accounts: usize,
    /// `archived`, or `closing` while requests of it are under way.
    pub state: tollgate_governance::Status,
}

/// A key without its secret.
#[derive(Debug, Clone, Serialize)]
pub struct KeyView {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// The account's path; empty if the account is gone.
    pub path: String,
    /// What people call it.
    pub label: String,
    /// Enough of the key to recognise it.
    pub prefix: String,
    /// Whether it works now.
    pub state: KeyState,
    /// What it may do less than its account.
    pub scope: Scope,
    /// Of no use before that moment, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before_ms: Option<u64>,
    /// Of no use from that moment on, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// When it was last shown, to a second, Unix milliseconds; absent: not for a month at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_ms: Option<u64>,
    /// The key that replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<KeyId>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds; absent while it is not revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<u64>,
}

/// Keys.
#[derive(Debug, Clone, Serialize)]
pub struct KeyList {
    /// Oldest first.
    pub keys: Vec<KeyView>,
    /// What to ask for `after` to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<KeyId>,
}

/// A key at the one moment at which it is shown.
#[derive(Serialize)]
pub struct IssuedKey {
    /// What stays known of it.
    #[serde(flatten)]
    pub view: KeyView,
    /// The key itself.
    #[serde(serialize_with = "exposed")]
    pub key: tollgate_governance::Secret,
    /// The key that it replaces, as that is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<KeyView>,
}

pub(super) fn exposed<S: serde::Serializer>(
    key: &tollgate_governance::Secret,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.expose())
}

/// A credential's names.
#[derive(Debug, Clone, Serialize)]
pub struct CredentialView {
    /// Its name.
    pub name: String,
    /// Names of its fields.
    pub fields: Vec<String>,
    /// Upstreams that use it.
    pub used_by: Vec<String>,
    /// Unix milliseconds.
    pub created_ms: u64,
    /// Unix milliseconds.
    pub updated_ms: u64,
}

/// Credentials.
#[derive(Debug, Clone, Serialize)]
pub struct CredentialList {
    /// By name.
    pub credentials: Vec<CredentialView>,
}

/// An upstream and whether it can be used.
#[derive(Debug, Clone, Serialize)]
pub struct UpstreamView {
    /// The record.
    #[serde(flatten)]
    pub upstream: Upstream,
    /// Why it cannot be used now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The endpoint that it goes to: the one that is set, or the provider's first. None while it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_endpoint: Option<String>,
    /// Models that it does not serve because they have no price that can be charged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpriced_models: Vec<String>,
}

/// Upstreams.
#[derive(Debug, Clone, Serialize)]
pub struct UpstreamList {
    /// Highest priority first.
    pub upstreams: Vec<UpstreamView>,
}

/// An attached policy and whether it can be asked.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyView {
    /// The record.
    #[serde(flatten)]
    pub attachment: Attachment,
    /// The account's path.
    pub path: String,
    /// Why it cannot be asked now; until then it denies everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Attached policies.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyList {
    /// By account, in the order in which they run.
    pub policies: Vec<PolicyView>,
}

/// A loaded component.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentView {
    /// The manifest's id for a provider, the file's stem for a policy.
    pub id: String,
    /// `provider` or `policy`.
    pub kind: &'static str,
    /// The file in the components folder.
    pub file: String,
    /// SHA-256 of the file, in hex.
    pub digest: String,
    /// The interfaces it implements.
    pub exports: Vec<&'static str>,
    /// A provider's manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<tollgate_plugin::Manifest>,
}

/// A file that could not be loaded.
#[derive(Debug, Clone, Serialize)]
pub struct FailedComponent {
    /// The file in the components folder.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// Components.
#[derive(Debug, Clone, Serialize)]
pub struct ComponentList {
    /// What serves.
    pub loaded: Vec<ComponentView>,
    /// What does not. The last good version of a file may be serving all the same.
    pub failed: Vec<FailedComponent>,
}

/// How the gateway is.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Of the gateway.
    pub version: &'static str,
    /// Unix milliseconds.
    pub started_ms: u64,
    /// Unix milliseconds.
    pub now_ms: u64,
    /// How many there are of each thing.
    pub counts: BTreeMap<&'static str, usize>,
    /// What cannot be used, and why.
    pub problems: Vec<ProblemView>,
    /// What was set and means nothing now: a limit for a model that is not served.
    pub notes: Vec<ProblemView>,
}

/// Something that cannot be used, or means nothing.
#[derive(Debug, Clone, Serialize)]
pub struct ProblemView {
    /// For example ``upstream `main` ``.
    pub what: String,
    /// One sentence.
    pub why: String,
}

impl From<&Problem> for ProblemView {
    fn from(problem: &Problem) -> Self {
        Self {
            what: problem.what.clone(),
            why: problem.why.clone(),
        }
    }
}

/// What was deleted.
#[derive(Debug, Clone, Serialize)]
pub struct Deleted {
    /// Its name or id.
    pub deleted: String,
}
