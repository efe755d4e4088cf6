//! Writes the content blocks of Messages.

use super::write::says_something;
use super::write_ran::write_ran;
use crate::bridge::Target;
use crate::bridge::opaque::{self, Opaque, OpaqueKind};
use crate::bridge::request::Way;
use crate::bridge::request::json::Json;
use crate::bridge::request::model::{
    Body, CacheMark, Item, Message, Part, Reasoning, Role, Source, ToolResult,
};
use crate::bridge::request::names::{self, Names};
use crate::bridge::request::shared::{decode_text, reasoning_text};
use crate::bridge::request::turns::{Turn, turns};
use crate::{ApiError, Dialect};

/// Ids of calls are this long at most.
const LONGEST_ID: usize = 64;

/// What stands where the conversation does not begin with the user.
const NOBODY: &str = "…";

/// Whose message is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nobody,
    User,
    Assistant,
    System,
}

/// Messages under way. A message is begun by its first block, so that none is empty, and goes on while the role is the
/// same.
pub(super) struct Blocks<'m> {
    names: &'m Names<'m>,
    to: &'m Target<'m>,
    way: Way,
    open: Open,
    /// Whether the bridge sets cache marks, for a client whose dialect has none.
    pub(super) own_marks: bool,
    /// Whether those last an hour.
    pub(super) long: bool,
    /// Where the last block that can carry a mark ends.
    last_block: Option<usize>,
}

/// Whether the vendor family gets this reasoning back.
pub(super) fn keeps(reasoning: &Reasoning<'_>, family: &str) -> bool {
    own(reasoning, family).is_some()
}

fn own(reasoning: &Reasoning<'_>, family: &str) -> Option<Opaque> {
    let opened = opaque::open(reasoning.opaque.as_deref()?)?;
    let kind = matches!(
        opened.kind,
        OpaqueKind::Signature | OpaqueKind::Redacted | OpaqueKind::Plain
    );
    (kind && opened.is_from(family)).then_some(opened)
}

impl<'m> Blocks<'m> {
    pub(super) fn new(names: &'m Names<'m>, to: &'m Target<'m>, way: Way) -> Self {
        Self {
            names,
            to,
            way,
            open: Open::Nobody,
            own_marks: false,
            long: false,
            last_block: None,
        }
    }

    /// Writes `system`, if there is anything in it.
    pub(super) fn system(&mut self, items: &[Item<'_>], also: Option<&str>, json: &mut Json) {
        let parts: Vec<_> = items
            .iter()
            .filter_map(|item| match item {
                Item::Message(message) => Some(&message.parts),
                _ => None,
            })
            .flatten()
            .filter(|part| says_something(&part.body))
            .collect();
        if parts.is_empty() && also.is_none() {
            return;
        }
        json.key("system");
        json.open_list();
        for part in parts {
            if let Body::Text(text) | Body::Refusal(text) = &part.body {
                self.text(&[text], part.cache, json);
            }
        }
        if let Some(also) = also {
            self.text(&[also], None, json);
        }
        self.mark_last(json);
        json.close_list();
    }

    /// Writes `messages`.
    pub(super) fn messages(&mut self, items: &[Item<'_>], json: &mut Json) -> Result<(), ApiError> {
        json.key("messages");
        json.open_list();
        let turns = turns(items, self.way.from)?;
        let count = turns.len();
        for (index, turn) in turns.into_iter().enumerate() {
            match turn {
                Turn::Said(message) => self.said(message, json)?,
                Turn::Assistant(items) => self.assistant(&items, index + 1 == count, json)?,
                Turn::Results(results) => {
                    for result in results {
                        self.result(result, json)?;
                    }
                }
            }
        }
        if self.open == Open::Nobody {
            self.begin(Open::User, json);
            self.text(&[NOBODY], None, json);
        }
        self.mark_last(json);
        self.end(json);
        json.close_list();
        Ok(())
    }

    fn begin(&mut self, role: Open, json: &mut Json) {
        if self.open == role {
            return;
        }
        if self.open == Open::Nobody && role != Open::User {
            self.begin(Open::User, json);
            self.text(&[NOBODY], None, json);
        }
        self.end(json);
        self.open = role;
        json.open();
        json.text_member(
            "role",
            match role {
                Open::Assistant => "assistant",
                Open::System => "system",
                Open::Nobody | Open::User => "user",
            },
        );
        json.key("content");
        json.open_list();
    }

    fn end(&mut self, json: &mut Json) {
        if self.open != Open::Nobody {
            json.close_list();
            json.close();
        }
    }

    fn said(&mut self, message: &Message<'_>, json: &mut Json) -> Result<(), ApiError> {
        let instructs = matches!(message.role, Role::System | Role::Developer);
        for part in &message.parts {
            if !says_something(&part.body) {
                continue;
            }
            if let Body::Text(text) = &part.body
                && instructs
                && !self.to.abilities.system_messages
            {
                self.begin(Open::User, json);
                let pieces = ["<system-message>\n", text, "\n</system-message>"];
                self.text(&pieces, part.cache, json);
                continue;
            }
            let role = match instructs && self.to.abilities.system_messages {
                true => Open::System,
                false => Open::User,
            };
            self.begin(role, json);
            self.part(part, json)?;
        }
        Ok(())
    }

    fn assistant(
        &mut self,
        items: &[&Item<'_>],
        last_turn: bool,
        json: &mut Json,
    ) -> Result<(), ApiError> {
        // A turn may not end in thinking: what it led to was cut off, and a client repeats what it had by then.
        let led_to = items.iter().rposition(|item| match item {
            Item::Message(message) => message.parts.iter().any(|part| says_something(&part.body)),
            Item::Call(_) | Item::Ran(_) => true,
            Item::Reasoning(_) | Item::Result(_) => false,
        });
        for (index, item) in items.iter().enumerate() {
            match item {
                Item::Reasoning(reasoning) if led_to.is_some_and(|last| index < last) => {
                    self.reasoning(reasoning, json);
                }
                Item::Reasoning(_) => {}
                Item::Message(message) => {
                    let count = message.parts.len();
                    for (number, part) in message.parts.iter().enumerate() {
                        if !says_something(&part.body) {
                            continue;
                        }
                        self.begin(Open::Assistant, json);
                        // What the model is to go on from must not end in white space.
                        let last = last_turn && index + 1 == items.len() && number + 1 == count;
                        match &part.body {
                            Body::Text(text) if last => {
                                self.text(&[text.trim_end()], part.cache, json);
                            }
                            _ => self.part(part, json)?,
                        }
                    }
                }
                Item::Call(call) => {
                    self.begin(Open::Assistant, json);
                    json.open_typed("tool_use");
                    json.text_member("id", &names::id(&call.id, LONGEST_ID, false));
                    let name = self.names.called(call);
                    json.text_member("name", &name);
                    json.raw_member("input", call.input.as_object().trim());
                    json.close();
                }
                Item::Ran(ran) => {
                    self.begin(Open::Assistant, json);
                    write_ran(ran, json);
                }
                Item::Result(_) => {}
            }
        }
        Ok(())
    }

    fn reasoning(&mut self, reasoning: &Reasoning<'_>, json: &mut Json) {
        let Some(opened) = own(reasoning, self.to.family) else {
            return;
        };
        self.begin(Open::Assistant, json);
        if opened.kind == OpaqueKind::Redacted {
            json.open_typed("redacted_thinking");
            json.text_member("data", &opened.payload);
        } else {
            json.open_typed("thinking");
            json.text_member("thinking", &reasoning_text(reasoning));
            let signed = opened.kind == OpaqueKind::Signature;
            json.text_member("signature", if signed { &opened.payload } else { "" });
        }
        json.close();
    }

    fn result(&mut self, result: &ToolResult<'_>, json: &mut Json) -> Result<(), ApiError> {
        self.begin(Open::User, json);
        json.open_typed("tool_result");
        json.text_member("tool_use_id", &names::id(&result.id, LONGEST_ID, false));
        let says = |part: &Part<'_>| says_something(&part.body);
        if result.error && !result.parts.iter().any(says) {
            // The vendor refuses a failure that says nothing of itself.
            json.text_member("content", "Error");
        } else if let [
            Part {
                body: Body::Text(text),
                cache: None,
                ..
            },
        ] = &*result.parts
        {
            json.text_member("content", text);
        } else if !result.parts.is_empty() {
            json.key("content");
            json.open_list();
            for part in &result.parts {
                if says_something(&part.body) {
                    self.part(part, json)?;
                }
            }
            json.close_list();
        }
        if result.error {
            json.bool_member("is_error", true);
        }
        self.close(result.cache, json);
        Ok(())
    }

    fn text(&mut self, pieces: &[&str], cache: Option<CacheMark>, json: &mut Json) {
        json.open_typed("text");
        json.key("text");
        json.texts(pieces);
        self.close(cache, json);
    }

    /// Ends a block that can carry a mark.
    fn close(&mut self, cache: Option<CacheMark>, json: &mut Json) {
        if let Some(mark) = cache {
            json.raw_member("cache_control", mark.control());
        }
        json.close();
        self.last_block = Some(json.len());
    }

    /// Marks what was written last.
    fn mark_last(&mut self, json: &mut Json) {
        if let Some(end) = self.last_block.take()
            && self.own_marks
        {
            let mark = CacheMark { long: self.long };
            json.add_member_at(end, "cache_control", mark.control());
        }
    }

    fn part(&mut self, part: &Part<'_>, json: &mut Json) -> Result<(), ApiError> {
        match &part.body {
            Body::Text(text) | Body::Refusal(text) => self.text(&[text], part.cache, json),
            Body::Image { source, .. } => {
                self.image(source, part, json)?;
                self.close(part.cache, json);
            }
            Body::File { source, name } => {
                self.file(source, name.as_deref(), part, json)?;
                self.close(part.cache, json);
            }
            Body::Audio { .. } => return Err(self.refuse("content[].input_audio", part, "")),
        }
        Ok(())
    }

    fn refuse(&self, field: &str, part: &Part<'_>, member: &str) -> ApiError {
        let param = format!("{}{member}", part.place.param(self.way.from));
        self.way.refuse(field, param)
    }

    fn image(&self, source: &Source<'_>, part: &Part<'_>, json: &mut Json) -> Result<(), ApiError> {
        let refuse = || match self.way.from {
            Dialect::OpenaiResponses => {
                self.refuse("content[].input_image.image_url", part, ".image_url")
            }
            _ => self.refuse("content[].image_url", part, ".image_url"),
        };
        json.open_typed("image");
        json.key("source");
        if let Source::Url(url) = source {
            json.open_typed("url");
            json.text_member("url", url);
        } else {
            let (media_type, data) = source.inline().ok_or_else(refuse)?;
            let media_type = match media_type {
                "image/jpeg" | "image/png" | "image/gif" | "image/webp" => media_type,
                "image/jpg" => "image/jpeg",
                _ => return Err(refuse()),
            };
            json.open_typed("base64");
            json.text_member("media_type", media_type);
            json.text_member("data", data);
        }
        json.close();
        Ok(())
    }

    fn file(
        &self,
        source: &Source<'_>,
        name: Option<&str>,
        part: &Part<'_>,
        json: &mut Json,
    ) -> Result<(), ApiError> {
        let responses = self.way.from == Dialect::OpenaiResponses;
        let refuse = || match responses {
            true => self.refuse("content[].input_file.file_data", part, ".file_data"),
            false => self.refuse("content[].file.file_data", part, ".file.file_data"),
        };
        if let Some((media_type, _)) = source.inline()
            && media_type.starts_with("image/")
        {
            return self.image(source, part, json);
        }
        json.open_typed("document");
        json.key("source");
        match source {
            Source::Url(url) => {
                json.open_typed("url");
                json.text_member("url", url);
            }
            Source::Id(_) if responses => {
                return Err(self.refuse("content[].input_file.file_id", part, ".file_id"));
            }
            Source::Id(_) => {
                return Err(self.refuse("content[].file.file_id", part, ".file.file_id"));
            }
            Source::Text(text) => plain_text(text, json),
            Source::DataUrl(_) | Source::Base64 { .. } => {
                let (media_type, data) = source.inline().ok_or_else(refuse)?;
                if media_type == "application/pdf" {
                    json.open_typed("base64");
                    json.text_member("media_type", media_type);
                    json.text_member("data", data);
                } else if media_type.starts_with("text/") || media_type == "application/json" {
                    plain_text(&decode_text(data).ok_or_else(refuse)?, json);
                } else {
                    return Err(refuse());
                }
            }
        }
        json.close();
        if let Some(name) = name {
            json.text_member("title", name);
        }
        Ok(())
    }
}

fn plain_text(text: &str, json: &mut Json) {
    json.open_typed("text");
    json.text_member("media_type", "text/plain");
    json.text_member("data", text);
}
