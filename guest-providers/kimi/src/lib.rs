//! Provider component: kimi.
