//! A request as all three dialects mean it: the model in the middle.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::Json;
use super::shared::compact;
use super::text::{Raw, Str};
use crate::Dialect;
use crate::bridge::{ClientTool, Echo};

/// A whole request.
#[derive(Debug, Default)]
pub(crate) struct Conversation<'a> {
    pub(crate) model: Str<'a>,
    pub(crate) stream: bool,
    /// Whether a streaming Chat client asked for usage.
    pub(crate) include_usage: bool,
    /// What was said, in its order. Instructions come first.
    pub(crate) items: Vec<Item<'a>>,
    /// Whether what the assistant says last is the beginning of the answer.
    pub(crate) continues: bool,
    pub(crate) tools: Vec<Tool<'a>>,
    /// Those of them that the client knows by their type (Responses).
    pub(crate) client_tools: HashSet<ClientTool>,
    pub(crate) choice: Choice<'a>,
    pub(crate) parallel: Option<bool>,
    pub(crate) format: Format<'a>,
    pub(crate) settings: Settings<'a>,
    /// What a response object repeats.
    pub(crate) echo: Option<Box<Echo>>,
}

/// Where the client wrote something, for refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A part of the instructions beside the conversation.
    System(usize),
    /// An element of the conversation.
    Item(usize),
    /// A content part of it.
    Part(usize, usize),
    /// A part of the tool result that is a content part of it (Messages).
    Inner(usize, usize, usize),
    /// A part of a tool result's `output` (Responses).
    Output(usize, usize),
    /// The picture of a screen, which is an item's `output` (Responses).
    Screen(usize),
    /// An element of `tools`.
    Tool(usize),
    /// `web_search_options` (Chat).
    SearchOptions,
    /// An element of `mcp_servers` (Messages).
    McpServer(usize),
}

impl Place {
    /// The place in the notation of error bodies.
    pub(crate) fn param(self, from: Dialect) -> String {
        let list = match from {
            Dialect::OpenaiResponses => "input",
            _ => "messages",
        };
        match self {
            Self::System(part) if from == Dialect::AnthropicMessages => format!("system[{part}]"),
            Self::System(_) => "instructions".to_owned(),
            Self::Item(item) => format!("{list}[{item}]"),
            Self::Part(item, part) => format!("{list}[{item}].content[{part}]"),
            Self::Inner(item, part, inner) => {
                format!("{list}[{item}].content[{part}].content[{inner}]")
            }
            Self::Output(item, part) => format!("{list}[{item}].output[{part}]"),
            Self::Screen(item) => format!("{list}[{item}].output"),
            Self::Tool(tool) => format!("tools[{tool}]"),
            Self::SearchOptions => "web_search_options".to_owned(),
            Self::McpServer(server) => format!("mcp_servers[{server}]"),
        }
    }
}

/// One thing said.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    Message(Message<'a>),
    Reasoning(Reasoning<'a>),
    Call(Call<'a>),
    Result(ToolResult<'a>),
    /// The vendor has run a tool itself.
    Ran(Ran<'a>),
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    System,
    Developer,
    User,
    Assistant,
}

#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Part<'a>>,
}

/// A piece of content.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) place: Place,
    pub(crate) cache: Option<CacheMark>,
    pub(crate) body: Body<'a>,
}

#[derive(Debug)]
pub(crate) enum Body<'a> {
    Text(Str<'a>),
    /// What the assistant said when it refused.
    Refusal(Str<'a>),
    Image {
        source: Source<'a>,
        detail: Option<Str<'a>>,
    },
    File {
        source: Source<'a>,
        name: Option<Str<'a>>,
    },
    Audio {
        data: Str<'a>,
        format: Str<'a>,
    },
}

/// Where a file's bytes are.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    Url(Str<'a>),
    /// A whole `data:` URL.
    DataUrl(Str<'a>),
    Base64 {
        media_type: Str<'a>,
        data: Str<'a>,
    },
    /// At the vendor, under this id.
    Id(Str<'a>),
    /// Plain text.
    Text(Str<'a>),
}

/// "Cache up to here."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheMark {
    /// An hour or more instead of minutes.
    pub(crate) long: bool,
}

/// The assistant's reasoning in the history.
#[derive(Debug)]
pub(crate) struct Reasoning<'a> {
    /// What can be read of it.
    pub(crate) text: Vec<Str<'a>>,
    /// Its opaque part, as the client's dialect carried it: sealed, or made by somebody we do not know.
    pub(crate) opaque: Option<Str<'a>>,
}

/// The assistant calls a tool.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) place: Place,
    pub(crate) id: Str<'a>,
    pub(crate) name: Str<'a>,
    pub(crate) namespace: Option<Str<'a>>,
    pub(crate) input: Input<'a>,
}

#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// A JSON object.
    Object(Raw<'a>),
    /// A string that should hold a JSON object.
    Json(Str<'a>),
    /// The text for a custom tool.
    Free(Str<'a>),
    /// What a tool that the client knows by its type is called with: a JSON object.
    Item(ClientTool, Str<'a>),
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct ToolResult<'a> {
    pub(crate) place: Place,
    pub(crate) id: Str<'a>,
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) error: bool,
    /// A cache mark on the result itself.
    pub(crate) cache: Option<CacheMark>,
}

/// A tool that the vendor ran itself, and what came of it.
#[derive(Debug)]
pub(crate) struct Ran<'a> {
    pub(crate) id: Str<'a>,
    pub(crate) tool: RanTool<'a>,
    /// Nothing where it was cut off.
    pub(crate) came: Option<Came<'a>>,
}

#[derive(Debug)]
pub(crate) enum RanTool<'a> {
    /// A tool of a remote MCP server.
    Mcp {
        server: Str<'a>,
        name: Str<'a>,
        arguments: Input<'a>,
    },
    /// Code.
    Code(Str<'a>),
}

/// What came of a tool that the vendor ran itself.
#[derive(Debug, Default)]
pub(crate) struct Came<'a> {
    pub(crate) texts: Vec<Str<'a>>,
    pub(crate) error: bool,
}

/// What the assistant may call.
#[derive(Debug)]
pub(crate) enum Tool<'a> {
    Function(Function<'a>),
    Custom(Custom<'a>),
    /// The vendor searches the web.
    Web(WebSearch<'a>),
    /// The vendor calls tools of a remote MCP server.
    Mcp(McpServer<'a>),
    /// The vendor runs code.
    Code(Place),
    /// The client runs a tool that it knows by its type.
    Item(ItemTool<'a>),
}

#[derive(Debug, Default)]
pub(crate) struct Function<'a> {
    pub(crate) name: Str<'a>,
    pub(crate) namespace: Option<Str<'a>>,
    pub(crate) description: Option<Str<'a>>,
    pub(crate) schema: Option<Raw<'a>>,
    pub(crate) strict: Option<bool>,
    pub(crate) cache: Option<CacheMark>,
}

/// A tool that the client knows by its type, as others are told of it.
#[derive(Debug)]
pub(crate) struct ItemTool<'a> {
    pub(crate) tool: ClientTool,
    pub(crate) description: Option<Str<'a>>,
    pub(crate) schema: Option<Raw<'a>>,
}

#[derive(Debug)]
pub(crate) struct Custom<'a> {
    pub(crate) name: Str<'a>,
    pub(crate) namespace: Option<Str<'a>>,
    pub(crate) description: Option<Str<'a>>,
    pub(crate) grammar: Option<Grammar<'a>>,
}

#[derive(Debug)]
pub(crate) struct Grammar<'a> {
    pub(crate) syntax: Str<'a>,
    pub(crate) definition: Str<'a>,
}

#[derive(Debug)]
pub(crate) struct WebSearch<'a> {
    pub(crate) place: Place,
    /// It fetches nothing: the client wants what the search has in store (Responses).
    pub(crate) stored: bool,
    pub(crate) context_size: Option<Str<'a>>,
    pub(crate) location: Option<Location<'a>>,
    pub(crate) allowed_domains: Option<Raw<'a>>,
    pub(crate) blocked_domains: Option<Raw<'a>>,
    pub(crate) max_uses: Option<u64>,
}

/// What may hold a credential.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Hidden<'a>(pub(crate) Str<'a>);

impl std::fmt::Debug for Hidden<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Hidden(…)")
    }
}

/// A remote MCP server whose tools the vendor calls, asking nobody.
#[derive(Debug)]
pub(crate) struct McpServer<'a> {
    pub(crate) place: Place,
    pub(crate) label: Str<'a>,
    pub(crate) url: Hidden<'a>,
    /// What it is shown in `Authorization: Bearer …`.
    pub(crate) token: Option<Hidden<'a>>,
    /// Its tools that may be called; nothing: all.
    pub(crate) allowed: Option<Vec<Str<'a>>>,
}

/// About where the user is.
#[derive(Debug, Deserialize)]
pub(crate) struct Location<'a> {
    #[serde(borrow)]
    pub(crate) city: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) region: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) country: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) timezone: Option<Str<'a>>,
}

/// Which tool is to be called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice<'a> {
    /// Nothing said.
    #[default]
    Unsaid,
    Auto,
    None,
    /// Some tool, whichever.
    Required,
    /// The vendor's own search of the web.
    Web,
    /// The vendor's own running of code.
    Code,
    Named(ToolRef<'a>),
    /// Only these, and those of the vendor's own; `required`: one of them must be.
    Allowed {
        required: bool,
        own: OwnTools<'a>,
        tools: Vec<ToolRef<'a>>,
    },
}

/// The vendor's own tools that a choice leaves.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnTools<'a> {
    pub(crate) web: bool,
    pub(crate) code: bool,
    /// MCP servers, by their labels.
    pub(crate) servers: HashSet<Str<'a>>,
}

impl OwnTools<'_> {
    /// Whether it leaves this one, which is the vendor's own.
    pub(crate) fn leaves(&self, tool: &Tool<'_>) -> bool {
        match tool {
            Tool::Web(_) => self.web,
            Tool::Code(_) => self.code,
            Tool::Mcp(server) => self.servers.contains(&server.label),
            Tool::Function(_) | Tool::Custom(_) | Tool::Item(_) => false,
        }
    }

    /// Whether it leaves none.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it leaves the search and nothing else.
    pub(crate) fn is_search(&self) -> bool {
        self.web && !self.code && self.servers.is_empty()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToolRef<'a> {
    pub(crate) name: Str<'a>,
    pub(crate) namespace: Option<Str<'a>>,
    pub(crate) custom: bool,
    /// One that the client knows by its type.
    pub(crate) item: Option<ClientTool>,
}

/// What shape the answer must have.
#[derive(Debug, Default)]
pub(crate) enum Format<'a> {
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    Schema(Schema<'a>),
}

#[derive(Debug)]
pub(crate) struct Schema<'a> {
    pub(crate) name: Option<Str<'a>>,
    pub(crate) description: Option<Str<'a>>,
    pub(crate) schema: Raw<'a>,
    pub(crate) strict: Option<bool>,
}

/// How hard to think, by its name in the dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

/// What is said about reasoning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Thinking {
    /// How hard; nothing: as the vendor does by itself.
    pub(crate) effort: Option<Effort>,
    /// At most so many tokens (Messages).
    pub(crate) budget: Option<u64>,
    /// Whether reasoning was asked for at all, even without saying how hard.
    pub(crate) wanted: bool,
    /// Whether the client wants to read (a summary of) it; nothing: it did not say.
    pub(crate) readable: Option<bool>,
    /// Whether a Responses client wants reasoning items that can be given back.
    pub(crate) encrypted: bool,
}

/// Everything else.
#[derive(Debug, Default)]
pub(crate) struct Settings<'a> {
    pub(crate) max_output: Option<u64>,
    pub(crate) temperature: Option<Raw<'a>>,
    pub(crate) top_p: Option<Raw<'a>>,
    /// From so many of the likeliest tokens one is taken.
    pub(crate) top_k: Option<u64>,
    pub(crate) stop: Vec<Str<'a>>,
    pub(crate) service_tier: Option<Str<'a>>,
    /// Labels (Chat, Responses).
    pub(crate) metadata: Option<Raw<'a>>,
    /// Whom the request is for: `user`, `safety_identifier`, `metadata.user_id`.
    pub(crate) user: Option<Str<'a>>,
    pub(crate) cache_key: Option<Str<'a>>,
    /// How long the prompt is to be cached, in the words of Chat and Responses.
    pub(crate) cache_kept: Option<Str<'a>>,
    pub(crate) cache_options: Option<CacheOptions<'a>>,
    pub(crate) thinking: Thinking,
    pub(crate) verbosity: Option<Str<'a>>,
    pub(crate) logprobs: bool,
    pub(crate) top_logprobs: Option<u64>,
    pub(crate) choices: u32,
    pub(crate) store: Option<bool>,
    pub(crate) max_tool_calls: Option<u64>,
}

/// What is to be cached beside the marks: what both Chat and Responses say of it in `prompt_cache_options`.
#[derive(Debug, Deserialize)]
pub(crate) struct CacheOptions<'a> {
    #[serde(borrow)]
    pub(crate) mode: Option<Str<'a>>,
    #[serde(borrow)]
    pub(crate) ttl: Option<Str<'a>>,
    /// Whether there is to be no answer: the cache is filled, and that is all (Responses).
    pub(crate) prewarm: Option<bool>,
}

impl Settings<'_> {
    /// Whether the prompt is to be cached for an hour or longer.
    pub(crate) fn cache_long(&self) -> bool {
        self.cache_kept.as_deref() == Some("24h")
    }
}

impl Effort {
    const ALL: [(Self, &'static str); 7] = [
        (Self::None, "none"),
        (Self::Minimal, "minimal"),
        (Self::Low, "low"),
        (Self::Medium, "medium"),
        (Self::High, "high"),
        (Self::Xhigh, "xhigh"),
        (Self::Max, "max"),
    ];

    /// The effort of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find_map(|(effort, known)| (known == name).then_some(effort))
    }

    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find_map(|(effort, name)| (effort == self).then_some(name))
            .unwrap_or("medium")
    }
}

impl Tool<'_> {
    /// Its namespace and its name; nothing for the vendor's own tools and for those that the client knows by their type.
    pub(crate) fn name(&self) -> Option<(Option<&str>, &str)> {
        match self {
            Self::Function(tool) => Some((tool.namespace.as_deref(), &tool.name)),
            Self::Custom(tool) => Some((tool.namespace.as_deref(), &tool.name)),
            Self::Web(_) | Self::Mcp(_) | Self::Code(_) | Self::Item(_) => None,
        }
    }
}

impl<'a> Part<'a> {
    /// A plain text.
    pub(crate) fn text(place: Place, text: Str<'a>) -> Self {
        Self {
            place,
            cache: None,
            body: Body::Text(text),
        }
    }
}

impl Part<'_> {
    /// Whether it is something else than text.
    pub(crate) fn is_media(&self) -> bool {
        match &self.body {
            Body::Text(_) | Body::Refusal(_) => false,
            Body::File { source, .. } => !matches!(source, Source::Text(_)),
            Body::Image { .. } | Body::Audio { .. } => true,
        }
    }
}

impl Input<'_> {
    /// As the `arguments` of a function call: a string with a JSON object in it.
    pub(crate) fn as_arguments(&self) -> Cow<'_, str> {
        match self {
            Self::Object(raw) => compact(raw.get()),
            Self::Item(_, json) => compact(json),
            Self::Json(text) if text.trim().is_empty() => Cow::Borrowed("{}"),
            Self::Json(text) => Cow::Borrowed(text),
            Self::Free(text) => {
                let mut json = Json::with_capacity(text.len() + 16);
                json.open();
                json.text_member("input", text);
                json.close();
                Cow::Owned(String::from_utf8(json.into_bytes()).unwrap_or_default())
            }
        }
    }

    /// As a JSON object. What is no object becomes the member `arguments` of one.
    pub(crate) fn as_object(&self) -> Cow<'_, str> {
        let text = self.as_arguments();
        let is_object =
            text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(&text).is_ok();
        if is_object {
            return text;
        }
        let mut json = Json::default();
        json.open();
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(raw) => json.raw_member("arguments", raw.get()),
            Err(_) => json.text_member("arguments", &text),
        }
        json.close();
        Cow::Owned(String::from_utf8(json.into_bytes()).unwrap_or_default())
    }
}

impl Source<'_> {
    /// Media type and base64 of what is here inline.
    pub(crate) fn inline(&self) -> Option<(&str, &str)> {
        match self {
            Self::Base64 { media_type, data } => Some((media_type, data)),
            Self::DataUrl(url) => split_data_url(url),
            Self::Url(_) | Self::Id(_) | Self::Text(_) => None,
        }
    }
}

/// Media type and base64 of a `data:` URL.
pub(crate) fn split_data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?;
    let media_type = media_type.split(';').next().unwrap_or(media_type);
    Some((media_type, data))
}
