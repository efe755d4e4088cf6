//! A vendor's stream onto a client's dialect.
#![no_main]

tollgate_fuzz::target!(bridge_stream);
