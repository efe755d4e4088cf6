//! What reads and filters a stream of the native path.
#![no_main]

tollgate_fuzz::target!(tap);
