//! A stream collected into a whole answer.
#![no_main]

tollgate_fuzz::target!(aggregate);
