//! What the fuzz targets check, one module a target. Each check takes any bytes and panics where something that must
//! hold does not; `fuzz_targets/` only hands the bytes over.
//!
//! Every input has the same form: four bytes that choose (dialects, flags, how the rest is cut), then the payload as it
//! would be on the wire. So a fixture becomes a seed by four bytes in front of it, and a finding can be read.
#![forbid(unsafe_code)]

pub mod aggregate;
pub mod bridge_answer;
pub mod bridge_request;
pub mod bridge_stream;
pub mod document;
pub mod errors;
pub mod requests;
pub mod rewriter;
pub mod sealed;
pub mod sse;
pub mod tap;
pub mod websocket;

pub mod mutate;

mod input;
mod stream;

// What judges the bridge's output in its own tests judges it here: grammars that know nothing of the bridge.
#[path = "../../runtime/dialect/tests/answers/grammar.rs"]
mod grammar;
#[path = "../../runtime/dialect/tests/answers/grammar_responses.rs"]
mod grammar_responses;
#[path = "../../runtime/dialect/tests/requests/invariants.rs"]
mod invariants;
#[path = "../../runtime/dialect/tests/answers/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

// Private to the crate, so its source is taken in.
#[path = "../../runtime/dialect/src/sse.rs"]
mod framing;

/// The two functions that libFuzzer calls, for the check of this name.
#[macro_export]
macro_rules! target {
    ($check:ident) => {
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$check::check(data));
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate::mutate(data, size, max_size, seed, libfuzzer_sys::fuzzer_mutate)
        });
    };
}
