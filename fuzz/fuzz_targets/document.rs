//! Bodies, and edits of them.
#![no_main]

tollgate_fuzz::target!(document);
