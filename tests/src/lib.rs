//! End-to-end tests on the real binary, with an upstream simulator and real clients.
//!
//! `simulator` plays the vendor, `gateway` runs the binary under test, `wire` is a client that shows every byte,
//! `crowd` sends a thousand requests at once, `guests` builds components that misbehave, `clients` installs and runs the
//! real ones.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test code fails loudly"
)]

pub mod clients;
pub mod crowd;
pub mod endpoints;
pub mod gateway;
pub mod guests;
pub mod management;
pub mod places;
pub mod recordings;
pub mod simulator;
pub mod socket;
pub mod wire;
pub mod world;
