//! Writes the items of Responses.

use std::collections::HashSet;

use super::own::write_ran;
use crate::bridge::Target;
use crate::bridge::opaque::{self, OpaqueKind};
use crate::bridge::request::Way;
use crate::bridge::request::json::Json;
use crate::bridge::request::model::{
    Body, CacheMark, Call, Input, Item, Message, Part, Reasoning, Role, Source, ToolResult,
};
use crate::bridge::request::names::{self, Names};
use crate::bridge::request::shared::all_text;
use crate::{ApiError, Dialect};

/// Ids of calls are this long at most.
const LONGEST_ID: usize = 64;

/// What writing items needs to know.
pub(super) struct Items<'m> {
    pub(super) names: &'m Names<'m>,
    pub(super) to: &'m Target<'m>,
    pub(super) way: Way,
    /// Whether the vendor has custom tools.
    pub(super) customs: bool,
    /// Whether the client marks what is to be cached. A mark goes on from turn to turn, and what it stood on must stay as
    /// it was written, or the cache is missed: so all results are parts then.
    pub(super) marked: bool,
}

/// Whether reasoning before these led to anything. A client that was cut off repeats what it had by then; the vendor
/// refuses reasoning "without its required following item", now and in every turn after it.
pub(crate) fn leads_on(after: &[Item<'_>]) -> bool {
    after
        .iter()
        .find(|item| !matches!(item, Item::Reasoning(_)))
        .is_some_and(|item| match item {
            Item::Message(message) => message.role == Role::Assistant,
            Item::Call(_) | Item::Ran(_) => true,
            Item::Result(_) | Item::Reasoning(_) => false,
        })
}

impl Items<'_> {
    /// Writes all of them but the first `done`.
    pub(super) fn write(
        &self,
        items: &[Item<'_>],
        done: usize,
        json: &mut Json,
    ) -> Result<(), ApiError> {
        let custom: HashSet<&str> = items
            .iter()
            .filter_map(|item| match item {
                Item::Call(call) if matches!(call.input, Input::Free(_)) && self.customs => {
                    Some(&*call.id)
                }
                _ => None,
            })
            .collect();
        for (index, item) in items.iter().enumerate().skip(done) {
            match item {
                Item::Message(message) => self.message(message, json)?,
                Item::Reasoning(reasoning) if leads_on(&items[index + 1..]) => {
                    self.reasoning(reasoning, json);
                }
                Item::Reasoning(_) => {}
                Item::Call(call) => self.call(call, json),
                Item::Ran(ran) => write_ran(ran, self.to.family, json),
                Item::Result(result) => {
                    self.result(result, custom.contains(&*result.id), json)?;
                }
            }
        }
        Ok(())
    }

    fn message(&self, message: &Message<'_>, json: &mut Json) -> Result<(), ApiError> {
        let (role, text) = match message.role {
            Role::System | Role::Developer => ("developer", "input_text"),
            Role::User => ("user", "input_text"),
            Role::Assistant => ("assistant", "output_text"),
        };
        json.open_typed("message");
        json.text_member("role", role);
        json.key("content");
        // Parts of an assistant belong to messages with the vendor's id, which nobody has here: a message without takes
        // one text. Only a refusal has no other place.
        if role == "assistant"
            && let Some(texts) = all_text(&message.parts)
        {
            json.texts(&texts);
            json.close();
            return Ok(());
        }
        json.open_list();
        for part in &message.parts {
            self.part(part, part.cache, text, json)?;
        }
        json.close_list();
        json.close();
        Ok(())
    }

    /// Only what this vendor family made goes back to it.
    fn reasoning(&self, reasoning: &Reasoning<'_>, json: &mut Json) {
        let opened = reasoning.opaque.as_deref().and_then(opaque::open);
        let Some(opened) = opened.filter(|opened| opened.is_from(self.to.family)) else {
            return;
        };
        match (opened.kind, opened.item()) {
            (OpaqueKind::Item, Some((id, encrypted))) => {
                json.open_typed("reasoning");
                if !id.is_empty() {
                    json.text_member("id", id);
                }
                json.key("summary");
                json.open_list();
                for text in &reasoning.text {
                    json.open_typed("summary_text");
                    json.text_member("text", text);
                    json.close();
                }
                json.close_list();
                if !encrypted.is_empty() {
                    json.text_member("encrypted_content", encrypted);
                }
                json.close();
            }
            (OpaqueKind::Plain, _) if !reasoning.text.is_empty() => {
                json.open_typed("reasoning");
                json.raw_member("summary", "[]");
                json.key("content");
                json.open_list();
                for text in &reasoning.text {
                    json.open_typed("reasoning_text");
                    json.text_member("text", text);
                    json.close();
                }
                json.close_list();
                json.close();
            }
            _ => {}
        }
    }

    fn call(&self, call: &Call<'_>, json: &mut Json) {
        let name = self.names.called(call);
        let id = names::id(&call.id, LONGEST_ID, true);
        if let Input::Free(text) = &call.input
            && self.customs
        {
            json.open_typed("custom_tool_call");
            json.text_member("call_id", &id);
            json.text_member("name", &name);
            json.text_member("input", text);
        } else {
            json.open_typed("function_call");
            json.text_member("call_id", &id);
            json.text_member("name", &name);
            json.text_member("arguments", &call.input.as_arguments());
        }
        json.close();
    }

    fn result(
        &self,
        result: &ToolResult<'_>,
        custom: bool,
        json: &mut Json,
    ) -> Result<(), ApiError> {
        json.open_typed(if custom {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        });
        json.text_member("call_id", &names::id(&result.id, LONGEST_ID, true));
        json.key("output");
        let error = if result.error { "Error: " } else { "" };
        match all_text(&result.parts).as_deref() {
            Some([]) => json.text(error.trim_end()),
            Some([text]) if !self.marked => json.texts(&[error, text]),
            _ => {
                json.open_list();
                if result.error {
                    json.open_typed("input_text");
                    json.text_member("text", error.trim_end());
                    json.close();
                }
                let last = result.parts.len().saturating_sub(1);
                for (index, part) in result.parts.iter().enumerate() {
                    // The mark of the whole stands at its end.
                    let mark = result.cache.filter(|_| index == last);
                    self.part(part, part.cache.or(mark), "input_text", json)?;
                }
                json.close_list();
            }
        }
        json.close();
        Ok(())
    }

    fn part(
        &self,
        part: &Part<'_>,
        cache: Option<CacheMark>,
        text_type: &str,
        json: &mut Json,
    ) -> Result<(), ApiError> {
        let refuse = |field: &str| {
            let param = part.place.param(self.way.from);
            Err(self.way.refuse(field, param))
        };
        match &part.body {
            Body::Text(text) => {
                json.open_typed(text_type);
                json.text_member("text", text);
            }
            Body::Refusal(text) => {
                json.open_typed("refusal");
                json.text_member("refusal", text);
            }
            Body::Image { source, detail } => {
                json.open_typed("input_image");
                json.key("image_url");
                match source {
                    Source::Url(url) | Source::DataUrl(url) => json.text(url),
                    Source::Base64 { media_type, data } => {
                        json.texts(&["data:", media_type, ";base64,", data]);
                    }
                    Source::Id(_) | Source::Text(_) => return refuse("content[] of another type"),
                }
                json.text_member("detail", detail.as_deref().unwrap_or("auto"));
            }
            Body::File {
                source: Source::Text(text),
                name,
            } => {
                json.open_typed(text_type);
                json.key("text");
                match name {
                    Some(name) => json.texts(&[name, "\n\n", text]),
                    None => json.text(text),
                }
            }
            Body::File { source, name } => {
                json.open_typed("input_file");
                match source {
                    Source::Id(id) => json.text_member("file_id", id),
                    Source::Url(url) => json.text_member("file_url", url),
                    Source::DataUrl(url) => json.text_member("file_data", url),
                    Source::Base64 { media_type, data } => {
                        json.key("file_data");
                        json.texts(&["data:", media_type, ";base64,", data]);
                    }
                    Source::Text(_) => {}
                }
                if matches!(source, Source::DataUrl(_) | Source::Base64 { .. }) {
                    let name = name.as_deref().unwrap_or("document.pdf");
                    json.text_member("filename", name);
                }
            }
            Body::Audio { .. } => {
                return match self.way.from {
                    Dialect::OpenaiChat => refuse("content[].input_audio"),
                    _ => refuse("content[] of another type"),
                };
            }
        }
        // What the assistant said takes no marks.
        if let Some(mark) = cache
            && self.to.abilities.prompt_cache_breakpoints
            && text_type == "input_text"
        {
            json.raw_member("prompt_cache_breakpoint", mark.breakpoint());
        }
        json.close();
        Ok(())
    }
}
