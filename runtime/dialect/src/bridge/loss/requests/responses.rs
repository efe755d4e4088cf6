//! What becomes of requests in Responses.

use super::{
    A_CAP_OF_ITS_OWN, A_FORMAT_OF_ITS_OWN, A_PLACE_OF_ITS_OWN, A_STOP_OF_ITS_OWN, ARGUMENTS,
    AS_FUNCTION, AT_ITS_VENDOR, BY_PROGRAMS, CALL_ID, DEFAULT_CAP, EFFORT, FORCED,
    HOW_MUCH_IS_READ, JSON_TOLD, NAMES, NO_BIAS_HERE, NO_CODE, NO_FORMAT, NO_REASONING, NO_SERVERS,
    NO_STORE, NOT_MODERATED, NOT_TUNED, OLD_TOOLS, ONE_ANSWER, ONLY_AS_FUNCTION, OUTPUT_CAP,
    OWN_TIER, PREWARMED, REASONING_TO_CHAT, REASONING_TO_MESSAGES, SCHEMA, SERVER_CALLED, STRICT,
    TEMPERATURE, TIERS, TOOLS_FROM_HISTORY, TOP_K, UNKNOWN_TOOL, USER_TO_CHAT, USER_TO_MESSAGES,
    VERBOSITY, WEB_UNASKED, both, row, unless,
};
use crate::bridge::loss::Fate::{Converted, Dropped, Kept, Refused};
use crate::bridge::loss::Row;

pub(in crate::bridge::loss) const RESPONSES: &[Row] = &[
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
            "neighbours of one role become one message; blank texts are left out; a conversation that does not begin with the user begins with a user message `…`; white space after what the assistant said last is left out, and that is the beginning of the answer there, which a model that takes none answers with an error",
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
        Converted("kept; of `detail`, `original` becomes `high`"),
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
    row(
        "content[].input_file.filename",
        Kept,
        Converted("`title`; it stands before a text that was a file"),
    ),
    both(
        "content[].input_file.detail",
        Dropped("how finely a model reads a file is the vendor's own affair"),
    ),
    row("content[].input_file.file_id", Kept, Refused(AT_ITS_VENDOR)),
    both(
        "content[] of another type",
        Refused("the dialect has no such content"),
    ),
    row(
        "content[].prompt_cache_breakpoint",
        Converted(
            "`cache_control` where the vendor takes that, kept where it takes such marks; else dropped: it only improves caching",
        ),
        Converted("`cache_control`"),
    ),
    both(
        "input[].id, status",
        Dropped("the vendor keeps no items, and all that is sent has come to its end"),
    ),
    both(
        "input[].function_call, function_call_output: async, caller",
        Dropped(BY_PROGRAMS),
    ),
    both(
        "input[].function_call_output: name, namespace",
        Dropped("a result belongs to its call, which names the tool"),
    ),
    row("input[].function_call", Kept, Converted(ARGUMENTS)),
    both("input[].function_call.call_id", Converted(CALL_ID)),
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
    row(
        "input[].custom_tool_call, custom_tool_call_output",
        Converted(AS_FUNCTION),
        Converted(ONLY_AS_FUNCTION),
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
    row(
        "input[].reasoning",
        Converted(REASONING_TO_CHAT),
        Converted(REASONING_TO_MESSAGES),
    ),
    both(
        "input[].web_search_call, file_search_call",
        Dropped("what the search found is in the text that follows"),
    ),
    row(
        "input[].mcp_call",
        Dropped(SERVER_CALLED),
        Converted(
            "`mcp_tool_use` and `mcp_tool_result` where the request offers its server; else dropped, as is one that was cut off: what it found is in the text that follows",
        ),
    ),
    both(
        "input[].computer_call, shell_call, local_shell_call, apply_patch_call",
        Converted("a call of the function that stands in for the tool, with the item's own object"),
    ),
    both(
        "input[].computer_call_output, shell_call_output, local_shell_call_output, apply_patch_call_output",
        Converted(
            "the call's result: the picture, or what was printed and, where it was not well, how it ended",
        ),
    ),
    both(
        "input[].computer_call, computer_call_output: pending_safety_checks, acknowledged_safety_checks",
        Dropped("they are between one vendor and its client"),
    ),
    both(
        "input[].mcp_list_tools",
        Dropped("the vendor asks the server for its tools anew"),
    ),
    row(
        "input[].code_interpreter_call",
        Dropped(SERVER_CALLED),
        Converted(
            "`server_tool_use` of `code_execution` and a `code_execution_tool_result` where the request offers to run code, its logs as `stdout`; a command, or an edit of a file, that a vendor of Messages ran is that again; else dropped, as is one that was cut off and as are images: what it found is in the text that follows",
        ),
    ),
    both(
        "input[].agent_message",
        Converted(
            "a user message that says from whom it is and to whom; what is encrypted in it is dropped",
        ),
    ),
    both(
        "input[].agent_reasoning",
        Dropped("what an agent thought is for its own model"),
    ),
    both(
        "input[].configuration_update",
        Converted("the effort of the last one holds for the request"),
    ),
    both(
        "input[].item_reference",
        Refused(
            "neither the vendor nor the gateway keeps an item of this id; send the item itself",
        ),
    ),
    both(
        "input[].compaction",
        Converted(
            "a user message with the summary, if this gateway made it; else refused: what it holds is encrypted by one vendor for itself",
        ),
    ),
    both(
        "input[].compaction_trigger",
        Refused(
            "the vendor does not compact in the midst of an answer; ask `/v1/responses/compact`, which this gateway serves for every vendor",
        ),
    ),
    both(
        "input[] of another type",
        Refused("only vendors of the other dialect know such an item"),
    ),
    both(
        "background",
        Refused("the vendor answers at once or not at all"),
    ),
    both(
        "background_options",
        Dropped("it is about answers in the background, and `background` is refused"),
    ),
    both(
        "access_programs",
        Dropped("it asks one vendor for more of what its own models may do"),
    ),
    both("client_metadata", Dropped("the client's own notes")),
    both(
        "context_management",
        Dropped("the conversation is sent whole; the client compacts it when it no longer fits"),
    ),
    both("conversation", Refused(NO_STORE)),
    both(
        "image",
        Dropped("how images are made smaller is one vendor's own affair"),
    ),
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
    row("max_output_tokens (none)", Kept, Converted(DEFAULT_CAP)),
    row(
        "max_tool_calls",
        Dropped("it counts calls of tools that the vendor itself runs, and it runs none"),
        Converted(
            "`max_uses` of the web search; left out beside MCP servers and the running of code, of whose calls nothing can be said",
        ),
    ),
    row(
        "metadata",
        Kept,
        Dropped("labels for the vendor's own console; the dialect has none"),
    ),
    row(
        "moderation",
        Refused(NOT_MODERATED),
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
            "`mode`, and a `ttl` other than `12h`, are kept where the vendor takes marks of its prompt cache; all else is dropped: it only improves caching",
        ),
        Dropped("it only improves caching"),
    ),
    both("prompt_cache_options.prewarm", Refused(PREWARMED)),
    row(
        "prompt_cache_retention",
        Converted(
            "kept where the vendor takes a key of its prompt cache; else dropped: it only improves caching",
        ),
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
    row(
        "reasoning.generate_summary",
        Dropped("the vendor shows its reasoning or does not"),
        Converted("as `summary`, of which it is the older name"),
    ),
    both(
        "reasoning.context, mode",
        Dropped("they steer one vendor's own models"),
    ),
    row(
        "safety_identifier",
        Converted(USER_TO_CHAT),
        Converted(USER_TO_MESSAGES),
    ),
    row("service_tier", Converted(OWN_TIER), Converted(TIERS)),
    both("store", Dropped(NO_STORE)),
    both("stream", Kept),
    both("stream_options", Dropped("the gateway's own affair")),
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
    row("top_k", Dropped(NOT_TUNED), Converted(TOP_K)),
    both(
        "thinking",
        Converted(
            "a word of certain vendors: off is an effort of `none`, a budget that of a budget, on is thinking as hard as the model does by itself, with `reasoning.effort` as hard as that says",
        ),
    ),
    row("text.format = json_object", Kept, Converted(JSON_TOLD)),
    row("text.format = json_schema", Kept, Converted(SCHEMA)),
    both("text.format of another type", Refused(NO_FORMAT)),
    row(
        "text.verbosity",
        Converted(VERBOSITY),
        Dropped("how long an answer is, is the model's own habit there"),
    ),
    row(
        "tool_choice",
        Kept,
        Converted("`required` becomes `any`; `allowed_tools` narrows the tools"),
    ),
    row(
        "tool_choice.mode",
        Kept,
        Converted("the choice among the tools that are left: `auto`, and `any` for `required`"),
    ),
    both("tool_choice that a tool must be called", Converted(FORCED)),
    both(
        "tool_choice of computer, shell, local_shell, apply_patch",
        Converted("the function that stands in for it, by its name"),
    ),
    row(
        "tool_choice of web_search",
        Dropped(
            "the search is asked for by its options, which a model may leave (refused without a search that is sent)",
        ),
        Converted("the search by its name (refused without a search that is sent)"),
    ),
    row(
        "tool_choice.tools[].web_search",
        Converted(
            "the search is asked for by its options, and not where the list lacks it. Where nothing else is listed no tool may be called (`none`); beside tools it makes `required` into `auto`, for the search may be what is called",
        ),
        Converted("the search stays among the tools, and does not where the list lacks it"),
    ),
    row(
        "tool_choice of code_interpreter",
        Refused(NO_CODE),
        Converted("the running of code by its name, `code_execution`"),
    ),
    row(
        "tool_choice.tools[].mcp, code_interpreter",
        Refused(UNKNOWN_TOOL),
        Converted(
            "the server's toolset, or the running of code, stays among the tools, and does not where the list lacks it; one tool of a server is refused",
        ),
    ),
    both(
        "tool_choice of another built-in tool",
        Refused(UNKNOWN_TOOL),
    ),
    row(
        "tools[].function",
        Converted(NAMES),
        Converted(
            "`input_schema`; names likewise as in Chat Completions; a missing schema is that of no arguments",
        ),
    ),
    row("tools[].function.strict", Kept, Converted(STRICT)),
    both(
        "tools[].function, custom: defer_loading",
        Dropped("all tools are offered at once"),
    ),
    both(
        "tools[].function, custom: allowed_callers, output_schema",
        Dropped(BY_PROGRAMS),
    ),
    both(
        "tools[].function, custom, namespace: async",
        Dropped(
            "it lets a result come later; here it comes with the next request, as it always may",
        ),
    ),
    row(
        "tools[].custom",
        Converted(AS_FUNCTION),
        Converted(ONLY_AS_FUNCTION),
    ),
    both(
        "tools[].namespace",
        Converted("each of its tools as `namespace__name`, and apart again in the answer"),
    ),
    both(
        "tools[].namespace.description",
        Dropped("each of its tools has a description of its own"),
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
    row(
        "tools[].web_search.search_context_size",
        Kept,
        Dropped(HOW_MUCH_IS_READ),
    ),
    row(
        "tools[].web_search.user_location",
        Converted("`user_location`, its members kept within `approximate`"),
        Kept,
    ),
    both(
        "tools[].web_search.search_content_types",
        Dropped("what a search finds is text there"),
    ),
    row(
        "tools[].web_search.filters",
        Dropped(
            "and the search with it: no search among certain domains can be said (refused if `tool_choice` demands it)",
        ),
        Converted("`allowed_domains`, `blocked_domains`"),
    ),
    both(
        "tools[].web_search with external_web_access = false",
        Dropped(
            "the vendor has no search that fetches nothing: the model is not offered one (refused if `tool_choice` demands it)",
        ),
    ),
    row(
        "tools[].mcp",
        Refused(NO_SERVERS),
        Converted(
            "one of `mcp_servers` and its `mcp_toolset`, where the vendor calls such servers; else refused",
        ),
    ),
    row(
        "tools[].mcp.authorization",
        Refused(NO_SERVERS),
        Converted("`authorization_token`"),
    ),
    row(
        "tools[].mcp.headers",
        Refused(NO_SERVERS),
        Converted(
            "`Authorization` with a bearer token is `authorization_token`; any other is refused: the vendor sends a server no header but that one",
        ),
    ),
    row(
        "tools[].mcp.require_approval",
        Refused(NO_SERVERS),
        Converted(
            "set it to `never`, which goes without saying to a vendor of Messages, who asks nobody before it calls a tool; a list of names that lets each tool of `allowed_tools` go unasked is as good; all else is refused, also where nothing is said, which means `always`",
        ),
    ),
    row(
        "tools[].mcp.allowed_tools",
        Refused(NO_SERVERS),
        Converted("`configs` that enable these alone"),
    ),
    both(
        "tools[].mcp.allowed_tools.read_only",
        Refused("which tools only read, the vendor does not ask their server"),
    ),
    both(
        "tools[].mcp.connector_id, tunnel_id",
        Refused("the way to that server is one vendor's own; say its `server_url`"),
    ),
    row(
        "tools[].mcp: server_description, defer_loading, allowed_callers",
        Refused(NO_SERVERS),
        Dropped("a server says itself what it is, and all of its tools are offered at once"),
    ),
    row(
        "tools[].code_interpreter",
        Refused(NO_CODE),
        Converted("`code_execution_20250825`, where the vendor runs code; else refused"),
    ),
    both(
        "tools[].code_interpreter.container (an id)",
        Refused("the container is one vendor's own; let one be made (`auto`)"),
    ),
    both(
        "tools[].code_interpreter.container.file_ids",
        Refused(AT_ITS_VENDOR),
    ),
    both(
        "tools[].code_interpreter.container.network_policy",
        Refused("what the container may reach cannot be said"),
    ),
    row(
        "tools[].code_interpreter: container.memory_limit, allowed_callers",
        Refused(NO_CODE),
        Dropped("how large a container is, the vendor says"),
    ),
    both(
        "tools[].computer, computer_use_preview, shell, local_shell, apply_patch",
        Converted(
            "a function of that name (`computer` for the preview, too) with the schema that the type stands for, and what is said of a screen and of skills in the description; offered twice it is there once. In the answer a call is again the item that the client knows, told when it is whole; what a model leaves out of it, or writes that is no such object, is nothing in it: no command, no action, and the item is told as not complete, like one that an output cap cut",
        ),
    ),
    both(
        "tools[].shell, apply_patch: allowed_callers; input[].shell_call, apply_patch_call: caller",
        Dropped(BY_PROGRAMS),
    ),
    both(
        "input[].shell_call: environment; input[].shell_call_output: max_output_length",
        Dropped("where the command ran, and what was cut off it, is the client's own affair"),
    ),
    both(
        "tools[].shell.environment other than local",
        Refused("that shell is one vendor's own; only one that the client runs can be offered"),
    ),
    both("tools[] of another type", Refused(UNKNOWN_TOOL)),
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
        Converted("as `safety_identifier`, which goes before it"),
    ),
    both("stop, stop_sequences", Refused(A_STOP_OF_ITS_OWN)),
    both(
        "max_tokens, max_completion_tokens",
        Refused(A_CAP_OF_ITS_OWN),
    ),
    both("system", Refused(A_PLACE_OF_ITS_OWN)),
    unless(
        &["{\"type\":\"text\"}"],
        "response_format",
        Refused(A_FORMAT_OF_ITS_OWN),
        Refused(A_FORMAT_OF_ITS_OWN),
    ),
    unless(&["1"], "n", Refused(ONE_ANSWER), Refused(ONE_ANSWER)),
    both("logit_bias", Refused(NO_BIAS_HERE)),
    both("functions", Refused(OLD_TOOLS)),
];
