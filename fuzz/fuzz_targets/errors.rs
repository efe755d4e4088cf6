//! Errors in every dialect.
#![no_main]

tollgate_fuzz::target!(errors);
