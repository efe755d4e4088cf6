//! Writes the messages of Chat Completions.

use std::borrow::Cow;

use crate::bridge::Target;
use crate::bridge::opaque::{self, OpaqueKind};
use crate::bridge::request::Way;
use crate::bridge::request::json::Json;
use crate::bridge::request::model::{
    Body, CacheMark, Call, Input, Item, Message, Part, Reasoning, Role, Source, ToolResult,
};
use crate::bridge::request::names::{self, Names};
use crate::bridge::request::shared::{joined, reasoning_text};
use crate::bridge::request::turns::{Turn, turns};
use crate::{ApiError, Dialect};

/// Ids of calls are this long at most.
const LONGEST_ID: usize = 40;

/// What writing messages needs to know.
pub(super) struct Messages<'m> {
    pub(super) names: &'m Names<'m>,
    pub(super) to: &'m Target<'m>,
    pub(super) way: Way,
    /// Whether the vendor has custom tools.
    pub(super) customs: bool,
}

/// One message of the assistant under way.
#[derive(Default)]
struct Assistant<'c, 'a> {
    reasoning: Vec<&'c Reasoning<'a>>,
    parts: Vec<&'c Part<'a>>,
    calls: Vec<&'c Call<'a>>,
}

impl Messages<'_> {
    /// Writes all of them.
    pub(super) fn write(&self, items: &[Item<'_>], json: &mut Json) -> Result<(), ApiError> {
        for turn in turns(items, self.way.from)? {
            match turn {
                Turn::Said(message) => self.said(message, json)?,
                Turn::Assistant(items) => self.assistant(&items, json)?,
                Turn::Results(results) => self.results(&results, json)?,
            }
        }
        Ok(())
    }

    fn said(&self, message: &Message<'_>, json: &mut Json) -> Result<(), ApiError> {
        let role = match message.role {
            Role::System | Role::Developer if self.to.abilities.developer_role => "developer",
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        json.open();
        json.text_member("role", role);
        json.key("content");
        let parts: Vec<_> = message.parts.iter().collect();
        self.content(&parts, None, self.takes_marks(message.role), json)?;
        json.close();
        Ok(())
    }

    /// One message for each that there was; calls go with the text before them, and text after calls joins theirs.
    fn assistant(&self, items: &[&Item<'_>], json: &mut Json) -> Result<(), ApiError> {
        let mut message = Assistant::default();
        for item in items {
            match item {
                Item::Reasoning(reasoning) => {
                    if !message.parts.is_empty() && message.calls.is_empty() {
                        self.one(&std::mem::take(&mut message), json)?;
                    }
                    message.reasoning.push(reasoning);
                }
                Item::Message(said) => {
                    if !message.parts.is_empty() && message.calls.is_empty() {
                        self.one(&std::mem::take(&mut message), json)?;
                    }
                    message.parts.extend(&said.parts);
                }
                Item::Call(call) => message.calls.push(call),
                Item::Result(_) | Item::Ran(_) => {}
            }
        }
        self.one(&message, json)
    }

    fn one(&self, message: &Assistant<'_, '_>, json: &mut Json) -> Result<(), ApiError> {
        let reasoning: Vec<_> = message
            .reasoning
            .iter()
            .filter(|reasoning| self.keeps(reasoning))
            .map(|reasoning| reasoning_text(reasoning))
            .filter(|text| !text.is_empty())
            .collect();
        if message.parts.is_empty() && message.calls.is_empty() && reasoning.is_empty() {
            return Ok(());
        }
        let refusals: Vec<_> = message
            .parts
            .iter()
            .filter_map(|part| match &part.body {
                Body::Refusal(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let parts: Vec<_> = message
            .parts
            .iter()
            .copied()
            .filter(|part| !matches!(part.body, Body::Refusal(_)))
            .collect();
        json.open();
        json.text_member("role", "assistant");
        json.key("content");
        match (
            parts.is_empty(),
            message.calls.is_empty(),
            refusals.is_empty(),
        ) {
            // Thinking alone: a vendor wants a string.
            (true, true, true) => json.text(""),
            (true, _, _) => json.raw("null"),
            _ => self.content(&parts, None, self.takes_marks(Role::Assistant), json)?,
        }
        if !refusals.is_empty() {
            json.text_member("refusal", &joined(&refusals));
        }
        if !reasoning.is_empty() {
            let texts: Vec<_> = reasoning.iter().map(|text| &**text).collect();
            json.text_member("reasoning_content", &joined(&texts));
        } else if !message.calls.is_empty() && self.to.abilities.reasoning_content {
            // Such vendors refuse calls of a thinking model without: those that another vendor's made have none to show.
            json.text_member("reasoning_content", " ");
        }
        if !message.calls.is_empty() {
            json.key("tool_calls");
            json.open_list();
            for call in &message.calls {
                self.call(call, json);
            }
            json.close_list();
        }
        json.close();
        Ok(())
    }

    /// Whether the vendor gets this reasoning back: its own, or any where it takes any.
    fn keeps(&self, reasoning: &Reasoning<'_>) -> bool {
        let own = reasoning
            .opaque
            .as_deref()
            .and_then(opaque::open)
            .is_some_and(|opened| {
                opened.kind == OpaqueKind::Plain && opened.is_from(self.to.family)
            });
        own || self.to.abilities.reasoning_content
    }

    fn call(&self, call: &Call<'_>, json: &mut Json) {
        let name = self.names.called(call);
        let free = matches!(call.input, Input::Free(_)) && self.customs;
        let kind = if free { "custom" } else { "function" };
        json.open();
        json.text_member("id", &names::id(&call.id, LONGEST_ID, true));
        json.text_member("type", kind);
        json.key(kind);
        json.open();
        json.text_member("name", &name);
        if let Input::Free(text) = &call.input
            && free
        {
            json.text_member("input", text);
        } else {
            json.text_member("arguments", &call.input.as_arguments());
        }
        json.close();
        json.close();
    }

    fn results(&self, results: &[&ToolResult<'_>], json: &mut Json) -> Result<(), ApiError> {
        for result in results {
            let media = result.parts.iter().any(Part::is_media);
            let texts: Vec<_> = result
                .parts
                .iter()
                .filter(|part| !part.is_media())
                .collect();
            json.open();
            json.text_member("role", "tool");
            json.text_member("tool_call_id", &names::id(&result.id, LONGEST_ID, true));
            json.key("content");
            match &*texts {
                [] if media => {
                    let error = if result.error { "Error: " } else { "" };
                    json.texts(&[error, "The result is in the next message of the user."]);
                }
                _ => self.texts(result, &texts, json)?,
            }
            json.close();
        }
        // A result is text only, so what else there is follows, after the last of them.
        let media: Vec<_> = results
            .iter()
            .flat_map(|result| {
                result
                    .parts
                    .iter()
                    .filter(|part| part.is_media())
                    .map(move |part| (result, part))
            })
            .collect();
        if media.is_empty() {
            return Ok(());
        }
        json.open();
        json.text_member("role", "user");
        json.key("content");
        json.open_list();
        let mut last = None;
        for (index, (result, part)) in media.iter().enumerate() {
            if last != Some(&*result.id) {
                json.open_typed("text");
                json.key("text");
                let id = names::id(&result.id, LONGEST_ID, true);
                json.texts(&["From the result of the tool call ", &id, ":"]);
                json.close();
                last = Some(&*result.id);
            }
            let ends = media
                .get(index + 1)
                .is_none_or(|(next, _)| next.id != result.id);
            let mark = result.cache.filter(|_| ends);
            self.part(part, part.cache.or(mark), json)?;
        }
        json.close_list();
        json.close();
        Ok(())
    }

    fn texts(
        &self,
        result: &ToolResult<'_>,
        parts: &[&Part<'_>],
        json: &mut Json,
    ) -> Result<(), ApiError> {
        // Its mark stands at its end, which may follow in the user's message.
        let media = result.parts.iter().any(Part::is_media);
        let mark = result.cache.filter(|_| !media);
        if !result.error {
            return self.content(parts, mark, self.takes_marks(Role::User), json);
        }
        // A document that is text is told with the rest: what came of the failure may stand in it alone.
        let texts: Vec<Cow<'_, str>> = parts
            .iter()
            .filter_map(|part| match &part.body {
                Body::Text(text) => Some(Cow::Borrowed(&**text)),
                Body::File {
                    source: Source::Text(text),
                    name,
                } => Some(match name {
                    Some(name) => Cow::Owned(format!("{}\n\n{}", &**name, &**text)),
                    None => Cow::Borrowed(&**text),
                }),
                _ => None,
            })
            .collect();
        let texts: Vec<_> = texts.iter().map(|text| &**text).collect();
        let told = ["Error: ", &*joined(&texts)];
        match mark.filter(|_| self.takes_marks(Role::User)) {
            None => json.texts(&told),
            Some(mark) => {
                json.open_list();
                json.open_typed("text");
                json.key("text");
                json.texts(&told);
                self.mark(mark, json);
                json.close();
                json.close_list();
            }
        }
        Ok(())
    }

    /// Whether the vendor takes cache marks on what this role says.
    fn takes_marks(&self, role: Role) -> bool {
        let abilities = self.to.abilities;
        abilities.cache_control || (abilities.prompt_cache_breakpoints && role != Role::Assistant)
    }

    /// One string where it can be one, else parts. `mark`: a cache mark on the whole.
    fn content(
        &self,
        parts: &[&Part<'_>],
        mark: Option<CacheMark>,
        takes_marks: bool,
        json: &mut Json,
    ) -> Result<(), ApiError> {
        let texts: Option<Vec<_>> = parts
            .iter()
            .map(|part| match &part.body {
                Body::Text(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let marked = takes_marks
            && !parts.is_empty()
            && (mark.is_some() || parts.iter().any(|part| part.cache.is_some()));
        if let Some(texts) = texts
            && !marked
            && (texts.len() < 2 || self.to.abilities.string_content)
        {
            json.text(&joined(&texts));
            return Ok(());
        }
        json.open_list();
        for (index, part) in parts.iter().enumerate() {
            let mark = mark.filter(|_| index + 1 == parts.len());
            let mark = part.cache.or(mark).filter(|_| takes_marks);
            self.part(part, mark, json)?;
        }
        json.close_list();
        Ok(())
    }

    fn part(
        &self,
        part: &Part<'_>,
        cache: Option<CacheMark>,
        json: &mut Json,
    ) -> Result<(), ApiError> {
        let refuse = |field: &str, member: &str| {
            let param = format!("{}{member}", part.place.param(self.way.from));
            Err(self.way.refuse(field, param))
        };
        match &part.body {
            Body::Text(text) => {
                json.open_typed("text");
                json.text_member("text", text);
            }
            Body::Refusal(text) => {
                json.open_typed("refusal");
                json.text_member("refusal", text);
            }
            Body::Image { source, detail } => {
                json.open_typed("image_url");
                json.key("image_url");
                json.open();
                json.key("url");
                match source {
                    Source::Url(url) | Source::DataUrl(url) => json.text(url),
                    Source::Base64 { media_type, data } => {
                        json.texts(&["data:", media_type, ";base64,", data]);
                    }
                    Source::Id(_) | Source::Text(_) => {
                        return refuse("content[] of another type", "");
                    }
                }
                if let Some(detail) = detail {
                    // Most vendors of the dialect know three words, this one not among them.
                    let detail = if &**detail == "original" {
                        "high"
                    } else {
                        detail
                    };
                    json.text_member("detail", detail);
                }
                json.close();
            }
            Body::File {
                source: Source::Text(text),
                name,
            } => {
                json.open_typed("text");
                json.key("text");
                match name {
                    Some(name) => json.texts(&[name, "\n\n", text]),
                    None => json.text(text),
                }
            }
            Body::File { source, name } => {
                json.open_typed("file");
                json.key("file");
                json.open();
                match source {
                    Source::Id(id) => json.text_member("file_id", id),
                    Source::DataUrl(url) => json.text_member("file_data", url),
                    Source::Base64 { media_type, data } => {
                        json.key("file_data");
                        json.texts(&["data:", media_type, ";base64,", data]);
                    }
                    Source::Url(_) | Source::Text(_) => {
                        return match self.way.from {
                            Dialect::OpenaiResponses => {
                                refuse("content[].input_file.file_url", ".file_url")
                            }
                            _ => refuse("content[].document (url)", ".source.url"),
                        };
                    }
                }
                if !matches!(source, Source::Id(_)) {
                    let name = name.as_deref().unwrap_or("document.pdf");
                    json.text_member("filename", name);
                }
                json.close();
            }
            Body::Audio { data, format } => {
                json.open_typed("input_audio");
                json.key("input_audio");
                json.open();
                json.text_member("data", data);
                json.text_member("format", format);
                json.close();
            }
        }
        if let Some(mark) = cache {
            self.mark(mark, json);
        }
        json.close();
        Ok(())
    }

    /// Writes a cache mark in the vendor's words, if it has any.
    fn mark(&self, mark: CacheMark, json: &mut Json) {
        if self.to.abilities.cache_control {
            json.raw_member("cache_control", mark.control());
        } else if self.to.abilities.prompt_cache_breakpoints {
            json.raw_member("prompt_cache_breakpoint", mark.breakpoint());
        }
    }
}
