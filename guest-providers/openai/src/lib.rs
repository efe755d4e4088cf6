//! Provider component: openai.
