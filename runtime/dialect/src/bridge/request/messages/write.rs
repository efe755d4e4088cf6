//! Writes a request in Messages.

use super::schema::enforceable;
use super::write_blocks::{Blocks, keeps};
use super::write_tools::{Asked, write_choice, write_tools};
use crate::ApiError;
use crate::bridge::Target;
use crate::bridge::request::json::Json;
use crate::bridge::request::model::{Body, Conversation, Format, Item, Role, Tool};
use crate::bridge::request::names::{Names, identifier};
use crate::bridge::request::shared::{has_marks, leading_instructions, nothing_said};
use crate::bridge::request::text::Raw;
use crate::bridge::request::thinking::{self, Plan};
use crate::bridge::request::{Way, Written};

/// Tool names are this long at most.
const LONGEST_NAME: usize = 128;

/// A user's id is this long at most.
const LONGEST_USER: usize = 256;

/// What the model is told where the client wants JSON without saying which.
const JSON_WANTED: &str =
    "Answer with one valid JSON object and nothing else: no other text and no code fence.";

/// Writes a request.
pub(crate) fn write(
    said: &Conversation<'_>,
    to: &Target<'_>,
    way: Way,
    size: usize,
) -> Result<Written, ApiError> {
    let names = Names::new(&said.tools, &said.items, LONGEST_NAME);
    // A schema that the vendor would refuse, or enforce as another, goes the way of vendors that enforce none.
    let enforced = match &said.format {
        Format::Schema(schema) if to.abilities.structured_output => {
            enforceable(schema.schema.get())
        }
        _ => None,
    };
    let asked = Asked::new(said, &names, enforced.is_some());
    asked.check(said, &names)?;
    if !said.items.iter().any(is_said) {
        return Err(nothing_said(way.from));
    }
    let (_, leading) = leading_instructions(&said.items);
    let cap = to.required_output_cap(said.settings.max_output);
    let plan = match thinking::plan(said.settings.thinking, to, cap, asked.forced()) {
        Plan::Budget(_) if !history_allows_thinking(&said.items, to.family) => Plan::Unsaid,
        plan => plan,
    };
    let mut json = Json::with_capacity(size + size / 8 + 512);
    json.open();
    json.text_member("model", to.model);
    json.number_member("max_tokens", cap);
    write_settings(said, to, way, plan, &mut json)?;
    write_thinking(plan, enforced.as_deref(), &mut json);
    write_tools(said, to, &names, &asked, &mut json);
    write_choice(said, to, &names, &asked, &mut json);
    let mut blocks = Blocks::new(&names, to, way);
    blocks.own_marks =
        !marks_itself(said) && (said.settings.cache_key.is_some() || said.settings.cache_long());
    blocks.long = said.settings.cache_long();
    let also = matches!(said.format, Format::JsonObject).then_some(JSON_WANTED);
    blocks.system(&said.items[..leading], also, &mut json);
    blocks.messages(&said.items[leading..], &mut json)?;
    json.close();
    let structured_tool = asked.structured_name().map(str::to_owned);
    Ok(Written {
        body: json.into_bytes(),
        tools: names.into_tools(),
        structured_tool,
    })
}

fn write_settings(
    said: &Conversation<'_>,
    to: &Target<'_>,
    way: Way,
    plan: Plan,
    json: &mut Json,
) -> Result<(), ApiError> {
    let settings = &said.settings;
    if said.stream {
        json.bool_member("stream", true);
    }
    let thinks = matches!(plan, Plan::Budget(_) | Plan::Adaptive { .. });
    if !thinks && !to.abilities.no_sampling {
        // One is what the model does by itself. Saying so is refused by models that take only one of the two.
        let temperature = settings.temperature.filter(|value| below_one(value));
        let top_p = settings.top_p.filter(|value| below_one(value));
        if let Some(value) = temperature {
            json.raw_member("temperature", value.get());
        }
        if let Some(value) = top_p
            && !(to.abilities.one_sampling_parameter && temperature.is_some())
        {
            json.raw_member("top_p", value.get());
        }
        if let Some(most) = settings.top_k {
            json.number_member("top_k", most);
        }
    }
    if !settings.stop.is_empty() {
        json.key("stop_sequences");
        json.open_list();
        for stop in &settings.stop {
            if stop.trim().is_empty() {
                return Err(way.refuse("stop", "stop".to_owned()));
            }
            json.text(stop);
        }
        json.close_list();
    }
    if let Some(tier) = &settings.service_tier {
        let tier = match &**tier {
            "auto" | "priority" | "scale" | "fast" => "auto",
            _ => "standard_only",
        };
        json.text_member("service_tier", tier);
    }
    if let Some(user) = &settings.user {
        json.key("metadata");
        json.open();
        json.text_member("user_id", &identifier(user, LONGEST_USER));
        json.close();
    }
    Ok(())
}

fn below_one(number: Raw<'_>) -> bool {
    number.get().parse::<f64>().is_ok_and(|number| number < 1.0)
}

fn write_thinking(plan: Plan, schema: Option<&str>, json: &mut Json) {
    let mut effort = None;
    match plan {
        Plan::Unsaid => {}
        Plan::Disabled => json.raw_member("thinking", r#"{"type":"disabled"}"#),
        Plan::Budget(budget) => {
            json.key("thinking");
            json.open_typed("enabled");
            json.number_member("budget_tokens", budget);
            json.close();
        }
        Plan::Adaptive {
            effort: hard,
            summarized,
        } => {
            effort = hard;
            json.key("thinking");
            json.open_typed("adaptive");
            if summarized {
                json.text_member("display", "summarized");
            }
            json.close();
        }
    }
    if effort.is_none() && schema.is_none() {
        return;
    }
    json.key("output_config");
    json.open();
    if let Some(effort) = effort {
        json.text_member("effort", effort.as_str());
    }
    if let Some(schema) = schema {
        json.key("format");
        json.open_typed("json_schema");
        json.raw_member("schema", schema);
        json.close();
    }
    json.close();
}

/// With a budget for thinking, the assistant's turn that calls tools and is not over yet must begin with its thinking. A
/// client that could not carry it, or carries another vendor's, cannot go on thinking in this turn. Nor may one that the
/// client began itself: with a budget the vendor refuses a last message of the assistant's.
fn history_allows_thinking(items: &[Item<'_>], family: &str) -> bool {
    if is_begun(items) {
        return false;
    }
    let begins = items
        .iter()
        .rposition(|item| match item {
            Item::Message(message) => message.role == Role::User,
            _ => false,
        })
        .map_or(0, |user| user + 1);
    let turn = &items[begins..];
    let calls = turn.iter().any(|item| matches!(item, Item::Call(_)));
    // Of several calls after one another, each begins a message of its own.
    let last_message = turn
        .iter()
        .rposition(|item| matches!(item, Item::Call(_)))
        .and_then(|last| {
            turn[..last]
                .iter()
                .rposition(|item| matches!(item, Item::Result(_)))
        })
        .map_or(0, |result| result + 1);
    let first_thinks = turn[last_message..]
        .iter()
        .find(|item| !matches!(item, Item::Message(message) if message.role != Role::Assistant))
        .is_some_and(|item| matches!(item, Item::Reasoning(reasoning) if keeps(reasoning, family)));
    !calls || first_thinks
}

/// Whether the assistant's text is the last that is sent: blank texts and what instructions follow are not after it.
fn is_begun(items: &[Item<'_>]) -> bool {
    let says = |item: &&Item<'_>| match item {
        Item::Message(message) => message.parts.iter().any(|part| says_something(&part.body)),
        Item::Reasoning(_) => false,
        Item::Call(_) | Item::Result(_) | Item::Ran(_) => true,
    };
    matches!(items.iter().rfind(says), Some(Item::Message(message)) if message.role == Role::Assistant)
}

fn marks_itself(said: &Conversation<'_>) -> bool {
    has_marks(&said.items)
        || said
            .tools
            .iter()
            .any(|tool| matches!(tool, Tool::Function(tool) if tool.cache.is_some()))
}

/// Whether this makes a conversation. Instructions alone do, and so does a blank text, which other vendors take; reasoning
/// that led to nothing is not sent.
fn is_said(item: &Item<'_>) -> bool {
    match item {
        Item::Message(message) => !message.parts.is_empty(),
        Item::Call(_) | Item::Result(_) | Item::Ran(_) => true,
        Item::Reasoning(_) => false,
    }
}

/// Whether the text says anything: Messages refuses texts that do not.
pub(super) fn says_something(body: &Body<'_>) -> bool {
    match body {
        Body::Text(text) | Body::Refusal(text) => !text.trim().is_empty(),
        _ => true,
    }
}
