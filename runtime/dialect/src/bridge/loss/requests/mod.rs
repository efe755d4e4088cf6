//! The table for requests: a row a field, a file a dialect.

mod chat;
mod messages;
mod responses;
mod vendors;

pub(super) use chat::CHAT;
pub(super) use messages::MESSAGES;
pub(super) use responses::RESPONSES;
pub(super) use vendors::VENDORS;

use super::{Fate, Row};

pub(in crate::bridge::loss) const PREFACE: &str = "\
# The bridge: what becomes of every field

A request in one dialect can be served by a vendor that speaks another. This page says, field by field, what then becomes
of it. It is generated from the table in `runtime/dialect/src/bridge/loss/`. What the top level of a request has and nothing
reads, the code drops or refuses as the table says, and every refusal has its reason from there; all else the table tells as
the code does it. Every row is held against the code by cases (`runtime/dialect/tests/cases/`), each of which sends the field
and looks for what became of it, of answers whole and streamed. Requests whose two dialects are the same do not come here:
they go through byte for byte, but for what an earlier answer over the bridge left in them and no vendor but its maker knows
(packed reasoning, what foreign vendors searched, ran and, to a vendor of Responses, called of MCP servers, ids that the gateway gave to items: a vendor of Responses that keeps items of
its own would look for them), and for reasoning that another vendor of the same dialect signed or encrypted: the gateway remembers
in memory who made which (of the latest quarter of a million strings at least), and takes it out where somebody else is
asked; what was made before its last start goes along, as nothing in it says whose it is. A packed string (`tg1.…`) names its maker and holds what that vendor gave in base64: it is not
encrypted by the gateway, and what the vendor encrypted or signed stays as the vendor made it.

*Kept*: it says the same over there. *Converted*: it is said another way. *Dropped*: it is left out, for the reason given.
*Refused*: the request gets a 400 that names the field, but for values that say nothing (`null`, `false`, `0`, an empty string,
list or object). What binds an answer, says where it ends or what it is made of is refused where the dialect cannot say it;
what only tunes how words are picked is dropped there. Content (messages, content parts, items, blocks, tools) of a kind that
no table lists is refused. So is what the client's own dialect does not allow either: a refusal of anybody but the assistant,
images and files of the assistant, an output cap of 0, an empty `messages` or `input` without instructions, a `tool_choice`
that demands a tool where none is offered, or one that is not among `tools`.

A member that no table lists is dropped, at the top of a body and within what it holds, and nobody is told. Clients send new
ones with every version, nearly all of them hints to their own vendor, and would stop working for the sake of a hint; what
is known to mean more has its row. Within a dialect such members reach the vendor as they were written.

A surrogate without its other half, which is no character (clients that shorten a text by JavaScript's count leave such),
becomes U+FFFD.

## How hard to think

Where a manifest lists the efforts that a model knows (`effort-low` and its like among its abilities, see `wit/README.md`), an
effort that it does not know becomes the nearest one: `medium` is `high` for a model that knows `low`, `high` and `max`, for of
two as near the harder is taken. A model that always thinks (`always-thinks`) gets the least of its efforts for `none`, or
nothing where none is listed. Where nothing is listed the effort goes as it was asked for.

## Tools that are no functions

Who runs a tool decides what becomes of it.

*The client runs it and knows it by its type* (`bash`, `text_editor`, `memory`, `computer` and the computer toolset of Messages;
`computer`, `computer_use_preview`, `shell`, `local_shell` and `apply_patch` of Responses): the vendor is offered a function, with
the schema and the description that the type stands for, and gets what the client says of a call as that function's result. In
the answer a call is again what the client knows. To a client of Responses its arguments are told when they are whole. Where they
have another form the call does nothing (the preview, which must do something, takes a screenshot) and is told as not complete:
`incomplete`, or `in_progress` of an edit, which has no other word. One command of `shell` that lacks its list is taken as it is
meant. The client's own `tool_search`, which it describes itself, is a function likewise.

*The vendor runs it*: it crosses where the other vendor has the like, which its manifest says (`web-search`, `mcp`,
`code-execution`): a search between all three dialects, MCP servers and the running of code between Responses and Messages. Where
it has not, the tool is refused by its name, so that an upstream that has it is asked in its stead. Only a search that a client of
Responses offers among its tools is left out, for such clients do so unasked; it is refused where `tool_choice` demands it. What a
tool did is told when it has ended; a client of Chat Completions is told no more than the text that came of it and its sources.

In a later turn a search is left out, for the text that follows says what it found. Calls of an MCP server go along where the
request offers the server. So do runs of code where it offers to run code; those that a client of Messages was told only to the
family that ran them, as a container is one vendor's own. The credential that a server is shown (`authorization`,
`authorization_token`) goes to the vendor, which needs it, with each request, and stands in no error, and not in what a response
repeats.

*All others* (files that a vendor searches, pictures that it makes, a shell in its container, the browser toolset) are refused by
their names; but a vendor's own search among tools is left out, and all tools are offered at once.

## Compaction

A provider that lists the operation `compact` gets `POST /v1/responses/compact` as it is. For all others an ordinary call
sums the conversation up: its beginning goes to the vendor as any request in Responses would (the tables below hold), the
last thing it asks is the summary; tools are offered and may not be called, the answer is not kept. It is charged like any
call. The client gets what its users said, word for word (the newest 80,000 bytes of it), instructions that stood among it,
and one `compaction` item whose `encrypted_content` (`tg1.…`) holds the summary. In a later request that item is opened
before any policy looks at it and becomes a message of the user, whichever vendor then serves, a vendor of Responses
included. An answer that breaks off or holds no text is an error: half a summary would lose the rest without a word. A
vendor's own compaction takes no output cap; where one holds (a strict budget, an account's cap, the client's own
`max_output_tokens`) that is lower than what the model can answer, an ordinary call under the cap sums up instead.

## Counting tokens

`POST /v1/responses/input_tokens` (the operation `input-tokens`) and `POST /v1/messages/count_tokens` (`count-tokens`) go to
a vendor that has them as they are; to one that has only the other, bridged as the tables say, without what is only about
the answer. Where neither is had, where the vendor's dialect cannot say the request, or where it has no such path after all,
the gateway estimates and says so: `x-tollgate-estimated: input_tokens`. Counting is free of charge.
";

pub(in crate::bridge::loss) const VENDORS_PREFACE: &str = "
## Words of certain vendors

No dialect has them, but servers and vendors of one take them in its requests. They mean the same in every direction, from and
to all three dialects; the tables above hold where a dialect has a word of the same name.
";

pub(super) const fn row(field: &'static str, first: Fate, second: Fate) -> Row {
    Row {
        field,
        neutral: &[],
        fates: [first, second],
    }
}

pub(super) const fn both(field: &'static str, fate: Fate) -> Row {
    row(field, fate, fate)
}

/// Refused or dropped, unless it has one of these values.
pub(super) const fn unless(
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

pub(super) const AT_ITS_VENDOR: &str =
    "the file lies at one vendor under an id that no other knows";
pub(super) const NO_STORE: &str = "the vendor keeps no conversation; the gateway resolves it before the bridge where it keeps state";
pub(super) const NOT_TUNED: &str =
    "it only tunes how words are picked, and the dialect has no such parameter";
pub(super) const NO_BIAS: &str =
    "the dialect cannot forbid words or demand them, and without it the answer may be another";
pub(super) const A_FORMAT_OF_ITS_OWN: &str = "another dialect's word for the form of the answer, and the client's own has one too: `response_format` in Chat Completions, `text.format` in Responses, `output_config.format` in Messages";
pub(super) const A_CAP_OF_ITS_OWN: &str = "another dialect's word for the output cap, and the client's own has one too: `max_completion_tokens` in Chat Completions, `max_output_tokens` in Responses, `max_tokens` in Messages";
pub(super) const A_PLACE_OF_ITS_OWN: &str = "another dialect's word for what the model is told, and the client's own has one too: `messages` in Chat Completions, `instructions` and `input` in Responses, `system` and `messages` in Messages";
pub(super) const A_STOP_OF_ITS_OWN: &str = "another dialect's word for what the answer stops at: `stop` in Chat Completions, `stop_sequences` in Messages, and Responses has none";
pub(super) const NOT_OF_MESSAGES: &str =
    "it is no field of Messages, which has no token probabilities";
pub(super) const NO_BIAS_HERE: &str =
    "it is a field of Chat Completions alone, and without it the answer may be another";
pub(super) const ONE_ANSWER: &str =
    "it is a field of Chat Completions alone, and the client's own dialect gives one answer";
pub(super) const OLD_TOOLS: &str =
    "functions are the old form of tools in Chat Completions; use `tools`";
pub(super) const TOP_K: &str =
    "kept; left out while the model thinks, and where it takes no sampling parameters";
pub(super) const DEFAULT_CAP: &str = "a cap all the same, for the dialect demands one: the usual one by the manifest, else the model's maximum, else 8,192";
pub(super) const GO_ON: &str = "kept, and a user message behind it tells the model to go on where it ends and to repeat nothing; a model may begin anew all the same";
pub(super) const NOT_MODERATED: &str = "hardly a vendor moderates, and one that does not leaves out unheard what it does not know: the answer would be unmoderated";
pub(super) const NO_FORMAT: &str = "the dialect knows no such format";
pub(super) const PREWARMED: &str =
    "the dialect cannot fill a cache without an answer, which nobody asked for";
pub(super) const BY_PROGRAMS: &str =
    "it is for a vendor's own programs that call tools, which are refused";
pub(super) const BETTER_CACHED: &str = "it only improves caching";
pub(super) const NO_STOP: &str = "the dialect has no stop sequences";
pub(super) const VERBOSITY: &str = "kept where the model has it (`verbosity`); else left out: how long an answer is, is the model's own habit then";
pub(super) const UNKNOWN_TOOL: &str =
    "it is no function, and there is no other form for it over the bridge";
pub(super) const SERVER_CALLED: &str = "what a vendor's tool found is in the text that follows";
pub(super) const NO_SERVERS: &str = "the vendor calls no MCP servers";
pub(super) const NO_CODE: &str = "the vendor runs no code";
pub(super) const KNOWN_BY_TYPE: &str = "the client runs the tool, but only vendors of the other dialect know it by its type alone; offer it as a function with a schema";
pub(super) const JSON_TOLD: &str = "an instruction to answer with one JSON object and nothing else; no tool, for one without a schema invites an empty object and one that must be called leaves no room for thinking and for other tools";
pub(super) const HOW_MUCH_IS_READ: &str =
    "how much of what it finds a model reads is the vendor's own affair";
pub(super) const OUTPUT_CAP: &str = "as the dialect's own cap, lowered to the model's maximum; never below 16 in Responses, which takes no less";
pub(super) const NAMES: &str = "names longer than the dialect allows, or with letters it does not, are shortened with a hash, and are the client's own again in the answer";
pub(super) const AS_FUNCTION: &str = "kept where the vendor has free-form tools; else a function whose one argument `input` is the text, its grammar told in the description, and a custom call again in the answer";
pub(super) const ONLY_AS_FUNCTION: &str = "a function whose one argument `input` is the text, its grammar told in the description, and a custom call again in the answer";
pub(super) const USER_TO_CHAT: &str =
    "the user's id over there (`user`), by its hash where longer than 64 letters";
pub(super) const USER_TO_RESPONSES: &str =
    "the user's id over there (`safety_identifier`), by its hash where longer than 64 letters";
pub(super) const USER_TO_MESSAGES: &str =
    "the user's id over there (`metadata.user_id`), by its hash where longer than 256 letters";
pub(super) const NO_REASONING: &str = "kept where the model reasons, as the nearest effort that it knows; else dropped: it does not think";
pub(super) const REASONING_TO_CHAT: &str = "its text as `reasoning_content`, kept where this vendor family wrote it, unsigned, and where the vendor takes unsigned reasoning; else dropped, as is all that is opaque. A vendor that wants reasoning with each call gets a blank where there is none";
pub(super) const REASONING_TO_MESSAGES: &str = "what its own vendor family made goes back as it was: text signed or unsigned as `thinking`, kept, and what was never readable as `redacted_thinking`; of any other family it is dropped, and so is what led to nothing, as its answer was cut off";
pub(super) const REASONING_TO_RESPONSES: &str = "what its own vendor family made goes back as it was, a `reasoning` item with its `encrypted_content` or its text; of any other family it is dropped, and so is what led to nothing, as its answer was cut off";
pub(super) const WEB: &str = "as the vendor's own search where it has one; else refused: leave the search out, or ask for a model whose vendor searches";
pub(super) const WEB_UNASKED: &str = "as the vendor's own search where it has one; else dropped, as clients offer it unasked: the model is not offered a search (refused if `tool_choice` demands it: then leave the choice out, or ask for a model whose vendor searches)";
pub(super) const EFFORT_AND_SUMMARY: &str = "kept where the model reasons, as the nearest effort that it knows, and a summary asked for where the vendor refuses it to nobody; else dropped: it does not think";
pub(super) const OWN_TIER: &str =
    "kept if the dialects know it; else dropped: it is one vendor's own word";
pub(super) const TIERS: &str =
    "`auto`, `priority`, `scale` and `fast` become `auto`; all others `standard_only`";
pub(super) const EFFORT: &str = "a model with adaptive thinking gets the nearest effort that it knows; any other a budget: minimal 1024, low 4096, medium 10240, high 32000, xhigh 48000, max 64000, never more than three quarters of the output cap; left out under a forced tool, and where the cap or the history allows no thinking";
pub(super) const EFFORT_SHOWN: &str = "a model with adaptive thinking gets the nearest effort that it knows and is asked to show its thinking, summarized; any other a budget: minimal 1024, low 4096, medium 10240, high 32000, xhigh 48000, max 64000, never more than three quarters of the output cap; left out under a forced tool, and where the cap or the history allows no thinking";
pub(super) const SCHEMA: &str = "`output_config.format` where the vendor enforces schemas: objects are closed, and what it does not enforce (bounds, lengths) is told in the description; else, and for a schema that would come to mean another (a map, a tree, several that must hold at once), a tool that the model must call, whose arguments become the text of the answer";
pub(super) const STRICT: &str = "kept where the vendor enforces schemas, its schema made as that of an answer; else, and where it cannot be made so, dropped: the schema is still told";
pub(super) const TEMPERATURE: &str = "left out from 1 on, for 1 is the highest there and what the model does by itself; left out while the model thinks, and where the model takes no sampling parameters";
pub(super) const FORCED: &str = "said as above where the vendor takes it. Where it refuses that some tool must be called, the tool is named if there is but one; else it is `auto`, and the model may answer without a call. Where it refuses a name, that tool alone is offered and some tool must be called, or may be (`auto`) where it refuses that too; `allowed_tools` likewise";
pub(super) const FORCED_ONE: &str = "said as above where the vendor takes it. Where it refuses that some tool must be called, the tool is named if there is but one; else it is `auto`, and the model may answer without a call. Where it refuses a name, that tool alone is offered and some tool must be called, or may be (`auto`) where it refuses that too";
pub(super) const CALL_ID: &str = "kept; ids that the dialect would not take are replaced by a hash of themselves, and one used again gets a number behind it, as does that of its result";
pub(super) const ARGUMENTS: &str =
    "the JSON object in the string; what is no object comes as the member `arguments` of one";
pub(super) const TOOLS_FROM_HISTORY: &str = "and where the history has calls but the request no tools, tools of their names are declared and none may be called";
