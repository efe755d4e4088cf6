//! Stands in for the host in native tests: build a double, take its `view()`, call the guest's own methods.
//!
//! ```
//! use tollgate_guest::{Call, Exchange, FailedAnswer, Failure, Plan, classify, testing};
//! # #[derive(Default)] struct Acme;
//! # impl Exchange for Acme {
//! #     fn prepare(&self, _call: &Call) -> Result<Plan, Failure> { Ok(Plan::post("/v1/chat/completions")) }
//! #     fn classify(&self, answer: &FailedAnswer) -> Failure { classify::openai(answer) }
//! # }
//! let call = testing::Call::new("chat-completions").model("acme-1");
//! let plan = Acme.prepare(&call.view()).unwrap();
//! assert_eq!(plan.path, "/v1/chat/completions");
//!
//! let answer = testing::FailedAnswer::new(429).header("retry-after", "2");
//! assert_eq!(Acme.classify(&answer.view()).retry_after_ms, Some(2000));
//! ```

mod candidates;
pub(crate) mod host;
mod manifest;
mod request;
mod segments;
mod sending;

pub use candidates::{Candidate, Candidates};
pub use host::{logged, set_local_time, set_mac, set_now};
pub use manifest::check_manifest;
pub use request::{Outcome, Request};
pub use segments::Segments;
pub use sending::{AnswerHead, Head};

use crate::views::{CallDouble, FailedAnswerDouble};

/// The value of a header, by lower-case name.
fn find(headers: &[(String, String)], name: &str) -> Option<String> {
    let found = headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| value.clone())
}

/// The dialect in which an operation is normally spoken.
fn dialect_of(operation: &str) -> &'static str {
    match operation {
        "responses" | "compact" | "input-tokens" => "openai-responses",
        "messages" | "count-tokens" => "anthropic-messages",
        "embeddings" => "openai-embeddings",
        _ => "openai-chat",
    }
}

/// A double of [`Call`](crate::Call).
///
/// ```
/// use tollgate_guest::testing;
/// let call = testing::Call::new("messages").endpoint("intl").header("anthropic-beta", "effort-2025-11-24");
/// assert_eq!(call.view().dialect(), "anthropic-messages");
/// ```
#[derive(Clone, Debug)]
pub struct Call {
    operation: String,
    dialect: String,
    model: String,
    streaming: bool,
    endpoint: String,
    headers: Vec<(String, String)>,
    session: Option<String>,
    attempt: u32,
}

impl Call {
    /// A first attempt at an operation, in its usual dialect, not streaming.
    pub fn new(operation: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            dialect: dialect_of(operation).to_owned(),
            model: "test-model".to_owned(),
            streaming: false,
            endpoint: String::new(),
            headers: Vec::new(),
            session: None,
            attempt: 1,
        }
    }

    /// Sets the model's name.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        model.clone_into(&mut self.model);
        self
    }

    /// Sets whether a stream is wanted.
    #[must_use]
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.streaming = streaming;
        self
    }

    /// Sets the endpoint's name.
    #[must_use]
    pub fn endpoint(mut self, endpoint: &str) -> Self {
        endpoint.clone_into(&mut self.endpoint);
        self
    }

    /// Adds a header of the client's; the name is lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the conversation's key.
    #[must_use]
    pub fn session(mut self, session: &str) -> Self {
        self.session = Some(session.to_owned());
        self
    }

    /// Sets which attempt this is.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// The view a guest gets.
    pub fn view(&self) -> crate::Call<'_> {
        crate::Call::of_double(self)
    }
}

impl CallDouble for Call {
    fn operation(&self) -> String {
        self.operation.clone()
    }
    fn dialect(&self) -> String {
        self.dialect.clone()
    }
    fn model(&self) -> String {
        self.model.clone()
    }
    fn streaming(&self) -> bool {
        self.streaming
    }
    fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
    fn header(&self, name: &str) -> Option<String> {
        find(&self.headers, name)
    }
    fn session(&self) -> Option<String> {
        self.session.clone()
    }
    fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// A double of [`FailedAnswer`](crate::FailedAnswer).
///
/// ```
/// use tollgate_guest::testing;
/// let answer = testing::FailedAnswer::new(429).header("retry-after", "3").body(r#"{"error":{"message":"slow"}}"#);
/// assert_eq!(answer.view().header("retry-after").as_deref(), Some("3"));
/// ```
#[derive(Clone, Debug)]
pub struct FailedAnswer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    operation: String,
}

impl FailedAnswer {
    /// An answer with a status, no headers and no body, to a chat completion.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            operation: "chat-completions".to_owned(),
        }
    }

    /// Adds a header; the name is lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the operation that failed.
    #[must_use]
    pub fn operation(mut self, operation: &str) -> Self {
        operation.clone_into(&mut self.operation);
        self
    }

    /// The view a guest gets.
    pub fn view(&self) -> crate::FailedAnswer<'_> {
        crate::FailedAnswer::of_double(self)
    }
}

impl FailedAnswerDouble for FailedAnswer {
    fn status(&self) -> u16 {
        self.status
    }
    fn header(&self, name: &str) -> Option<String> {
        find(&self.headers, name)
    }
    fn body(&self) -> Vec<u8> {
        self.body.clone()
    }
    fn operation(&self) -> String {
        self.operation.clone()
    }
}
