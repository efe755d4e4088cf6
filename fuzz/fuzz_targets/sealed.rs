//! Sealed strings.
#![no_main]

tollgate_fuzz::target!(sealed);
