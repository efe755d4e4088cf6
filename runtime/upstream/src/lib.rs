//! The HTTP client towards vendors: pools, TLS, coalescing bodies.
