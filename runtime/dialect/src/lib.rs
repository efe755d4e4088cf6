//! The wire dialects: scanning, splicing, usage, errors. Pure functions on bytes.
