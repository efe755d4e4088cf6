//! What every test here needs: contexts, and ways across the bridge.

use std::path::PathBuf;
use std::sync::Arc;

use tollgate_dialect::bridge::{Context, Stamp, StreamBridge, ToolName, Upstream, answer};
use tollgate_dialect::{ApiError, Dialect, UsageHints};

pub(crate) const CHAT: Dialect = Dialect::OpenaiChat;
pub(crate) const RESPONSES: Dialect = Dialect::OpenaiResponses;
pub(crate) const MESSAGES: Dialect = Dialect::AnthropicMessages;
pub(crate) const DIALECTS: [Dialect; 3] = [CHAT, RESPONSES, MESSAGES];

/// More than any stream here needs.
pub(crate) const LIMIT: usize = 16 << 20;

/// The dialect's name in file names.
pub(crate) fn short(dialect: Dialect) -> &'static str {
    match dialect {
        CHAT => "chat",
        RESPONSES => "responses",
        _ => "messages",
    }
}

pub(crate) fn stamp() -> Stamp {
    Stamp {
        request_id: "req1".into(),
        created: 1_700_000_001,
    }
}

/// A context that asks for everything.
pub(crate) fn context(client: Dialect, vendor: Dialect) -> Context {
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

pub(crate) fn bridge(context: &Context) -> StreamBridge {
    StreamBridge::new(
        context.clone(),
        stamp(),
        Arc::new(UsageHints::default()),
        LIMIT,
    )
}

/// The whole stream at once, closed in order.
pub(crate) fn stream(context: &Context, bytes: &[u8]) -> Vec<u8> {
    pieces(context, [bytes])
}

/// The stream in pieces.
pub(crate) fn pieces<'a>(context: &Context, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bridge = bridge(context);
    let mut out = Vec::new();
    for piece in pieces {
        bridge.push(piece, &mut out);
    }
    bridge.finish(&Upstream::Closed, &mut out);
    assert!(bridge.is_ended());
    out
}

pub(crate) fn whole(context: &Context, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    answer(context, &stamp(), &Arc::new(UsageHints::default()), body)
}

/// A fixture: a vendor's dialect, a name, whether it is a stream, and what the vendor sends.
pub(crate) struct Fixture {
    pub(crate) vendor: Dialect,
    pub(crate) name: String,
    pub(crate) streams: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Fixture {
    /// The dialects of the clients that it is bridged to.
    pub(crate) fn clients(&self) -> impl Iterator<Item = Dialect> {
        let vendor = self.vendor;
        DIALECTS.into_iter().filter(move |client| *client != vendor)
    }
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/answers"))
}

/// Every fixture: `<vendor>/<name>.<sse or json>`. A name with a dot in it is an expected output.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let mut found = Vec::new();
    for vendor in DIALECTS {
        let mut files: Vec<_> = std::fs::read_dir(folder().join(short(vendor)))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for file in files {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let extension = file.extension().unwrap().to_str().unwrap();
            if !stem.contains('.') {
                found.push(Fixture {
                    vendor,
                    name: stem,
                    streams: extension == "sse",
                    bytes: std::fs::read(&file).unwrap(),
                });
            }
        }
    }
    assert!(found.len() > 60, "the fixtures are there");
    found
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
