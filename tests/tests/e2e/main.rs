//! The whole product under test: the real binary, its components, sockets, and a vendor of our own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test code fails loudly"
)]

mod audit;
mod bad_input;
mod behind_a_proxy;
mod boundaries;
mod bridge;
mod budgets;
mod byte_identity;
mod client_disconnect;
mod client_requests;
mod command_line_clients;
mod compact;
mod compressed_streams;
mod contract;
mod conversations;
mod crash;
mod custody;
mod drop_in;
mod durability;
mod failed_requests;
mod failover;
mod foreign_vendors;
mod framing;
mod identity;
mod kept;
mod keys;
mod languages;
mod limit_headers;
mod limits;
mod makers;
mod misbehaving_guests;
mod misbehaving_translators;
mod models;
mod money;
mod policies;
mod probes;
mod python_sdks;
mod quickstart;
mod recordings;
mod references;
mod sdk_types;
mod silence;
mod simulator;
mod stream_failures;
mod tls;
mod tokens;
mod vendor_tools;
mod wallets;
mod websocket;
