//! Event streams.

use tollgate_guest::Answer;
use tollgate_guest::json::Json;

/// An event stream being written.
#[derive(Default)]
pub(crate) struct Events(String);

impl Events {
    /// An event that is only data (chat completions).
    pub(crate) fn data(&mut self, data: &Json) {
        self.raw(&format!("data: {data}\n\n"));
    }

    /// An event with its name, which is also the data's `type` (responses, messages).
    pub(crate) fn named(&mut self, data: &Json) {
        let name = data.get("type").and_then(Json::as_str).unwrap_or_default();
        self.raw(&format!("event: {name}\ndata: {data}\n\n"));
    }

    /// Text as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

/// The answer that holds a whole event stream.
pub(crate) fn answer(events: Events) -> Answer {
    Answer::events(events.0)
}
