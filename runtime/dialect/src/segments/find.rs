//! Where text is in requests, answers and their parts, in every dialect.

use crate::Invalid;
use crate::json::walk::{Raw, Shape};

use super::{Kind, Role};

/// Which of a group's texts: with the group and the part it names a channel of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Text,
    Refusal,
    Reasoning,
    /// A second name for reasoning that some vendors send beside the first.
    ReasoningToo,
    ReasoningDetail,
    Summary,
    Arguments,
    Input,
    Transcript,
    Code,
    Command,
    /// Text that comes whole only.
    Other,
}

/// A string that is text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) role: Role,
    pub(crate) kind: Kind,
    /// The string with its quotes.
    pub(crate) value: Raw<'a>,
    /// Choice, output item or content block.
    pub(crate) group: u32,
    /// Tool call, content part or summary part.
    pub(crate) part: u32,
    pub(crate) field: Field,
    /// Token probabilities that spell the same text.
    pub(crate) probabilities: Option<Raw<'a>>,
}

/// Collects text. The role, kind and group hold for what is found next.
#[derive(Debug)]
pub(crate) struct Finder<'a> {
    pub(crate) found: Vec<Found<'a>>,
    role: Role,
    kind: Kind,
    group: u32,
    part: u32,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            found: Vec::new(),
            role,
            kind: Kind::Text,
            group: 0,
            part: 0,
        }
    }

    /// What is found next belongs to this choice, item or block.
    pub(crate) fn group(&mut self, group: usize) {
        self.group = u32::try_from(group).unwrap_or(u32::MAX);
        self.part = 0;
    }

    fn part(&mut self, part: u64) {
        self.part = u32::try_from(part).unwrap_or(u32::MAX);
    }

    /// Does `work` as another role and kind.
    fn with<T>(&mut self, role: Role, kind: Kind, work: impl FnOnce(&mut Self) -> T) -> T {
        let (old_role, old_kind) = (self.role, self.kind);
        (self.role, self.kind) = (role, kind);
        let outcome = work(self);
        (self.role, self.kind) = (old_role, old_kind);
        outcome
    }

    fn of_kind<T>(&mut self, kind: Kind, work: impl FnOnce(&mut Self) -> T) -> T {
        self.with(self.role, kind, work)
    }

    /// Notes a string; anything else is no text.
    pub(crate) fn text(&mut self, field: Field, value: Raw<'a>) {
        if value.inner().is_some() {
            let Self {
                role,
                kind,
                group,
                part,
                ..
            } = *self;
            self.found.push(Found {
                role,
                kind,
                value,
                group,
                part,
                field,
                probabilities: None,
            });
        }
    }

    /// What is sent as `input` to embeddings: a string, strings, or tokens.
    pub(crate) fn embeddings(&mut self, input: Raw<'a>) {
        self.text(Field::Text, input);
        input.items().for_each(|item| self.text(Field::Text, item));
    }

    /// `messages` of Chat Completions.
    pub(crate) fn chat_messages(&mut self, messages: Raw<'a>) -> Result<(), Invalid> {
        for (position, message) in messages.items().enumerate() {
            let path = format!("messages[{position}]");
            self.role = role_of(object(&path, message)?);
            self.chat_message(&path, message)?;
        }
        Ok(())
    }

    /// A message of Chat Completions, or a streamed piece of one.
    pub(crate) fn chat_message(&mut self, path: &str, message: Raw<'a>) -> Result<(), Invalid> {
        let said = if self.role == Role::Tool {
            Kind::ToolResult
        } else {
            Kind::Text
        };
        for (key, value) in message.members() {
            match &*key.bytes() {
                b"content" => {
                    self.of_kind(said, |this| this.content(&format!("{path}.content"), value))?
                }
                b"refusal" => self.text(Field::Refusal, value),
                b"reasoning_content" => {
                    self.of_kind(Kind::Reasoning, |this| this.text(Field::Reasoning, value))
                }
                b"reasoning" => self.of_kind(Kind::Reasoning, |this| {
                    this.text(Field::ReasoningToo, value)
                }),
                b"reasoning_details" => self.of_kind(Kind::Reasoning, |this| this.details(value)),
                b"tool_calls" => self.of_kind(Kind::ToolArguments, |this| this.tool_calls(value)),
                b"function_call" => self.of_kind(Kind::ToolArguments, |this| this.call(value)),
                b"audio" => value
                    .get("transcript")
                    .into_iter()
                    .for_each(|text| self.text(Field::Transcript, text)),
                _ => {}
            }
        }
        Ok(())
    }

    fn details(&mut self, details: Raw<'a>) {
        for (position, detail) in details.items().enumerate() {
            self.part(
                detail
                    .get("index")
                    .and_then(Raw::count)
                    .unwrap_or(position as u64),
            );
            for name in ["text", "summary"] {
                detail
                    .get(name)
                    .into_iter()
                    .for_each(|text| self.text(Field::ReasoningDetail, text));
            }
        }
        self.part(0);
    }

    fn tool_calls(&mut self, calls: Raw<'a>) {
        for (position, call) in calls.items().enumerate() {
            self.part(
                call.get("index")
                    .and_then(Raw::count)
                    .unwrap_or(position as u64),
            );
            for name in ["function", "custom"] {
                call.get(name).into_iter().for_each(|call| self.call(call));
            }
        }
        self.part(0);
    }

    fn call(&mut self, call: Raw<'a>) {
        for (key, value) in call.members() {
            match &*key.bytes() {
                b"arguments" => self.whole_or_text(Field::Arguments, value),
                b"input" => self.whole_or_text(Field::Input, value),
                _ => {}
            }
        }
    }

    /// A string, or whatever strings there are where some client sends more than a string.
    fn whole_or_text(&mut self, field: Field, value: Raw<'a>) {
        match value.shape() {
            Shape::String => self.text(field, value),
            _ => self.strings(value),
        }
    }

    /// `content`: a string or parts.
    fn content(&mut self, path: &str, content: Raw<'a>) -> Result<(), Invalid> {
        match content.shape() {
            Shape::Null => Ok(()),
            Shape::String => {
                self.text(Field::Text, content);
                Ok(())
            }
            Shape::Array => self.parts(path, content),
            Shape::Object => self.block(path, content),
            other => Err(Invalid::param(
                path,
                format!(
                    "`{path}` must be a string or an array, not {}",
                    other.named()
                ),
            )),
        }
    }

    /// Parts or blocks in an array.
    pub(crate) fn parts(&mut self, path: &str, parts: Raw<'a>) -> Result<(), Invalid> {
        for (position, part) in parts.items().enumerate() {
            self.part(position as u64);
            self.block(&format!("{path}[{position}]"), part)?;
        }
        self.part(0);
        Ok(())
    }

    /// One content part or content block, of any dialect.
    pub(crate) fn block(&mut self, path: &str, block: Raw<'a>) -> Result<(), Invalid> {
        if block.shape() == Shape::String {
            self.text(Field::Text, block);
            return Ok(());
        }
        let kind = object(path, block)?
            .get("type")
            .and_then(Raw::text)
            .unwrap_or_default();
        match &*kind {
            "text" | "input_text" | "output_text" => self.named_text(block, "text", Field::Text),
            "refusal" => self.named_text(block, "refusal", Field::Refusal),
            "summary_text" => self.of_kind(Kind::Reasoning, |this| {
                this.named_text(block, "text", Field::Summary)
            }),
            "reasoning_text" => self.of_kind(Kind::Reasoning, |this| {
                this.named_text(block, "text", Field::Reasoning)
            }),
            "thinking" => self.of_kind(Kind::Reasoning, |this| {
                this.named_text(block, "thinking", Field::Reasoning)
            }),
            "compaction" => self.named_text(block, "content", Field::Text),
            // Nothing in these is text.
            "image"
            | "image_url"
            | "input_image"
            | "input_audio"
            | "audio"
            | "file"
            | "input_file"
            | "video_url"
            | "redacted_thinking"
            | "container_upload"
            | "computer_screenshot" => {}
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                let input = block.members().filter(|(key, _)| key.is("input"));
                self.of_kind(Kind::ToolArguments, |this| {
                    input.for_each(|(_, input)| this.strings(input))
                });
            }
            kind if kind.ends_with("tool_result") => {
                return self.with(Role::Tool, Kind::ToolResult, |this| {
                    this.result(path, block)
                });
            }
            "document" => return self.document(path, block),
            "search_result" => {
                self.named_text(block, "title", Field::Other);
                return self.nested(path, block);
            }
            _ => self.strings(block),
        }
        Ok(())
    }

    fn named_text(&mut self, block: Raw<'a>, name: &str, field: Field) {
        let before = self.found.len();
        for (_, value) in block.members().filter(|(key, _)| key.is(name)) {
            self.text(field, value);
        }
        let probabilities = block.get("logprobs");
        self.found[before..]
            .iter_mut()
            .for_each(|found| found.probabilities = probabilities);
    }

    fn nested(&mut self, path: &str, block: Raw<'a>) -> Result<(), Invalid> {
        let part = self.part;
        for (_, content) in block.members().filter(|(key, _)| key.is("content")) {
            self.content(&format!("{path}.content"), content)?;
        }
        self.part = part;
        Ok(())
    }

    /// A tool's result: what the person's tools gave is a string or blocks, what the vendor's gave has its own shapes.
    fn result(&mut self, path: &str, block: Raw<'a>) -> Result<(), Invalid> {
        match block.get("content").map(Raw::shape) {
            Some(Shape::Object) => {
                self.strings(block);
                Ok(())
            }
            _ => self.nested(path, block),
        }
    }

    fn document(&mut self, path: &str, block: Raw<'a>) -> Result<(), Invalid> {
        self.named_text(block, "title", Field::Other);
        self.named_text(block, "context", Field::Other);
        let Some(source) = block.get("source") else {
            return Ok(());
        };
        if source.get("type").is_some_and(|kind| kind.is_word("text")) {
            self.named_text(source, "data", Field::Other);
        }
        self.nested(&format!("{path}.source"), source)
    }

    /// `messages` of the Anthropic dialect.
    pub(crate) fn anthropic_messages(&mut self, messages: Raw<'a>) -> Result<(), Invalid> {
        for (position, message) in messages.items().enumerate() {
            let path = format!("messages[{position}]");
            self.role = role_of(object(&path, message)?);
            self.nested(&path, message)?;
        }
        Ok(())
    }

    /// A string or blocks, for `system` and the like.
    pub(crate) fn prompt(&mut self, name: &str, role: Role, value: Raw<'a>) -> Result<(), Invalid> {
        self.with(role, Kind::Text, |this| match value.shape() {
            Shape::Array => this.items(name, value),
            _ => this.content(name, value),
        })
    }

    /// Items of the Responses dialect, or blocks.
    pub(crate) fn items(&mut self, name: &str, items: Raw<'a>) -> Result<(), Invalid> {
        for (position, item) in items.items().enumerate() {
            self.group(position);
            self.item(&format!("{name}[{position}]"), item)?;
        }
        Ok(())
    }

    /// One item of the Responses dialect.
    pub(crate) fn item(&mut self, path: &str, item: Raw<'a>) -> Result<(), Invalid> {
        if item.shape() == Shape::String {
            self.text(Field::Text, item);
            return Ok(());
        }
        let role = match object(path, item)?.get("role") {
            Some(_) => role_of(item),
            None => self.role,
        };
        let kind = item.get("type").and_then(Raw::text).unwrap_or_default();
        match &*kind {
            "" | "message" | "agent_message" => {
                self.with(role, Kind::Text, |this| this.nested(path, item))
            }
            "reasoning" => self.with(Role::Assistant, Kind::Reasoning, |this| {
                this.reasoning(path, item)
            }),
            // Definitions and opaque state.
            "additional_tools" | "mcp_list_tools" | "item_reference" | "compaction"
            | "compaction_summary" | "compaction_trigger" | "context_compaction" => Ok(()),
            kind if kind.ends_with("_output") => {
                let outputs = item.members().filter(|(key, _)| key.is("output"));
                self.with(Role::Tool, Kind::ToolResult, |this| {
                    outputs
                        .into_iter()
                        .try_for_each(|(_, output)| match output.shape() {
                            Shape::String | Shape::Array => {
                                this.content(&format!("{path}.output"), output)
                            }
                            _ => {
                                this.strings(output);
                                Ok(())
                            }
                        })
                })
            }
            kind if kind.ends_with("_call") => {
                self.vendor_call(item);
                Ok(())
            }
            // Blocks of other dialects, for `system`.
            "text" | "input_text" | "output_text" => {
                self.with(role, Kind::Text, |this| this.block(path, item))
            }
            _ => {
                self.with(role, Kind::Text, |this| this.strings(item));
                Ok(())
            }
        }
    }

    fn reasoning(&mut self, path: &str, item: Raw<'a>) -> Result<(), Invalid> {
        for (key, value) in item.members() {
            if (key.is("summary") || key.is("content")) && value.shape() == Shape::Array {
                self.parts(path, value)?;
            }
        }
        Ok(())
    }

    /// A call of a tool, the person's or the vendor's, with what it was called with and perhaps what it gave.
    fn vendor_call(&mut self, item: Raw<'a>) {
        for (key, value) in item.members() {
            match &*key.bytes() {
                b"arguments" => self.argument(Field::Arguments, value),
                b"input" => self.argument(Field::Input, value),
                b"code" => self.argument(Field::Code, value),
                b"action" | b"actions" | b"operation" | b"query" | b"queries"
                | b"revised_prompt" => {
                    self.argument(Field::Other, value);
                }
                b"output" | b"outputs" | b"results" | b"error" => {
                    self.with(Role::Tool, Kind::ToolResult, |this| this.strings(value));
                }
                _ => {}
            }
        }
    }

    fn argument(&mut self, field: Field, value: Raw<'a>) {
        self.with(Role::Assistant, Kind::ToolArguments, |this| {
            this.whole_or_text(field, value)
        });
    }

    /// Every string in a value of unknown shape, but for those that are never text.
    pub(crate) fn strings(&mut self, value: Raw<'a>) {
        match value.shape() {
            Shape::String => self.text(Field::Other, value),
            Shape::Array => value.items().for_each(|item| self.strings(item)),
            Shape::Object => {
                for (key, value) in value.members() {
                    if !is_opaque(&key.bytes(), self.kind) {
                        self.strings(value);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether the member of this name is never text: ids, enumerations, encoded or encrypted data. In what a tool is called
/// with, every name is the tool's own and says nothing.
fn is_opaque(name: &[u8], kind: Kind) -> bool {
    kind != Kind::ToolArguments
        && (name.ends_with(b"_id")
            || matches!(
                name,
                b"id"
                    | b"type"
                    | b"role"
                    | b"status"
                    | b"signature"
                    | b"encrypted_content"
                    | b"encrypted_index"
                    | b"data"
                    | b"media_type"
                    | b"mime_type"
                    | b"file_data"
                    | b"image_url"
                    | b"cache_control"
                    | b"detail"
                    | b"result"
            ))
}

fn object<'a>(path: &str, value: Raw<'a>) -> Result<Raw<'a>, Invalid> {
    match value.shape() {
        Shape::Object => Ok(value),
        other => Err(Invalid::param(
            path,
            format!("`{path}` must be an object, not {}", other.named()),
        )),
    }
}

fn role_of(message: Raw<'_>) -> Role {
    match message.get("role").and_then(Raw::text).as_deref() {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("assistant") => Role::Assistant,
        Some("tool" | "function") => Role::Tool,
        _ => Role::User,
    }
}
