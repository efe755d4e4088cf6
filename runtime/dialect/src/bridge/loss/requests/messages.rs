//! What becomes of requests in Messages.

use super::{
    A_CAP_OF_ITS_OWN, A_FORMAT_OF_ITS_OWN, A_PLACE_OF_ITS_OWN, A_STOP_OF_ITS_OWN, AT_ITS_VENDOR,
    BY_PROGRAMS, CALL_ID, FORCED_ONE, GO_ON, KNOWN_BY_TYPE, NAMES, NO_BIAS_HERE, NO_CODE,
    NO_FORMAT, NO_REASONING, NO_SERVERS, NO_STOP, NOT_OF_MESSAGES, NOT_TUNED, OLD_TOOLS,
    ONE_ANSWER, OUTPUT_CAP, REASONING_TO_CHAT, REASONING_TO_RESPONSES, SERVER_CALLED, UNKNOWN_TOOL,
    WEB, both, row, unless,
};
use crate::bridge::loss::Fate::{Converted, Dropped, Kept, Refused};
use crate::bridge::loss::Row;

pub(in crate::bridge::loss) const MESSAGES: &[Row] = &[
    both("model", Converted("the name at the vendor")),
    both("max_tokens", Converted(OUTPUT_CAP)),
    row(
        "system",
        Converted(
            "the first message, as `system` or, where the vendor knows it, `developer`; an empty text is left out",
        ),
        Converted(
            "`instructions`, its blocks joined by an empty line; an empty text is left out; a `developer` message where nothing follows it, and where it carries marks that the vendor takes",
        ),
    ),
    both(
        "system[] that a client bills by",
        Dropped(
            "a first block `x-…-billing-header: …` is meant for one vendor and changes with every version, so that no prompt cache would hit",
        ),
    ),
    row(
        "messages[].role = user, assistant",
        Kept,
        Converted("kept; the texts of an assistant's message become one"),
    ),
    both("messages[], the assistant's as the last", Converted(GO_ON)),
    row(
        "messages[].role = system",
        Converted("a message of the same role in its place, after the results of tools under way"),
        Converted("a `developer` message in its place, after the results of tools under way"),
    ),
    both(
        "messages[].output_config",
        Converted("the effort of the last one holds for the request"),
    ),
    both(
        "messages[].clear_at",
        Converted(
            "what is shown until the user says something next (`next_user_message`) is left out from then on",
        ),
    ),
    both("content[].text", Kept),
    both(
        "content[].text.citations",
        Dropped("they describe a text that is kept"),
    ),
    both("content[].image (base64, url)", Kept),
    unless(
        &["{\"oversized_image\":\"downsize\"}"],
        "content[].image.transformations",
        Refused("the vendor makes large images smaller without a word"),
        Refused("the vendor makes large images smaller without a word"),
    ),
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
    both("content[].document.context", Converted("a text before it")),
    both(
        "content[].document, search_result: citations",
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
        "content[].tool_use, tool_result: caller, toolset_name",
        Dropped("a tool is known by its name; a member of `computer_toolset` by both"),
    ),
    both("content[].tool_use.id", Converted(CALL_ID)),
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
    row(
        "content[].thinking, redacted_thinking",
        Converted(REASONING_TO_CHAT),
        Converted(REASONING_TO_RESPONSES),
    ),
    row(
        "content[].mcp_tool_use, mcp_tool_result",
        Dropped(SERVER_CALLED),
        Converted(
            "an `mcp_call` with its `output`, or with the failure as its `error`, where the request offers its server; else dropped, as is one of which nothing came: what it found is in the text that follows",
        ),
    ),
    row(
        "content[].server_tool_use of code_execution, code_execution_tool_result",
        Dropped(SERVER_CALLED),
        Converted(
            "a `code_interpreter_call` as it was, if it is one that this vendor family ran and the request offers to run code; else dropped: what it found is in the text that follows, and a container is one vendor's own",
        ),
    ),
    both(
        "content[].server_tool_use, …_tool_result (others)",
        Dropped(
            "what a vendor's tool found is in the text that follows, and only that vendor can read the rest",
        ),
    ),
    both(
        "content[].tool_addition",
        Converted("the tool joins the tools of the request"),
    ),
    both(
        "content[].tool_removal",
        Refused("the tools of a request hold for all of it; leave the tool out of `tools`"),
    ),
    both(
        "content[].compaction",
        Converted(
            "a text of the assistant; one without `content` has failed at its vendor and is dropped",
        ),
    ),
    both(
        "content[].compaction.tool_changes",
        Converted("as if they stood in the conversation"),
    ),
    both(
        "content[].fallback, mcp_tool_listing",
        Dropped("they are for the vendor's servers: no model reads them"),
    ),
    both(
        "content[] of another type",
        Refused("the dialect has no such content"),
    ),
    both(
        "cache_control",
        Converted("a mark on the last part that can carry one, as that of a block"),
    ),
    row(
        "cache_control of blocks and tools",
        Converted(
            "kept where the vendor takes such marks, that of a tool result on its last part; else `prompt_cache_breakpoint` on content where it takes those; else dropped: the vendor caches equal beginnings by itself",
        ),
        Converted(
            "`prompt_cache_breakpoint` on content where the vendor takes such marks, and a marked `system` a `developer` message that carries it; else, and of tools and what the assistant said, dropped: the vendor caches equal beginnings by itself; those of one user are found by a key made of `metadata.user_id`",
        ),
    ),
    both(
        "content[].tool_use.cache_control",
        Converted(
            "the mark stands on the content before the call, which itself has no place for one",
        ),
    ),
    unless(
        &[
            "{\"type\":\"billing_policy\",\"bill_to\":\"self\"}",
            "{\"bill_to\":\"self\",\"type\":\"billing_policy\"}",
        ],
        "billing_policy",
        Refused("the vendor bills nobody but whose key is used"),
        Refused("the vendor bills nobody but whose key is used"),
    ),
    both(
        "compaction",
        Refused("the dialect has no summing up of this kind: the conversation would go on instead"),
    ),
    both(
        "container",
        Refused("it is another vendor's, who runs code in it"),
    ),
    both(
        "context_management",
        Dropped("the conversation is sent whole; the client compacts it when it no longer fits"),
    ),
    both(
        "diagnostics",
        Dropped("it asks why the prompt cache of one vendor was missed"),
    ),
    both(
        "fallback_credit_token",
        Dropped("it is about one vendor's bill"),
    ),
    both(
        "fallbacks",
        Dropped(
            "what is declined stays declined; what stands in for a model the gateway's operator says",
        ),
    ),
    both(
        "inference_geo",
        Refused("the dialect cannot say where a request is to be served"),
    ),
    row(
        "mcp_servers",
        Refused(NO_SERVERS),
        Converted(
            "a tool of type `mcp` each, before whose tools nobody is asked (`require_approval`: `never`), a name that is too long or not plain with a hash and the client's own again in the answer, where the vendor calls such servers; else refused",
        ),
    ),
    row(
        "mcp_servers[].authorization_token",
        Refused(NO_SERVERS),
        Converted("`authorization`"),
    ),
    row(
        "mcp_servers[].tool_configuration",
        Refused(NO_SERVERS),
        Converted("`allowed_tools`; of a server that is not enabled the tool is dropped"),
    ),
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
    both("output_config.format of another type", Refused(NO_FORMAT)),
    both(
        "output_format",
        Converted("as `output_config.format`, of which it is the older place"),
    ),
    both(
        "output_config.task_budget",
        Dropped("it only tells the model how much work is meant"),
    ),
    both(
        "reasoning",
        Converted(
            "a word of certain vendors: an effort and a budget as `thinking` and `output_config` say them, which go before it",
        ),
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
        Converted("kept; left out where the model takes no sampling parameters"),
    ),
    both("top_k", Dropped(NOT_TUNED)),
    both(
        "top_p",
        Converted("kept; left out where the model takes no sampling parameters"),
    ),
    both(
        "thinking",
        Converted(
            "`adaptive` and `between_tools`: the effort of `output_config`; `auto`: as the model does by itself; a budget up to 4096 tokens: low, up to 10240: medium, up to 32000: high, up to 48000: xhigh, above: max; disabled: none; each as the nearest effort that the model knows; nothing at all where it does not reason",
        ),
    ),
    both(
        "thinking.block_binding",
        Dropped("what another vendor signed is not sent, so nothing is checked"),
    ),
    both(
        "thread",
        Refused("the vendor keeps no conversation; send it whole"),
    ),
    row(
        "thinking.display",
        Dropped(
            "the vendor shows its reasoning or does not; `omitted` is kept towards the client, who then gets it packed, as `redacted_thinking` (without its text where a policy looks at answers)",
        ),
        Converted("a summary is asked for, unless `omitted`"),
    ),
    both(
        "tool_choice",
        Converted(
            "`any` becomes `required`; `disable_parallel_tool_use` becomes `parallel_tool_calls: false`",
        ),
    ),
    both(
        "tool_choice that a tool must be called",
        Converted(FORCED_ONE),
    ),
    row(
        "tool_choice of code_execution",
        Refused(NO_CODE),
        Converted("`code_interpreter` by its type"),
    ),
    row(
        "tool_choice of web_search",
        Dropped("the search is asked for by its options, which a model may leave"),
        Converted("the search by its type"),
    ),
    both(
        "user_profile_id",
        Dropped("the profile lies at one vendor; `metadata.user_id` says whom a request is for"),
    ),
    both(
        "workspace_id",
        Dropped("it is about one vendor's keys; which is used is said by the gateway's upstream"),
    ),
    both("tools[]", Converted(NAMES)),
    both(
        "tools[].strict",
        Converted(
            "kept where the schema closes its objects and requires every member; else dropped: vendors refuse it then",
        ),
    ),
    both(
        "tools[].defer_loading",
        Dropped("all tools are offered at once"),
    ),
    both(
        "tools[].eager_input_streaming, input_examples, allowed_callers",
        Dropped("they steer one vendor's own models"),
    ),
    both(
        "tools[].web_search: response_inclusion, allowed_callers",
        Dropped(BY_PROGRAMS),
    ),
    both(
        "tools[].web_search: defer_loading, strict",
        Dropped("the vendor's own search is at hand at once, and called as the vendor likes"),
    ),
    row(
        "tools[].web_search.user_location",
        Converted("`user_location`, its members kept within `approximate`"),
        Kept,
    ),
    both(
        "tools[].tool_search_tool",
        Dropped("all tools are offered at once"),
    ),
    row(
        "tools[].web_search",
        Converted(WEB),
        Converted(
            "as the vendor's own search where it has one, and what it found is asked for; else refused: leave the search out, or ask for a model whose vendor searches",
        ),
    ),
    row(
        "tools[].web_search.allowed_domains, blocked_domains",
        Refused("the dialect has no search among certain domains"),
        Converted("`filters`"),
    ),
    row(
        "tools[].web_search.max_uses",
        Dropped("how often a model searches is the vendor's own affair"),
        Converted(
            "`max_tool_calls`; left out beside MCP servers and the running of code, whose calls it would count, too",
        ),
    ),
    row(
        "tools[].mcp_toolset",
        Refused(NO_SERVERS),
        Converted("the tool of its server; one that enables no tool is dropped with it"),
    ),
    row(
        "tools[].mcp_toolset.default_config, configs",
        Refused(NO_SERVERS),
        Converted(
            "`allowed_tools`: those that are enabled, where by default none is; that some are not, where by default all are, is refused: the dialect has no word for all but some",
        ),
    ),
    row(
        "tools[].mcp_toolset.tools",
        Refused(NO_SERVERS),
        Converted("`allowed_tools`: those of the list that are enabled"),
    ),
    row(
        "tools[].mcp_toolset: cache_control, defer_loading",
        Refused(NO_SERVERS),
        Dropped("it only improves caching, and all tools are offered at once"),
    ),
    row(
        "tools[].code_execution",
        Refused(NO_CODE),
        Converted(
            "`code_interpreter` in a container that is made for it (`auto`), where the vendor runs code, and what came of it is asked for; else refused",
        ),
    ),
    row(
        "tools[].code_execution: allowed_callers, cache_control, defer_loading, strict",
        Refused(NO_CODE),
        Dropped("the vendor's own tool is at hand at once, and called as the vendor likes"),
    ),
    both(
        "tools[].bash, text_editor, memory, computer",
        Converted(
            "a function of the tool's name with the schema that its type and date stand for, and of a screen its size in the description; offered twice it is there once; what the model calls it with is what the client knows",
        ),
    ),
    both(
        "tools[].computer_toolset",
        Converted(
            "a function for each member that is enabled, as `computer__left_click`; in the answer it is the member's call again, with its `toolset_name`",
        ),
    ),
    both(
        "tools[].bash, text_editor, memory, computer: strict",
        Dropped("the schema is told, and not enforced"),
    ),
    both(
        "tools[].computer: display_number; tools[].text_editor: max_characters",
        Dropped("they are for the client, which runs the tool"),
    ),
    both(
        "tools[].browser, and other types that the client runs",
        Refused(KNOWN_BY_TYPE),
    ),
    both("tools[] of another type", Refused(UNKNOWN_TOOL)),
    both("stop", Refused(A_STOP_OF_ITS_OWN)),
    both(
        "max_output_tokens, max_completion_tokens",
        Refused(A_CAP_OF_ITS_OWN),
    ),
    both("instructions, input", Refused(A_PLACE_OF_ITS_OWN)),
    unless(
        &["{\"type\":\"text\"}"],
        "response_format",
        Refused(A_FORMAT_OF_ITS_OWN),
        Refused(A_FORMAT_OF_ITS_OWN),
    ),
    unless(&["1"], "n", Refused(ONE_ANSWER), Refused(ONE_ANSWER)),
    both("logprobs, top_logprobs", Refused(NOT_OF_MESSAGES)),
    both("logit_bias", Refused(NO_BIAS_HERE)),
    both("functions", Refused(OLD_TOOLS)),
];
