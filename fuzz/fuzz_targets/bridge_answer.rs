//! A vendor's whole answer onto a client's dialect.
#![no_main]

tollgate_fuzz::target!(bridge_answer);
