//! The vendor's own tools in Responses: MCP servers and the running of code, and what they did in the history.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::wire::{WireItem, WireTool};
use crate::ApiError;
use crate::bridge::found;
use crate::bridge::request::Way;
use crate::bridge::request::json::Json;
use crate::bridge::request::members::{missing, parse, parse_hidden};
use crate::bridge::request::model::{
    Came, Conversation, Hidden, Input, McpServer, Place, Ran, RanTool, Tool,
};
use crate::bridge::request::names::{ran_id, server_label};
use crate::bridge::request::text::{Content, Raw, Str};

/// Reads a tool that is an MCP server.
pub(super) fn read_server<'a>(
    tool: &WireTool<'a>,
    place: Place,
    way: Way,
) -> Result<McpServer<'a>, ApiError> {
    let at = |member: &str| format!("{}.{member}", place.param(way.from));
    let refuse = |field: &str, member: &str| Err(way.refuse(field, at(member)));
    if way.refuses("tools[].mcp") {
        return Err(way.refuse_kind("tools[].mcp", "mcp", place.param(way.from)));
    }
    for (member, value) in [
        ("connector_id", tool.connector_id),
        ("tunnel_id", tool.tunnel_id),
    ] {
        if value.is_some() {
            return refuse("tools[].mcp.connector_id, tunnel_id", member);
        }
    }
    let text = |member: &str, raw: Option<Raw<'a>>| -> Result<Option<Str<'a>>, ApiError> {
        raw.map(|raw| parse(raw, &at(member))).transpose()
    };
    let needed = |member: &str, raw| text(member, raw)?.ok_or_else(|| missing(&at(member)));
    let mut token: Option<Str<'a>> = match tool.authorization {
        Some(raw) => Some(parse_hidden(raw, &at("authorization"))?),
        None => None,
    };
    if let Some(headers) = tool.headers {
        let headers: HashMap<Str<'a>, Str<'a>> = parse_hidden(headers, &at("headers"))?;
        for (name, value) in headers {
            let bearer = value.split_once(' ').filter(|(scheme, _)| {
                name.eq_ignore_ascii_case("authorization") && scheme.eq_ignore_ascii_case("bearer")
            });
            match bearer {
                Some((_, told)) if token.is_none() => token = Some(told.trim().to_owned().into()),
                _ => return refuse("tools[].mcp.headers", "headers"),
            }
        }
    }
    let allowed = match tool.allowed_tools {
        Some(raw) => read_allowed(raw, &at("allowed_tools"), way)?,
        None => None,
    };
    if !asks_nobody(tool.require_approval, allowed.as_deref()) {
        return refuse("tools[].mcp.require_approval", "require_approval");
    }
    Ok(McpServer {
        place,
        label: needed("server_label", tool.server_label)?,
        url: Hidden(needed("server_url", tool.server_url)?),
        token: token.map(Hidden),
        allowed,
    })
}

/// Stands where a credential was, in what a response repeats of its request.
const REDACTED: &str = "<redacted>";

/// The tools as a response may repeat them: without what an MCP server is shown to prove who asks. An address may have it, too.
pub(super) fn shown(tools: Raw<'_>) -> Box<RawValue> {
    let Ok(all) = serde_json::from_str::<Vec<Raw<'_>>>(tools.get()) else {
        return tools.to_owned();
    };
    let all: Vec<String> = all.into_iter().map(shown_tool).collect();
    let all = format!("[{}]", all.join(","));
    RawValue::from_string(all).unwrap_or_else(|_| tools.to_owned())
}

fn shown_tool(tool: Raw<'_>) -> String {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
    }
    let kind = serde_json::from_str::<Kind<'_>>(tool.get());
    let kind = kind.as_ref().map_or("", |tool| &tool.kind);
    let members = match kind {
        "mcp" | "namespace" => serde_json::from_str::<Map<String, Value>>(tool.get()).ok(),
        _ => None,
    };
    match members {
        Some(members) => hide(Value::Object(members)).to_string(),
        None => tool.get().to_owned(),
    }
}

/// A tool, or those of a namespace, without the credentials of servers.
fn hide(mut tool: Value) -> Value {
    if let Some(Value::Array(tools)) = tool.get_mut("tools") {
        for inner in tools {
            *inner = hide(inner.take());
        }
    }
    let is_server = tool.get("type").is_some_and(|kind| kind == "mcp");
    let Some(members) = tool.as_object_mut().filter(|_| is_server) else {
        return tool;
    };
    members.remove("authorization");
    if let Some(Value::Object(headers)) = members.get_mut("headers") {
        for value in headers.values_mut() {
            *value = REDACTED.into();
        }
    }
    if let Some(Value::String(url)) = members.get_mut("server_url") {
        *url = shown_url(url);
    }
    tool
}

/// The server of an address, and no more of it.
fn shown_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return REDACTED.to_owned();
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    match rest.len() > host.len() {
        true => format!("{scheme}://{host}/{REDACTED}"),
        false => url.to_owned(),
    }
}

/// Tools by their names, or as a filter tells them.
#[derive(Deserialize)]
struct Filter<'a> {
    #[serde(borrow)]
    tool_names: Option<HashSet<Str<'a>>>,
    read_only: Option<bool>,
}

fn read_allowed<'a>(raw: Raw<'a>, param: &str, way: Way) -> Result<Option<Vec<Str<'a>>>, ApiError> {
    if !raw.get().starts_with('{') {
        return parse(raw, param).map(Some);
    }
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        tool_names: Option<Vec<Str<'a>>>,
        read_only: Option<bool>,
    }
    let filter: Named<'a> = parse(raw, param)?;
    if filter.read_only.is_some() {
        let field = "tools[].mcp.allowed_tools.read_only";
        return Err(way.refuse(field, format!("{param}.read_only")));
    }
    Ok(filter.tool_names)
}

/// Whether nobody is to be asked before a tool is called. Unless told so the dialect asks; where it is told only before which
/// tools (`always`), it does not before the others.
fn asks_nobody(approval: Option<Raw<'_>>, allowed: Option<&[Str<'_>]>) -> bool {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow)]
        always: Option<Filter<'a>>,
        #[serde(borrow)]
        never: Option<Filter<'a>>,
    }
    let Some(approval) = approval else {
        return false;
    };
    if !approval.get().starts_with('{') {
        return approval.get() == "\"never\"";
    }
    let asked = serde_json::from_str::<Asked<'_>>(approval.get());
    // Which tools only read, only their server knows.
    let by_name = |filter: &Filter<'_>| filter.read_only.is_none() && filter.tool_names.is_some();
    let (Ok(asked), Some(allowed)) = (asked, allowed) else {
        return false;
    };
    let filters = [&asked.always, &asked.never];
    if !filters.into_iter().flatten().all(by_name) {
        return false;
    }
    allowed.iter().all(|tool| {
        let lists = |filter: &Option<Filter<'_>>| {
            let filter = filter.as_ref()?;
            Some(filter.tool_names.as_ref()?.contains(tool))
        };
        match (lists(&asked.always), lists(&asked.never)) {
            (Some(true), _) | (_, Some(false)) => false,
            (Some(false), None) | (_, Some(true)) => true,
            (None, None) => false,
        }
    })
}

/// Reads a tool that runs code: in a container that the vendor makes for it.
pub(super) fn read_code<'a>(
    tool: &WireTool<'a>,
    place: Place,
    way: Way,
) -> Result<Tool<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Container<'a> {
        #[serde(borrow)]
        file_ids: Option<Vec<Str<'a>>>,
        #[serde(borrow)]
        network_policy: Option<Raw<'a>>,
    }
    if way.refuses("tools[].code_interpreter") {
        return Err(way.refuse_kind(
            "tools[].code_interpreter",
            "code_interpreter",
            place.param(way.from),
        ));
    }
    let at = |member: &str| format!("{}.container{member}", place.param(way.from));
    let Some(raw) = tool.container else {
        return Err(missing(&at("")));
    };
    if !raw.get().starts_with('{') {
        return Err(way.refuse("tools[].code_interpreter.container (an id)", at("")));
    }
    let container: Container<'a> = parse(raw, &at(""))?;
    if container.file_ids.is_some_and(|files| !files.is_empty()) {
        let field = "tools[].code_interpreter.container.file_ids";
        return Err(way.refuse(field, at(".file_ids")));
    }
    if container.network_policy.is_some() {
        let field = "tools[].code_interpreter.container.network_policy";
        return Err(way.refuse(field, at(".network_policy")));
    }
    Ok(Tool::Code(place))
}

/// Reads a call of an MCP server's tool, which has ended where there is anything that came of it.
pub(super) fn read_server_call<'a>(item: WireItem<'a>, index: usize) -> Result<Ran<'a>, ApiError> {
    let at = |member: &str| format!("input[{index}].{member}");
    let text = |member: &str, raw: Option<Raw<'a>>| -> Result<Str<'a>, ApiError> {
        parse(raw.ok_or_else(|| missing(&at(member)))?, &at(member))
    };
    let came = match (item.error, item.output) {
        (Some(error), _) => Some(Came {
            texts: vec![said_of(error)],
            error: true,
        }),
        (None, Content::Text(output)) => Some(Came {
            texts: vec![output],
            error: false,
        }),
        // It gave nothing.
        _ if item
            .status
            .is_some_and(|status| status.get() == "\"completed\"") =>
        {
            Some(Came::default())
        }
        _ => None,
    };
    Ok(Ran {
        id: item.id.unwrap_or_default(),
        tool: RanTool::Mcp {
            server: text("server_label", item.server_label)?,
            name: item.name.ok_or_else(|| missing(&at("name")))?,
            arguments: Input::Json(text("arguments", item.arguments)?),
        },
        came,
    })
}

/// What an error says of itself: in words, or in the content that the tool gave.
fn said_of(error: Raw<'_>) -> Str<'_> {
    #[derive(Deserialize)]
    struct Text<'a> {
        #[serde(borrow)]
        text: Str<'a>,
    }
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        message: Option<Str<'a>>,
        #[serde(borrow)]
        content: Option<Raw<'a>>,
    }
    if let Ok(text) = serde_json::from_str::<Str<'_>>(error.get()) {
        return text;
    }
    let told = serde_json::from_str::<Told<'_>>(error.get()).ok();
    let Some(Told { message, content }) = told else {
        return error.get().into();
    };
    if let Some(message) = message {
        return message;
    }
    let content = content.unwrap_or(error);
    match serde_json::from_str::<Vec<Text<'_>>>(content.get()) {
        Ok(texts) => {
            let texts: Vec<_> = texts.iter().map(|text| &*text.text).collect();
            texts.join("\n").into()
        }
        Err(_) => content.get().into(),
    }
}

/// Reads a run of code, which has ended where it is not said that it has not.
pub(super) fn read_run<'a>(item: WireItem<'a>, index: usize) -> Result<Ran<'a>, ApiError> {
    #[derive(Deserialize)]
    struct Output<'a> {
        #[serde(borrow)]
        logs: Option<Str<'a>>,
    }
    let at = |member: &str| format!("input[{index}].{member}");
    let outputs: Vec<Output<'a>> = match item.outputs {
        Some(raw) => parse(raw, &at("outputs"))?,
        None => Vec::new(),
    };
    let status = item.status.map_or("", |status| status.get());
    let ended = !matches!(
        status,
        "\"in_progress\"" | "\"interpreting\"" | "\"incomplete\""
    );
    Ok(Ran {
        id: item.id.unwrap_or_default(),
        tool: RanTool::Code(match item.code {
            Some(raw) => parse(raw, &at("code"))?,
            None => Str::default(),
        }),
        came: ended.then(|| Came {
            texts: outputs
                .into_iter()
                .filter_map(|output| output.logs)
                .collect(),
            error: status == "\"failed\"",
        }),
    })
}

/// Writes an MCP server as a tool. The client's dialect asks nobody before one is called.
pub(super) fn write_server(server: &McpServer<'_>, json: &mut Json) {
    json.open_typed("mcp");
    json.text_member("server_label", &server_label(&server.label));
    json.text_member("server_url", &server.url.0);
    if let Some(token) = &server.token {
        json.text_member("authorization", &token.0);
    }
    if let Some(allowed) = &server.allowed {
        json.key("allowed_tools");
        json.open_list();
        for tool in allowed {
            json.text(tool);
        }
        json.close_list();
    }
    json.text_member("require_approval", "never");
    json.close();
}

/// Writes the running of code as a tool.
pub(super) fn write_code(json: &mut Json) {
    json.open_typed("code_interpreter");
    json.raw_member("container", r#"{"type":"auto"}"#);
    json.close();
}

/// Whether the vendor is asked to run code, and then for what came of it.
pub(super) fn runs_code(said: &Conversation<'_>) -> bool {
    said.tools.iter().any(|tool| matches!(tool, Tool::Code(_)))
}

/// Writes a tool that the vendor ran, and what came of it.
pub(super) fn write_ran(ran: &Ran<'_>, family: &str, json: &mut Json) {
    let Some(came) = &ran.came else { return };
    match &ran.tool {
        RanTool::Mcp {
            server,
            name,
            arguments,
        } => {
            json.open_typed("mcp_call");
            json.text_member("id", &ran_id("mcp_", &ran.id));
            json.text_member("server_label", &server_label(server));
            json.text_member("name", name);
            json.text_member("arguments", &arguments.as_arguments());
            write_result(came, json);
        }
        RanTool::Code(code) => {
            // Whoever is not known to have run it is not told of it.
            let Some((id, container)) = found::run_of(&ran.id, family) else {
                return;
            };
            json.open_typed("code_interpreter_call");
            json.text_member("id", id);
            json.text_member("status", if came.error { "failed" } else { "completed" });
            json.text_member("code", code);
            json.text_member("container_id", container);
            json.key("outputs");
            json.open_list();
            for logs in &came.texts {
                json.open_typed("logs");
                json.text_member("logs", logs);
                json.close();
            }
            json.close_list();
        }
    }
    json.close();
}

/// What came of a call: its texts are one there, and of a failure they are the content of an error.
fn write_result(came: &Came<'_>, json: &mut Json) {
    if !came.error {
        json.key("output");
        let mut pieces = Vec::with_capacity(2 * came.texts.len());
        for text in &came.texts {
            if !pieces.is_empty() {
                pieces.push("\n");
            }
            pieces.push(text);
        }
        return json.texts(&pieces);
    }
    json.raw_member("output", "null");
    json.key("error");
    json.open_typed("mcp_tool_execution_error");
    json.key("content");
    json.open_list();
    for text in &came.texts {
        json.open_typed("text");
        json.text_member("text", text);
        json.close();
    }
    json.close_list();
    json.close();
}
