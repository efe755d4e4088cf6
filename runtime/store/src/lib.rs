//! What outlives the process, behind one trait; sled is the embedded engine.
