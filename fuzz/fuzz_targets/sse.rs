//! SSE framing.
#![no_main]

tollgate_fuzz::target!(sse);
