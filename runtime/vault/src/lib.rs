//! Upstream credentials: envelope encryption and master keys.
