//! A client's request onto a vendor's dialect.
#![no_main]

tollgate_fuzz::target!(bridge_request);
