//! Writes a request in Chat Completions.

use super::write_messages::Messages;
use crate::ApiError;
use crate::bridge::Target;
use crate::bridge::request::json::Json;
use crate::bridge::request::model::{
    Choice, Conversation, Custom, Format, Function, ItemTool, Location, Tool, ToolRef, WebSearch,
};
use crate::bridge::request::names::{Names, identifier};
use crate::bridge::request::shared::{
    FREE_SCHEMA, grammar_told, nothing_said, own_tier, schema_name, some_schema, strict_by_itself,
    strict_tool,
};
use crate::bridge::request::{Way, Written, thinking};

/// Tool names are this long at most.
const LONGEST_NAME: usize = 64;

/// Writes a request.
pub(crate) fn write(
    said: &Conversation<'_>,
    to: &Target<'_>,
    way: Way,
    size: usize,
) -> Result<Written, ApiError> {
    let customs = to.abilities.custom_tools;
    let names = Names::new(&said.tools, &said.items, LONGEST_NAME);
    let mut json = Json::with_capacity(size + size / 8 + 512);
    json.open();
    json.text_member("model", to.model);
    write_settings(said, to, &mut json);
    write_tools(said, to, way, &names, &mut json);
    write_format(&said.format, &mut json);
    json.key("messages");
    json.open_list();
    let begin = json.len();
    Messages {
        names: &names,
        to,
        way,
        customs,
    }
    .write(&said.items, &mut json)?;
    if json.len() == begin {
        return Err(nothing_said(way.from));
    }
    json.close_list();
    json.close();
    Ok(Written {
        body: json.into_bytes(),
        tools: names.into_tools(),
        structured_tool: None,
    })
}

fn write_settings(said: &Conversation<'_>, to: &Target<'_>, json: &mut Json) {
    let settings = &said.settings;
    if said.stream {
        json.bool_member("stream", true);
        // Usage is always wanted, whoever pays for the answer.
        json.raw_member("stream_options", r#"{"include_usage":true}"#);
    }
    if let Some(cap) = to.output_cap(settings.max_output) {
        // What a vendor does not know it would ignore, and the answer would have no cap: so the name that all know.
        let name = if to.abilities.max_completion_tokens {
            "max_completion_tokens"
        } else {
            "max_tokens"
        };
        json.number_member(name, cap);
    }
    if !to.abilities.no_sampling {
        for (name, value) in [
            ("temperature", settings.temperature),
            ("top_p", settings.top_p),
        ] {
            if let Some(value) = value {
                json.raw_member(name, value.get());
            }
        }
    }
    if !settings.stop.is_empty() {
        json.key("stop");
        json.open_list();
        for stop in &settings.stop {
            json.text(stop);
        }
        json.close_list();
    }
    if settings.logprobs || settings.top_logprobs.is_some_and(|most| most > 0) {
        json.bool_member("logprobs", true);
    }
    if let Some(number) = settings.top_logprobs
        && (settings.logprobs || number > 0)
    {
        json.number_member("top_logprobs", number);
    }
    if let Some(effort) = thinking::effort(settings.thinking, to) {
        json.text_member("reasoning_effort", effort.as_str());
    }
    if let Some(verbosity) = &settings.verbosity {
        json.text_member("verbosity", verbosity);
    }
    if let Some(tier) = own_tier(settings.service_tier.as_ref()) {
        json.text_member("service_tier", tier);
    }
    if let Some(metadata) = settings.metadata {
        json.raw_member("metadata", metadata.get());
    }
    if let Some(user) = &settings.user {
        json.text_member("user", &identifier(user, 64));
    }
    if to.abilities.prompt_cache_key {
        if let Some(key) = &settings.cache_key {
            json.text_member("prompt_cache_key", &identifier(key, 64));
        }
        if let Some(kept) = &settings.cache_kept {
            json.text_member("prompt_cache_retention", kept);
        }
    }
    if let Some(options) = &settings.cache_options {
        options.write(to, json);
    }
}

fn write_tools(
    said: &Conversation<'_>,
    to: &Target<'_>,
    way: Way,
    names: &Names<'_>,
    json: &mut Json,
) {
    let mut written = 0;
    let mut web = None;
    for tool in &said.tools {
        if let Tool::Web(search) = tool {
            web = Some(search);
            continue;
        }
        if written == 0 {
            json.key("tools");
            json.open_list();
        }
        written += 1;
        match tool {
            Tool::Function(tool) => write_function(tool, to, way, names, json),
            Tool::Custom(tool) if to.abilities.custom_tools => write_custom(tool, names, json),
            Tool::Custom(tool) => write_as_function(tool, names, json),
            Tool::Item(ItemTool {
                tool,
                description,
                schema,
            }) => {
                json.open_typed("function");
                json.key("function");
                json.open();
                json.text_member("name", names.item(*tool));
                if let Some(description) = description {
                    json.text_member("description", description);
                }
                json.raw_member("parameters", some_schema(*schema));
                json.close();
                json.close();
            }
            // Refused before, but for the search, which is no tool here.
            Tool::Web(_) | Tool::Mcp(_) | Tool::Code(_) => {}
        }
    }
    if written > 0 {
        json.close_list();
        write_choice(&said.choice, to, names, json);
        if let Some(parallel) = said.parallel {
            json.bool_member("parallel_tool_calls", parallel);
        }
    }
    let lacks_it = matches!(&said.choice, Choice::Allowed { own, .. } if !own.web);
    if let Some(search) = web.filter(|_| !lacks_it) {
        write_search(search, json);
    }
}

fn write_function(
    tool: &Function<'_>,
    to: &Target<'_>,
    way: Way,
    names: &Names<'_>,
    json: &mut Json,
) {
    json.open_typed("function");
    json.key("function");
    json.open();
    json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
    if let Some(description) = &tool.description {
        json.text_member("description", description);
    }
    json.raw_member("parameters", some_schema(tool.schema));
    if strict_tool(tool, way) {
        json.bool_member("strict", true);
    }
    json.close();
    if to.abilities.cache_control
        && let Some(mark) = tool.cache
    {
        json.raw_member("cache_control", mark.control());
    }
    json.close();
}

fn write_custom(tool: &Custom<'_>, names: &Names<'_>, json: &mut Json) {
    json.open_typed("custom");
    json.key("custom");
    json.open();
    json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
    if let Some(description) = &tool.description {
        json.text_member("description", description);
    }
    if let Some(grammar) = &tool.grammar {
        json.key("format");
        json.open_typed("grammar");
        json.key("grammar");
        json.open();
        json.text_member("syntax", &grammar.syntax);
        json.text_member("definition", &grammar.definition);
        json.close();
        json.close();
    }
    json.close();
    json.close();
}

fn write_as_function(tool: &Custom<'_>, names: &Names<'_>, json: &mut Json) {
    json.open_typed("function");
    json.key("function");
    json.open();
    json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
    let description = tool.description.as_deref().unwrap_or_default();
    let told = grammar_told(tool.grammar.as_ref());
    json.key("description");
    json.texts(&[description, &told]);
    json.raw_member("parameters", FREE_SCHEMA);
    json.close();
    json.close();
}

fn write_choice(choice: &Choice<'_>, to: &Target<'_>, names: &Names<'_>, json: &mut Json) {
    let named = |tool: &ToolRef<'_>, json: &mut Json| {
        let kind = if tool.custom && to.abilities.custom_tools {
            "custom"
        } else {
            "function"
        };
        json.open_typed(kind);
        json.key(kind);
        json.open();
        json.text_member("name", &names.chosen(tool));
        json.close();
        json.close();
    };
    match choice {
        Choice::Unsaid => {}
        Choice::Auto => json.text_member("tool_choice", "auto"),
        Choice::None => json.text_member("tool_choice", "none"),
        Choice::Required => json.text_member("tool_choice", "required"),
        // The search is no tool here: it is asked for by its options, and may be left.
        Choice::Web | Choice::Code => {}
        Choice::Named(tool) => {
            json.key("tool_choice");
            named(tool, json);
        }
        // Of the search alone: it is no tool here, and no other may be called.
        Choice::Allowed { own, tools, .. } if own.web && tools.is_empty() => {
            json.text_member("tool_choice", "none");
        }
        Choice::Allowed {
            required,
            own,
            tools,
        } => {
            // The search may be what is called.
            let required = *required && !own.web;
            json.key("tool_choice");
            json.open_typed("allowed_tools");
            json.key("allowed_tools");
            json.open();
            json.text_member("mode", if required { "required" } else { "auto" });
            json.key("tools");
            json.open_list();
            for tool in tools {
                named(tool, json);
            }
            json.close_list();
            json.close();
            json.close();
        }
    }
}

fn write_search(search: &WebSearch<'_>, json: &mut Json) {
    json.key("web_search_options");
    json.open();
    if let Some(size) = &search.context_size {
        json.text_member("search_context_size", size);
    }
    if let Some(location) = &search.location {
        json.key("user_location");
        json.open_typed("approximate");
        json.key("approximate");
        json.open();
        location.write(json);
        json.close();
        json.close();
    }
    json.close();
}

impl Location<'_> {
    /// Its members.
    pub(crate) fn write(&self, json: &mut Json) {
        for (name, value) in [
            ("city", &self.city),
            ("region", &self.region),
            ("country", &self.country),
            ("timezone", &self.timezone),
        ] {
            if let Some(value) = value {
                json.text_member(name, value);
            }
        }
    }
}

fn write_format(format: &Format<'_>, json: &mut Json) {
    match format {
        Format::Text => {}
        Format::JsonObject => json.raw_member("response_format", r#"{"type":"json_object"}"#),
        Format::Schema(schema) => {
            json.key("response_format");
            json.open_typed("json_schema");
            json.key("json_schema");
            json.open();
            json.text_member("name", &schema_name(schema));
            if let Some(description) = &schema.description {
                json.text_member("description", description);
            }
            json.raw_member("schema", schema.schema.get());
            let strict = schema.strict.or_else(|| {
                schema
                    .name
                    .is_none()
                    .then(|| strict_by_itself(schema.schema))
            });
            if let Some(strict) = strict {
                json.bool_member("strict", strict);
            }
            json.close();
            json.close();
        }
    }
}
