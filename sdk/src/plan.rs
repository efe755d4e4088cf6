//! Building a plan, step by step.

use crate::json::Json;
use crate::{Call, Edit, Plan};

/// What the host checks before the first byte goes to the client, so that it can still try elsewhere.
///
/// ```
/// use tollgate_guest::{CommitAfter, Plan};
/// let plan = Plan::post("/v1/chat/completions").commit_after(CommitAfter::FirstEvent);
/// assert_eq!(plan.commit_after, "first-event");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitAfter {
    /// The HTTP status alone.
    Status,
    /// A stream's first event must not be a failure: for vendors that report failure inside a 200.
    FirstEvent,
    /// A JSON answer is read whole first.
    Body,
}

impl CommitAfter {
    fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::FirstEvent => "first-event",
            Self::Body => "body",
        }
    }
}

impl Plan {
    /// A plan that posts the body to `path`, which is relative to the endpoint's base URL and starts with `/`.
    ///
    /// ```
    /// use tollgate_guest::Plan;
    /// let plan = Plan::post("/v1/chat/completions")
    ///     .header("authorization", "Bearer {api-key}")
    ///     .set_default("/max_tokens", 4096u64)
    ///     .remove("/logit_bias");
    /// assert_eq!(plan.edits.len(), 2);
    /// ```
    pub fn post(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            headers: Vec::new(),
            edits: Vec::new(),
            commit_after: CommitAfter::Status.word().to_owned(),
            upstream_stream: "as-asked".to_owned(),
            extensions: Vec::new(),
        }
    }

    /// Adds a header whose value is a template: `{field}` stands for a credential field, `{{` for one `{`.
    /// For text that came from a client use [`header_text`](Self::header_text). Which headers the host sends by itself, and
    /// which of them a plan replaces: `wit/README.md`, "Headers of a request".
    ///
    /// ```
    /// # use tollgate_guest::Plan;
    /// let plan = Plan::post("/v1/messages").header("x-api-key", "{api-key}");
    /// assert_eq!(plan.headers[0].1, "{api-key}");
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, template: impl Into<String>) -> Self {
        self.headers.push((name.into(), template.into()));
        self
    }

    /// Adds a header whose value is sent as it is. Braces are escaped, so text that a client chose can never name a
    /// credential field.
    ///
    /// ```
    /// # use tollgate_guest::Plan;
    /// let plan = Plan::post("/v1/messages").header_text("x-note", "{api-key}");
    /// assert_eq!(plan.headers[0].1, "{{api-key}");
    /// ```
    #[must_use]
    pub fn header_text(self, name: impl Into<String>, text: &str) -> Self {
        let escaped = text.replace('{', "{{");
        self.header(name, escaped)
    }

    /// Passes a header of the client's on, if it sent one. The name is lower case.
    ///
    /// ```
    /// # use tollgate_guest::{Plan, testing};
    /// let call = testing::Call::new("messages").header("anthropic-beta", "effort-2025-11-24");
    /// let plan = Plan::post("/v1/messages").forward(&call.view(), "anthropic-beta");
    /// assert_eq!(plan.headers[0], ("anthropic-beta".into(), "effort-2025-11-24".into()));
    /// ```
    #[must_use]
    pub fn forward(self, call: &Call, name: &str) -> Self {
        match call.header(name) {
            Some(value) => self.header_text(name, &value),
            None => self,
        }
    }

    /// Passes a header of the client's on, or sends `default` where it sent none.
    ///
    /// ```
    /// # use tollgate_guest::{Plan, testing};
    /// let call = testing::Call::new("messages");
    /// let plan = Plan::post("/v1/messages").forward_or(&call.view(), "anthropic-version", "2023-06-01");
    /// assert_eq!(plan.headers[0].1, "2023-06-01");
    /// ```
    #[must_use]
    pub fn forward_or(self, call: &Call, name: &str, default: &str) -> Self {
        let value = call.header(name);
        self.header_text(name, value.as_deref().unwrap_or(default))
    }

    /// Sets the value at a JSON Pointer, replacing what is there.
    ///
    /// ```
    /// # use tollgate_guest::{Edit, Plan};
    /// let plan = Plan::post("/x").set("/thinking/type", "enabled");
    /// assert_eq!(plan.edits, [Edit::Set(("/thinking/type".into(), "\"enabled\"".into()))]);
    /// ```
    #[must_use]
    pub fn set(self, pointer: impl Into<String>, value: impl Into<Json>) -> Self {
        let text = value.into().to_string();
        self.edit(Edit::Set((pointer.into(), text)))
    }

    /// Sets the value at a JSON Pointer where nothing (or `null`) is there.
    ///
    /// ```
    /// # use tollgate_guest::{Edit, Plan};
    /// let plan = Plan::post("/x").set_default("/store", false);
    /// assert_eq!(plan.edits, [Edit::SetDefault(("/store".into(), "false".into()))]);
    /// ```
    #[must_use]
    pub fn set_default(self, pointer: impl Into<String>, value: impl Into<Json>) -> Self {
        let text = value.into().to_string();
        self.edit(Edit::SetDefault((pointer.into(), text)))
    }

    /// Removes the member at a JSON Pointer, if there.
    ///
    /// ```
    /// # use tollgate_guest::{Edit, Plan};
    /// assert_eq!(Plan::post("/x").remove("/user").edits, [Edit::Remove("/user".into())]);
    /// ```
    #[must_use]
    pub fn remove(self, pointer: impl Into<String>) -> Self {
        self.edit(Edit::Remove(pointer.into()))
    }

    /// Renames the member at a JSON Pointer; an existing member of the new name is kept instead.
    ///
    /// ```
    /// # use tollgate_guest::{Edit, Plan};
    /// let plan = Plan::post("/x").rename("/max_completion_tokens", "max_tokens");
    /// assert!(matches!(&plan.edits[0], Edit::Rename((_, to)) if to == "max_tokens"));
    /// ```
    #[must_use]
    pub fn rename(self, pointer: impl Into<String>, name: impl Into<String>) -> Self {
        self.edit(Edit::Rename((pointer.into(), name.into())))
    }

    /// Of the object at a JSON Pointer (empty: the whole body), keeps only the members named.
    ///
    /// ```
    /// # use tollgate_guest::Plan;
    /// let plan = Plan::post("/x").retain("", ["model", "messages", "stream"]);
    /// assert_eq!(plan.edits.len(), 1);
    /// ```
    #[must_use]
    pub fn retain<'a>(
        self,
        pointer: impl Into<String>,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let names = names.into_iter().map(str::to_owned).collect();
        self.edit(Edit::Retain((pointer.into(), names)))
    }

    /// Adds an edit as it is.
    ///
    /// ```
    /// # use tollgate_guest::{Edit, Plan};
    /// let plan = Plan::post("/x").edit(Edit::Remove("/user".into()));
    /// assert_eq!(plan.edits.len(), 1);
    /// ```
    #[must_use]
    pub fn edit(mut self, edit: Edit) -> Self {
        self.edits.push(edit);
        self
    }

    /// Says what the host checks before it commits to this answer; the status alone unless told otherwise.
    ///
    /// ```
    /// # use tollgate_guest::{CommitAfter, Plan};
    /// assert_eq!(Plan::post("/x").commit_after(CommitAfter::Body).commit_after, "body");
    /// ```
    #[must_use]
    pub fn commit_after(mut self, what: CommitAfter) -> Self {
        what.word().clone_into(&mut self.commit_after);
        self
    }

    /// For vendors that only stream: the host collects the answer for a client that did not ask for a stream.
    ///
    /// ```
    /// # use tollgate_guest::Plan;
    /// assert_eq!(Plan::post("/x").always_stream().upstream_stream, "always");
    /// ```
    #[must_use]
    pub fn always_stream(mut self) -> Self {
        "always".clone_into(&mut self.upstream_stream);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_forwarded_client_header_cannot_name_a_credential_field() {
        let call =
            testing::Call::new("messages").header("anthropic-beta", "a,{api-key},{{api-key}");
        let plan = Plan::post("/v1/messages").forward(&call.view(), "anthropic-beta");
        assert_eq!(plan.headers[0].1, "a,{{api-key},{{{{api-key}");
    }

    /// The host turns a doubled brace into one, and leaves every other closing one alone: see the tests beside its parser.
    #[test]
    fn text_is_escaped_as_the_contract_says() {
        let examples = include_str!("../../wit/0.1.0/header-templates.json");
        let examples = Json::parse(examples).expect("JSON");
        let texts = examples.get("texts").and_then(Json::as_array);
        for text in texts.expect("texts").iter().filter_map(Json::as_str) {
            let plan = Plan::post("/x").header_text("x-note", text);
            assert_eq!(plan.headers[0].1, text.replace('{', "{{"));
        }
    }

    #[test]
    fn a_header_the_client_did_not_send_is_not_forwarded() {
        let call = testing::Call::new("messages");
        let plan = Plan::post("/v1/messages").forward(&call.view(), "anthropic-beta");
        assert!(plan.headers.is_empty());
    }

    #[test]
    fn edits_keep_the_order_in_which_they_were_asked_for() {
        let plan = Plan::post("/x")
            .rename("/a", "b")
            .set("/b", 1u64)
            .remove("/c");
        assert!(matches!(plan.edits[0], Edit::Rename(_)));
        assert!(matches!(plan.edits[1], Edit::Set(_)));
        assert!(matches!(plan.edits[2], Edit::Remove(_)));
    }
}
