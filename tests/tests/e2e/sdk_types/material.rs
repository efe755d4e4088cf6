//! Everything the bridge writes, for whoever wants to judge it: what it makes of its own fixtures and, where they are at
//! hand, of recorded exchanges, in every direction.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_dialect::bridge::{
    Abilities, Context, Stamp, StreamBridge, Target, ToolName, Upstream, answer, request,
};
use tollgate_dialect::{Dialect, UsageHints};

const CHAT: Dialect = Dialect::OpenaiChat;
const RESPONSES: Dialect = Dialect::OpenaiResponses;
const MESSAGES: Dialect = Dialect::AnthropicMessages;
const DIALECTS: [Dialect; 3] = [CHAT, RESPONSES, MESSAGES];

/// A vendor that can all its dialect's vendors can, and the vendor after whom the dialect is named, whose own schema must
/// hold without exceptions, and one that can little.
const VENDORS: [(&str, &[&str]); 3] = [
    (
        "able",
        &[
            "reasoning",
            "adaptive-thinking",
            "structured-output",
            "custom-tools",
            "web-search",
            "mcp",
            "code-execution",
            "reasoning-content",
            "system-messages",
            "prompt-cache-key",
            "prompt-cache-breakpoints",
        ],
    ),
    (
        "native",
        &[
            "reasoning",
            "adaptive-thinking",
            "structured-output",
            "custom-tools",
            "web-search",
            "mcp",
            "code-execution",
            "developer-role",
            "max-completion-tokens",
            "prompt-cache-key",
            "prompt-cache-breakpoints",
        ],
    ),
    ("bare", &["reasoning", "string-content", "no-sampling"]),
];

/// What the bridge wrote: one JSON object a line of `requests.jsonl`, `answers.jsonl` and `streams.jsonl`, each with its
/// `name`, its `dialect` (`chat`, `responses`, `messages`) and its `body`.
#[derive(Default)]
pub(crate) struct Material {
    lines: BTreeMap<&'static str, Vec<String>>,
    seen: HashSet<(&'static str, Dialect, String)>,
}

/// What a client gets of an answer.
enum Emitted {
    Body(Vec<u8>),
    Events(Vec<u8>),
}

impl Material {
    /// From the fixtures of the dialect crate, and from this folder of recordings.
    pub(crate) fn gather(workspace: &Path, recordings: Option<&Path>) -> Self {
        let golden = workspace.join("runtime/dialect/tests/golden");
        let mut material = Self::default();
        for dialect in DIALECTS {
            for (name, text) in files(&golden.join("requests").join(short(dialect))) {
                if name.ends_with(".json") {
                    material.requests(&format!("{} {name}", short(dialect)), dialect, &text);
                }
            }
            for (name, text) in files(&golden.join("answers").join(short(dialect))) {
                for client in others(dialect) {
                    let mut context = context(client, dialect);
                    if name.starts_with("structured.") {
                        context.structured_tool = Some("answer_schema".into());
                    }
                    let name = format!("{} {name}", short(dialect));
                    material.answers(&name, &context, &text, name.ends_with(".sse"));
                }
            }
        }
        material.client_tools();
        for line in recordings.into_iter().flat_map(lines) {
            material.recorded(&line);
        }
        material
    }

    /// Writes the files; says how many lines there are in each.
    pub(crate) fn write(&self, folder: &Path) -> BTreeMap<&'static str, usize> {
        let write = |(name, lines): (&&'static str, &Vec<String>)| {
            fs::write(folder.join(format!("{name}.jsonl")), lines.join("\n")).unwrap();
            (*name, lines.len())
        };
        self.lines.iter().map(write).collect()
    }

    fn add(&mut self, kind: &'static str, name: &str, to: Dialect, body: Value) {
        // Most vendors and many recordings get the same.
        if !self.seen.insert((kind, to, body.to_string())) {
            return;
        }
        let line =
            json!({"name": format!("{name} to {}", short(to)), "dialect": short(to), "body": body});
        self.lines.entry(kind).or_default().push(line.to_string());
    }

    /// A request in every direction to every vendor. What is refused is nobody's to judge here.
    fn requests(&mut self, name: &str, from: Dialect, body: &str) {
        for to in others(from) {
            for vendor in VENDORS {
                if let Ok(bridged) = request(from, body.as_bytes(), &target(to, vendor)) {
                    let body = serde_json::from_slice(&bridged.body).unwrap();
                    self.add("requests", &format!("{name} ({})", vendor.0), to, body);
                }
            }
        }
    }

    /// An answer as this client gets it; a whole one also as a stream, for some vendors give one where a stream was
    /// asked for.
    fn answers(&mut self, name: &str, context: &Context, text: &str, streams: bool) {
        for emitted in emitted(context, text.as_bytes(), streams) {
            match emitted {
                Emitted::Body(body) => {
                    let body = serde_json::from_slice(&body).unwrap();
                    self.add("answers", name, context.from, body);
                }
                Emitted::Events(events) => {
                    let events = String::from_utf8(events).unwrap();
                    self.add("streams", name, context.from, events.into());
                }
            }
        }
    }

    /// Calls of tools that a client knows by their type, as it gets them of a vendor that knows functions.
    fn client_tools(&mut self) {
        let computer = r#"{"actions":[{"type":"click","x":1,"y":2},{"type":"double_click","x":1,"y":2},
            {"type":"scroll","x":1,"y":2,"scroll_y":9},{"type":"keypress","keys":["CTRL","S"]},{"type":"wait"}]}"#;
        let called = [
            (RESPONSES, json!({"type": "computer"}), "computer", computer),
            (
                RESPONSES,
                json!({"type": "computer_use_preview", "display_width": 9, "display_height": 9, "environment": "mac"}),
                "computer",
                r#"{"action":{"type":"screenshot"}}"#,
            ),
            (
                RESPONSES,
                json!({"type": "computer_use_preview", "display_width": 9, "display_height": 9, "environment": "mac"}),
                "computer",
                "{}",
            ),
            (
                RESPONSES,
                json!({"type": "shell"}),
                "shell",
                r#"{"commands":["ls","pwd"],"timeout_ms":9}"#,
            ),
            (RESPONSES, json!({"type": "shell"}), "shell", "no JSON"),
            (
                RESPONSES,
                json!({"type": "local_shell"}),
                "local_shell",
                r#"{"command":["ls"]}"#,
            ),
            (
                RESPONSES,
                json!({"type": "apply_patch"}),
                "apply_patch",
                r#"{"diff":"+a","path":"x","type":"create_file"}"#,
            ),
            (
                RESPONSES,
                json!({"type": "apply_patch"}),
                "apply_patch",
                r#"{"path":"x","type":"delete_file"}"#,
            ),
            (
                MESSAGES,
                json!({"type": "computer_toolset_20260801"}),
                "computer__left_click",
                r#"{"coordinate":[1,2]}"#,
            ),
            (
                MESSAGES,
                json!({"type": "bash_20250124", "name": "bash"}),
                "bash",
                r#"{"command":"ls"}"#,
            ),
        ];
        for (client, tool, name, arguments) in called {
            let asked = match client {
                RESPONSES => json!({"model": "asked", "input": "Go", "tools": [tool]}),
                _ => {
                    json!({"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "Go"}], "tools": [tool]})
                }
            };
            let asked = asked.to_string();
            let title = format!("{} asks for {}", short(client), tool["type"]);
            self.requests(&title, client, &asked);
            let context = request(client, asked.as_bytes(), &target(CHAT, VENDORS[0]))
                .unwrap()
                .context;
            let call = json!({"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}});
            let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
                "message": {"role": "assistant", "content": null, "tool_calls": [call]}, "finish_reason": "tool_calls"}]});
            self.answers(&title, &context, &answer.to_string(), false);
        }
    }

    /// A recorded exchange: its request in every direction, its answer to every client that could have asked for it.
    fn recorded(&mut self, line: &Line) {
        let Some(dialect) = line.dialect() else {
            return;
        };
        let Line { name, value } = line;
        let asked = [&value["request"], &value["body"]]
            .into_iter()
            .find(|body| {
                (body["messages"].is_array() || !body["input"].is_null())
                    && body["encoding_format"].is_null()
            })
            .map(ToString::to_string);
        if let Some(asked) = &asked {
            self.requests(name, dialect, asked);
        }
        let answered = &value["response"];
        if value["status"].as_u64().unwrap_or(200) != 200 {
            return;
        }
        for client in others(dialect) {
            // The same wish in the client's dialect is what the answer answers.
            let context = asked
                .as_deref()
                .and_then(|asked| {
                    let there = request(dialect, asked.as_bytes(), &target(client, VENDORS[0]));
                    let back = target(dialect, VENDORS[0]);
                    Some(request(client, &there.ok()?.body, &back).ok()?.context)
                })
                .unwrap_or_else(|| context(client, dialect));
            if let Some(events) = answered["sse"].as_str() {
                self.answers(name, &context, events, true);
            } else if let Some(body) = answered.get("json") {
                self.answers(name, &context, &body.to_string(), false);
            }
        }
    }
}

fn emitted(context: &Context, bytes: &[u8], streams: bool) -> Vec<Emitted> {
    let stamp = Stamp {
        request_id: "req1".into(),
        created: 1_700_000_001,
    };
    let hints = Arc::new(UsageHints::default());
    let mut bridge = StreamBridge::new(context.clone(), stamp.clone(), hints.clone(), 64 << 20);
    let mut events = Vec::new();
    if streams {
        bridge.push(bytes, &mut events);
        bridge.finish(&Upstream::Closed, &mut events);
        return vec![Emitted::Events(events)];
    }
    let Ok(body) = answer(context, &stamp, &hints, bytes) else {
        return Vec::new();
    };
    bridge.whole(bytes, &mut events);
    vec![Emitted::Body(body), Emitted::Events(events)]
}

fn target(dialect: Dialect, (_, abilities): (&str, &[&'static str])) -> Target<'static> {
    Target {
        dialect,
        family: "maker",
        model: "asked",
        max_output_tokens: None,
        default_output_tokens: Some(32_000),
        abilities: Abilities::from_names(abilities.iter().copied()),
    }
}

/// A context that asks for everything, as the golden files have it.
fn context(client: Dialect, vendor: Dialect) -> Context {
    Context {
        from: client,
        to: vendor,
        family: "maker".into(),
        model: "asked-model".into(),
        stream: true,
        include_usage: true,
        choices: 1,
        tools: vec![ToolName {
            wire: "apply_patch".into(),
            name: "apply_patch".into(),
            namespace: None,
            custom: client != MESSAGES,
            item: None,
        }],
        structured_tool: None,
        stop: vec!["END".into()],
        encrypted_reasoning: true,
        readable_reasoning: true,
        hidden_reasoning: true,
        servers: std::collections::HashMap::new(),
        logprobs: true,
        echo: None,
    }
}

fn short(dialect: Dialect) -> &'static str {
    match dialect {
        CHAT => "chat",
        RESPONSES => "responses",
        _ => "messages",
    }
}

fn others(dialect: Dialect) -> impl Iterator<Item = Dialect> {
    DIALECTS.into_iter().filter(move |other| *other != dialect)
}

/// Name and text of every fixture of a folder: what has a second dot in its name is an expected output.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found: Vec<_> = paths(folder)
        .into_iter()
        .filter(|path| !path.file_stem().unwrap().to_string_lossy().contains('.'))
        .map(|path| (name(&path), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(!found.is_empty(), "no fixtures in {}", folder.display());
    found.sort();
    found
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A line of a file of recordings.
struct Line {
    name: String,
    value: Value,
}

impl Line {
    fn dialect(&self) -> Option<Dialect> {
        let dialect = self.value["dialect"].as_str();
        match (dialect, self.value["path"].as_str()) {
            (Some("openai-chat"), _) | (None, Some("/v1/chat/completions")) => Some(CHAT),
            (Some("openai-responses"), _) | (None, Some("/v1/responses")) => Some(RESPONSES),
            (Some("anthropic-messages"), _) | (None, Some("/v1/messages")) => Some(MESSAGES),
            _ => None,
        }
    }
}

fn lines(folder: &Path) -> Vec<Line> {
    let files = paths(folder);
    let files = files.iter().filter(|path| name(path).ends_with(".jsonl"));
    files
        .flat_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let read = |line: &str| {
                let value: Value = serde_json::from_str(line).unwrap();
                let name = format!("{} {}", name(path), value["case"]);
                Line { name, value }
            };
            text.lines().map(read).collect::<Vec<_>>()
        })
        .collect()
}
