//! Streams whose text is filtered.
#![no_main]

tollgate_fuzz::target!(rewriter);
