//! Items of tools that a client of Responses runs itself and knows by their type: they are told when they are whole, for a
//! function's arguments come in an order of their own, and what the item begins with may come last.

use serde_json::{Map, Value, json};

use super::ran::Told;
use crate::bridge::ClientTool;

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Whole,
    /// A cap on the output cut it.
    Cut,
}

/// The item of a call, and the events about it. `input` is what the model wrote for the function's arguments: what of it is no
/// object, or lacks what the client counts on, is filled in with what does nothing. Nothing for a tool that is told as it comes.
pub(super) fn told(tool: ClientTool, call_id: &[u8], input: &str, stands: Stands) -> Option<Told> {
    let input: Map<String, Value> = serde_json::from_str(input).unwrap_or_default();
    let (prefix, kind, begun, done, events) = match tool {
        ClientTool::Search => return None,
        ClientTool::Computer => {
            let actions = match input.get("actions") {
                Some(Value::Array(actions)) => actions.iter().cloned().map(action).collect(),
                _ => Vec::new(),
            };
            let begun = r#","pending_safety_checks":[],"actions":[]"#.to_owned();
            let done = format!(
                r#","pending_safety_checks":[],"actions":{}"#,
                Value::Array(actions)
            );
            ("cu_", "computer_call", begun, done, Vec::new())
        }
        ClientTool::ComputerPreview => {
            let one = input.get("action").cloned().unwrap_or_else(|| json!({}));
            let one = match one.get("type") {
                Some(_) => action(one),
                // It changes nothing.
                None => json!({ "type": "screenshot" }),
            };
            let item = format!(r#","pending_safety_checks":[],"action":{one}"#);
            ("cu_", "computer_call", item.clone(), item, Vec::new())
        }
        ClientTool::Shell => {
            let mut action = input;
            let commands = strings(action.remove("commands"));
            let mut events = Vec::new();
            for (at, command) in commands.iter().enumerate() {
                let place = format!(r#","command_index":{at}"#);
                let command = Value::from(command.as_str());
                events.push((
                    "response.shell_call_command.added",
                    format!(r#"{place},"command":"""#),
                ));
                if command != "" {
                    events.push((
                        "response.shell_call_command.delta",
                        format!(r#"{place},"delta":{command}"#),
                    ));
                }
                events.push((
                    "response.shell_call_command.done",
                    format!(r#"{place},"command":{command}"#),
                ));
            }
            action.insert("commands".to_owned(), commands.into());
            let begun = r#","action":{"commands":[]}"#.to_owned();
            let done = format!(r#","action":{}"#, Value::Object(action));
            ("sh_", "shell_call", begun, done, events)
        }
        ClientTool::LocalShell => {
            let mut action = input;
            let command = strings(action.remove("command"));
            action.insert("type".to_owned(), "exec".into());
            action.insert("command".to_owned(), command.into());
            if !action.get("env").is_some_and(Value::is_object) {
                action.insert("env".to_owned(), json!({}));
            }
            let item = format!(r#","action":{}"#, Value::Object(action));
            ("lsh_", "local_shell_call", item.clone(), item, Vec::new())
        }
        ClientTool::ApplyPatch => {
            let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
            let kind = match text("type") {
                kind @ ("create_file" | "delete_file") => kind,
                _ => "update_file",
            };
            let (path, diff) = (text("path"), text("diff"));
            let (begun, done) = match kind {
                "delete_file" => {
                    let operation = json!({ "type": kind, "path": path });
                    (operation.clone(), operation)
                }
                _ => (
                    json!({ "type": kind, "path": path, "diff": "" }),
                    json!({ "type": kind, "path": path, "diff": diff }),
                ),
            };
            // Pieces of the diff have events at its own vendor that no type has yet, and a client's helper fails at such.
            (
                "apc_",
                "apply_patch_call",
                format!(r#","operation":{begun}"#),
                format!(r#","operation":{done}"#),
                Vec::new(),
            )
        }
    };
    let status = match (stands, tool) {
        (Stands::Whole, _) => "completed",
        // It has no word for one that was cut.
        (Stands::Cut, ClientTool::ApplyPatch) => "in_progress",
        (Stands::Cut, _) => "incomplete",
    };
    let call_id = String::from_utf8_lossy(call_id);
    let item = |status: &str, rest: &str| {
        format!(r#","call_id":"{call_id}","status":"{status}"{rest}"#).into_bytes()
    };
    Some(Told {
        prefix,
        kind: kind.as_bytes(),
        named: tool != ClientTool::Shell,
        begun: item("in_progress", &begun),
        done: item(status, &done),
        events: events
            .into_iter()
            .map(|(name, rest)| (name, rest.into_bytes()))
            .collect(),
    })
}

/// An action, with what the client counts on and models leave out.
fn action(mut action: Value) -> Value {
    let usual: &[(&str, Value)] = match action.get("type").and_then(Value::as_str) {
        Some("click") => &[("button", json!("left"))],
        Some("double_click") => &[("keys", Value::Null)],
        Some("scroll") => &[("scroll_x", json!(0)), ("scroll_y", json!(0))],
        _ => &[],
    };
    if let Some(members) = action.as_object_mut() {
        for (name, value) in usual {
            members.entry(*name).or_insert_with(|| value.clone());
        }
    }
    action
}

fn strings(list: Option<Value>) -> Vec<String> {
    let Some(Value::Array(list)) = list else {
        return Vec::new();
    };
    let texts = list.into_iter().filter_map(|one| match one {
        Value::String(text) => Some(text),
        _ => None,
    });
    texts.collect()
}
