//! What an answer cost, in each dialect's arithmetic.

use super::escaped::number;
use crate::{Dialect, Usage};

/// Appends the usage object of a dialect.
pub(crate) fn write(out: &mut Vec<u8>, dialect: Dialect, usage: &Usage, searches: u64) {
    match dialect {
        Dialect::AnthropicMessages => messages(out, usage, searches),
        Dialect::OpenaiResponses => openai(out, usage, &RESPONSES),
        Dialect::OpenaiChat | Dialect::OpenaiEmbeddings => openai(out, usage, &CHAT),
    }
}

/// The words around the numbers: input, cached, written, output, reasoning, total.
type Words = [&'static [u8]; 6];

const CHAT: Words = [
    b"{\"prompt_tokens\":",
    b",\"prompt_tokens_details\":{\"cached_tokens\":",
    b",\"cache_write_tokens\":",
    b"},\"completion_tokens\":",
    b",\"completion_tokens_details\":{\"reasoning_tokens\":",
    b"},\"total_tokens\":",
];

const RESPONSES: Words = [
    b"{\"input_tokens\":",
    b",\"input_tokens_details\":{\"cached_tokens\":",
    b",\"cache_write_tokens\":",
    b"},\"output_tokens\":",
    b",\"output_tokens_details\":{\"reasoning_tokens\":",
    b"},\"total_tokens\":",
];

/// Input includes what was read from and written to a cache; output includes reasoning.
fn openai(out: &mut Vec<u8>, usage: &Usage, words: &Words) {
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    let input = usage
        .input
        .saturating_add(usage.cache_read)
        .saturating_add(written);
    let total = input.saturating_add(usage.output);
    let numbers = [
        input,
        usage.cache_read,
        written,
        usage.output,
        usage.reasoning,
        total,
    ];
    for (word, count) in words.iter().zip(numbers) {
        out.extend_from_slice(word);
        number(out, count);
    }
    out.push(b'}');
}

/// Input excludes what was read from and written to a cache; output includes reasoning.
fn messages(out: &mut Vec<u8>, usage: &Usage, searches: u64) {
    let kinds = [usage.cache_write_5m, usage.cache_write_1h];
    messages_with(out, usage, Some(kinds), searches);
}

/// The same for the end of a stream of Messages, where the dialect does not tell the kinds of cache writes apart.
pub(crate) fn write_final_delta(out: &mut Vec<u8>, usage: &Usage, searches: u64) {
    messages_with(out, usage, None, searches);
}

fn messages_with(out: &mut Vec<u8>, usage: &Usage, kinds: Option<[u64; 2]>, searches: u64) {
    let written = usage.cache_write_5m.saturating_add(usage.cache_write_1h);
    for (word, count) in [
        (&b"{\"input_tokens\":"[..], usage.input),
        (b",\"cache_creation_input_tokens\":", written),
        (b",\"cache_read_input_tokens\":", usage.cache_read),
    ] {
        out.extend_from_slice(word);
        number(out, count);
    }
    if let Some([five_minutes, one_hour]) = kinds {
        out.extend_from_slice(b",\"cache_creation\":{\"ephemeral_5m_input_tokens\":");
        number(out, five_minutes);
        out.extend_from_slice(b",\"ephemeral_1h_input_tokens\":");
        number(out, one_hour);
        out.push(b'}');
    }
    for (word, count) in [
        (&b",\"output_tokens\":"[..], usage.output),
        (
            b",\"output_tokens_details\":{\"thinking_tokens\":",
            usage.reasoning,
        ),
    ] {
        out.extend_from_slice(word);
        number(out, count);
    }
    out.push(b'}');
    if searches > 0 {
        out.extend_from_slice(b",\"server_tool_use\":{\"web_search_requests\":");
        number(out, searches);
        out.extend_from_slice(b",\"web_fetch_requests\":0}");
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operation, UsageHints, read_usage};

    #[test]
    fn every_dialect_reads_its_own_arithmetic_back() {
        let usage = Usage {
            input: 7,
            cache_read: 100,
            cache_write_5m: 20,
            cache_write_1h: 30,
            output: 9,
            reasoning: 4,
            estimated: false,
        };
        let back = |dialect, operation| {
            let mut body = b"{\"usage\":".to_vec();
            write(&mut body, dialect, &usage, 2);
            body.push(b'}');
            let _: serde_json::Value = serde_json::from_slice(&body).unwrap();
            read_usage(operation, &body, &UsageHints::default()).unwrap()
        };
        assert_eq!(
            back(Dialect::AnthropicMessages, Operation::Messages),
            usage,
            "five minutes and one hour stay apart"
        );
        let one_kind = Usage {
            cache_write_5m: 50,
            cache_write_1h: 0,
            ..usage
        };
        assert_eq!(
            back(Dialect::OpenaiChat, Operation::ChatCompletions),
            one_kind
        );
        assert_eq!(
            back(Dialect::OpenaiResponses, Operation::Responses),
            one_kind
        );
    }
}
