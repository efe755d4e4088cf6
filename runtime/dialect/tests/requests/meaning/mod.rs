//! What a request means, in its order and whatever its dialect, read the plain way: from a tree, without the bridge.

mod chat;
mod messages;
mod responses;
mod settings;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Value, json};
use tollgate_dialect::Dialect;
use tollgate_dialect::bridge::Context;

use settings::read_members;
pub(crate) use settings::{NAMES, OTHERS, Settings};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Meaning {
    pub(crate) said: Vec<Entry>,
    pub(crate) tools: Vec<Tool>,
    /// A word, or a word and names behind a colon.
    pub(crate) choice: String,
    /// Whether calls may only come one at a time.
    pub(crate) single: bool,
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// `system` and `developer`: no dialect tells them apart everywhere.
    System,
    User,
    Assistant,
}

/// One thing said, called or come of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Said(Who, Part),
    Call {
        /// Where every dialect takes it as it is.
        id: Option<String>,
        tool: String,
        input: Input,
    },
    Result {
        /// Of the how manieth call.
        call: usize,
        error: bool,
        parts: Vec<Part>,
    },
    /// A tool that a vendor ran itself.
    Ran(Ran),
}

/// A tool that a vendor ran itself, of which something came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ran {
    /// The MCP server and its tool; none of code.
    pub(crate) tool: Option<(String, String)>,
    pub(crate) input: Input,
    pub(crate) error: bool,
    pub(crate) text: String,
}

/// A piece of content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) body: Body,
    /// "Cache up to here", and whether for long.
    pub(crate) mark: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Text(String),
    Refusal(String),
    Image {
        url: String,
        detail: String,
    },
    /// A URL of any kind, or an id.
    File {
        source: String,
        name: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    Json(Value),
    Free(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// The grammar of a free-form tool, if it has one.
    pub(crate) free: Option<Value>,
    pub(crate) description: String,
    pub(crate) schema: Value,
    pub(crate) strict: bool,
}

/// What was read, before it is sorted into turns.
pub(crate) enum Item {
    Said(Who, Vec<Part>),
    Call {
        id: String,
        tool: String,
        input: Input,
    },
    Result {
        id: String,
        error: bool,
        parts: Vec<Part>,
    },
    Ran(Ran),
    /// A mark of the whole request, or of what can carry none: on what stands before it.
    Mark(bool),
}

/// Reads a request of `dialect` that goes to the dialect `to`.
pub(crate) fn meaning(dialect: Dialect, to: Dialect, body: &Value) -> Meaning {
    let mut tools = Vec::new();
    let mut settings = Settings::new();
    read_members(dialect, body, &mut settings);
    let (items, (choice, single)) = match dialect {
        Dialect::OpenaiResponses => (
            responses::items(body, &mut tools, &mut settings),
            responses::choice(body),
        ),
        Dialect::AnthropicMessages => (
            messages::items(body, &mut tools, &mut settings),
            messages::choice(body),
        ),
        _ => (
            chat::items(body, &mut tools, &mut settings),
            chat::choice(body),
        ),
    };
    // What is announced twice is there once.
    let mut seen = BTreeSet::new();
    tools.retain(|tool: &Tool| seen.insert(tool.name.clone()));
    settings.retain(|_, value| !value.is_null() && *value != false);
    let mut read = Meaning {
        said: in_turns(items, to),
        tools,
        choice,
        single,
        settings,
    };
    if read.tools.is_empty() && !["web", "code"].contains(&&*read.choice) {
        // A choice among none says nothing.
        (read.choice, read.single) = ("auto".into(), false);
    }
    if read.choice == "none" {
        read.single = false;
    }
    read
}

/// The results of the assistant's calls right after its turn, in the order of the calls; neighbouring texts of the
/// assistant, and of instructions, as one.
fn in_turns(items: Vec<Item>, to: Dialect) -> Vec<Entry> {
    let mut results: HashMap<String, VecDeque<(bool, Vec<Part>)>> = HashMap::new();
    let mut sorted = Vec::new();
    for item in items {
        match item {
            Item::Result { id, error, parts } => {
                results.entry(id).or_default().push_back((error, parts));
                sorted.push(None);
            }
            other => sorted.push(Some(other)),
        }
    }
    let mut out: Vec<Entry> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut waiting = Vec::new();
    let mut calls = 0;
    sorted.push(None);
    for item in sorted {
        let goes_on = matches!(
            item,
            Some(Item::Said(Who::Assistant, _) | Item::Call { .. } | Item::Ran(_) | Item::Mark(_))
        );
        if !goes_on {
            for (call, id) in waiting.drain(..) {
                let came = results.get_mut(&id).and_then(VecDeque::pop_front);
                let (error, parts) = came.unwrap_or_else(|| panic!("nothing came of {id}"));
                out.push(Entry::Result { call, error, parts });
            }
        }
        match item {
            Some(Item::Said(who, parts)) => {
                out.extend(parts.into_iter().map(|part| Entry::Said(who, part)));
            }
            Some(Item::Call { id, tool, input }) => {
                let times = seen.entry(id.clone()).or_default();
                *times += 1;
                let plain = !id.is_empty()
                    && id.len() <= 40
                    && id
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
                out.push(Entry::Call {
                    id: (plain && *times == 1).then(|| id.clone()),
                    tool,
                    input,
                });
                waiting.push((calls, id));
                calls += 1;
            }
            Some(Item::Ran(ran)) => out.push(Entry::Ran(ran)),
            Some(Item::Mark(long)) => mark_last(&mut out, long, to),
            Some(Item::Result { .. }) | None => {}
        }
    }
    out
}

/// In Responses what the assistant said can carry no mark.
fn mark_last(out: &mut [Entry], long: bool, to: Dialect) {
    for entry in out.iter_mut().rev() {
        let last = match entry {
            Entry::Said(Who::Assistant, _) if to == Dialect::OpenaiResponses => None,
            Entry::Said(_, part) => Some(part),
            Entry::Result { parts, .. } => parts.last_mut(),
            Entry::Call { .. } | Entry::Ran(_) => None,
        };
        if let Some(part) = last {
            part.mark.get_or_insert(long);
            return;
        }
    }
}

impl Part {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            body: Body::Text(text.into()),
            mark: None,
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        matches!(&self.body, Body::Text(text) | Body::Refusal(text) if text.trim().is_empty())
    }

    pub(crate) fn is_media(&self) -> bool {
        matches!(self.body, Body::Image { .. } | Body::File { .. })
    }
}

impl Meaning {
    /// Its tools by the names that they have to a client of the request before this one.
    pub(crate) fn rename(&mut self, context: &Context) {
        let rename = |name: &mut String| {
            if let Some(tool) = context.tool(name) {
                *name = joined(tool.namespace.as_deref(), &tool.name);
            }
        };
        self.tools
            .iter_mut()
            .for_each(|tool| rename(&mut tool.name));
        for entry in &mut self.said {
            if let Entry::Call { tool, .. } = entry {
                rename(tool);
            }
        }
        if let Some((word, names)) = self.choice.clone().split_once(':') {
            let mut names: Vec<_> = names.split(',').map(str::to_owned).collect();
            names.iter_mut().for_each(rename);
            self.choice = format!("{word}:{}", names.join(","));
        }
    }
}

/// A tool's name with that of its namespace, which no other tool's is mistaken for.
pub(crate) fn joined(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}/{name}"),
        _ => name.to_owned(),
    }
}

/// A string, or the empty one.
pub(crate) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Arguments as JSON where they are, else as the text they are. None are the empty object.
pub(crate) fn arguments(value: &Value) -> Input {
    Input::Json(match value {
        Value::Null => json!({}),
        Value::String(text) if text.trim().is_empty() => json!({}),
        Value::String(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
        }
        other => other.clone(),
    })
}

/// A schema of arguments: without any, that of none.
pub(crate) fn schema(value: &Value) -> Value {
    match value {
        Value::Object(members) if !members.is_empty() => value.clone(),
        _ => json!({"type": "object", "properties": {}}),
    }
}

/// An MCP server, by its name.
pub(crate) fn serve(
    settings: &mut Settings,
    name: &Value,
    url: &Value,
    token: &Value,
    allowed: Value,
) {
    let servers = settings.entry("servers").or_insert_with(|| json!({}));
    servers[string(name)] = json!({"url": url, "token": token, "allowed": allowed});
}

/// The texts of content, one below the other.
pub(crate) fn lines(value: &Value) -> String {
    match value.as_array() {
        None => string(value),
        Some(parts) => {
            let texts: Vec<_> = parts.iter().map(|part| string(&part["text"])).collect();
            texts.join("\n")
        }
    }
}

/// Content that is a string, or parts that `read` reads.
pub(crate) fn parts(value: &Value, read: impl Fn(&Value, &mut Vec<Part>)) -> Vec<Part> {
    let mut out = Vec::new();
    match value {
        Value::String(text) => out.push(Part::text(text)),
        Value::Array(parts) => parts.iter().for_each(|part| {
            let before = out.len();
            read(part, &mut out);
            if let Some(mark) = mark(part)
                && let Some(last) = out[before..].last_mut()
            {
                last.mark = Some(mark);
            }
        }),
        _ => {}
    }
    out
}

/// The cache mark that stands on this.
pub(crate) fn mark(value: &Value) -> Option<bool> {
    let mark = [&value["cache_control"], &value["prompt_cache_breakpoint"]]
        .into_iter()
        .find(|mark| mark.is_object())?;
    Some(matches!(mark["ttl"].as_str(), Some("1h" | "12h" | "24h")))
}

/// An image; of what detail nothing is said, the vendor chooses.
pub(crate) fn image(url: &Value, detail: &Value) -> Body {
    Body::Image {
        url: string(url).replacen("data:image/jpg;", "data:image/jpeg;", 1),
        detail: detail.as_str().unwrap_or("auto").to_owned(),
    }
}

/// A file that comes inline. Base64 alone is of the type that its name tells.
pub(crate) fn inline_file(data: &Value, name: &Value) -> Body {
    let (data, name) = (string(data), string(name));
    let text = [".txt", ".md", ".csv"]
        .iter()
        .any(|end| name.ends_with(end));
    let kind = if text {
        "text/plain"
    } else {
        "application/pdf"
    };
    let source = match data.starts_with("data:") {
        true => data,
        false => format!("data:{kind};base64,{data}"),
    };
    let named = if name.is_empty() {
        "document.pdf"
    } else {
        &name
    };
    Body::File {
        source,
        name: named.to_owned(),
    }
}
