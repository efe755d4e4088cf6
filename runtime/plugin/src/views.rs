//! What a component may read, as the gateway offers it. Each getter is called at most as often as the guest asks.
//!
//! Whatever a view answers, no guest sees a header that `header_is_visible` says no to, nor content as a parameter.

/// One attempt to have a request answered by a vendor.
pub trait CallView {
    /// The operation towards the vendor.
    fn operation(&self) -> &str;
    /// The dialect of the body that will be sent.
    fn dialect(&self) -> &str;
    /// The model's name at the vendor.
    fn model(&self) -> &str;
    /// Whether a stream is wanted.
    fn streaming(&self) -> bool;
    /// The endpoint's name.
    fn endpoint(&self) -> &str;
    /// A client header by lower-case name.
    fn header(&self, name: &str) -> Option<&str>;
    /// A stable key of the conversation.
    fn session(&self) -> Option<&str>;
    /// 1 for this request's first attempt at upstreams of this provider, then 2, and so on.
    fn attempt(&self) -> u32;
}

/// An answer that is not a success.
pub trait FailedAnswerView: Send + Sync {
    /// The HTTP status.
    fn status(&self) -> u16;
    /// A header of the answer by lower-case name.
    fn header(&self, name: &str) -> Option<&str>;
    /// The body or the failing event's data; cut to 64 KiB for the guest.
    fn body(&self) -> &[u8];
    /// The operation that failed.
    fn operation(&self) -> &str;
}

/// Status and headers of a vendor's answer, before its body.
pub trait AnswerHeadView: Send + Sync {
    /// The HTTP status.
    fn status(&self) -> u16;
    /// A header of the answer by lower-case name.
    fn header(&self, name: &str) -> Option<&str>;
    /// When the head arrived, in Unix milliseconds.
    fn arrived_at(&self) -> u64;
}

/// A client's request, for policies.
pub trait RequestView: Send + Sync {
    /// The gateway's id for it.
    fn id(&self) -> &str;
    /// The operation.
    fn operation(&self) -> &str;
    /// The dialect the client speaks.
    fn dialect(&self) -> &str;
    /// The model asked for, earlier amendments applied.
    fn model(&self) -> &str;
    /// Whether the client asked for a stream.
    fn streaming(&self) -> bool;
    /// The output cap in tokens.
    fn output_cap(&self) -> Option<u64>;
    /// A top-level member of the body as JSON text. Content and objects are hidden whatever this answers.
    fn parameter(&self, name: &str) -> Option<String>;
    /// A client header by lower-case name.
    fn header(&self, name: &str) -> Option<String>;
    /// Account names from the root to the key's.
    fn account_path(&self) -> Vec<String>;
    /// The key's label.
    fn key_label(&self) -> &str;
    /// Size of the body in bytes.
    fn body_size(&self) -> u64;
}

/// Who could serve a request. Positions beyond `count` answer empty or zero.
pub trait CandidatesView: Send + Sync {
    /// How many.
    fn count(&self) -> u32;
    /// The upstream's name.
    fn upstream(&self, position: u32) -> &str;
    /// The provider component's id.
    fn provider(&self, position: u32) -> &str;
    /// The model's name at the vendor.
    fn model(&self, position: u32) -> &str;
    /// The operator's label; empty if none.
    fn tier(&self, position: u32) -> &str;
    /// Micro-units of the base currency per million input tokens.
    fn input_price(&self, position: u32) -> Option<u64>;
    /// Micro-units of the base currency per million output tokens.
    fn output_price(&self, position: u32) -> Option<u64>;
    /// Requests under way there.
    fn load(&self, position: u32) -> u32;
    /// Smoothed time to the first byte in milliseconds; 0 if not known.
    fn latency_ms(&self, position: u32) -> u32;
    /// Whether the host would use it now.
    fn healthy(&self, position: u32) -> bool;
}

/// How a request ended.
pub trait OutcomeView: Send + Sync {
    /// The gateway's id for the request.
    fn request_id(&self) -> &str;
    /// The status the client got.
    fn status(&self) -> u16;
    /// The model.
    fn model(&self) -> &str;
    /// The upstream that answered; empty if none.
    fn upstream(&self) -> &str;
    /// All input tokens, cache included.
    fn input_tokens(&self) -> u64;
    /// All output tokens, reasoning included.
    fn output_tokens(&self) -> u64;
    /// What was charged, in micro-units.
    fn charged(&self) -> u64;
    /// From arrival to the last byte, in milliseconds.
    fn duration_ms(&self) -> u64;
    /// Account names from the root to the key's.
    fn account_path(&self) -> Vec<String>;
}

/// Signs with secrets that the guest never sees. Given for one `sign` call.
pub trait MacSource: Send + Sync {
    /// HMAC over `data`, keyed with `prefix` followed by the credential field `field`. `algorithm` is `hmac-sha256`,
    /// `hmac-sha384` or `hmac-sha512`.
    ///
    /// # Errors
    /// A sentence for the guest: unknown algorithm or field.
    fn mac(
        &self,
        algorithm: &str,
        field: &str,
        prefix: &str,
        data: &[u8],
    ) -> Result<Vec<u8>, String>;
}
