//! The table for answers, whole and streamed: a row a field of the vendor's dialect.

use super::Fate::{Converted, Dropped, Kept};
use super::{Fate, Row};

pub(super) const PREFACE: &str = "
# Answers

Whole answers and streams alike; of a stream each event is bridged as it comes. What no table lists is not passed on: fields
of answers that only one vendor knows are no part of another dialect.

A vendor that tells no usage leaves none to tell: in Chat Completions there is no `usage` then, in Responses it is `null`, and
in Messages, which demands one, its counts are 0. What is charged is the gateway's own estimate.

A stream that fails ends in the dialect's own way: in Chat Completions with an `error` and without `[DONE]`, in Messages with an
`error` event, in Responses with two events, `error` and `response.failed` behind it: some clients know only the one, some only
the other, and nothing follows the second.

An answer may have 4,096 calls, or as many texts, thoughts and other items. One with more fails as one that is larger than the
gateway can hold.

Half a surrogate pair, which is no character, becomes U+FFFD; halves that a vendor cut into two events are put together.

A response object repeats what the client of Responses asked for (`instructions`, `tools`, `temperature` and so on) as it was
written, in each event that has one. It is kept for as long as the answer lasts, so it may be 256 KiB in all: a member with
which it would be more is not repeated, and stands there as in a response to a request that did not have it.
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

const OWN_ID: Fate =
    Converted("an id made of the gateway's request id, which is also what the logs know it by");
const ASKED: Fate = Converted("the model as the client named it");
const VENDORS: Fate = Dropped("it says something of the vendor's servers, not of the answer");
const SERVED: Fate = Converted(
    "`service_tier`, `standard` as `default`; `default` where the vendor says nothing. Until the answer is whole its events repeat what the client asked for",
);
const TIER_TOLD: Fate = Converted(
    "`service_tier`, `standard` as `default`, in a stream at its end; nothing where the vendor says nothing that the dialect knows",
);
const NO_PLACE: Fate = Dropped("the dialect has no place for it");
const SEALED: Fate =
    Converted("packed into one string that goes back to the same vendor family only");
const CHAT_SEAL: Fate =
    Dropped("the dialect has no place for it; the text of the reasoning is kept");
const SUMMARY: Fate = Converted("`reasoning_content`; several texts are joined by an empty line");
const OTHER_TOOLS: Fate =
    Dropped("the vendor's own tool has done its work; what came of it is in the text");
const CALL_ID: Fate = Converted(
    "kept; one that is missing is made, and one used twice in an answer gets a number behind it",
);
const ITEMS_ID: Fate = Converted(
    "kept; where it is missing the item's own id stands for it, and one is made where that is missing, too; one used twice in an answer gets a number behind it",
);
const LATE_ID: Fate = Converted(
    "kept; one that is missing is made, and one used twice in an answer gets a number behind it. A call of a stream waits for it, until something else follows its whole arguments or the answer ends",
);
const NAME_IN_PIECES: Fate = Converted(
    "kept; pieces of a name are put together, and one that is repeated is one. Of a stream what comes before it waits for it, a call is told with its first arguments, and a complete answer with a call that never gets a name is a failure",
);
const LATE_NAME: Fate = Converted(
    "kept; of a stream what comes before it waits for it, and a complete answer with a call that never gets one is a failure",
);
const NO_ARGUMENTS: &str = "kept as text, streamed; none become `{}`";
const ARGUMENTS_OBJECT: Fate = Converted(
    "streamed as text; in a whole answer the object, and what is no object comes as the member `arguments` of one",
);
const REFUSAL_TEXT: Fate = Converted("text, and the stop reason is `refusal`");
const USAGE_IN: Fate = Converted(
    "input without what was read from and written to the cache, these apart; reasoning within output",
);
const USAGE_OUT: Fate = Converted(
    "input with what was read from and written to the cache; reasoning within output; writes for five minutes and one hour added",
);
const SOURCES: &str = "`url_citation` of web sources, with the stretch of text in characters; passages of documents are dropped: they have no address there";
const SOURCES_TO_BLOCKS: Fate = Converted(
    "web sources as `web_search_result_location`, with a mark of the gateway as `encrypted_index` (taken out again before a request goes to a vendor of Messages); files are dropped: the dialect knows no file that the client did not send",
);

/// Answers of Chat Completions vendors: in Responses, in Messages.
pub(super) const CHAT: &[Row] = &[
    both("id", OWN_ID),
    row(
        "created",
        Converted("`created_at`, the gateway's own time"),
        NO_PLACE,
    ),
    both("model", ASKED),
    both(
        "choices[1..]",
        Dropped("no client across the bridge can ask for several"),
    ),
    row("service_tier", SERVED, VENDORS),
    both("system_fingerprint", VENDORS),
    both(
        "metadata, moderation",
        Dropped("no client across the bridge could ask for it"),
    ),
    both(
        "obfuscation",
        Dropped("it only hides how long the pieces are"),
    ),
    row(
        "message.content",
        Converted("a `message` item with one `output_text`"),
        Converted("a `text` block"),
    ),
    row(
        "message.refusal",
        Converted("a `message` item with one `refusal`"),
        REFUSAL_TEXT,
    ),
    row(
        "message.reasoning_content",
        Converted("a `reasoning` item with one `summary_text`"),
        Converted("a `thinking` block, signed by the gateway as what its vendor did not sign"),
    ),
    row(
        "message.reasoning",
        Converted("as `reasoning_content`, if that is not there"),
        Converted("as `reasoning_content`, if that is not there"),
    ),
    both(
        "message.reasoning_details",
        Dropped("the text is told beside it; its encrypted parts are not carried"),
    ),
    both("message.tool_calls[].id", LATE_ID),
    both("message.tool_calls[].function.name", NAME_IN_PIECES),
    row(
        "message.tool_calls[].function.arguments",
        Converted(NO_ARGUMENTS),
        ARGUMENTS_OBJECT,
    ),
    row(
        "message.tool_calls[].custom.input",
        Kept,
        Converted("an object whose one member `input` is the text"),
    ),
    row(
        "message.tool_calls[], intertwined in a stream",
        Kept,
        Converted(
            "one block after the other: a later call waits until the earlier one's arguments are whole",
        ),
    ),
    both("message.function_call", Converted("a tool call")),
    row(
        "message.annotations",
        Converted("`url_citation`"),
        SOURCES_TO_BLOCKS,
    ),
    both("message.audio", NO_PLACE),
    row(
        "logprobs.content",
        Converted("in the `output_text`, if the client asked"),
        NO_PLACE,
    ),
    both("logprobs.refusal", NO_PLACE),
    row(
        "finish_reason",
        Converted(
            "`stop`, `tool_calls` and words that nobody knows: `completed`; `length`, `model_length`: `incomplete` with `max_output_tokens`; `content_filter`, `sensitive`, `safety`: `incomplete` with `content_filter`; `error`, `network_error`: a failure. The other dialects' words mean what they mean there",
        ),
        Converted(
            "`stop` and words that nobody knows: `end_turn`; `length`, `model_length`: `max_tokens`; `tool_calls`: `tool_use`; `content_filter`, `sensitive`, `safety`: `refusal`; `error`, `network_error`: a failure; the other dialects' words mean what they mean there; calls make `stop` and words that nobody knows `tool_use`, and without calls `tool_calls` is `end_turn`",
        ),
    ),
    row(
        "stop_reason",
        NO_PLACE,
        Converted("`stop_sequence`, if it is one of the client's"),
    ),
    row("usage", Kept, USAGE_IN),
    both(
        "usage: tokens of audio, images, text and predictions",
        Dropped("they are within the others, and the dialect has no place for them"),
    ),
    both(
        "error",
        Converted("the failure in the dialect's own words; a stream ends with its event"),
    ),
];

/// Answers of Responses vendors: in Chat Completions, in Messages.
pub(super) const RESPONSES: &[Row] = &[
    both("id", OWN_ID),
    row(
        "created_at",
        Converted("`created`, the gateway's own time"),
        NO_PLACE,
    ),
    both("model", ASKED),
    both(
        "instructions, tools, temperature and all that repeats the request",
        NO_PLACE,
    ),
    row("service_tier", TIER_TOLD, VENDORS),
    both(
        "completed_at, tool_usage, prompt_cache_diagnostics, input_transformations, moderation, access_programs",
        NO_PLACE,
    ),
    both("output[].id, status", NO_PLACE),
    both("output[].message.phase", NO_PLACE),
    row(
        "output[].message",
        Converted("`content`, the texts of several joined"),
        Converted("a `text` block for each part"),
    ),
    row(
        "output[].message.content[].refusal",
        Converted("`refusal`"),
        REFUSAL_TEXT,
    ),
    row(
        "output[].message.content[].annotations",
        Converted("`url_citation`; files are dropped: the dialect has no place for them"),
        SOURCES_TO_BLOCKS,
    ),
    row(
        "output[].message.content[].logprobs",
        Converted("`logprobs.content`, if the client asked"),
        NO_PLACE,
    ),
    row(
        "output[].reasoning.summary, .content",
        SUMMARY,
        Converted(
            "a `thinking` block; several texts are joined by an empty line; without text a `redacted_thinking` block",
        ),
    ),
    row("output[].reasoning.encrypted_content", CHAT_SEAL, SEALED),
    both("output[].function_call.call_id", ITEMS_ID),
    both("output[].function_call.name", LATE_NAME),
    both(
        "output[].function_call, custom_tool_call: namespace, async, caller",
        Dropped("no tool was offered in a namespace, or to a program"),
    ),
    row(
        "output[].function_call.arguments",
        Converted(NO_ARGUMENTS),
        ARGUMENTS_OBJECT,
    ),
    row(
        "output[].custom_tool_call",
        Converted("a tool call of type `custom`"),
        Converted("an object whose one member `input` is the text"),
    ),
    row(
        "output[].web_search_call",
        OTHER_TOOLS,
        Converted(
            "a search is `server_tool_use` and `web_search_tool_result`, with a mark of the gateway as the pages' encrypted content (taken out again before a request goes to a vendor of Messages); of several queries the first is told; that a page was opened or searched in is dropped: it is no search, and what came of it is in the text",
        ),
    ),
    row(
        "output[].mcp_call",
        OTHER_TOOLS,
        Converted(
            "`mcp_tool_use` with its arguments as an object, and `mcp_tool_result` with its output, or with what went wrong (`is_error`); one that the answer's end cut off has come to nothing (`is_error`)",
        ),
    ),
    both(
        "output[].mcp_list_tools",
        Dropped("it lists what a server has, which no text depends on"),
    ),
    row(
        "output[].code_interpreter_call",
        OTHER_TOOLS,
        Converted(
            "`server_tool_use` of `code_execution` and `code_execution_tool_result`: all logs are `stdout`, and a `return_code` of 1 says that it failed, or was cut off; images are dropped: the dialect has them as files of its vendor. Vendor, item and container stand in the id, so that this vendor family can be told of it again",
        ),
    ),
    both("output[], other types", OTHER_TOOLS),
    row(
        "status, incomplete_details",
        Converted(
            "`completed`: `stop`, or `tool_calls` if there are any; `max_output_tokens`: `length`; `content_filter` the same; any other reason: `length`; any other status of a whole answer, and `failed` or `cancelled` at the end of a stream: a failure",
        ),
        Converted(
            "`completed`: `end_turn`, or `tool_use` if there are calls; `max_output_tokens`: `max_tokens`; `content_filter`: `refusal`; any other reason: `max_tokens`; any other status of a whole answer, and `failed` or `cancelled` at the end of a stream: a failure",
        ),
    ),
    row("usage", Kept, USAGE_IN),
    row(
        "usage.input_tokens_details.cache_write_tokens_details",
        NO_PLACE,
        Dropped("all that was written counts as for five minutes"),
    ),
    both(
        "error",
        Converted("the failure in the dialect's own words; a stream ends with its event"),
    ),
];

/// Answers of Messages vendors: in Chat Completions, in Responses.
pub(super) const MESSAGES: &[Row] = &[
    both("id", OWN_ID),
    both("model", ASKED),
    row(
        "content[].text",
        Converted("`content`; all texts are joined"),
        Converted("a `message` item; neighbouring blocks are one text"),
    ),
    row(
        "content[].text.citations",
        Converted(SOURCES),
        Converted(
            "`url_citation` of web sources, with the stretch of text in characters; passages of documents that have a `file_id` become `file_citation`, others are dropped: they have no address there",
        ),
    ),
    both("content[].text.citations[].cited_text", NO_PLACE),
    row(
        "content[].thinking",
        SUMMARY,
        Converted("a `reasoning` item with one `summary_text`"),
    ),
    row(
        "content[].thinking.signature",
        CHAT_SEAL,
        Converted(
            "`encrypted_content`, packed into one string that goes back to the same vendor family only, for a client that asks for it, and for any whose response is stored, for what is stored is what a later turn sends back; else left out",
        ),
    ),
    row(
        "content[].redacted_thinking",
        CHAT_SEAL,
        Converted("a `reasoning` item without text, its data packed as the signature is"),
    ),
    row("content[].tool_use.id", CALL_ID, CALL_ID),
    both(
        "content[].tool_use of the tool that stands in for the client's schema",
        Converted(
            "the text of the answer, the first call alone; text beside it is dropped, for the client parses the answer; without such a call the text is the answer",
        ),
    ),
    both(
        "content[].tool_use.input",
        Converted(
            "`arguments`: the object as text, as the vendor wrote it; streamed. In Responses a call that an output cap cut is told as incomplete: one that is no whole object yet is done when something follows it or the answer ends",
        ),
    ),
    row(
        "content[].server_tool_use, web_search_tool_result",
        OTHER_TOOLS,
        Converted("a search is a `web_search_call` with its query and the addresses it found"),
    ),
    row(
        "content[].mcp_tool_use, mcp_tool_result",
        OTHER_TOOLS,
        Converted(
            "an `mcp_call`, its texts one, with a line feed between; with `is_error` they are its `error`. One of which nothing came is `incomplete`",
        ),
    ),
    row(
        "content[].server_tool_use of code_execution, bash_code_execution, text_editor_code_execution",
        OTHER_TOOLS,
        Converted(
            "a `code_interpreter_call`: the code, the command, or all of an edit's input as `code`; what came of it as `logs`, `failed` with a `return_code` other than 0 or an `error_code`; the container is not told (an empty `container_id`). One of which nothing came is `incomplete`",
        ),
    ),
    both(
        "content[].tool_use.caller, toolset_name",
        Dropped("a tool is known by its name"),
    ),
    both(
        "content[].compaction, fallback, mcp_tool_listing",
        Dropped("no client across the bridge could ask for it"),
    ),
    both("content[], other types", OTHER_TOOLS),
    row(
        "stop_reason",
        Converted(
            "`end_turn`, `stop_sequence` and words that nobody knows: `stop`, or `tool_calls` if there are any; `tool_use`: `tool_calls`, or `stop` if there are none; `max_tokens`, `model_context_window_exceeded`, `compaction`, `pause_turn`: `length`; `refusal`, `sensitive`, `safety`: `content_filter`; the words of Chat Completions mean what they mean there",
        ),
        Converted(
            "`end_turn`, `stop_sequence`, `tool_use` and words that nobody knows: `completed`; `max_tokens`, `model_context_window_exceeded`, `compaction`, `pause_turn`: `incomplete` with `max_output_tokens`; `refusal`, `sensitive`, `safety`: `incomplete` with `content_filter`; the words of Chat Completions mean what they mean there",
        ),
    ),
    both("stop_sequence", NO_PLACE),
    row(
        "stop_details.explanation",
        Converted("`refusal`"),
        Converted("a `message` item with one `refusal`"),
    ),
    both("stop_details, but for the explanation", NO_PLACE),
    both(
        "container, context_management, diagnostics, input_transformations",
        NO_PLACE,
    ),
    both("usage", USAGE_OUT),
    both(
        "usage.server_tool_use, inference_geo, iterations, speed, fallback_credit",
        NO_PLACE,
    ),
    row("usage.service_tier", TIER_TOLD, SERVED),
    both("ping", Dropped("the gateway sends its own signs of life")),
    both(
        "error",
        Converted("the failure in the dialect's own words; a stream ends with its event"),
    ),
];
