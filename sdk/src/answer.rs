//! Short ways to write what a provider answers with: whole answers, windows, lists of models.

use crate::{Answer, ListedModel, Listing, Page, Window};

impl Answer {
    /// An answer of JSON text.
    ///
    /// ```
    /// let answer = tollgate_guest::Answer::json(200, "{}");
    /// assert_eq!(answer.headers[0].1, "application/json");
    /// ```
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::of_type(status, "application/json", body)
    }

    /// An answer that is a whole event stream.
    ///
    /// ```
    /// let answer = tollgate_guest::Answer::events("data: [DONE]\n\n");
    /// assert_eq!(answer.status, 200);
    /// ```
    pub fn events(body: impl Into<Vec<u8>>) -> Self {
        Self::of_type(200, "text/event-stream; charset=utf-8", body)
    }

    /// Adds a header; the name is lower case.
    ///
    /// ```
    /// let answer = tollgate_guest::Answer::json(429, "{}").header("retry-after", "3");
    /// assert_eq!(answer.headers.len(), 2);
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn of_type(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
            extensions: Vec::new(),
        }
    }
}

impl Window {
    /// A window of a vendor's limits, used by so many thousandths.
    ///
    /// ```
    /// let window = tollgate_guest::Window::new("5h", 250).resets_at(Some(1_700_000_000_000));
    /// assert_eq!(window.used_permille, 250);
    /// ```
    pub fn new(name: impl Into<String>, used_permille: u32) -> Self {
        Self {
            name: name.into(),
            used_permille,
            resets_at: None,
            extensions: Vec::new(),
        }
    }

    /// Adds when it resets, in Unix milliseconds.
    #[must_use]
    pub fn resets_at(mut self, unix_ms: Option<u64>) -> Self {
        self.resets_at = unix_ms;
        self
    }
}

impl Listing {
    /// A listing request for a path, which is relative to the endpoint's base URL.
    ///
    /// ```
    /// let listing = tollgate_guest::Listing::get("/v1/models").header("authorization", "Bearer {api-key}");
    /// assert_eq!(listing.path, "/v1/models");
    /// ```
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            headers: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// Adds a header whose value is a template, as [`Plan::header`](crate::Plan::header).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, template: impl Into<String>) -> Self {
        self.headers.push((name.into(), template.into()));
        self
    }
}

impl Page {
    /// The last page of a list, with these models on it.
    ///
    /// ```
    /// let page = tollgate_guest::Page::last(["acme-1".to_owned()]);
    /// assert_eq!(page.models[0].id, "acme-1");
    /// ```
    pub fn last(ids: impl IntoIterator<Item = String>) -> Self {
        let model = |id| ListedModel {
            id,
            extensions: Vec::new(),
        };
        Self {
            models: ids.into_iter().map(model).collect(),
            next_path: None,
        }
    }
}
