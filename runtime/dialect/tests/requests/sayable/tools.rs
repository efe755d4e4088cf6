//! Tools and their choice, as the other dialect has them.

use serde_json::{Value, json};

use super::super::meaning::{Entry, Input, Meaning, Settings, Tool};
use super::{MESSAGES, Way, told};

impl Way {
    /// What a vendor of Messages runs itself, and counts, is the search alone.
    pub(super) fn searches_without_search(self, settings: &mut Settings) {
        if !settings.contains_key("search") && settings.remove("searches").is_some() {
            told(self.from, self.over, "max_tool_calls");
        }
    }

    /// What a vendor ran itself is told where the request offers the tool; of code only to whoever ran it, which is nobody here.
    pub(super) fn what_no_tool_is_offered_for(self, meaning: &mut Meaning) {
        let servers = meaning.settings.get("servers").cloned().unwrap_or_default();
        meaning.said.retain(|entry| {
            let Entry::Ran(ran) = entry else { return true };
            let known = ran
                .tool
                .as_ref()
                .is_some_and(|(server, _)| !servers[server].is_null());
            if !known {
                let field = match (&ran.tool, self.from == MESSAGES) {
                    (Some(_), true) => "content[].mcp_tool_use, mcp_tool_result",
                    (Some(_), false) => "input[].mcp_call",
                    (None, true) => {
                        "content[].server_tool_use of code_execution, code_execution_tool_result"
                    }
                    (None, false) => "input[].code_interpreter_call",
                };
                told(self.from, self.over, field);
            }
            known
        });
    }

    pub(super) fn free_tools_as_functions(self, meaning: &mut Meaning) {
        for tool in &mut meaning.tools {
            if let Some(grammar) = tool.free.take() {
                told(self.from, self.over, "tools[].custom");
                if grammar.is_object() {
                    tool.description += &format!(
                        "\n\nThe `input` must match this {} grammar:\n{}",
                        grammar["syntax"].as_str().unwrap(),
                        grammar["definition"].as_str().unwrap()
                    );
                }
                tool.schema = json!({"type": "object", "properties": {"input": {"type": "string",
                    "description": "The whole input of the tool, as it is."}},
                    "required": ["input"], "additionalProperties": false});
            }
        }
        for entry in &mut meaning.said {
            if let Entry::Call { input, .. } = entry {
                *input = Input::Json(match input.clone() {
                    Input::Free(text) => json!({ "input": text }),
                    Input::Json(object @ Value::Object(_)) => object,
                    Input::Json(other) => json!({ "arguments": other }),
                });
            }
        }
    }

    pub(super) fn tools_of_the_history(self, meaning: &mut Meaning) {
        // A search is a tool as well.
        let own = ["search", "code", "servers"];
        if !meaning.tools.is_empty() || own.iter().any(|own| meaning.settings.contains_key(own)) {
            return;
        }
        for entry in &meaning.said {
            if let Entry::Call { tool, .. } = entry
                && meaning.tools.iter().all(|known| known.name != *tool)
            {
                let other = if self.from == MESSAGES {
                    self.over
                } else {
                    self.from
                };
                told(other, MESSAGES, "tools (none) with calls in the history");
                meaning.choice = "none".into();
                meaning.tools.push(Tool {
                    name: tool.clone(),
                    free: None,
                    description: String::new(),
                    schema: json!({"type": "object", "properties": {}}),
                    strict: false,
                });
            }
        }
    }

    pub(super) fn choice_without_names(self, meaning: &mut Meaning) {
        if let Some((word, names)) = meaning.choice.clone().split_once(" of:") {
            told(self.from, self.over, "tool_choice");
            let names: Vec<_> = names.split(',').collect();
            meaning.tools.retain(|tool| names.contains(&&*tool.name));
            meaning.choice = word.to_owned();
        }
    }

    pub(super) fn what_a_search_cannot_say(self, meaning: &mut Meaning) {
        if meaning.choice == "web" {
            told(self.from, self.over, "tool_choice of web_search");
            meaning.choice = "auto".to_owned();
        }
        let domains = |search: &Value| search.as_object().unwrap().len() > 1;
        if meaning.settings.get("search").is_some_and(domains) {
            told(self.from, self.over, "tools[].web_search.filters");
            for name in ["search", "search size", "searches"] {
                meaning.settings.remove(name);
            }
        }
    }
}

/// Whether a tool is what it was. A strict one's schema, as Messages enforces it, says the same in other words: there
/// its members are compared.
pub(crate) fn same_tool(wanted: &Tool, got: &Tool, way: Way) -> bool {
    // Its type describes it, and what that says is held against the table's cases.
    if wanted.schema.is_null() && wanted.free.is_none() {
        return wanted.name == got.name && got.schema.is_object();
    }
    let schema = |tool: &Tool| {
        let mut schema = tool.schema.clone();
        if way.touches(MESSAGES) && schema.is_object() && schema["type"].is_null() {
            schema["type"] = json!("object");
        }
        schema
    };
    let reshaped = wanted.strict && way.touches(MESSAGES);
    let same_schema = match reshaped {
        true => members(&wanted.schema) == members(&got.schema),
        false => schema(wanted) == schema(got),
    };
    same_schema
        && (reshaped || wanted.strict == got.strict)
        && (&wanted.name, &wanted.free, &wanted.description)
            == (&got.name, &got.free, &got.description)
}

/// The members of every object of a schema, in their order.
pub(crate) fn members(schema: &Value) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(object) = schema.as_object() {
        if let Some(properties) = object.get("properties").and_then(Value::as_object) {
            out.extend(properties.keys().cloned());
        }
        for (name, inner) in object {
            if name != "properties" {
                out.extend(members(inner));
            } else {
                out.extend(
                    inner
                        .as_object()
                        .into_iter()
                        .flat_map(|inner| inner.values())
                        .flat_map(members),
                );
            }
        }
    }
    if let Some(list) = schema.as_array() {
        out.extend(list.iter().flat_map(members));
    }
    out
}
