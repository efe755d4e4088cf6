//! Writes what vendors' own tools did in the history, in Messages: a block that calls, and one that says what came of it.

use serde_json::Value;

use crate::bridge::found;
use crate::bridge::request::json::Json;
use crate::bridge::request::model::{Came, Input, Ran, RanTool};
use crate::bridge::request::names::{CODE_EXECUTION, ran_id};

/// What an edit or a run that went wrong says of itself, where the words of its vendor are gone.
const WENT_WRONG: &str = "unavailable";

/// Writes a tool that the vendor ran, and what came of it.
pub(super) fn write_ran(ran: &Ran<'_>, json: &mut Json) {
    let Some(came) = &ran.came else { return };
    match &ran.tool {
        RanTool::Mcp {
            server,
            name,
            arguments,
        } => call(&ran.id, server, name, arguments, came, json),
        RanTool::Code(code) if ran.id.starts_with(found::COMMAND) => {
            let id = begin(&ran.id, "bash_code_execution", json);
            json.key("input");
            json.open();
            json.text_member("command", code);
            json.close();
            json.close();
            result(&id, "bash_code_execution", came, json);
        }
        RanTool::Code(edit) if ran.id.starts_with(found::EDIT) => {
            // What the model wrote is an object here, or it was cut off.
            let Ok(Value::Object(input)) = serde_json::from_str(edit) else {
                return;
            };
            let id = begin(&ran.id, "text_editor_code_execution", json);
            json.raw_member("input", edit);
            json.close();
            let command = input.get("command").and_then(Value::as_str);
            edited(&id, command.unwrap_or_default(), came, json);
        }
        RanTool::Code(code) => {
            let id = begin(&ran.id, CODE_EXECUTION, json);
            json.key("input");
            json.open();
            json.text_member("code", code);
            json.close();
            json.close();
            result(&id, "code_execution", came, json);
        }
    }
}

fn call(
    id: &str,
    server: &str,
    name: &str,
    arguments: &Input<'_>,
    came: &Came<'_>,
    json: &mut Json,
) {
    let id = ran_id("mcptoolu_", id);
    json.open_typed("mcp_tool_use");
    json.text_member("id", &id);
    json.text_member("name", name);
    json.text_member("server_name", server);
    json.raw_member("input", arguments.as_object().trim());
    json.close();
    json.open_typed("mcp_tool_result");
    json.text_member("tool_use_id", &id);
    json.bool_member("is_error", came.error);
    json.key("content");
    json.open_list();
    // The vendor refuses a text that says nothing.
    for text in came.texts.iter().filter(|text| !text.trim().is_empty()) {
        json.open_typed("text");
        json.text_member("text", text);
        json.close();
    }
    json.close_list();
    json.close();
}

/// Begins the block of a run, whose id it gives.
fn begin(id: &str, name: &str, json: &mut Json) -> String {
    let id = ran_id("srvtoolu_", id);
    json.open_typed("server_tool_use");
    json.text_member("id", &id);
    json.text_member("name", name);
    id
}

fn result(id: &str, kind: &str, came: &Came<'_>, json: &mut Json) {
    json.open_typed(&format!("{kind}_tool_result"));
    json.text_member("tool_use_id", id);
    json.key("content");
    json.open_typed(&format!("{kind}_result"));
    json.key("stdout");
    let texts: Vec<&str> = came.texts.iter().map(|text| &**text).collect();
    json.texts(&texts);
    json.text_member("stderr", "");
    json.number_member("return_code", u64::from(came.error));
    json.raw_member("content", "[]");
    json.close();
    json.close();
}

fn edited(id: &str, command: &str, came: &Came<'_>, json: &mut Json) {
    json.open_typed("text_editor_code_execution_tool_result");
    json.text_member("tool_use_id", id);
    json.key("content");
    match command {
        _ if came.error => {
            json.open_typed("text_editor_code_execution_tool_result_error");
            json.text_member("error_code", WENT_WRONG);
        }
        "view" => {
            json.open_typed("text_editor_code_execution_view_result");
            json.text_member("file_type", "text");
            json.key("content");
            let texts: Vec<&str> = came.texts.iter().map(|text| &**text).collect();
            json.texts(&texts);
        }
        "create" => {
            json.open_typed("text_editor_code_execution_create_result");
            json.bool_member("is_file_update", false);
        }
        _ => {
            json.open_typed("text_editor_code_execution_str_replace_result");
            json.key("lines");
            json.open_list();
            for line in &came.texts {
                json.text(line);
            }
            json.close_list();
        }
    }
    json.close();
    json.close();
}
