//! The messages dialect.

use tollgate_guest::json::Json;

use crate::reply::{Content, Reply, pieces};
use crate::sse::Events;

/// The whole answer.
pub(crate) fn body(reply: &Reply) -> Json {
    let block = match &reply.content {
        Content::Text(text) => {
            Json::object([("type", "text".into()), ("text", text.as_str().into())])
        }
        Content::Tool(call) => {
            let input = Json::parse(&call.input).unwrap_or_else(|_| Json::object([]));
            tool_use(reply, &call.name, input)
        }
    };
    message(
        reply,
        vec![block],
        stop_reason(reply).into(),
        reply.output_tokens,
    )
}

/// The whole event stream.
pub(crate) fn stream(reply: &Reply) -> Events {
    let mut events = Events::default();
    events.named(&Json::object([
        ("type", "message_start".into()),
        ("message", message(reply, vec![], Json::Null, 1)),
    ]));
    let (block, kind, member, text) = match &reply.content {
        Content::Text(text) => {
            let block = Json::object([("type", "text".into()), ("text", "".into())]);
            (block, "text_delta", "text", text)
        }
        Content::Tool(call) => {
            let block = tool_use(reply, &call.name, Json::object([]));
            (block, "input_json_delta", "partial_json", &call.input)
        }
    };
    events.named(&Json::object([
        ("type", "content_block_start".into()),
        ("index", 0u32.into()),
        ("content_block", block),
    ]));
    events.named(&Json::object([("type", "ping".into())]));
    for piece in pieces(text) {
        events.named(&Json::object([
            ("type", "content_block_delta".into()),
            ("index", 0u32.into()),
            (
                "delta",
                Json::object([("type", kind.into()), (member, piece.into())]),
            ),
        ]));
    }
    events.named(&Json::object([
        ("type", "content_block_stop".into()),
        ("index", 0u32.into()),
    ]));
    let delta = [
        ("stop_reason", stop_reason(reply).into()),
        ("stop_sequence", Json::Null),
    ];
    events.named(&Json::object([
        ("type", "message_delta".into()),
        ("delta", Json::object(delta)),
        (
            "usage",
            Json::object([("output_tokens", reply.output_tokens.into())]),
        ),
    ]));
    events.named(&Json::object([("type", "message_stop".into())]));
    events
}

fn message(reply: &Reply, content: Vec<Json>, stop_reason: Json, output_tokens: u64) -> Json {
    let usage = Json::object([
        ("input_tokens", reply.input_tokens.into()),
        ("cache_creation_input_tokens", 0u32.into()),
        ("cache_read_input_tokens", 0u32.into()),
        ("output_tokens", output_tokens.into()),
        ("service_tier", "standard".into()),
    ]);
    Json::object([
        ("id", reply.id("msg").into()),
        ("type", "message".into()),
        ("role", "assistant".into()),
        ("model", reply.model.as_str().into()),
        ("content", content.into()),
        ("stop_reason", stop_reason),
        ("stop_sequence", Json::Null),
        ("usage", usage),
    ])
}

fn tool_use(reply: &Reply, name: &str, input: Json) -> Json {
    Json::object([
        ("type", "tool_use".into()),
        ("id", reply.id("toolu").into()),
        ("name", name.into()),
        ("input", input),
    ])
}

fn stop_reason(reply: &Reply) -> &'static str {
    match &reply.content {
        Content::Tool(_) => "tool_use",
        Content::Text(_) if reply.cut => "max_tokens",
        Content::Text(_) => "end_turn",
    }
}
