//! Requests from every dialect to both others: golden files, there and back, and recordings where they are at hand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod back;
#[path = "../cases/mod.rs"]
mod cases;
mod fates;
mod golden;
mod invariants;
mod meaning;
mod recordings;
mod said;
mod sayable;
mod support;
mod table;
mod there_and_back;
mod traps;
