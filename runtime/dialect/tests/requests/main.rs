//! Requests from every dialect to both others: golden files, there and back, and recordings where they are at hand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod golden;
mod invariants;
mod recordings;
mod support;
mod table;
mod there_and_back;
mod traps;
