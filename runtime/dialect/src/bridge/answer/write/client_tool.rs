//! Items of tools that a client of Responses runs itself and knows by their type: they are told when they are whole, for a
//! function's arguments come in an order of their own, and what the item begins with may come last.

use serde_json::{Map, Value, json};

use super::ran::Told;
use crate::bridge::ClientTool;

/// What is called: the object of a function's arguments.
type Input = Map<String, Value>;

/// A call in the form that the client knows.
struct Form {
    prefix: &'static str,
    kind: &'static str,
    /// The item's own members as it begins, and whole.
    begun: String,
    done: String,
    events: Vec<(&'static str, String)>,
    /// Whether the model wrote what the item is made of.
    fits: bool,
}

/// The item of a call, and the events about it. `input` is what the model wrote for the function's arguments: what of it is no
/// object, or lacks what the client counts on, is filled in with what does nothing, and the item says that it is not complete.
/// So it does of one that a cap on the output `cut`. Nothing for the search among tools, which is an item as any other.
pub(super) fn told(tool: ClientTool, call_id: &[u8], input: &str, cut: bool) -> Option<Told> {
    let input: Input = serde_json::from_str(input).unwrap_or_default();
    let form = match tool {
        ClientTool::Search => return None,
        ClientTool::Computer => computer(&input),
        ClientTool::ComputerPreview => computer_preview(&input),
        ClientTool::Shell => shell(input),
        ClientTool::LocalShell => local_shell(input),
        ClientTool::ApplyPatch => apply_patch(&input),
    };
    let status = match tool {
        _ if form.fits && !cut => "completed",
        // It has no word for one that is not complete.
        ClientTool::ApplyPatch => "in_progress",
        _ => "incomplete",
    };
    let call_id = String::from_utf8_lossy(call_id);
    let item = |status: &str, rest: &str| {
        format!(r#","call_id":"{call_id}","status":"{status}"{rest}"#).into_bytes()
    };
    let events = form.events.into_iter();
    Some(Told {
        prefix: form.prefix,
        kind: form.kind.as_bytes(),
        named: tool != ClientTool::Shell,
        begun: item("in_progress", &form.begun),
        done: item(status, &form.done),
        events: events
            .map(|(name, rest)| (name, rest.into_bytes()))
            .collect(),
    })
}

fn computer(input: &Input) -> Form {
    let actions = input.get("actions").and_then(Value::as_array);
    let actions = actions.filter(|actions| !actions.is_empty() && actions.iter().all(is_action));
    let told: Value = actions.into_iter().flatten().cloned().map(action).collect();
    Form {
        prefix: "cu_",
        kind: "computer_call",
        begun: r#","pending_safety_checks":[],"actions":[]"#.to_owned(),
        done: format!(r#","pending_safety_checks":[],"actions":{told}"#),
        events: Vec::new(),
        fits: actions.is_some(),
    }
}

fn computer_preview(input: &Input) -> Form {
    let one = input.get("action").filter(|one| is_action(one));
    let told = match one {
        Some(one) => action(one.clone()),
        // It changes nothing.
        None => json!({ "type": "screenshot" }),
    };
    let item = format!(r#","pending_safety_checks":[],"action":{told}"#);
    Form {
        prefix: "cu_",
        kind: "computer_call",
        begun: item.clone(),
        done: item,
        events: Vec::new(),
        fits: one.is_some(),
    }
}

fn shell(mut action: Input) -> Form {
    let commands = match action.remove("commands") {
        // Models that have one command forget the list around it.
        Some(Value::String(command)) => Some(vec![command]),
        commands => strings(commands),
    };
    let fits = commands.is_some();
    let commands = commands.unwrap_or_default();
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
    Form {
        prefix: "sh_",
        kind: "shell_call",
        begun: r#","action":{"commands":[]}"#.to_owned(),
        done: format!(r#","action":{}"#, Value::Object(action)),
        events,
        fits,
    }
}

fn local_shell(mut action: Input) -> Form {
    let command = strings(action.remove("command"));
    let fits = command.is_some();
    action.insert("type".to_owned(), "exec".into());
    action.insert("command".to_owned(), command.unwrap_or_default().into());
    if !action.get("env").is_some_and(Value::is_object) {
        action.insert("env".to_owned(), json!({}));
    }
    let item = format!(r#","action":{}"#, Value::Object(action));
    Form {
        prefix: "lsh_",
        kind: "local_shell_call",
        begun: item.clone(),
        done: item,
        events: Vec::new(),
        fits,
    }
}

fn apply_patch(input: &Input) -> Form {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let path = text("path").filter(|path| !path.is_empty());
    let (kind, path, diff, fits) = match (text("type"), path, text("diff")) {
        (Some("create_file"), Some(path), diff) => {
            ("create_file", path, diff.unwrap_or_default(), true)
        }
        (Some("update_file"), Some(path), Some(diff)) => ("update_file", path, diff, true),
        (Some("delete_file"), Some(path), _) => ("delete_file", path, "", true),
        // A client that tries it all the same fails, and so the model hears of it.
        _ => ("update_file", "", "", false),
    };
    let operation = |diff: &str| match kind {
        "delete_file" => json!({ "type": kind, "path": path }),
        _ => json!({ "type": kind, "path": path, "diff": diff }),
    };
    Form {
        prefix: "apc_",
        kind: "apply_patch_call",
        begun: format!(r#","operation":{}"#, operation("")),
        done: format!(r#","operation":{}"#, operation(diff)),
        // Pieces of the diff have events at its own vendor that no type has yet, and a client's helper fails at such.
        events: Vec::new(),
        fits,
    }
}

fn is_action(one: &Value) -> bool {
    one.get("type").is_some_and(Value::is_string)
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

/// The strings of a list that has some, and nothing else.
fn strings(list: Option<Value>) -> Option<Vec<String>> {
    let Some(Value::Array(list)) = list else {
        return None;
    };
    let texts = list.into_iter().map(|one| match one {
        Value::String(text) => Some(text),
        _ => None,
    });
    let texts: Option<Vec<_>> = texts.collect();
    texts.filter(|texts| !texts.is_empty())
}
