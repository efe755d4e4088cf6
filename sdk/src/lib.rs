//! What a guest author depends on: bindings, macros, test harness.
