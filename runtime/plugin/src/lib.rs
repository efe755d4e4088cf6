//! The component host: wasmtime engine, pools, limits, compile cache, folder watch.
//!
//! `Components::open` loads a folder of components and keeps it loaded: a file dropped in is compiled, checked and
//! published as a new `Generation`; a bad file leaves the last good one serving. A `Component` with an operator's
//! configuration is a `Configured`; all calls to guests go through it. Calls are synchronous and short (a time limit ends them),
//! so they may be made from an async worker.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

mod abi;
mod cache;
mod check;
mod component;
mod configured;
mod engine;
mod error;
mod folder;
mod guard;
mod instance;
mod limits;
mod loader;
mod manifest;
mod memo;
mod plan;
mod pool;
mod reads;
mod registry;
mod selftest;
mod shard;
mod signature;
mod state;
mod stream;
mod template;
mod types;
mod views;
mod visible;
mod wasi;
mod watch;

pub use component::Component;
pub use configured::Configured;
pub use error::{ErrorKind, FilterError, PluginError, PrepareError, TranslateError};
pub use manifest::{
    Credential, CredentialField, Endpoint, Manifest, Model, Price, PriceTier, UsagePointers,
};
pub use registry::{Components, ComponentsConfig, Generation, Isolation};
pub use signature::{Signer, TrustedKey};
pub use stream::{AnswerFilter, AnswerFilters, Translator};
pub use template::literal_header;
pub use types::{
    Amendment, Answer, CataloguePage, CatalogueRequest, CommitAfter, Denial, Edit, Failure,
    FailureKind, Interface, Judgement, Kind, Plan, Replacement, Segment, SignHead, UpstreamStream,
    Verdict, Window,
};
pub use views::{
    AnswerHeadView, CallView, CandidatesView, FailedAnswerView, MacSource, OutcomeView, RequestView,
};
pub use visible::header_is_visible;
