//! Plain host types for what crosses the boundary to a component. No wasmtime type appears here.

/// Interfaces that a component may export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Interface {
    /// Provider, required.
    Manifest,
    /// Provider, required.
    Exchange,
    /// Provider, optional.
    Signing,
    /// Provider, optional.
    Translation,
    /// Provider, optional.
    Capacity,
    /// Provider, optional.
    Catalogue,
    /// Provider, optional.
    Responder,
    /// Policy, optional.
    Admission,
    /// Policy, optional.
    Content,
    /// Policy, optional.
    AnswerContent,
    /// Policy, optional.
    Routing,
    /// Policy, optional.
    Observation,
    /// Either kind, optional.
    Configuration,
}

impl Interface {
    /// Every interface, in the order of the contract.
    pub const ALL: [Interface; 13] = [
        Interface::Manifest,
        Interface::Exchange,
        Interface::Signing,
        Interface::Translation,
        Interface::Capacity,
        Interface::Catalogue,
        Interface::Responder,
        Interface::Admission,
        Interface::Content,
        Interface::AnswerContent,
        Interface::Routing,
        Interface::Observation,
        Interface::Configuration,
    ];

    /// The interface's name in WIT.
    pub fn name(self) -> &'static str {
        match self {
            Interface::Manifest => "manifest",
            Interface::Exchange => "exchange",
            Interface::Signing => "signing",
            Interface::Translation => "translation",
            Interface::Capacity => "capacity",
            Interface::Catalogue => "catalogue",
            Interface::Responder => "responder",
            Interface::Admission => "admission",
            Interface::Content => "content",
            Interface::AnswerContent => "answer-content",
            Interface::Routing => "routing",
            Interface::Observation => "observation",
            Interface::Configuration => "configuration",
        }
    }

    /// The interface with this WIT name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|interface| interface.name() == name)
    }
}

/// What a component is, decided by its exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Exports `manifest` and `exchange`.
    Provider,
    /// Exports at least one policy interface.
    Policy,
}

/// What to send for one attempt. Checked: the path starts with `/`, header names are lower-case tokens, values hold
/// no line break and name only fields of the manifest, pointers are RFC 6901, edit values are JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Path and query, relative to the endpoint's base URL; starts with `/`.
    pub path: String,
    /// Lower-case names and value templates: `{field}` stands for a credential field, `{{` for one `{`.
    pub headers: Vec<(String, String)>,
    /// Changes to the JSON body, in order.
    pub edits: Vec<Edit>,
    /// What to check before the first byte goes to the client.
    pub commit_after: CommitAfter,
    /// Whether the vendor is asked to stream.
    pub upstream_stream: UpstreamStream,
}

/// One change to a JSON body. Pointers are JSON Pointers (RFC 6901); values are JSON text, checked to be well formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Sets the value; missing parent objects are made.
    Set {
        /// Where.
        pointer: String,
        /// JSON text.
        value: String,
    },
    /// Sets the value where nothing or `null` is there.
    SetDefault {
        /// Where.
        pointer: String,
        /// JSON text.
        value: String,
    },
    /// Removes the member, if there.
    Remove {
        /// Where.
        pointer: String,
    },
    /// Renames the member; an existing member of the new name is kept instead.
    Rename {
        /// Where.
        pointer: String,
        /// The member's new name.
        name: String,
    },
    /// Of the object at the pointer (empty: the whole body), keeps only these members.
    Retain {
        /// Where.
        pointer: String,
        /// Names to keep.
        members: Vec<String>,
    },
}

/// What the host checks before it commits an answer to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitAfter {
    /// The status alone.
    #[default]
    Status,
    /// The first event of a stream too.
    FirstEvent,
    /// The whole JSON answer.
    Body,
}

/// Whether the vendor is asked for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpstreamStream {
    /// As the client asked.
    #[default]
    AsAsked,
    /// Always; the host collects the answer for a client that did not ask for a stream.
    Always,
}

/// What a vendor's failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class that the router acts on.
    pub kind: FailureKind,
    /// How long to leave this credential alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The vendor's message for the client; `None`: the host's own words.
    pub message: Option<String>,
}

/// Classes of failure. A word that the host does not know is `Permanent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Too many requests or tokens just now.
    RateLimited,
    /// The credential's quota or balance is used up.
    QuotaExhausted,
    /// The credential is not accepted.
    Auth,
    /// The request is wrong.
    InvalidRequest,
    /// The request is longer than the model's context.
    ContextLength,
    /// The vendor's filter stopped it.
    ContentFiltered,
    /// The vendor has no such model.
    ModelNotFound,
    /// The vendor is overloaded.
    Overloaded,
    /// May work when tried again.
    Transient,
    /// Will not work when tried again.
    Permanent,
}

impl FailureKind {
    /// The kind for a word of the contract.
    pub fn from_word(word: &str) -> Self {
        match word {
            "rate-limited" => Self::RateLimited,
            "quota-exhausted" => Self::QuotaExhausted,
            "auth" => Self::Auth,
            "invalid-request" => Self::InvalidRequest,
            "context-length" => Self::ContextLength,
            "content-filtered" => Self::ContentFiltered,
            "model-not-found" => Self::ModelNotFound,
            "overloaded" => Self::Overloaded,
            "transient" => Self::Transient,
            _ => Self::Permanent,
        }
    }

    /// The contract's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::RateLimited => "rate-limited",
            Self::QuotaExhausted => "quota-exhausted",
            Self::Auth => "auth",
            Self::InvalidRequest => "invalid-request",
            Self::ContextLength => "context-length",
            Self::ContentFiltered => "content-filtered",
            Self::ModelNotFound => "model-not-found",
            Self::Overloaded => "overloaded",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
        }
    }
}

/// An answer given by a component itself (`responder`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// Lower-case names and values, `content-type` among them.
    pub headers: Vec<(String, String)>,
    /// The body; for a streaming call the whole event stream.
    pub body: Vec<u8>,
}

/// The request about to be sent, for a signature.
#[derive(Debug, Clone)]
pub struct SignHead {
    /// HTTP method.
    pub method: String,
    /// Host and port as in the URL.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Headers of the plan, credential templates not yet filled in.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the body.
    pub body_sha256: [u8; 32],
    /// Unix milliseconds.
    pub now: u64,
}

/// One window of a vendor's own limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// For example `requests`, `tokens`, `5h`.
    pub name: String,
    /// Used share in thousandths.
    pub used_permille: u32,
    /// When it resets, in Unix milliseconds.
    pub resets_at: Option<u64>,
}

/// How to list a vendor's models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueRequest {
    /// Path relative to the endpoint's base URL; starts with `/`.
    pub path: String,
    /// Lower-case names and value templates.
    pub headers: Vec<(String, String)>,
}

/// One page of a vendor's list of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CataloguePage {
    /// The models' names at the vendor.
    pub models: Vec<String>,
    /// Path and query of the next page, if there is one; starts with `/`.
    pub next_path: Option<String>,
}

/// A policy said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// A short machine-readable word, for the usage row and the audit.
    pub reason: String,
    /// A sentence for the person who asked.
    pub message: String,
}

/// What an admission policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Answer 403.
    Deny(Denial),
    /// Go on, narrowed.
    Amend(Vec<Amendment>),
}

/// One narrowing of a request. The host still checks that nothing is widened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amendment {
    /// Ask for this model instead.
    SetModel(String),
    /// Lower the output cap, in tokens.
    CapOutput(u64),
    /// Set a top-level parameter of the body; never a content member, `model` or `stream`.
    SetParameter {
        /// The member's name.
        name: String,
        /// JSON text, checked to be well formed.
        value: String,
    },
    /// Put a tag on the usage row.
    Tag {
        /// The tag's name.
        name: String,
        /// The tag's value.
        value: String,
    },
}

/// A piece of text in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    pub role: &'static str,
    /// `text`, `tool-arguments`, `tool-result` or `reasoning`.
    pub kind: &'static str,
    /// The text.
    pub text: String,
}

/// New text for one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Position in the list of segments; checked to exist and to be named once.
    pub index: u32,
    /// The new text.
    pub text: String,
}

/// What a content policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing to change.
    Keep,
    /// Change these segments.
    Replace(Vec<Replacement>),
    /// Answer 403.
    Deny(Denial),
}
