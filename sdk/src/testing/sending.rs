//! Doubles of what is sent and of what comes back: a request to sign, the head of an answer.

use super::find;
use crate::views::{AnswerHeadDouble, HeadDouble};

/// A double of [`Head`](crate::Head).
///
/// ```
/// use tollgate_guest::testing::Head;
/// let head = Head::post("api.acme.example", "/v1/chat").now(1_700_000_000_000).body_sha256([7; 32]);
/// assert_eq!(head.view().body_sha256(), [7; 32]);
/// ```
#[derive(Clone, Debug)]
pub struct Head {
    authority: String,
    path: String,
    headers: Vec<(String, String)>,
    body_sha256: [u8; 32],
    now: u64,
}

impl Head {
    /// A POST without headers, of a body whose digest is all zeros, in 1970.
    pub fn post(authority: &str, path: &str) -> Self {
        Self {
            authority: authority.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body_sha256: [0; 32],
            now: 0,
        }
    }

    /// Adds a header of the plan; the name is lower case.
    #[must_use]
    pub fn header(mut self, name: &str, template: &str) -> Self {
        self.headers.push((name.to_owned(), template.to_owned()));
        self
    }

    /// Sets the body's digest.
    #[must_use]
    pub fn body_sha256(mut self, digest: [u8; 32]) -> Self {
        self.body_sha256 = digest;
        self
    }

    /// Sets the time, in Unix milliseconds.
    #[must_use]
    pub fn now(mut self, unix_ms: u64) -> Self {
        self.now = unix_ms;
        self
    }

    /// The view a guest gets.
    pub fn view(&self) -> crate::Head<'_> {
        crate::Head::of_double(self)
    }
}

impl HeadDouble for Head {
    fn method(&self) -> String {
        "POST".to_owned()
    }
    fn authority(&self) -> String {
        self.authority.clone()
    }
    fn path(&self) -> String {
        self.path.clone()
    }
    fn header(&self, name: &str) -> Option<String> {
        find(&self.headers, name)
    }
    fn header_names(&self) -> Vec<String> {
        self.headers.iter().map(|(name, _)| name.clone()).collect()
    }
    fn body_sha256(&self) -> Vec<u8> {
        self.body_sha256.to_vec()
    }
    fn now(&self) -> u64 {
        self.now
    }
}

/// A double of [`AnswerHead`](crate::AnswerHead).
///
/// ```
/// use tollgate_guest::testing::AnswerHead;
/// let head = AnswerHead::new(200).header("x-used", "5").arrived_at(9);
/// assert_eq!((head.view().status(), head.view().arrived_at()), (200, 9));
/// ```
#[derive(Clone, Debug)]
pub struct AnswerHead {
    status: u16,
    headers: Vec<(String, String)>,
    arrived_at: u64,
}

impl AnswerHead {
    /// A head without headers.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            arrived_at: 0,
        }
    }

    /// Adds a header; the name is lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets when it arrived, in Unix milliseconds.
    #[must_use]
    pub fn arrived_at(mut self, unix_ms: u64) -> Self {
        self.arrived_at = unix_ms;
        self
    }

    /// The view a guest gets.
    pub fn view(&self) -> crate::AnswerHead<'_> {
        crate::AnswerHead::of_double(self)
    }
}

impl AnswerHeadDouble for AnswerHead {
    fn status(&self) -> u16 {
        self.status
    }
    fn header(&self, name: &str) -> Option<String> {
        find(&self.headers, name)
    }
    fn arrived_at(&self) -> u64 {
        self.arrived_at
    }
}
