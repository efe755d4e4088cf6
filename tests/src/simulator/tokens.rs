//! The token counts that the simulator reports.

/// What an answer cost, sorted as the gateway's usage rows sort it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input that was neither read from nor written to a cache.
    pub input: u64,
    /// Input read from a cache.
    pub cache_read: u64,
    /// Input written to a five-minute cache.
    pub cache_write_5m: u64,
    /// Input written to a one-hour cache.
    pub cache_write_1h: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// The part of the output that was reasoning.
    pub reasoning: u64,
}

/// Reported in chat completions and responses: 29 input tokens, 8 of them cached.
pub const OPENAI: Tokens = Tokens {
    input: 21,
    cache_read: 8,
    cache_write_5m: 0,
    cache_write_1h: 0,
    output: 13,
    reasoning: 4,
};

/// Reported in messages.
pub const ANTHROPIC: Tokens = Tokens {
    input: 17,
    cache_read: 40,
    cache_write_5m: 5,
    cache_write_1h: 3,
    output: 11,
    reasoning: 0,
};

/// Reported for embeddings.
pub const EMBEDDING: Tokens = Tokens {
    input: 6,
    cache_read: 0,
    cache_write_5m: 0,
    cache_write_1h: 0,
    output: 0,
    reasoning: 0,
};
