//! Doubles of what a policy sees: the request, and how it ended.

use super::{dialect_of, find};
use crate::views::{OutcomeDouble, RequestDouble};

/// A double of [`Request`](crate::Request).
///
/// ```
/// use tollgate_guest::testing;
/// let request = testing::Request::new("chat-completions", "gpt-6-sol").output_cap(100).parameter("temperature", "0.5");
/// assert_eq!(request.view().output_cap(), Some(100));
/// assert_eq!(request.view().parameter("temperature").as_deref(), Some("0.5"));
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    operation: String,
    model: String,
    streaming: bool,
    output_cap: Option<u64>,
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    account_path: Vec<String>,
    key_label: String,
}

impl Request {
    /// A request for an operation of a model, from the root account, not streaming.
    pub fn new(operation: &str, model: &str) -> Self {
        Self {
            operation: operation.to_owned(),
            model: model.to_owned(),
            streaming: false,
            output_cap: None,
            parameters: Vec::new(),
            headers: Vec::new(),
            account_path: vec!["root".to_owned()],
            key_label: String::new(),
        }
    }

    /// Sets whether the client asked for a stream.
    #[must_use]
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.streaming = streaming;
        self
    }

    /// Sets the output cap in tokens.
    #[must_use]
    pub fn output_cap(mut self, tokens: u64) -> Self {
        self.output_cap = Some(tokens);
        self
    }

    /// Adds a top-level member of the body, as JSON text.
    #[must_use]
    pub fn parameter(mut self, name: &str, json: &str) -> Self {
        self.parameters.push((name.to_owned(), json.to_owned()));
        self
    }

    /// Adds a header; the name is lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the account's path, from the root.
    #[must_use]
    pub fn account_path<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.account_path = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets the key's label.
    #[must_use]
    pub fn key_label(mut self, label: &str) -> Self {
        label.clone_into(&mut self.key_label);
        self
    }

    /// The view a guest gets.
    pub fn view(&self) -> crate::Request<'_> {
        crate::Request::of_double(self)
    }
}

impl RequestDouble for Request {
    fn id(&self) -> String {
        "test-request".to_owned()
    }
    fn operation(&self) -> String {
        self.operation.clone()
    }
    fn dialect(&self) -> String {
        dialect_of(&self.operation).to_owned()
    }
    fn model(&self) -> String {
        self.model.clone()
    }
    fn streaming(&self) -> bool {
        self.streaming
    }
    fn output_cap(&self) -> Option<u64> {
        self.output_cap
    }
    fn parameter(&self, name: &str) -> Option<String> {
        find(&self.parameters, name)
    }
    fn header(&self, name: &str) -> Option<String> {
        find(&self.headers, name)
    }
    fn account_path(&self) -> Vec<String> {
        self.account_path.clone()
    }
    fn key_label(&self) -> String {
        self.key_label.clone()
    }
    fn body_size(&self) -> u64 {
        self.parameters
            .iter()
            .map(|(name, json)| (name.len() + json.len()) as u64)
            .sum()
    }
}

/// A double of [`Outcome`](crate::Outcome).
///
/// ```
/// use tollgate_guest::testing;
/// let outcome = testing::Outcome { status: 200, duration_ms: 1200, ..Default::default() };
/// assert_eq!(outcome.view().duration_ms(), 1200);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The gateway's id of the request.
    pub request_id: String,
    /// The status the client got.
    pub status: u16,
    /// The model that was asked for.
    pub model: String,
    /// The upstream that answered; empty if none did.
    pub upstream: String,
    /// All input tokens.
    pub input_tokens: u64,
    /// All output tokens.
    pub output_tokens: u64,
    /// What was charged, in micro-units.
    pub charged: u64,
    /// Milliseconds from arrival to the last byte.
    pub duration_ms: u64,
    /// Names of the accounts from the root.
    pub account_path: Vec<String>,
}

impl Outcome {
    /// The view a guest gets.
    pub fn view(&self) -> crate::Outcome<'_> {
        crate::Outcome::of_double(self)
    }
}

impl OutcomeDouble for Outcome {
    fn request_id(&self) -> String {
        self.request_id.clone()
    }
    fn status(&self) -> u16 {
        self.status
    }
    fn model(&self) -> String {
        self.model.clone()
    }
    fn upstream(&self) -> String {
        self.upstream.clone()
    }
    fn input_tokens(&self) -> u64 {
        self.input_tokens
    }
    fn output_tokens(&self) -> u64 {
        self.output_tokens
    }
    fn charged(&self) -> u64 {
        self.charged
    }
    fn duration_ms(&self) -> u64 {
        self.duration_ms
    }
    fn account_path(&self) -> Vec<String> {
        self.account_path.clone()
    }
}
