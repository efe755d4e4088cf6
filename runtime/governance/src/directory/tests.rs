//! What operations on the directory refuse, change and keep.
