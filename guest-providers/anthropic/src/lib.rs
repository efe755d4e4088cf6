//! Provider component: anthropic.
