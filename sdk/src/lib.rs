//! What a guest author depends on: traits to implement, one macro to export them, helpers, and a native test harness.
//!
//! A component is one type that implements some of the traits below, and one line that says which:
//!
//! ```
//! use tollgate_guest::{Call, Exchange, FailedAnswer, Failure, Manifest, Plan, classify};
//!
//! #[derive(Default)]
//! struct Acme;
//!
//! impl Manifest for Acme {
//!     fn describe(&self) -> String {
//!         r#"{"id":"acme","name":"Acme","endpoints":[{"name":"world","base_url":"https://api.acme.example",
//!             "operations":["chat-completions"]}],"credential":{"fields":[{"name":"api-key","secret":true}]},
//!             "models":[{"id":"acme-1"}]}"#.into()
//!     }
//! }
//!
//! impl Exchange for Acme {
//!     fn prepare(&self, _call: &Call) -> Result<Plan, Failure> {
//!         Ok(Plan::post("/v1/chat/completions").header("authorization", "Bearer {api-key}"))
//!     }
//!     fn classify(&self, answer: &FailedAnswer) -> Failure {
//!         classify::openai(answer)
//!     }
//! }
//!
//! tollgate_guest::export!(Acme: manifest, exchange);
//! ```
//!
//! The component exports the interfaces listed and no others, and imports only what it calls. The export glue exists
//! on wasm alone: the same crate compiles and is unit-tested natively, with [`testing`] standing in for the host.
//!
//! The contract itself, word for word, is `wit/` in the repository (and `docs/wit.md`, generated from it).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")
)]

// The generated code and the macros name this crate as its users do.
extern crate self as tollgate_guest;

mod answer;
#[doc(hidden)]
pub mod bindings;
pub mod classify;
mod failure;
mod glue;
mod host;
mod instance;
pub mod json;
mod plan;
mod policy;
mod provider;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod verdict;
mod views;

pub use bindings::admission::exports::tollgate::extension::admission::{Amendment, Verdict};
pub use bindings::capacity::exports::tollgate::extension::capacity::Window;
pub use bindings::catalogue::exports::tollgate::extension::catalogue::{
    ListedModel, Listing, Page,
};
pub use bindings::content::exports::tollgate::extension::content::{Judgement, Replacement};
pub use bindings::exchange::exports::tollgate::extension::exchange::{Edit, Plan};
pub use bindings::host::tollgate::extension::clock::LocalTime;
pub use bindings::host::tollgate::extension::failures::Failure;
pub use bindings::host::tollgate::extension::verdicts::Denial;
pub use bindings::responder::exports::tollgate::extension::responder::Answer;
pub use failure::kind;
pub use host::{clock, credential, log};
#[doc(hidden)]
pub use instance::Instance;
pub use plan::CommitAfter;
pub use policy::{
    Admission, AnswerContent, AnswerFilter, Configuration, Content, Observation, Routing,
};
pub use provider::{
    Capacity, Catalogue, Exchange, Manifest, Responder, Signing, Translation, Translator,
};
pub use views::{AnswerHead, Call, Candidates, FailedAnswer, Head, Outcome, Request, Segments};

/// Exports the listed interfaces of a type, and no others.
///
/// The names are those of the WIT interfaces with `_` for `-`: `manifest`, `exchange`, `signing`, `translation`,
/// `capacity`, `catalogue`, `responder`, `configuration`, `admission`, `content`, `answer_content`, `routing`,
/// `observation`. For each, the type implements the trait of the same name ([`Manifest`], [`Exchange`], …).
///
/// One value of the type lives in each instance of the component. It comes from [`Configuration::configure`] where
/// `configuration` is listed, and from `Default::default()` where it is not.
///
/// On other targets than wasm this checks that the traits are implemented and exports nothing.
///
/// ```
/// use tollgate_guest::{Admission, Request, Verdict};
///
/// #[derive(Default)]
/// struct NoEmbeddings;
///
/// impl Admission for NoEmbeddings {
///     fn admit(&self, request: &Request) -> Verdict {
///         if request.operation() == "embeddings" {
///             return Verdict::deny("no-embeddings", "Embeddings are switched off here.");
///         }
///         Verdict::Allow
///     }
/// }
///
/// tollgate_guest::export!(NoEmbeddings: admission);
/// ```
#[macro_export]
macro_rules! export {
    ($ty:ident: $($interface:ident),+ $(,)?) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the component's exports are generated")]
        const _: () = {
            $crate::__instance!($ty: $($interface)+);
            $($crate::bindings::$interface::export!($ty with_types_in $crate::bindings::$interface);)+
        };
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            $crate::__instance!($ty: $($interface)+);
            $($crate::bindings::$interface::implemented_by::<$ty>();)+
        };
    };
}

/// How the one value of an instance is made: from its configuration, if it exports one.
#[doc(hidden)]
#[macro_export]
macro_rules! __instance {
    ($ty:ident: configuration $($rest:ident)*) => {
        $crate::__instance!(@ $ty, <$ty as $crate::Configuration>::configure("{}"));
    };
    ($ty:ident: $other:ident $($rest:ident)*) => {
        $crate::__instance!($ty: $($rest)*);
    };
    ($ty:ident:) => {
        $crate::__instance!(@ $ty, ::core::result::Result::Ok(<$ty as ::core::default::Default>::default()));
    };
    (@ $ty:ident, $fresh:expr) => {
        impl $crate::Instance for $ty {
            fn fresh() -> ::core::result::Result<Self, ::std::string::String> {
                $fresh
            }
            fn with_cell<R>(
                f: impl FnOnce(&::core::cell::OnceCell<&'static Self>) -> R,
            ) -> R {
                ::std::thread_local! {
                    static CELL: ::core::cell::OnceCell<&'static $ty> =
                        const { ::core::cell::OnceCell::new() };
                }
                CELL.with(f)
            }
        }
    };
}
