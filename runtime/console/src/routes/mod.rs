//! The table of routes: the router and the OpenAPI description are both made from it.

mod accounts;
mod audit;
mod credentials;
mod export;
mod grants;
mod keys;
mod limits;
mod listing;
mod policies;
mod state;
mod tokens;
mod upstreams;
mod usage;

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{MethodRouter, delete, get, patch, post, put};

pub(crate) use export::Places;

use crate::answer::Refusal;

/// The last part of a path: a name, an id or an account's path.
struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Path::<String>::from_request_parts(parts, state)
            .await
            .map(|Path(name)| Self(name))
            .map_err(|rejection| Refusal::new(StatusCode::BAD_REQUEST, rejection.body_text()))
    }
}

/// One operation of the API.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Needs no token.
    pub(crate) open: bool,
    /// For tokens of accounts, too: what it works on, or answers, is cut to what they see. All else is the operator's. It is
    /// what the description says; the handler's arguments decide, and a test sees that both agree.
    pub(crate) bound: bool,
    /// The operation's name for generated clients.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// Names of query parameters with their descriptions.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// Schema of the request body.
    pub(crate) request: Option<&'static str>,
    /// Status of success, and the schema of its body; none: no JSON, but `media`.
    pub(crate) answer: (u16, Option<&'static str>),
    /// Types that are answered where there is no schema.
    pub(crate) media: &'static [&'static str],
    pub(crate) handler: MethodRouter,
}

impl Route {
    fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        handler: MethodRouter,
    ) -> Self {
        Self {
            method,
            path,
            open: false,
            bound: false,
            id,
            summary: "",
            query: &[],
            request: None,
            answer: (200, None),
            media: &["text/html"],
            handler,
        }
    }

    fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    fn open(mut self) -> Self {
        self.open = true;
        self
    }

    fn bound(mut self) -> Self {
        self.bound = true;
        self
    }

    fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    fn takes(mut self, schema: &'static str) -> Self {
        self.request = Some(schema);
        self
    }

    fn streams(mut self, media: &'static [&'static str]) -> Self {
        self.media = media;
        self
    }

    fn gives(mut self, status: u16, schema: &'static str) -> Self {
        self.answer = (status, Some(schema));
        self
    }
}

const ACCOUNT: (&str, &str) = (
    "account",
    "Only this account and all below it; an id, or a path such as `root/sales`. Paths begin with the name of the token's account.",
);
const AFTER: (&str, &str) = (
    "after",
    "Those after the one of this id: `next` of the page before. Absent: from the first on.",
);
const LIMIT: (&str, &str) = ("limit", "So many at most; absent: all.");
const SINCE: (&str, &str) = (
    "since",
    "From this moment on: RFC 3339, or milliseconds since 1970.",
);
const UNTIL: (&str, &str) = ("until", "Before this moment.");
const MODEL: (&str, &str) = (
    "model",
    "Only this model, as the account knows it: mapped, else requested.",
);
const PROVIDER: (&str, &str) = ("provider", "Only this provider component.");
const KEY: (&str, &str) = ("key", "Only the key of this id.");
const TAG: (&str, &str) = ("tag", "Only what is tagged so, as `NAME=VALUE`.");

/// Every operation.
pub(crate) fn table() -> Vec<Route> {
    let mut all = general();
    all.extend(accounts());
    all.extend(keys());
    all.extend(tokens());
    all.extend(credit());
    all.extend(traffic());
    all.extend(usage());
    all.extend(audited());
    all
}

fn general() -> Vec<Route> {
    vec![
        Route::new("get", "/", "page", get(crate::page::page))
            .open()
            .says("A page for browsers that says what this is."),
        Route::new("get", "/api/openapi.json", "describe", get(crate::openapi::serve))
            .open()
            .says("This description.")
            .gives(200, "Anything"),
        Route::new("get", "/api/components", "listComponents", get(state::components))
            .says("Components that are loaded, and files that are not, with the reason.")
            .gives(200, "ComponentList"),
        Route::new("get", "/api/status", "status", get(state::status))
            .says("How the gateway is.")
            .gives(200, "Status"),
        Route::new("post", "/api/backup", "backUp", post(state::back_up))
            .says("Writes a backup of everything but the master key, as of one moment, while requests are served.")
            .takes("BackupRequest")
            .gives(201, "Backup"),
    ]
}

fn accounts() -> Vec<Route> {
    vec![
        Route::new("post", "/api/accounts", "createAccount", post(accounts::create))
            .bound()
            .says("Adds an account below another.")
            .takes("NewAccount")
            .gives(201, "Account"),
        Route::new("get", "/api/accounts", "listAccounts", get(accounts::list))
            .bound()
            .says("The tree, each account after the one above it. Accounts that are being deleted are `closing`.")
            .query(&[ACCOUNT, AFTER, LIMIT])
            .gives(200, "AccountList"),
        Route::new("get", "/api/archived-accounts", "listArchivedAccounts", get(accounts::archived))
            .bound()
            .says("Accounts that are gone from the tree.")
            .gives(200, "ArchivedList"),
        Route::new("get", "/api/accounts/{*account}", "showAccount", get(accounts::show))
            .bound()
            .says("One account, by id or path, with what takes effect on it and which account of its path decides.")
            .gives(200, "Account"),
        Route::new("patch", "/api/accounts/{*account}", "updateAccount", patch(accounts::update))
            .bound()
            .says("Changes an account: what is absent stays, `null` unsets. A new `parent` moves its whole subtree.")
            .takes("AccountPatch")
            .gives(200, "Account"),
        Route::new("delete", "/api/accounts/{*account}", "deleteAccount", delete(accounts::delete))
            .bound()
            .says("Deletes an account: new requests are refused, those under way end, its credit goes to the account above. Its usage rows stay.")
            .query(&[(
                "mode",
                "`refuse` (if absent): only if no account, active key, credit or request hangs on it. `cascade`: with all below it. `reparent`: what is below it moves up.",
            )])
            .gives(200, "DeletedAccount"),
        Route::new("get", "/api/limits/{*account}", "showLimits", get(limits::show))
            .bound()
            .says("Limits of an account: what it sets, and every limit that its requests must fit, with what is used.")
            .gives(200, "AccountLimits"),
        Route::new("patch", "/api/limits/{*account}", "changeLimits", patch(limits::change))
            .bound()
            .says("Changes limits of an account, each on its own: what is absent stays, `null` unsets.")
            .takes("LimitsChange")
            .gives(200, "AccountLimits"),
    ]
}

fn keys() -> Vec<Route> {
    vec![
        Route::new("post", "/api/keys", "createKey", post(keys::create))
            .bound()
            .says("Makes an inference key. The key itself is in this answer only.")
            .takes("NewKey")
            .gives(201, "IssuedKey"),
        Route::new("get", "/api/keys", "listKeys", get(keys::list))
            .bound()
            .says("Keys, revoked ones included, without their secrets.")
            .query(&[ACCOUNT, AFTER, LIMIT])
            .gives(200, "KeyList"),
        Route::new("get", "/api/keys/{id}", "showKey", get(keys::show))
            .bound()
            .says("One key, without its secret.")
            .gives(200, "Key"),
        Route::new(
            "post",
            "/api/keys/{id}/rotate",
            "rotateKey",
            post(keys::rotate),
        )
        .bound()
        .says("Makes a successor that may do the same, and lets the old key go on for a while.")
        .takes("Rotation")
        .gives(201, "IssuedKey"),
        Route::new(
            "delete",
            "/api/keys/{id}",
            "revokeKey",
            delete(keys::revoke),
        )
        .bound()
        .says("Revokes a key; felt by the next request.")
        .query(&[("kill", "`true`: answers that are under way end, too.")])
        .gives(200, "Key"),
    ]
}

fn tokens() -> Vec<Route> {
    vec![
        Route::new("post", "/api/tokens", "createToken", post(tokens::create))
            .bound()
            .says("Makes a management token that is bound to an account: its bearer sees that account and all below it, and manages what is below it. The token itself is in this answer only.")
            .takes("NewToken")
            .gives(201, "IssuedToken"),
        Route::new("get", "/api/tokens", "listTokens", get(tokens::list))
            .bound()
            .says("Tokens of accounts, revoked ones included, without their secrets. The operator's own is not among them.")
            .query(&[ACCOUNT])
            .gives(200, "TokenList"),
        Route::new("get", "/api/tokens/{id}", "showToken", get(tokens::show))
            .bound()
            .says("One token, without its secret.")
            .gives(200, "Token"),
        Route::new("delete", "/api/tokens/{id}", "revokeToken", delete(tokens::revoke))
            .bound()
            .says("Revokes a token; felt by the next request.")
            .gives(200, "Token"),
    ]
}

fn credit() -> Vec<Route> {
    vec![
        Route::new("post", "/api/grants", "grant", post(grants::grant))
            .bound()
            .says("Gives an account credit, new or out of the wallet of the account above. Repeated with the same key and content it changes nothing.")
            .takes("Grant")
            .gives(200, "Moved"),
        Route::new("post", "/api/reclaims", "reclaim", post(grants::reclaim))
            .bound()
            .says("Takes credit back, at most what is available.")
            .takes("Reclaim")
            .gives(200, "Moved"),
        Route::new("get", "/api/wallets/{*account}", "showWallet", get(grants::wallet))
            .bound()
            .says("An account's wallet and the credit in it.")
            .gives(200, "Wallet"),
        Route::new("get", "/api/ledger", "showLedger", get(grants::ledger))
            .says("The sum of all books, which is 0, and of each kind of book.")
            .gives(200, "Ledger"),
    ]
}

fn traffic() -> Vec<Route> {
    vec![
        Route::new("put", "/api/credentials/{name}", "setCredential", put(credentials::set))
            .says("Stores an upstream credential, replacing one of the same name. Its values never come out again.")
            .takes("NewCredential")
            .gives(200, "Credential"),
        Route::new("get", "/api/credentials", "listCredentials", get(credentials::list))
            .says("Names and field names of the credentials.")
            .gives(200, "CredentialList"),
        Route::new("delete", "/api/credentials/{name}", "deleteCredential", delete(credentials::delete))
            .says("Forgets a credential that no upstream uses.")
            .gives(200, "Deleted"),
        Route::new("put", "/api/upstreams/{name}", "setUpstream", put(upstreams::set))
            .says("Adds or replaces an upstream. Refused, with the old one left as it is, if its provider does not accept it.")
            .takes("UpstreamDraft")
            .gives(200, "Upstream"),
        Route::new("get", "/api/upstreams", "listUpstreams", get(upstreams::list))
            .says("Upstreams in the order in which they are tried.")
            .gives(200, "UpstreamList"),
        Route::new("get", "/api/upstreams/{name}", "showUpstream", get(upstreams::show))
            .says("One upstream.")
            .gives(200, "Upstream"),
        Route::new("delete", "/api/upstreams/{name}", "deleteUpstream", delete(upstreams::delete))
            .says("Removes an upstream. Requests under way finish.")
            .gives(200, "Deleted"),
        Route::new("put", "/api/policies/{id}", "attachPolicy", put(policies::attach))
            .says("Attaches a policy to an account and all below it. Refused, with the old one left as it is, if the component does not accept the configuration.")
            .takes("PolicyDraft")
            .gives(200, "Policy"),
        Route::new("get", "/api/policies", "listPolicies", get(policies::list))
            .says("Attached policies.")
            .gives(200, "PolicyList"),
        Route::new("get", "/api/policies/{id}", "showPolicy", get(policies::show))
            .says("One attached policy.")
            .gives(200, "Policy"),
        Route::new("delete", "/api/policies/{id}", "detachPolicy", delete(policies::detach))
            .says("Detaches a policy.")
            .gives(200, "Deleted"),
    ]
}

fn audited() -> Vec<Route> {
    vec![
        Route::new("get", "/api/audit", "listAudit", get(audit::list))
            .bound()
            .says("What management did, oldest first: one entry for each act, chained by hashes. For a token of an account: what was done to accounts, keys, tokens, limits and credit that it sees, without hashes.")
            .query(&[
                ("after", "Entries after the one of this number; all if absent."),
                ("limit", "Entries to answer, at most 1000; 100 if absent."),
            ])
            .gives(200, "AuditPage"),
        Route::new("post", "/api/audit/checkpoint", "checkpointAudit", post(audit::checkpoint))
            .says("Signs how far the audit log has got. Kept elsewhere, it shows later whether the log lacks its end or was written anew.")
            .gives(201, "AuditCheckpoint"),
    ]
}

fn usage() -> Vec<Route> {
    vec![
        Route::new("get", "/api/usage", "listUsage", get(usage::list))
            .bound()
            .says("Usage rows, newest first, and the totals of all rows that fit the filter.")
            .query(&[
                ACCOUNT,
                SINCE,
                UNTIL,
                MODEL,
                PROVIDER,
                KEY,
                TAG,
                ("limit", "Rows to answer, at most 10000; 100 if absent. Totals count all."),
            ])
            .gives(200, "UsagePage"),
        Route::new("get", "/api/usage/report", "reportUsage", get(usage::report))
            .bound()
            .says("Usage added up. Hours are those of universal time, days those of the tree's zone; what lies in an hour or day that began in the time asked for counts.")
            .query(&[
                ("by", "What lines are told apart by: any of `account`, `key`, `provider`, `model`, `tag:NAME`, with commas."),
                ("span", "`hour` or `day`: one line for each. Absent: the whole time together."),
                ACCOUNT,
                SINCE,
                UNTIL,
                MODEL,
                PROVIDER,
                KEY,
                TAG,
            ])
            .gives(200, "UsageReport"),
        Route::new("get", "/api/usage/export", "exportUsage", get(export::usage))
            .bound()
            .says("Usage rows, oldest first, as a stream: all that fit. An answer that breaks off is not the whole.")
            .query(&[
                ("format", "`csv` (if absent), `jsonl` (a row in a line, as in `rows` of a page), `focus` (FOCUS 1.2 as CSV) or `otel` (a row in a line, its members named as in OpenTelemetry's conventions for generative AI)."),
                ACCOUNT,
                SINCE,
                UNTIL,
                MODEL,
                PROVIDER,
                KEY,
                TAG,
            ])
            .streams(&["text/csv", "application/x-ndjson"]),
    ]
}
