//! The chat completions dialect.

use tollgate_guest::json::Json;

use crate::reply::{Content, Reply, pieces};
use crate::sse::Events;

/// The whole answer.
pub(crate) fn body(reply: &Reply) -> Json {
    let mut message = vec![("role", "assistant".into())];
    match &reply.content {
        Content::Text(text) => message.push(("content", text.as_str().into())),
        Content::Tool(call) => {
            message.push(("content", Json::Null));
            let call = tool_call(reply, &call.name, &call.input);
            message.push(("tool_calls", vec![Json::object(call)].into()));
        }
    }
    message.push(("refusal", Json::Null));
    let choice = Json::object([
        ("index", 0u32.into()),
        ("message", Json::object(message)),
        ("logprobs", Json::Null),
        ("finish_reason", finish_reason(reply).into()),
    ]);
    let head = head(reply, "chat.completion");
    Json::object(
        head.into_iter()
            .chain([("choices", vec![choice].into()), ("usage", usage(reply))]),
    )
}

/// The whole event stream.
pub(crate) fn stream(reply: &Reply) -> Events {
    let mut events = Events::default();
    let mut delta = |members: Vec<(&str, Json)>| events.data(&chunk(reply, members, Json::Null));
    let mut first = vec![("role", "assistant".into())];
    match &reply.content {
        Content::Text(text) => {
            first.push(("content", "".into()));
            first.push(("refusal", Json::Null));
            delta(first);
            for piece in pieces(text) {
                delta(vec![("content", piece.into())]);
            }
        }
        Content::Tool(call) => {
            first.push(("content", Json::Null));
            let opening = [("index", 0u32.into())]
                .into_iter()
                .chain(tool_call(reply, &call.name, ""));
            first.push(("tool_calls", vec![Json::object(opening)].into()));
            delta(first);
            for piece in pieces(&call.input) {
                let arguments = Json::object([("arguments", piece.into())]);
                let more = Json::object([("index", 0u32.into()), ("function", arguments)]);
                delta(vec![("tool_calls", vec![more].into())]);
            }
        }
    }
    events.data(&chunk(reply, vec![], finish_reason(reply).into()));
    if reply.include_usage {
        let last = [("choices", Vec::new().into()), ("usage", usage(reply))];
        let head = head(reply, "chat.completion.chunk");
        events.data(&Json::object(head.into_iter().chain(last)));
    }
    events.raw("data: [DONE]\n\n");
    events
}

fn head(reply: &Reply, object: &'static str) -> [(&'static str, Json); 5] {
    [
        ("id", reply.id("chatcmpl").into()),
        ("object", object.into()),
        ("created", reply.created.into()),
        ("model", reply.model.as_str().into()),
        ("system_fingerprint", Json::Null),
    ]
}

fn chunk(reply: &Reply, delta: Vec<(&str, Json)>, finish_reason: Json) -> Json {
    let choice = Json::object([
        ("index", 0u32.into()),
        ("delta", Json::object(delta)),
        ("logprobs", Json::Null),
        ("finish_reason", finish_reason),
    ]);
    let mut members = Vec::from(head(reply, "chat.completion.chunk"));
    members.push(("choices", vec![choice].into()));
    if reply.include_usage {
        members.push(("usage", Json::Null));
    }
    Json::object(members)
}

fn tool_call(reply: &Reply, name: &str, arguments: &str) -> [(&'static str, Json); 3] {
    let function = Json::object([("name", name.into()), ("arguments", arguments.into())]);
    [
        ("id", reply.id("call").into()),
        ("type", "function".into()),
        ("function", function),
    ]
}

fn finish_reason(reply: &Reply) -> &'static str {
    match &reply.content {
        Content::Tool(_) => "tool_calls",
        Content::Text(_) if reply.cut => "length",
        Content::Text(_) => "stop",
    }
}

fn usage(reply: &Reply) -> Json {
    let total = reply.input_tokens + reply.output_tokens;
    Json::object([
        ("prompt_tokens", reply.input_tokens.into()),
        ("completion_tokens", reply.output_tokens.into()),
        ("total_tokens", total.into()),
        (
            "prompt_tokens_details",
            Json::object([("cached_tokens", 0u32.into())]),
        ),
        (
            "completion_tokens_details",
            Json::object([("reasoning_tokens", 0u32.into())]),
        ),
    ])
}
