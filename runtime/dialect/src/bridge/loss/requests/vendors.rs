//! What becomes of words that no dialect has and certain vendors take: the same in every direction.

use super::{NO_BIAS, NOT_TUNED, both};
use crate::bridge::loss::Fate::{Converted, Dropped, Refused};
use crate::bridge::loss::Row;

const BOUND: &str = "the dialect cannot hold an answer to it, and without it the answer would be another; a JSON schema it can say";
const WHERE_IT_ENDS: &str =
    "the dialect cannot say it, and without it the answer would end elsewhere";
const ONE_TEMPLATE: &str = "it is about the prompt template of one server's models";
const WHO_SERVES: &str =
    "who serves a model, and what stands in for it, the gateway's operator says";

pub(in crate::bridge::loss) const VENDORS: &[Row] = &[
    both(
        "guided_json",
        Converted(
            "a JSON schema for the answer, as the dialect says it; no other form of the answer may be asked for beside it",
        ),
    ),
    both(
        "structured_outputs",
        Converted(
            "`json` is the schema of the answer, `json_object` that it is some JSON object; any other constraint is refused",
        ),
    ),
    both(
        "guided_regex, guided_choice, guided_grammar, regex, ebnf, grammar, json_schema",
        Refused(BOUND),
    ),
    both(
        "guided_decoding_backend, guided_whitespace_pattern",
        Dropped("how a server comes to what was asked for is its own affair"),
    ),
    both(
        "stop_token_ids, stop_regex, include_stop_str_in_output, min_tokens, ignore_eos",
        Refused(WHERE_IT_ENDS),
    ),
    both(
        "bad_words, allowed_token_ids, logits_processors",
        Refused(NO_BIAS),
    ),
    both(
        "truncate_prompt_tokens",
        Refused("the dialect cannot cut the prompt, and the answer would be to another"),
    ),
    both(
        "min_p, top_a, typical_p, repetition_penalty, repeat_penalty, length_penalty, early_stopping, do_sample, use_beam_search, best_of, random_seed",
        Dropped(NOT_TUNED),
    ),
    both(
        "echo, prompt_logprobs",
        Refused("the dialect does not tell the prompt in its answer"),
    ),
    both(
        "documents",
        Refused("the dialect has no documents beside the conversation; put them into a message"),
    ),
    both(
        "chat_template",
        Refused("the dialect does not say how a conversation becomes a prompt"),
    ),
    both(
        "add_generation_prompt, add_special_tokens, skip_special_tokens, spaces_between_special_tokens",
        Dropped(ONE_TEMPLATE),
    ),
    both(
        "enable_thinking, thinking_budget, chat_template_kwargs",
        Converted(
            "off is an effort of `none`, a budget is a budget (where the model is told an effort, the one that it stands for), on is thinking as hard as the model does by itself; of `chat_template_kwargs` only `enable_thinking` and `thinking` are read, and all else is dropped",
        ),
    ),
    both(
        "disable_reasoning",
        Converted("`true` switches thinking off; `false` is what it is by itself"),
    ),
    both(
        "include_reasoning",
        Converted("`false` holds back what the model thinks; `true` is what it is by itself"),
    ),
    both(
        "preserve_thinking, clear_thinking",
        Dropped("which reasoning of the history goes back is said below"),
    ),
    both(
        "enable_search, search_parameters, search_domain_filter, plugins",
        Refused("another vendor does not know it; ask for a web search as the dialect does"),
    ),
    both(
        "search_options",
        Dropped("it is about `enable_search`, which is refused"),
    ),
    both(
        "safe_prompt",
        Refused(
            "the dialect has no guard of its own; leaving it out would leave the answer unguarded",
        ),
    ),
    both("provider, route, models, transforms", Dropped(WHO_SERVES)),
    both(
        "usage, tool_stream, cache_salt, priority",
        Dropped("it is about how one vendor's servers work, not about the answer"),
    ),
];
