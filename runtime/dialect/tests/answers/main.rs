//! Answers across the bridge: golden files, every way of cutting a stream, damaged streams, real recordings.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail loudly")]

mod bodies;
#[path = "../cases/mod.rs"]
mod cases;
mod cut_calls;
mod cuts;
mod damage;
mod fates;
mod golden;
mod grammar;
mod grammar_responses;
mod last_words;
mod many_calls;
mod marks;
mod next_turn;
mod plain;
mod reasoning;
mod recordings;
mod said_less_or_twice;
mod structured;
mod support;
mod tool_calls;
mod traps;
