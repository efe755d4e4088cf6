//! What the way back must know of the request: owned and bounded, for it lives as long as the stream.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::Dialect;

/// What turns the vendor's answer into the one the client expects.
#[derive(Debug, Clone)]
pub struct Context {
    /// The client's dialect.
    pub from: Dialect,
    /// The vendor's dialect.
    pub to: Dialect,
    /// The vendor's family: whose opaque reasoning the answer carries.
    pub family: String,
    /// The model as the client named it.
    pub model: String,
    /// Whether the client wants events.
    pub stream: bool,
    /// Whether a streaming Chat client asked for usage (`stream_options.include_usage`).
    pub include_usage: bool,
    /// How many choices the client wants (Chat `n`); 1 unless it said so.
    pub choices: u32,
    /// Tools whose name at the vendor is not the client's, or that stand in for another kind of tool.
    pub tools: Vec<ToolName>,
    /// The tool the vendor was made to call so that the answer follows the client's schema: its arguments are the text
    /// of the answer, and the client sees no tool call.
    pub structured_tool: Option<String>,
    /// The client's stop sequences, in its order.
    pub stop: Vec<String>,
    /// Whether a Responses client wants `encrypted_content` in its reasoning items.
    pub encrypted_reasoning: bool,
    /// Whether readable reasoning may be shown: false where a Messages client asked `display: omitted`.
    pub readable_reasoning: bool,
    /// Whether reasoning that may not be shown goes to the client all the same, sealed with its text, so that it can come
    /// back. Not where a policy looks at what the client gets: anybody can open it.
    pub hidden_reasoning: bool,
    /// MCP servers whose names differ: from that at the vendor to that at the client.
    pub servers: HashMap<String, String>,
    /// Whether the client asked for token probabilities.
    pub logprobs: bool,
    /// What a response object repeats of its request (Responses clients only).
    pub echo: Option<Box<Echo>>,
}

/// One tool's two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolName {
    /// At the vendor.
    pub wire: String,
    /// At the client.
    pub name: String,
    /// The client's namespace of it (Responses), if it has one.
    pub namespace: Option<String>,
    /// Whether the client knows it as a custom (free-form) tool: the vendor's arguments are then an object whose
    /// member `input` is the text, unless the vendor calls it as a custom tool itself.
    pub custom: bool,
    /// What it is to a client of Responses who knows it by its type: a call becomes an item of its own.
    pub item: Option<ClientTool>,
}

/// A tool that a client of Responses runs itself and names by its type. What it is called with stands in the item of a call as
/// the object itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientTool {
    /// `tool_search_call` with `execution: client`, its `arguments`.
    Search,
    /// `computer_call`, its `actions`.
    Computer,
    /// `computer_call` of the preview, its one `action`.
    ComputerPreview,
    /// `shell_call`, its `action`.
    Shell,
    /// `local_shell_call`, its `action`.
    LocalShell,
    /// `apply_patch_call`, its `operation`.
    ApplyPatch,
}

impl ClientTool {
    /// What a function is called that stands in for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Search => "tool_search",
            Self::Computer | Self::ComputerPreview => "computer",
            Self::Shell => "shell",
            Self::LocalShell => "local_shell",
            Self::ApplyPatch => "apply_patch",
        }
    }
}

/// Members that a response object repeats, as the client wrote them, in the order in which they are written:
/// `background`, `instructions`, `max_output_tokens`, `max_tool_calls`, `metadata`, `parallel_tool_calls`, …
#[derive(Debug, Clone, Default)]
pub struct Echo {
    /// Name and JSON text. A member the client did not send is not here.
    pub members: Vec<(&'static str, Box<RawValue>)>,
}

impl Echo {
    /// Adds a member that the body does not have: what its client said is known elsewhere.
    pub fn add(&mut self, name: &'static str, value: &impl serde::Serialize) {
        if let Ok(value) = serde_json::value::to_raw_value(value) {
            self.members.push((name, value));
        }
    }

    /// The JSON text of a member.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.members
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| &**value)
    }
}

impl Context {
    /// What the client calls the tool that the vendor calls `wire`; nothing where the names are the same and the tool
    /// is an ordinary function.
    pub fn tool(&self, wire: &str) -> Option<&ToolName> {
        self.tools.iter().find(|tool| tool.wire == wire)
    }
}
