//! Writes tools and their choice in Messages.

use std::borrow::Cow;
use std::collections::HashSet;

use super::own::{write_code, write_servers, write_toolset};
use super::schema::enforceable_arguments;
use crate::ApiError;
use crate::bridge::Target;
use crate::bridge::request::choice;
use crate::bridge::request::json::Json;
use crate::bridge::request::members::invalid;
use crate::bridge::request::model::{
    Choice, Conversation, Format, Function, Item, ItemTool, Schema, Tool, ToolRef, WebSearch,
};
use crate::bridge::request::names::{CODE_EXECUTION, Names, WEB_SEARCH};
use crate::bridge::request::shared::{
    EMPTY_SCHEMA, FREE_SCHEMA, grammar_told, object_schema, schema_name,
};

/// What the request comes to, as far as tools are concerned.
pub(super) struct Asked<'s, 'a> {
    choice: &'s Choice<'a>,
    /// The tool that stands in for a schema of the answer: its name and the schema.
    structured: Option<(String, &'s Schema<'a>)>,
    /// Whether the client offers tools of its own.
    offers: bool,
}

impl<'s, 'a> Asked<'s, 'a> {
    /// `enforced`: the vendor itself sees to it that the answer follows the schema.
    pub(super) fn new(said: &'s Conversation<'a>, names: &Names<'_>, enforced: bool) -> Self {
        let structured = match &said.format {
            Format::Schema(schema) if !enforced => {
                let mut name = schema_name(schema).into_owned();
                let taken = |name: &str| {
                    let mut tools = said.tools.iter();
                    tools.any(|tool| wire_name(tool, names).is_some_and(|known| known == name))
                };
                while taken(&name) {
                    name.push_str("_answer");
                }
                Some((name, schema))
            }
            _ => None,
        };
        Self {
            choice: &said.choice,
            structured,
            offers: !said.tools.is_empty(),
        }
    }

    /// The name of the tool that stands in for a schema of the answer.
    pub(super) fn structured_name(&self) -> Option<&str> {
        self.structured.as_ref().map(|(name, _)| &**name)
    }

    /// Whether some tool must be called: a model that must, may not think.
    pub(super) fn forced(&self) -> bool {
        self.structured.is_some()
            || (self.offers
                && matches!(
                    self.choice,
                    Choice::Required
                        | Choice::Named(_)
                        | Choice::Web
                        | Choice::Code
                        | Choice::Allowed { required: true, .. }
                ))
    }

    /// Refuses a choice that leaves no tool, which no vendor understands.
    pub(super) fn check(&self, said: &Conversation<'_>, names: &Names<'_>) -> Result<(), ApiError> {
        let Choice::Allowed { required, .. } = self.choice else {
            return Ok(());
        };
        let left = self.structured.is_some() || said.tools.iter().any(|tool| self.allows(tool));
        if left || (!required && !called(said, names, self).is_empty()) {
            return Ok(());
        }
        let message = "`tool_choice` allows only tools that are not among `tools`.";
        Err(invalid(message).with_param("tool_choice"))
    }

    /// Whether the choice leaves this tool among those offered.
    fn allows(&self, tool: &Tool<'_>) -> bool {
        let Choice::Allowed { tools, own, .. } = self.choice else {
            return true;
        };
        own.leaves(tool) || tools.iter().any(|allowed| choice::is(tool, allowed))
    }
}

/// What a tool is called; those of an MCP server only it knows.
fn wire_name<'n>(tool: &'n Tool<'_>, names: &'n Names<'_>) -> Option<Cow<'n, str>> {
    let (namespace, name) = match tool {
        Tool::Function(tool) => (tool.namespace.as_deref(), &*tool.name),
        Tool::Custom(tool) => (tool.namespace.as_deref(), &*tool.name),
        Tool::Item(item) => return Some(Cow::Borrowed(names.item(item.tool))),
        Tool::Web(_) => return Some(Cow::Borrowed(WEB_SEARCH)),
        Tool::Code(_) => return Some(Cow::Borrowed(CODE_EXECUTION)),
        Tool::Mcp(_) => return None,
    };
    Some(names.wire(namespace, name))
}

/// Writes `tools`.
pub(super) fn write_tools(
    said: &Conversation<'_>,
    to: &Target<'_>,
    names: &Names<'_>,
    asked: &Asked<'_, '_>,
    json: &mut Json,
) {
    let called = called(said, names, asked);
    if !asked.offers && asked.structured.is_none() && called.is_empty() {
        return;
    }
    json.key("tools");
    json.open_list();
    let mut searches = false;
    for tool in said.tools.iter().filter(|tool| asked.allows(tool)) {
        match tool {
            Tool::Function(tool) => write_function(tool, to, names, json),
            Tool::Custom(tool) => {
                json.open();
                json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
                let description = tool.description.as_deref().unwrap_or_default();
                json.key("description");
                json.texts(&[description, &grammar_told(tool.grammar.as_ref())]);
                json.raw_member("input_schema", FREE_SCHEMA);
                json.close();
            }
            Tool::Item(ItemTool {
                tool,
                description,
                schema,
            }) => {
                json.open();
                json.text_member("name", names.item(*tool));
                if let Some(description) = description {
                    json.text_member("description", description);
                }
                json.raw_member("input_schema", &object_schema(*schema));
                json.close();
            }
            // Named twice it is refused; other dialects give it no name, so a client may well say it twice.
            Tool::Web(search) if !searches => {
                searches = true;
                write_search(search, json);
            }
            Tool::Web(_) => {}
            Tool::Code(_) => write_code(json),
            Tool::Mcp(server) => write_toolset(server, json),
        }
    }
    if let Some((name, schema)) = &asked.structured {
        json.open();
        json.text_member("name", name);
        let told = schema.description.as_deref().unwrap_or_default();
        json.key("description");
        json.texts(&[
            "Gives the answer: call it once, when nothing else is left to be done.",
            if told.is_empty() { "" } else { " " },
            told,
        ]);
        json.raw_member("input_schema", &object_schema(Some(schema.schema)));
        json.close();
    }
    for name in &called {
        json.open();
        json.text_member("name", name);
        json.raw_member("input_schema", EMPTY_SCHEMA);
        json.close();
    }
    json.close_list();
    let left = said.tools.iter().filter(|tool| asked.allows(tool));
    let servers = left.filter_map(|tool| match tool {
        Tool::Mcp(server) => Some(server),
        _ => None,
    });
    write_servers(servers, json);
}

/// Tools that the history calls, where the request offers none: the vendor wants to know them.
fn called(said: &Conversation<'_>, names: &Names<'_>, asked: &Asked<'_, '_>) -> Vec<String> {
    if asked.offers {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    said.items
        .iter()
        .filter_map(|item| match item {
            Item::Call(call) => Some(names.called(call).into_owned()),
            _ => None,
        })
        .filter(|name| asked.structured_name() != Some(name.as_str()) && seen.insert(name.clone()))
        .collect()
}

fn write_function(tool: &Function<'_>, to: &Target<'_>, names: &Names<'_>, json: &mut Json) {
    json.open();
    json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
    if let Some(description) = &tool.description {
        json.text_member("description", description);
    }
    let schema = object_schema(tool.schema);
    let strict = (tool.strict == Some(true) && to.abilities.structured_output)
        .then(|| enforceable_arguments(&schema))
        .flatten();
    json.raw_member("input_schema", strict.as_ref().unwrap_or(&schema));
    if strict.is_some() {
        json.bool_member("strict", true);
    }
    if let Some(mark) = tool.cache {
        json.raw_member("cache_control", mark.control());
    }
    json.close();
}

fn write_search(search: &WebSearch<'_>, json: &mut Json) {
    json.open_typed("web_search_20250305");
    json.text_member("name", WEB_SEARCH);
    if let Some(most) = search.max_uses {
        json.number_member("max_uses", most);
    }
    if let Some(domains) = search.allowed_domains {
        json.raw_member("allowed_domains", domains.get());
    }
    if let Some(domains) = search.blocked_domains {
        json.raw_member("blocked_domains", domains.get());
    }
    if let Some(location) = &search.location {
        json.key("user_location");
        json.open_typed("approximate");
        location.write(json);
        json.close();
    }
    json.close();
}

/// Writes `tool_choice`.
pub(super) fn write_choice(
    said: &Conversation<'_>,
    to: &Target<'_>,
    names: &Names<'_>,
    asked: &Asked<'_, '_>,
    json: &mut Json,
) {
    let single = said.parallel == Some(false);
    let named = |tool: &ToolRef<'_>| ("tool", Some(names.chosen(tool).into_owned()));
    let structured = asked.structured_name().map(str::to_owned);
    let (kind, name) = match (asked.choice, structured) {
        (_, Some(name)) if !asked.offers => ("tool", Some(name)),
        (Choice::None, Some(name)) => ("tool", Some(name)),
        (Choice::Named(tool), _) if asked.offers => named(tool),
        (Choice::Web, None) if asked.offers => ("tool", Some(WEB_SEARCH.to_owned())),
        (Choice::Code, None) if asked.offers => ("tool", Some(CODE_EXECUTION.to_owned())),
        (_, Some(_)) => ("any", None),
        (_, None) if !asked.offers => {
            if !called(said, names, asked).is_empty() {
                json.raw_member("tool_choice", r#"{"type":"none"}"#);
            }
            return;
        }
        (Choice::Unsaid, None) if !single => return,
        (Choice::Unsaid | Choice::Auto, None)
        | (
            Choice::Allowed {
                required: false, ..
            },
            None,
        ) => ("auto", None),
        (Choice::None, None) => ("none", None),
        (Choice::Required | Choice::Web | Choice::Code | Choice::Allowed { .. }, None) => {
            ("any", None)
        }
        (Choice::Named(tool), None) => named(tool),
    };
    // What the client asked for fits already; this is about the tool that stands in for a schema.
    // Where the client forbade its own tools any of them might be the one that must be called.
    let forbidden = asked.offers && matches!(asked.choice, Choice::None);
    let (kind, name) = match kind {
        "tool" if to.abilities.no_named_tool && (to.abilities.no_required_tool || forbidden) => {
            ("auto", None)
        }
        "tool" if to.abilities.no_named_tool => ("any", None),
        "any" if to.abilities.no_required_tool => ("auto", None),
        _ => (kind, name),
    };
    json.key("tool_choice");
    json.open_typed(kind);
    if let Some(name) = name {
        json.text_member("name", &name);
    }
    if kind != "none" && (single || (!asked.offers && asked.structured.is_some())) {
        json.bool_member("disable_parallel_tool_use", true);
    }
    json.close();
}
