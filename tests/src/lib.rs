//! End-to-end tests on the real binary, with an upstream simulator and real clients.
