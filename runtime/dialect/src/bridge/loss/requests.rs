//! The table for requests: a row a field.

use super::Fate::{Converted, Dropped, Kept, Refused};
use super::{Fate, Row};

pub(super) const PREFACE: &str = "\
# The bridge: what becomes of every field

A request in one dialect can be served by a vendor that speaks another. This page says, field by field, what then becomes
of it. It is generated from the table in `runtime/dialect/src/bridge/loss/`, which the code itself consults for what it
drops and refuses. Requests whose two dialects are the same do not come here: they go through byte for byte.

*Kept*: it says the same over there. *Converted*: it is said another way. *Dropped*: it is left out, for the reason given.
*Refused*: the request gets a 400 that names the field. A field that no table lists is dropped: what it means to another
dialect is not known. Content (messages, content parts, items, blocks, tools) of a kind that no table lists is refused.
";

const fn row(field: &'static str, first: Fate, second: Fate) -> Row {
    Row {
        field,
        neutral: &[],
        fates: [first, second],
    }
}

const fn both(field: &'static str, fate: Fate) -> Row {
    row(field, fate, fate)
}

/// Refused or dropped, unless it has one of these values.
const fn unless(
    neutral: &'static [&'static str],
    field: &'static str,
    first: Fate,
    second: Fate,
) -> Row {
    Row {
        field,
        neutral,
        fates: [first, second],
    }
}

const AT_ITS_VENDOR: &str = "the file lies at one vendor under an id that no other knows";
const NO_STORE: &str = "the vendor keeps no conversation; the gateway resolves it before the bridge where it keeps state";
const NOT_SAMPLED: &str = "the dialect has no such parameter";
const NO_STOP: &str = "the dialect has no stop sequences";
const SERVER_TOOL: &str = "the tool runs at a vendor of the other dialect only";
const OUTPUT_CAP: &str = "as the dialect's own cap, lowered to the model's maximum";
const NAMES: &str = "names longer than the dialect allows, or with letters it does not, are shortened with a hash, and are the client's own again in the answer";
const AS_FUNCTION: &str = "kept where the vendor has free-form tools; else a function whose one argument `input` is the text, its grammar told in the description, and a custom call again in the answer";
const NO_REASONING: &str = "kept where the model reasons; else dropped: it does not think";
const FOREIGN_REASONING: &str = "opaque reasoning goes back only to the vendor family that made it; of any other it is dropped, and its readable text is kept only where the vendor takes unsigned reasoning";
const WEB: &str = "as the vendor's own search where it has one; else refused";
const WEB_UNASKED: &str = "as the vendor's own search where it has one; else dropped, as clients offer it unasked: the model is not offered a search (refused if `tool_choice` demands it)";
const TIERS: &str =
    "`auto`, `priority`, `scale` and `fast` become `auto`; all others `standard_only`";
const EFFORT: &str = "a model with adaptive thinking gets the effort; any other a budget: minimal 1024, low 4096, medium 10240, high 32000, xhigh 48000, max 64000, never more than three quarters of the output cap; left out under a forced tool, and where the cap or the history allows no thinking";
const TEMPERATURE: &str = "lowered to 1 where above it; left out while the model thinks, and where the model takes no sampling parameters";
const ARGUMENTS: &str =
    "the JSON object in the string; what is no object comes as the member `arguments` of one";
const TOOLS_FROM_HISTORY: &str = "and where the history has calls but the request no tools, tools of their names are declared and none may be called";

pub(super) const CHAT: &[Row] = &[
    both("model", Converted("the name at the vendor")),
    row(
        "messages[].role = system, developer",
        Converted(
            "those at the beginning become `instructions`, joined by an empty line; later ones `developer` messages in their place",
        ),
        Converted(
            "those at the beginning become `system`; later ones `system` messages where the vendor has them, else user text in `<system-message>` tags, in their place, after the results of tools under way",
        ),
    ),
    row(
        "messages[].role = user, assistant",
        Kept,
        Converted(
            "neighbours of one role become one message; blank texts are left out; a conversation that does not begin with the user begins with a user message `…`",
        ),
    ),
    row(
        "messages[].role = tool",
        Kept,
        Converted(
            "`tool_result` blocks, all of them first in the user message right after the calls, whatever order they came in",
        ),
    ),
    both(
        "messages[].role = function",
        Refused("functions are the old form of tools; use `tools`"),
    ),
    both(
        "messages[].name",
        Dropped("a participant's name is only a hint"),
    ),
    both(
        "messages[].tool_calls[].id",
        Converted("kept; ids that the dialect would not take are replaced by a hash of themselves"),
    ),
    row(
        "messages[].tool_calls[].function.arguments",
        Kept,
        Converted(ARGUMENTS),
    ),
    both("messages[].tool_calls[].custom", Converted(AS_FUNCTION)),
    both(
        "messages[].audio",
        Refused("audio answers have no place in the dialect"),
    ),
    both(
        "messages[].function_call",
        Refused("functions are the old form of tools; use `tools`"),
    ),
    row(
        "messages[].refusal",
        Kept,
        Converted("a text of the assistant"),
    ),
    both("messages[].reasoning_content", Converted(FOREIGN_REASONING)),
    row("content[].text", Kept, Kept),
    row(
        "content[].image_url",
        Kept,
        Converted(
            "a URL, or a base64 source of JPEG, PNG, GIF or WebP; other types are refused; `detail` is dropped: the vendor chooses",
        ),
    ),
    row(
        "content[].file.file_data",
        Kept,
        Converted("a document of PDF or plain text; other types are refused"),
    ),
    row("content[].file.file_id", Kept, Refused(AT_ITS_VENDOR)),
    both(
        "content[].input_audio",
        Refused("the dialect has no audio input"),
    ),
    both(
        "content[] of another type",
        Refused("the dialect has no such content"),
    ),
    row(
        "content[].cache_control",
        Converted(
            "`prompt_cache_breakpoint` where the vendor takes a key of its prompt cache; else dropped: it only improves caching",
        ),
        Kept,
    ),
    row(
        "content[].prompt_cache_breakpoint",
        Converted(
            "kept where the vendor takes a key of its prompt cache; else dropped: it only improves caching",
        ),
        Converted("`cache_control`"),
    ),
    both("audio", Refused("the dialect has no audio answers")),
    both("frequency_penalty", Refused(NOT_SAMPLED)),
    both(
        "function_call",
        Refused("functions are the old form of tools; use `tool_choice`"),
    ),
    both(
        "functions",
        Refused("functions are the old form of tools; use `tools`"),
    ),
    both("logit_bias", Refused(NOT_SAMPLED)),
    row(
        "logprobs",
        Converted("`include: [\"message.output_text.logprobs\"]`"),
        Refused("the dialect has no token probabilities"),
    ),
    row(
        "top_logprobs",
        Kept,
        Refused("the dialect has no token probabilities"),
    ),
    both("max_completion_tokens", Converted(OUTPUT_CAP)),
    both("max_tokens", Converted(OUTPUT_CAP)),
    row(
        "metadata",
        Kept,
        Dropped("labels for the vendor's own console; the dialect has none"),
    ),
    unless(
        &["[\"text\"]"],
        "modalities",
        Refused("the dialect answers with text only"),
        Refused("the dialect answers with text only"),
    ),
    both(
        "moderation",
        Refused(
            "the dialect has no moderation of its own; leaving it out would leave the answer unmoderated",
        ),
    ),
    unless(
        &["1"],
        "n",
        Refused("the dialect gives one answer"),
        Refused("the dialect gives one answer"),
    ),
    row(
        "parallel_tool_calls",
        Kept,
        Converted("`tool_choice.disable_parallel_tool_use`"),
    ),
    both("prediction", Dropped("it only makes the answer faster")),
    both("presence_penalty", Refused(NOT_SAMPLED)),
    row(
        "prompt_cache_key",
        Converted("kept where the vendor takes one; else dropped: it only improves caching"),
        Converted(
            "cache marks at the end of the instructions and of the conversation, where the client set none",
        ),
    ),
    row(
        "prompt_cache_options",
        Dropped("it only improves caching"),
        Dropped("it only improves caching"),
    ),
    row(
        "prompt_cache_retention",
        Kept,
        Converted("`24h` makes the cache marks last an hour"),
    ),
    row(
        "reasoning_effort",
        Converted(NO_REASONING),
        Converted(EFFORT),
    ),
    row(
        "response_format = json_object",
        Kept,
        Converted("an instruction to answer with one JSON object and nothing else"),
    ),
    row(
        "response_format = json_schema",
        Kept,
        Converted(
            "`output_config.format` where the vendor enforces schemas; else a tool that the model must call, whose arguments become the text of the answer",
        ),
    ),
    both(
        "safety_identifier",
        Converted("the user's id over there (`safety_identifier`, `metadata.user_id`)"),
    ),
    both("seed", Dropped("it never promised anything")),
    row("service_tier", Kept, Converted(TIERS)),
    row(
        "stop",
        Refused(NO_STOP),
        Converted("`stop_sequences`; blank ones are refused"),
    ),
    row(
        "store",
        Converted("as it is; `false` where nothing is said, for that is what it means here"),
        Dropped(NO_STORE),
    ),
    both("stream", Kept),
    both("stream_options", Converted("the gateway's own affair")),
    row(
        "temperature",
        Converted("kept, unless the model takes no sampling parameters"),
        Converted(TEMPERATURE),
    ),
    row(
        "top_p",
        Converted("kept, unless the model takes no sampling parameters"),
        Converted(
            "left out while the model thinks, and where the model takes no sampling parameters",
        ),
    ),
    row(
        "tool_choice",
        Kept,
        Converted("`required` becomes `any`; `allowed_tools` narrows the tools"),
    ),
    row(
        "tools[].function",
        Converted(NAMES),
        Converted(
            "`input_schema`; names likewise as in Responses; a missing schema is that of no arguments",
        ),
    ),
    row(
        "tools[].function.strict",
        Kept,
        Converted("kept where the vendor enforces schemas; else dropped: the schema is still told"),
    ),
    both("tools[].custom", Converted(AS_FUNCTION)),
    both("tools[] of another type", Refused(SERVER_TOOL)),
    row(
        "tools (none) with calls in the history",
        Kept,
        Converted(TOOLS_FROM_HISTORY),
    ),
    both(
        "user",
        Converted(
            "the user's id over there (`safety_identifier`, `metadata.user_id`); `safety_identifier` goes before it",
        ),
    ),
    row(
        "verbosity",
        Kept,
        Dropped("how long an answer is, is the model's own habit there"),
    ),
    both("web_search_options", Converted(WEB)),
];

pub(super) const RESPONSES: &[Row] = &[
    both("model", Converted("the name at the vendor")),
    row(
        "instructions",
        Converted("the first message, as `system` or, where the vendor knows it, `developer`"),
        Converted("`system`"),
    ),
    row(
        "input[].message (system, developer)",
        Kept,
        Converted(
            "those at the beginning become `system`; later ones `system` messages where the vendor has them, else user text in `<system-message>` tags, in their place, after the results of tools under way",
        ),
    ),
    row(
        "input[].message (user, assistant)",
        Converted("neighbouring texts of the assistant and its calls become one message"),
        Converted(
            "neighbours of one role become one message; blank texts are left out; a conversation that does not begin with the user begins with a user message `…`",
        ),
    ),
    both(
        "input[].message.phase",
        Dropped("it only says where an app shows the text"),
    ),
    row("content[].input_text, output_text", Kept, Kept),
    row(
        "content[].refusal",
        Kept,
        Converted("a text of the assistant"),
    ),
    both(
        "content[].annotations, logprobs",
        Dropped("they describe a text that is kept"),
    ),
    row(
        "content[].input_image.image_url",
        Kept,
        Converted(
            "a URL, or a base64 source of JPEG, PNG, GIF or WebP; other types are refused; `detail` is dropped: the vendor chooses",
        ),
    ),
    both("content[].input_image.file_id", Refused(AT_ITS_VENDOR)),
    row(
        "content[].input_file.file_data",
        Kept,
        Converted("a document of PDF or plain text; other types are refused"),
    ),
    row(
        "content[].input_file.file_url",
        Refused("the dialect takes files only inline"),
        Converted("a document by URL"),
    ),
    row("content[].input_file.file_id", Kept, Refused(AT_ITS_VENDOR)),
    both(
        "content[] of another type",
        Refused("the dialect has no such content"),
    ),
    row(
        "content[].prompt_cache_breakpoint",
        Converted(
            "kept where the vendor takes a key of its prompt cache; else dropped: it only improves caching",
        ),
        Converted("`cache_control`"),
    ),
    row("input[].function_call", Kept, Converted(ARGUMENTS)),
    both(
        "input[].function_call.namespace",
        Converted("`namespace__name`, and apart again in the answer"),
    ),
    row(
        "input[].function_call_output",
        Converted(
            "a `tool` message; its images and files follow in a user message, for a result is text only",
        ),
        Converted(
            "`tool_result` blocks, all of them first in the user message right after the calls, whatever order they came in",
        ),
    ),
    both(
        "input[].custom_tool_call, custom_tool_call_output",
        Converted(AS_FUNCTION),
    ),
    both(
        "input[].tool_search_call, tool_search_output (client)",
        Converted(
            "calls of a function `tool_search`; the tools that were found join the tools of the request",
        ),
    ),
    both(
        "input[].tool_search_call, tool_search_output (server)",
        Dropped("all tools are offered at once"),
    ),
    both(
        "input[].additional_tools",
        Converted("they join the tools of the request"),
    ),
    both("input[].reasoning", Converted(FOREIGN_REASONING)),
    both(
        "input[].web_search_call, file_search_call",
        Dropped("what the search found is in the text that follows"),
    ),
    both(
        "input[].configuration_update",
        Converted("the effort of the last one holds for the request"),
    ),
    both(
        "input[].item_reference",
        Refused("the vendor keeps no items; send the item itself"),
    ),
    both(
        "input[].compaction",
        Converted(
            "a user message with the summary, if this gateway made it; else refused: what it holds is encrypted by one vendor for itself",
        ),
    ),
    both("input[] of another type", Refused(SERVER_TOOL)),
    both(
        "background",
        Refused("the vendor answers at once or not at all"),
    ),
    both("client_metadata", Dropped("the client's own notes")),
    both(
        "context_management",
        Dropped("the conversation is sent whole; the client compacts it when it no longer fits"),
    ),
    both("conversation", Refused(NO_STORE)),
    both(
        "include = reasoning.encrypted_content",
        Converted("reasoning that can be given back comes as `encrypted_content`"),
    ),
    row(
        "include = message.output_text.logprobs",
        Converted("`logprobs`"),
        Refused("the dialect has no token probabilities"),
    ),
    both(
        "include of another value",
        Dropped("it asks for details of tools that are not there"),
    ),
    both("max_output_tokens", Converted(OUTPUT_CAP)),
    row(
        "max_tool_calls",
        Dropped("it counts calls of tools that the vendor itself runs, and it runs none"),
        Converted("`max_uses` of the web search"),
    ),
    row(
        "metadata",
        Kept,
        Dropped("labels for the vendor's own console; the dialect has none"),
    ),
    both(
        "moderation",
        Refused(
            "the dialect has no moderation of its own; leaving it out would leave the answer unmoderated",
        ),
    ),
    row(
        "parallel_tool_calls",
        Kept,
        Converted("`tool_choice.disable_parallel_tool_use`"),
    ),
    both("previous_response_id", Refused(NO_STORE)),
    both(
        "prompt",
        Refused("the prompt lies at one vendor under an id that no other knows"),
    ),
    row(
        "prompt_cache_key",
        Converted("kept where the vendor takes one; else dropped: it only improves caching"),
        Converted(
            "cache marks at the end of the instructions and of the conversation, where the client set none",
        ),
    ),
    both("prompt_cache_options", Dropped("it only improves caching")),
    row(
        "prompt_cache_retention",
        Kept,
        Converted("`24h` makes the cache marks last an hour"),
    ),
    row(
        "reasoning.effort",
        Converted(NO_REASONING),
        Converted(EFFORT),
    ),
    row(
        "reasoning.summary",
        Dropped("the vendor shows its reasoning or does not"),
        Converted(
            "`thinking.display: summarized` of a model with adaptive thinking; readable thinking becomes the summary",
        ),
    ),
    both(
        "reasoning.context, mode",
        Dropped("they steer one vendor's own models"),
    ),
    both(
        "safety_identifier",
        Converted("the user's id over there (`user`, `metadata.user_id`)"),
    ),
    row("service_tier", Kept, Converted(TIERS)),
    both("store", Dropped(NO_STORE)),
    both("stream", Kept),
    both("stream_options", Dropped("the gateway's own affair")),
    row(
        "temperature",
        Converted("kept, unless the model takes no sampling parameters"),
        Converted(TEMPERATURE),
    ),
    row(
        "top_p",
        Converted("kept, unless the model takes no sampling parameters"),
        Converted(
            "left out while the model thinks, and where the model takes no sampling parameters",
        ),
    ),
    row(
        "text.format = json_object",
        Kept,
        Converted("an instruction to answer with one JSON object and nothing else"),
    ),
    row(
        "text.format = json_schema",
        Kept,
        Converted(
            "`output_config.format` where the vendor enforces schemas; else a tool that the model must call, whose arguments become the text of the answer",
        ),
    ),
    row(
        "text.verbosity",
        Kept,
        Dropped("how long an answer is, is the model's own habit there"),
    ),
    row(
        "tool_choice",
        Kept,
        Converted("`required` becomes `any`; `allowed_tools` narrows the tools"),
    ),
    both("tool_choice of a built-in tool", Refused(SERVER_TOOL)),
    row(
        "tools[].function",
        Converted(NAMES),
        Converted(
            "`input_schema`; names likewise as in Chat Completions; a missing schema is that of no arguments",
        ),
    ),
    row(
        "tools[].function.strict",
        Kept,
        Converted("kept where the vendor enforces schemas; else dropped: the schema is still told"),
    ),
    both(
        "tools[].function.defer_loading",
        Dropped("all tools are offered at once"),
    ),
    both("tools[].custom", Converted(AS_FUNCTION)),
    both(
        "tools[].namespace",
        Converted("each of its tools as `namespace__name`, and apart again in the answer"),
    ),
    both(
        "tools[].tool_search (client)",
        Converted("a function `tool_search`, and a tool search call again in the answer"),
    ),
    both(
        "tools[].tool_search (server)",
        Dropped("all tools are offered at once"),
    ),
    both("tools[].web_search", Converted(WEB_UNASKED)),
    both("tools[] of another type", Refused(SERVER_TOOL)),
    row(
        "tools (none) with calls in the history",
        Kept,
        Converted(TOOLS_FROM_HISTORY),
    ),
    row(
        "top_logprobs",
        Kept,
        Refused("the dialect has no token probabilities"),
    ),
    unless(
        &["\"disabled\""],
        "truncation",
        Refused("the dialect cannot leave out the middle of a conversation"),
        Refused("the dialect cannot leave out the middle of a conversation"),
    ),
    both(
        "user",
        Converted(
            "the user's id over there (`user`, `metadata.user_id`); `safety_identifier` goes before it",
        ),
    ),
];

pub(super) const MESSAGES: &[Row] = &[
    both("model", Converted("the name at the vendor")),
    both("max_tokens", Converted(OUTPUT_CAP)),
    row(
        "system",
        Converted("the first message, as `system` or, where the vendor knows it, `developer`"),
        Converted("`instructions`, its blocks joined by an empty line"),
    ),
    both(
        "system[] that a client bills by",
        Dropped(
            "a first block `x-…-billing-header: …` is meant for one vendor and changes with every version, so that no prompt cache would hit",
        ),
    ),
    both("messages[].role = user, assistant", Kept),
    row(
        "messages[].role = system",
        Converted("a message of the same role in its place, after the results of tools under way"),
        Converted("a `developer` message in its place, after the results of tools under way"),
    ),
    both(
        "messages[].output_config",
        Converted("the effort of the last one holds for the request"),
    ),
    both("content[].text", Kept),
    both(
        "content[].text.citations",
        Dropped("they describe a text that is kept"),
    ),
    both("content[].image (base64, url)", Kept),
    both("content[].image, document (file)", Refused(AT_ITS_VENDOR)),
    both(
        "content[].document (base64)",
        Converted("a file; without a title it is named `document.pdf`"),
    ),
    row(
        "content[].document (url)",
        Refused("the dialect takes files only inline"),
        Kept,
    ),
    both(
        "content[].document (text, content)",
        Converted("texts (and images) in their place, the title before them"),
    ),
    both(
        "content[].document.citations",
        Dropped("the dialect cites only what a search found"),
    ),
    both(
        "content[].search_result",
        Converted("a text with its title and source before it"),
    ),
    both(
        "content[].tool_use",
        Converted("the input as a string of JSON"),
    ),
    both(
        "content[].tool_use.id",
        Converted("kept; ids that the dialect would not take are replaced by a hash of themselves"),
    ),
    row(
        "content[].tool_result",
        Converted(
            "a `tool` message; its images and files follow in a user message, for a result is text only",
        ),
        Converted("`function_call_output` with text, images and files"),
    ),
    both(
        "content[].tool_result.is_error",
        Converted("the text begins with `Error: `"),
    ),
    both(
        "content[].tool_result.tool_reference",
        Converted("a text that names the tool; all tools are offered at once"),
    ),
    both(
        "content[].thinking, redacted_thinking",
        Converted(FOREIGN_REASONING),
    ),
    both(
        "content[].server_tool_use and results",
        Dropped(
            "what a vendor's tool found is in the text that follows, and only that vendor can read the rest",
        ),
    ),
    both(
        "content[].tool_addition",
        Converted("the tool joins the tools of the request"),
    ),
    both("content[].compaction", Converted("a text of the assistant")),
    both(
        "content[] of another type",
        Refused("the dialect has no such content"),
    ),
    both(
        "cache_control",
        Converted(
            "kept on the content parts of a vendor that takes marks; else dropped: the vendor caches equal beginnings by itself",
        ),
    ),
    both("container", Refused(SERVER_TOOL)),
    both(
        "context_management",
        Dropped("the conversation is sent whole; the client compacts it when it no longer fits"),
    ),
    both(
        "inference_geo",
        Refused("the dialect cannot say where a request is to be served"),
    ),
    both("mcp_servers", Refused(SERVER_TOOL)),
    row(
        "metadata.user_id",
        Converted(
            "`user`, by its hash where longer than 64 letters; and the key of the prompt cache where the vendor takes one",
        ),
        Converted(
            "`safety_identifier`, by its hash where longer than 64 letters; and the key of the prompt cache where the vendor takes one",
        ),
    ),
    both("output_config.effort", Converted(NO_REASONING)),
    both(
        "output_config.format",
        Converted(
            "a JSON schema named `answer`; strict where every member of it is required and no other allowed",
        ),
    ),
    both(
        "output_config.task_budget",
        Dropped("it only tells the model how much work is meant"),
    ),
    both(
        "service_tier",
        Converted("`standard_only` becomes `default`"),
    ),
    both(
        "speed",
        Converted("`fast` becomes the service tier `priority`"),
    ),
    row("stop_sequences", Kept, Refused(NO_STOP)),
    both("stream", Kept),
    both(
        "temperature",
        Converted("kept, unless the model takes no sampling parameters"),
    ),
    both("top_k", Refused(NOT_SAMPLED)),
    both(
        "top_p",
        Converted("kept, unless the model takes no sampling parameters"),
    ),
    both(
        "thinking",
        Converted(
            "adaptive: the effort of `output_config`; a budget up to 4096 tokens: low, up to 10240: medium, up to 32000: high, up to 48000: xhigh, above: max; disabled: none; nothing at all where the model does not reason",
        ),
    ),
    row(
        "thinking.display",
        Dropped("the vendor shows its reasoning or does not; `omitted` is kept towards the client"),
        Converted("a summary is asked for, unless `omitted`"),
    ),
    both(
        "tool_choice",
        Converted(
            "`any` becomes `required`; `disable_parallel_tool_use` becomes `parallel_tool_calls: false`",
        ),
    ),
    both("tools[]", Converted(NAMES)),
    both("tools[].strict", Kept),
    both(
        "tools[].defer_loading",
        Dropped("all tools are offered at once"),
    ),
    both(
        "tools[].eager_input_streaming, input_examples, allowed_callers",
        Dropped("they steer one vendor's own models"),
    ),
    both(
        "tools[].tool_search_tool",
        Dropped("all tools are offered at once"),
    ),
    both("tools[].web_search", Converted(WEB)),
    both("tools[] of another type", Refused(SERVER_TOOL)),
];
