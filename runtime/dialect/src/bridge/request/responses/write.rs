//! Writes a request in Responses.

use super::own::{runs_code, write_code, write_server};
use super::write_items::Items;
use crate::bridge::request::json::Json;
use crate::bridge::request::model::{
    Choice, Conversation, Custom, Format, Function, ItemTool, Tool, ToolRef, WebSearch,
};
use crate::bridge::request::names::{Names, identifier};
use crate::bridge::request::shared::{
    FREE_SCHEMA, grammar_told, has_marks, joined, leading_instructions, nothing_said, own_tier,
    schema_name, some_schema, strict_by_itself, strict_tool,
};
use crate::bridge::request::turns::turns;
use crate::bridge::request::{Way, Written, thinking};
use crate::bridge::{Target, request::model::Effort};
use crate::{ApiError, Dialect};

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
    write_settings(said, to, way, &mut json);
    write_tools(said, to, way, &names, &mut json);
    write_text(said, &mut json);
    let (instructions, count) = match leading_instructions(&said.items) {
        // Instructions alone are the input: without any a request is refused.
        (_, all) if all == said.items.len() => (Vec::new(), 0),
        // A string carries no marks.
        (_, all) if to.abilities.prompt_cache_breakpoints && has_marks(&said.items[..all]) => {
            (Vec::new(), 0)
        }
        some => some,
    };
    if count > 0 {
        json.text_member("instructions", &joined(&instructions));
    }
    // Items may stand in any order here, but what has no partner is better refused before it is sent.
    turns(&said.items, way.from)?;
    json.key("input");
    json.open_list();
    let begin = json.len();
    Items {
        names: &names,
        to,
        way,
        customs,
        marked: to.abilities.prompt_cache_breakpoints && has_marks(&said.items),
    }
    .write(&said.items, count, &mut json)?;
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

/// The least output cap that is taken here, tokens: clients of other dialects test with 1 whether a vendor answers.
const LEAST_OUTPUT: u64 = 16;

fn write_settings(said: &Conversation<'_>, to: &Target<'_>, way: Way, json: &mut Json) {
    let settings = &said.settings;
    if said.stream {
        json.bool_member("stream", true);
    }
    // Unless told otherwise a vendor keeps every conversation here, which the client's dialect does not mean.
    json.bool_member("store", settings.store.unwrap_or(false));
    if let Some(cap) = to.output_cap(settings.max_output) {
        json.number_member("max_output_tokens", cap.max(LEAST_OUTPUT));
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
    let search = said.tools.iter().find_map(|tool| match tool {
        Tool::Web(search) => Some(search),
        _ => None,
    });
    write_reasoning(said, to, way, search.is_some(), json);
    // It counts calls of all tools that the vendor runs itself: meant for the search, it would keep the others from work.
    let alone = said
        .tools
        .iter()
        .all(|tool| !matches!(tool, Tool::Mcp(_) | Tool::Code(_)));
    if let Some(most) = search.and_then(|search| search.max_uses).filter(|_| alone) {
        json.number_member("max_tool_calls", most);
    }
    if let Some(number) = settings.top_logprobs {
        json.number_member("top_logprobs", number);
    }
    if let Some(tier) = own_tier(settings.service_tier.as_ref()) {
        json.text_member("service_tier", tier);
    }
    if let Some(metadata) = settings.metadata {
        json.raw_member("metadata", metadata.get());
    }
    if let Some(user) = &settings.user {
        json.text_member("safety_identifier", &identifier(user, 64));
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

fn write_reasoning(
    said: &Conversation<'_>,
    to: &Target<'_>,
    way: Way,
    searches: bool,
    json: &mut Json,
) {
    let thinking = said.settings.thinking;
    let effort = thinking::effort(thinking, to);
    // Only a client of Messages can carry opaque reasoning; to one of Chat it would be lost.
    let carried = way.from == Dialect::AnthropicMessages && to.abilities.reasoning;
    // A client of Chat has no words to ask for a summary, and accounts that may not have one are answered with a 400: it
    // is asked for only where nobody is refused.
    let shown = carried || (way.from == Dialect::OpenaiChat && to.abilities.reasoning_summaries);
    let summary =
        shown && to.abilities.reasoning && thinking.wanted && thinking.readable != Some(false);
    if effort.is_some() || summary {
        json.key("reasoning");
        json.open();
        if let Some(effort) = effort {
            json.text_member("effort", effort.as_str());
        }
        if summary && effort != Some(Effort::None) {
            json.text_member("summary", "auto");
        }
        json.close();
    }
    // What a search found comes only to whoever asks for it, and only Messages has a place for it.
    let sources = searches && way.from == Dialect::AnthropicMessages;
    // Nor does what code said; from Chat none is run.
    let outputs = runs_code(said);
    if carried || said.settings.logprobs || sources || outputs {
        json.key("include");
        json.open_list();
        if carried {
            json.text("reasoning.encrypted_content");
        }
        if said.settings.logprobs {
            json.text("message.output_text.logprobs");
        }
        if sources {
            json.text("web_search_call.action.sources");
        }
        if outputs {
            json.text("code_interpreter_call.outputs");
        }
        json.close_list();
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
    for tool in &said.tools {
        if written == 0 {
            json.key("tools");
            json.open_list();
        }
        written += 1;
        match tool {
            Tool::Function(tool) => write_function(tool, way, names, json),
            Tool::Custom(tool) if to.abilities.custom_tools => write_custom(tool, names, json),
            Tool::Custom(tool) => write_as_function(tool, names, json),
            Tool::Item(ItemTool {
                tool,
                description,
                schema,
            }) => {
                json.open_typed("function");
                json.text_member("name", names.item(*tool));
                if let Some(description) = description {
                    json.text_member("description", description);
                }
                json.raw_member("parameters", some_schema(*schema));
                json.bool_member("strict", false);
                json.close();
            }
            Tool::Web(search) => write_search(search, json),
            Tool::Mcp(server) => write_server(server, json),
            Tool::Code(_) => write_code(json),
        }
    }
    if written > 0 {
        json.close_list();
        write_choice(&said.choice, to, names, json);
        if let Some(parallel) = said.parallel {
            json.bool_member("parallel_tool_calls", parallel);
        }
    }
}

fn write_function(tool: &Function<'_>, way: Way, names: &Names<'_>, json: &mut Json) {
    json.open_typed("function");
    json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
    if let Some(description) = &tool.description {
        json.text_member("description", description);
    }
    json.raw_member("parameters", some_schema(tool.schema));
    // Where nothing is said, a schema is made strict here, which changes it.
    json.bool_member("strict", strict_tool(tool, way));
    json.close();
}

fn write_custom(tool: &Custom<'_>, names: &Names<'_>, json: &mut Json) {
    json.open_typed("custom");
    json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
    if let Some(description) = &tool.description {
        json.text_member("description", description);
    }
    if let Some(grammar) = &tool.grammar {
        json.key("format");
        json.open_typed("grammar");
        json.text_member("syntax", &grammar.syntax);
        json.text_member("definition", &grammar.definition);
        json.close();
    }
    json.close();
}

fn write_as_function(tool: &Custom<'_>, names: &Names<'_>, json: &mut Json) {
    json.open_typed("function");
    json.text_member("name", &names.wire(tool.namespace.as_deref(), &tool.name));
    let description = tool.description.as_deref().unwrap_or_default();
    let told = grammar_told(tool.grammar.as_ref());
    json.key("description");
    json.texts(&[description, &told]);
    json.raw_member("parameters", FREE_SCHEMA);
    json.bool_member("strict", false);
    json.close();
}

fn write_search(search: &WebSearch<'_>, json: &mut Json) {
    json.open_typed("web_search");
    if search.allowed_domains.is_some() || search.blocked_domains.is_some() {
        json.key("filters");
        json.open();
        if let Some(domains) = search.allowed_domains {
            json.raw_member("allowed_domains", domains.get());
        }
        if let Some(domains) = search.blocked_domains {
            json.raw_member("blocked_domains", domains.get());
        }
        json.close();
    }
    if let Some(size) = &search.context_size {
        json.text_member("search_context_size", size);
    }
    if let Some(location) = &search.location {
        json.key("user_location");
        json.open_typed("approximate");
        location.write(json);
        json.close();
    }
    json.close();
}

fn write_choice(choice: &Choice<'_>, to: &Target<'_>, names: &Names<'_>, json: &mut Json) {
    let named = |tool: &ToolRef<'_>, json: &mut Json| {
        let custom = tool.custom && to.abilities.custom_tools;
        json.open_typed(if custom { "custom" } else { "function" });
        json.text_member("name", &names.chosen(tool));
        json.close();
    };
    match choice {
        Choice::Unsaid => {}
        Choice::Auto => json.text_member("tool_choice", "auto"),
        Choice::None => json.text_member("tool_choice", "none"),
        Choice::Required => json.text_member("tool_choice", "required"),
        Choice::Web => json.raw_member("tool_choice", r#"{"type":"web_search"}"#),
        Choice::Code => json.raw_member("tool_choice", r#"{"type":"code_interpreter"}"#),
        Choice::Named(tool) => {
            json.key("tool_choice");
            named(tool, json);
        }
        Choice::Allowed {
            required,
            own,
            tools,
        } => {
            json.key("tool_choice");
            json.open_typed("allowed_tools");
            json.text_member("mode", if *required { "required" } else { "auto" });
            json.key("tools");
            json.open_list();
            for tool in tools {
                named(tool, json);
            }
            // Of a Chat client, who has no words for the vendor's other tools.
            if own.web {
                json.open_typed("web_search");
                json.close();
            }
            json.close_list();
            json.close();
        }
    }
}

fn write_text(said: &Conversation<'_>, json: &mut Json) {
    if matches!(said.format, Format::Text) && said.settings.verbosity.is_none() {
        return;
    }
    json.key("text");
    json.open();
    match &said.format {
        Format::Text => {}
        Format::JsonObject => json.raw_member("format", r#"{"type":"json_object"}"#),
        Format::Schema(schema) => {
            json.key("format");
            json.open_typed("json_schema");
            json.text_member("name", &schema_name(schema));
            if let Some(description) = &schema.description {
                json.text_member("description", description);
            }
            json.raw_member("schema", schema.schema.get());
            let strict = match schema.name {
                Some(_) => schema.strict.unwrap_or(false),
                None => strict_by_itself(schema.schema),
            };
            json.bool_member("strict", strict);
            json.close();
        }
    }
    if let Some(verbosity) = &said.settings.verbosity {
        json.text_member("verbosity", verbosity);
    }
    json.close();
}
