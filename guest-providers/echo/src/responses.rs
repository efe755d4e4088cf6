//! The responses dialect.

use tollgate_guest::json::Json;

use crate::conversation::ToolCall;
use crate::reply::{Content, Reply, pieces};
use crate::sse::Events;

/// The whole answer.
pub(crate) fn body(reply: &Reply) -> Json {
    let item = match &reply.content {
        Content::Text(text) => message(reply, status(reply), vec![text_part(text)]),
        Content::Tool(call) => call_item(reply, call, "completed", &call.input),
    };
    response(reply, status(reply), vec![item])
}

/// The whole event stream.
pub(crate) fn stream(reply: &Reply) -> Events {
    let mut stream = Stream::default();
    let begun = || ("response", response(reply, "in_progress", vec![]));
    stream.event("response.created", [begun()]);
    stream.event("response.in_progress", [begun()]);
    let done = match &reply.content {
        Content::Text(text) => stream.text(reply, text),
        Content::Tool(call) => stream.call(reply, call),
    };
    stream.event("response.output_item.done", placed(done));
    let last = if reply.cut {
        "response.incomplete"
    } else {
        "response.completed"
    };
    stream.event(last, [("response", body(reply))]);
    stream.events
}

/// The answer's one item, with its place among the items.
fn placed(item: Json) -> [(&'static str, Json); 2] {
    [("output_index", 0u32.into()), ("item", item)]
}

/// The events of a stream, counted.
#[derive(Default)]
struct Stream {
    events: Events,
    number: u32,
}

impl Stream {
    fn event(&mut self, kind: &str, members: impl IntoIterator<Item = (&'static str, Json)>) {
        let head = [
            ("type", kind.into()),
            ("sequence_number", self.number.into()),
        ];
        self.number += 1;
        self.events
            .named(&Json::object(head.into_iter().chain(members)));
    }

    /// A message, from its opening to its last part; returns the finished item.
    fn text(&mut self, reply: &Reply, text: &str) -> Json {
        let at = || {
            vec![
                ("item_id", reply.id("msg").into()),
                ("output_index", 0u32.into()),
                ("content_index", 0u32.into()),
            ]
        };
        let with = |members: Vec<(&'static str, Json)>| at().into_iter().chain(members);
        let opening = message(reply, "in_progress", vec![]);
        self.event("response.output_item.added", placed(opening));
        self.event(
            "response.content_part.added",
            with(vec![("part", text_part(""))]),
        );
        for piece in pieces(text) {
            let delta = vec![("delta", piece.into()), ("logprobs", Vec::new().into())];
            self.event("response.output_text.delta", with(delta));
        }
        let whole = vec![("text", text.into()), ("logprobs", Vec::new().into())];
        self.event("response.output_text.done", with(whole));
        self.event(
            "response.content_part.done",
            with(vec![("part", text_part(text))]),
        );
        message(reply, status(reply), vec![text_part(text)])
    }

    /// A tool call, from its opening to its last argument; returns the finished item.
    fn call(&mut self, reply: &Reply, call: &ToolCall) -> Json {
        let (family, member) = if call.free_form {
            ("response.custom_tool_call_input", "input")
        } else {
            ("response.function_call_arguments", "arguments")
        };
        let opening = call_item(reply, call, "in_progress", "");
        self.event("response.output_item.added", placed(opening));
        let id = call_item_id(reply, call);
        let at = || {
            [
                ("item_id", id.as_str().into()),
                ("output_index", 0u32.into()),
            ]
        };
        for piece in pieces(&call.input) {
            let delta = [("delta", piece.into())];
            self.event(&format!("{family}.delta"), at().into_iter().chain(delta));
        }
        let whole = [(member, call.input.as_str().into())];
        self.event(&format!("{family}.done"), at().into_iter().chain(whole));
        call_item(reply, call, "completed", &call.input)
    }
}

fn status(reply: &Reply) -> &'static str {
    if reply.cut { "incomplete" } else { "completed" }
}

fn text_part(text: &str) -> Json {
    Json::object([
        ("type", "output_text".into()),
        ("text", text.into()),
        ("annotations", Vec::new().into()),
        ("logprobs", Vec::new().into()),
    ])
}

fn message(reply: &Reply, status: &str, content: Vec<Json>) -> Json {
    Json::object([
        ("id", reply.id("msg").into()),
        ("type", "message".into()),
        ("status", status.into()),
        ("role", "assistant".into()),
        ("content", content.into()),
    ])
}

fn call_item_id(reply: &Reply, call: &ToolCall) -> String {
    reply.id(if call.free_form { "ctc" } else { "fc" })
}

fn call_item(reply: &Reply, call: &ToolCall, status: &str, input: &str) -> Json {
    let (kind, member) = if call.free_form {
        ("custom_tool_call", "input")
    } else {
        ("function_call", "arguments")
    };
    let mut members = vec![
        ("id", call_item_id(reply, call).into()),
        ("type", kind.into()),
        ("status", status.into()),
        ("call_id", reply.id("call").into()),
        ("name", call.name.as_str().into()),
        (member, input.into()),
    ];
    if let Some(namespace) = &call.namespace {
        members.push(("namespace", namespace.as_str().into()));
    }
    Json::object(members)
}

fn response(reply: &Reply, status: &str, output: Vec<Json>) -> Json {
    let ended = status != "in_progress";
    let incomplete = if status == "incomplete" {
        Json::object([("reason", "max_output_tokens".into())])
    } else {
        Json::Null
    };
    Json::object([
        ("id", reply.id("resp").into()),
        ("object", "response".into()),
        ("created_at", reply.created.into()),
        ("status", status.into()),
        ("error", Json::Null),
        ("incomplete_details", incomplete),
        ("instructions", Json::Null),
        ("metadata", Json::object([])),
        ("model", reply.model.as_str().into()),
        ("output", output.into()),
        ("parallel_tool_calls", true.into()),
        ("previous_response_id", Json::Null),
        ("temperature", Json::Null),
        ("tool_choice", "auto".into()),
        ("tools", Vec::new().into()),
        ("top_p", Json::Null),
        ("truncation", "disabled".into()),
        ("usage", if ended { usage(reply) } else { Json::Null }),
    ])
}

fn usage(reply: &Reply) -> Json {
    let total = reply.input_tokens + reply.output_tokens;
    Json::object([
        ("input_tokens", reply.input_tokens.into()),
        (
            "input_tokens_details",
            Json::object([("cached_tokens", 0u32.into())]),
        ),
        ("output_tokens", reply.output_tokens.into()),
        (
            "output_tokens_details",
            Json::object([("reasoning_tokens", 0u32.into())]),
        ),
        ("total_tokens", total.into()),
    ])
}
