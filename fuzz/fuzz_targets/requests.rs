//! What is read of a request and changed in it.
#![no_main]

tollgate_fuzz::target!(requests);
