//! What becomes of requests in Chat Completions.

use super::{
    A_CAP_OF_ITS_OWN, A_FORMAT_OF_ITS_OWN, A_PLACE_OF_ITS_OWN, A_STOP_OF_ITS_OWN, ARGUMENTS,
    AS_FUNCTION, AT_ITS_VENDOR, BETTER_CACHED, CALL_ID, DEFAULT_CAP, EFFORT_AND_SUMMARY,
    EFFORT_SHOWN, FORCED, GO_ON, HOW_MUCH_IS_READ, JSON_TOLD, NAMES, NO_BIAS, NO_FORMAT, NO_STOP,
    NO_STORE, NOT_MODERATED, NOT_TUNED, ONLY_AS_FUNCTION, OUTPUT_CAP, OWN_TIER, SCHEMA, STRICT,
    TEMPERATURE, TIERS, TOOLS_FROM_HISTORY, TOP_K, UNKNOWN_TOOL, USER_TO_MESSAGES,
    USER_TO_RESPONSES, VERBOSITY, WEB, both, row, unless,
};
use crate::bridge::loss::Fate::{Converted, Dropped, Kept, Refused};
use crate::bridge::loss::Row;

pub(in crate::bridge::loss) const CHAT: &[Row] = &[
    both("model", Converted("the name at the vendor")),
    row(
        "messages[].role = system, developer",
        Converted(
            "those at the beginning become `instructions`, joined by an empty line; later ones, and those that nothing follows, `developer` messages in their place",
        ),
        Converted(
            "those at the beginning become `system`; later ones `system` messages where the vendor has them, else user text in `<system-message>` tags, in their place, after the results of tools under way",
        ),
    ),
    row(
        "messages[].role = user, assistant",
        Converted("kept; the texts of an assistant's message become one"),
        Converted(
            "neighbours of one role become one message; blank texts are left out; a conversation that does not begin with the user begins with a user message `…`; white space after what the assistant said last is left out, and that is the beginning of the answer there, which a model that takes none answers with an error",
        ),
    ),
    row(
        "messages[].prefix, partial",
        Converted(GO_ON),
        Dropped("what the assistant says last is the beginning of the answer there"),
    ),
    row(
        "continue_final_message",
        Converted(GO_ON),
        Dropped("what the assistant says last is the beginning of the answer there"),
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
    both("messages[].tool_calls[].id", Converted(CALL_ID)),
    row(
        "messages[].tool_calls[].function.arguments",
        Kept,
        Converted(ARGUMENTS),
    ),
    row(
        "messages[].tool_calls[].custom",
        Converted(AS_FUNCTION),
        Converted(ONLY_AS_FUNCTION),
    ),
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
    both(
        "messages[].reasoning_content",
        Dropped(
            "nobody signed it, and vendors of these dialects take back only what their own family made",
        ),
    ),
    both(
        "messages[].reasoning",
        Dropped("as `reasoning_content`, of which it is another name"),
    ),
    both(
        "messages[].reasoning_details",
        Dropped("what another vendor's model thought no vendor of these dialects takes back"),
    ),
    row("content[].text", Kept, Kept),
    row(
        "content[].refusal",
        Kept,
        Converted("a text of the assistant"),
    ),
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
    row(
        "content[].file.filename",
        Kept,
        Converted("`title`; it stands before a text that was a file"),
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
            "`prompt_cache_breakpoint` where the vendor takes such marks, and marked instructions a `developer` message that carries it; else, and of what the assistant said, dropped: it only improves caching",
        ),
        Kept,
    ),
    row(
        "content[].prompt_cache_breakpoint",
        Converted(
            "kept where the vendor takes such marks, and marked instructions a `developer` message that carries it; else, and of what the assistant said, dropped: it only improves caching",
        ),
        Converted("`cache_control`"),
    ),
    both("audio", Refused("the dialect has no audio answers")),
    both("frequency_penalty", Dropped(NOT_TUNED)),
    both(
        "function_call",
        Refused("functions are the old form of tools; use `tool_choice`"),
    ),
    both(
        "functions",
        Refused("functions are the old form of tools; use `tools`"),
    ),
    both("logit_bias", Refused(NO_BIAS)),
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
        "max_completion_tokens, max_tokens (neither)",
        Kept,
        Converted(DEFAULT_CAP),
    ),
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
    row(
        "moderation",
        Refused(NOT_MODERATED),
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
    both("presence_penalty", Dropped(NOT_TUNED)),
    row(
        "prompt_cache_key",
        Converted(
            "kept where the vendor takes one, by its hash where longer than 64 letters; else dropped: it only improves caching",
        ),
        Converted(
            "cache marks at the end of the instructions and of the conversation, where the client set none",
        ),
    ),
    row(
        "prompt_cache_options",
        Converted(
            "`mode` and `ttl` are kept where the vendor takes marks of its prompt cache; all else is dropped: it only improves caching",
        ),
        Dropped("it only improves caching"),
    ),
    row(
        "prompt_cache_retention",
        Converted(
            "kept where the vendor takes a key of its prompt cache; else dropped: it only improves caching",
        ),
        Converted("`24h` makes the cache marks last an hour"),
    ),
    row(
        "reasoning_effort",
        Converted(EFFORT_AND_SUMMARY),
        Converted(EFFORT_SHOWN),
    ),
    row("response_format = json_object", Kept, Converted(JSON_TOLD)),
    row("response_format = json_schema", Kept, Converted(SCHEMA)),
    both("response_format of another type", Refused(NO_FORMAT)),
    row(
        "safety_identifier",
        Converted(USER_TO_RESPONSES),
        Converted(USER_TO_MESSAGES),
    ),
    both("seed", Dropped("it never promised anything")),
    row("service_tier", Converted(OWN_TIER), Converted(TIERS)),
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
    both(
        "stream_options",
        Dropped(
            "the gateway's own affair: it asks every vendor for usage, and tells it where the client wants it",
        ),
    ),
    row(
        "temperature",
        Converted("kept; left out where the model takes no sampling parameters"),
        Converted(TEMPERATURE),
    ),
    row(
        "top_p",
        Converted("kept; left out where the model takes no sampling parameters"),
        Converted(
            "left out at 1, which leaves nothing out, while the model thinks, where the model takes no sampling parameters, and beside a temperature where it takes only one of the two",
        ),
    ),
    both(
        "thinking, reasoning",
        Converted(
            "words of certain vendors: off is an effort of `none`, a budget is a budget (where the model is told an effort, the one that it stands for), on is thinking as hard as the model does by itself, with `reasoning_effort` as hard as that says; what has another form is dropped",
        ),
    ),
    row("top_k", Dropped(NOT_TUNED), Converted(TOP_K)),
    row(
        "tool_choice",
        Kept,
        Converted("`required` becomes `any`; `allowed_tools` narrows the tools"),
    ),
    row(
        "tool_choice.allowed_tools.mode",
        Kept,
        Converted("the choice among the tools that are left: `auto`, and `any` for `required`"),
    ),
    both("tool_choice that a tool must be called", Converted(FORCED)),
    row(
        "tools[].function",
        Converted(NAMES),
        Converted(
            "`input_schema`; names likewise as in Responses; a missing schema is that of no arguments",
        ),
    ),
    row("tools[].function.strict", Kept, Converted(STRICT)),
    row(
        "tools[].custom",
        Converted(AS_FUNCTION),
        Converted(ONLY_AS_FUNCTION),
    ),
    row("tools[].cache_control", Dropped(BETTER_CACHED), Kept),
    both("tools[] of another type", Refused(UNKNOWN_TOOL)),
    row(
        "tools (none) with calls in the history",
        Kept,
        Converted(TOOLS_FROM_HISTORY),
    ),
    both(
        "user",
        Converted("as `safety_identifier`, which goes before it"),
    ),
    row(
        "verbosity",
        Converted(VERBOSITY),
        Dropped("how long an answer is, is the model's own habit there"),
    ),
    both("web_search_options", Converted(WEB)),
    row(
        "web_search_options.search_context_size",
        Kept,
        Dropped(HOW_MUCH_IS_READ),
    ),
    both(
        "web_search_options.user_location",
        Converted("`user_location`, its members kept without `approximate` around them"),
    ),
    both("stop_sequences", Refused(A_STOP_OF_ITS_OWN)),
    both("max_output_tokens", Refused(A_CAP_OF_ITS_OWN)),
    both("system, instructions, input", Refused(A_PLACE_OF_ITS_OWN)),
    unless(
        &["{\"format\":{\"type\":\"text\"}}"],
        "text",
        Refused(A_FORMAT_OF_ITS_OWN),
        Refused(A_FORMAT_OF_ITS_OWN),
    ),
];
