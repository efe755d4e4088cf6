//! What an answer cost in tokens, read from wherever its dialect says so.

use serde::{Deserialize, Serialize};

use crate::Operation;
use crate::json::walk::Raw;

/// Tokens of one exchange, in classes that are priced apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cache_read: u64,
    /// Input tokens written to a cache for five minutes, or for a time the vendor did not say.
    pub cache_write_5m: u64,
    /// Input tokens written to a cache for one hour.
    pub cache_write_1h: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// Output tokens spent on reasoning.
    pub reasoning: u64,
    /// Whether these are an estimate, because the vendor did not tell.
    pub estimated: bool,
}

/// Where usage hides besides the dialect's own place: from the provider's manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageHints {
    /// JSON Pointers to the usage object in a whole JSON answer.
    pub pointers: Vec<String>,
    /// JSON Pointers to the usage object in an event's data.
    pub stream_pointers: Vec<String>,
    /// JSON Pointers, relative to the usage object, to the number of input tokens read from a cache.
    pub cached_tokens_pointers: Vec<String>,
}

/// The usage told by a whole JSON answer; `None` where it tells none (token counting never does).
pub fn read_usage(operation: Operation, body: &[u8], hints: &UsageHints) -> Option<Usage> {
    if operation.counts() {
        return None;
    }
    let answer = Raw::new(crate::json::unmarked(body));
    let hinted = hints.pointers.iter();
    let mut places = std::iter::once_with(|| answer.get("usage"))
        .chain(hinted.map(|pointer| answer.at_pointer(pointer)))
        .flatten();
    places.find_map(|usage| {
        let mut told = Told::default();
        told.take(operation, usage, hints);
        told.usage()
    })
}

/// What was told so far, as its dialect tells it: the numbers of a later event replace those of an earlier one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
    /// Whether `input` includes what was read from and written to a cache.
    inclusive: bool,
}

impl Told {
    /// Takes a usage object. One that says nothing changes nothing.
    pub(crate) fn take(&mut self, operation: Operation, usage: Raw<'_>, hints: &UsageHints) {
        let seen = match operation {
            Operation::Messages | Operation::CountTokens => Self::anthropic(usage, hints),
            Operation::ChatCompletions
            | Operation::Responses
            | Operation::Compact
            | Operation::InputTokens
            | Operation::Embeddings => Self::openai(operation, usage, hints),
        };
        self.inclusive = seen.inclusive;
        if operation != Operation::Messages && seen.is_substantial() {
            // Each of these objects is the whole truth; zeros in it are true zeros.
            *self = seen;
            return;
        }
        update(&mut self.input, seen.input);
        update(&mut self.cache_read, seen.cache_read);
        update(&mut self.cache_write, seen.cache_write);
        update(&mut self.cache_write_5m, seen.cache_write_5m);
        update(&mut self.cache_write_1h, seen.cache_write_1h);
        update(&mut self.output, seen.output);
        update(&mut self.reasoning, seen.reasoning);
    }

    /// Whether any tokens were told.
    pub(crate) fn is_substantial(&self) -> bool {
        [self.input, self.cache_read, self.cache_write, self.output]
            .iter()
            .any(|count| count.is_some_and(|count| count > 0))
    }

    fn anthropic(usage: Raw<'_>, hints: &UsageHints) -> Self {
        let mut told = Self::default();
        for (key, value) in usage.members() {
            match key.0 {
                b"input_tokens" => told.input = value.count(),
                b"output_tokens" => told.output = value.count(),
                b"cache_read_input_tokens" => told.cache_read = value.count(),
                b"cache_creation_input_tokens" => told.cache_write = value.count(),
                b"cache_creation" => {
                    for (key, value) in value.members() {
                        match key.0 {
                            b"ephemeral_5m_input_tokens" => told.cache_write_5m = value.count(),
                            b"ephemeral_1h_input_tokens" => told.cache_write_1h = value.count(),
                            _ => {}
                        }
                    }
                }
                b"output_tokens_details" => {
                    told.reasoning = value.get("thinking_tokens").and_then(Raw::count)
                }
                _ => {}
            }
        }
        told.cache_read = told.cache_read.or_else(|| hinted(usage, hints));
        told
    }

    fn openai(operation: Operation, usage: Raw<'_>, hints: &UsageHints) -> Self {
        let mut told = Self {
            inclusive: true,
            ..Self::default()
        };
        let mut total = None;
        // Where many vendors of Chat tell of their caches, beside the dialect's own place or instead of it.
        let (mut hit, mut miss, mut cached) = (None, None, None);
        for (key, value) in usage.members() {
            match key.0 {
                b"prompt_tokens" | b"input_tokens" => told.input = value.count(),
                b"completion_tokens" | b"output_tokens" => told.output = value.count(),
                b"total_tokens" => total = value.count(),
                b"prompt_cache_hit_tokens" => hit = value.count(),
                b"prompt_cache_miss_tokens" => miss = value.count(),
                b"cached_tokens" => cached = value.count(),
                b"prompt_tokens_details" | b"input_tokens_details" => {
                    for (key, value) in value.members() {
                        match key.0 {
                            b"cached_tokens" => told.cache_read = value.count(),
                            b"cache_write_tokens" => told.cache_write = value.count(),
                            _ => {}
                        }
                    }
                }
                b"completion_tokens_details" | b"output_tokens_details" => {
                    told.reasoning = value.get("reasoning_tokens").and_then(Raw::count);
                }
                _ => {}
            }
        }
        if told.cache_read.is_none_or(|count| count == 0) {
            // One number told in several places is one number; the manifest knows best which.
            let elsewhere = hit
                .max(cached)
                .filter(|_| operation == Operation::ChatCompletions);
            let elsewhere = hinted(usage, hints).or(elsewhere);
            told.cache_read = elsewhere.or(told.cache_read);
        }
        if operation == Operation::ChatCompletions
            && let (None, Some(hit), Some(miss)) = (told.input, hit, miss)
        {
            told.input = Some(hit.saturating_add(miss));
        }
        if let Some(total) = total {
            // Some tell the total alone, or leave one part of it out.
            let output = told.output.unwrap_or(0);
            told.input = told.input.or(Some(total.saturating_sub(output)));
            // Some count reasoning beside the output instead of within it; only the total gives it away.
            let parts = told.input.unwrap_or(0).saturating_add(output);
            if let Some(reasoning) = told.reasoning
                && reasoning > 0
                && total == parts.saturating_add(reasoning)
            {
                told.output = Some(output.saturating_add(reasoning));
            }
        }
        told
    }

    /// The usage, if any was told.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let input = match (self.input, self.output) {
            (None, None) => return None,
            (input, _) => input.unwrap_or(0),
        };
        let cache_read = self.cache_read.unwrap_or(0);
        let cache_write_1h = match (self.cache_write_1h, self.cache_write) {
            (Some(long), Some(all)) => long.min(all),
            (long, _) => long.unwrap_or(0),
        };
        // What was written without a word about how long counts as five minutes.
        let cache_write_5m = match self.cache_write {
            Some(all) => all - cache_write_1h,
            None => self.cache_write_5m.unwrap_or(0),
        };
        let output = self.output.unwrap_or(0);
        let mut usage = Usage {
            input,
            cache_read,
            cache_write_5m,
            cache_write_1h,
            output,
            reasoning: self.reasoning.unwrap_or(0).min(output),
            estimated: false,
        };
        if self.inclusive {
            usage.cache_read = cache_read.min(input);
            usage.cache_write_5m = cache_write_5m.min(input - usage.cache_read);
            usage.input = input - usage.cache_read - usage.cache_write_5m;
        }
        Some(usage)
    }
}

/// A later number replaces an earlier one; but some vendors repeat what they no longer know as 0.
fn update(old: &mut Option<u64>, new: Option<u64>) {
    if old.is_none() || new.is_some_and(|count| count > 0) {
        *old = new.or(*old);
    }
}

fn hinted(usage: Raw<'_>, hints: &UsageHints) -> Option<u64> {
    hints
        .cached_tokens_pointers
        .iter()
        .find_map(|pointer| usage.at_pointer(pointer)?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(operation: Operation, body: &str) -> Option<Usage> {
        read_usage(operation, body.as_bytes(), &UsageHints::default())
    }

    fn chat(usage: &str) -> Option<Usage> {
        read(
            Operation::ChatCompletions,
            &format!(r#"{{"choices":[{{"message":{{"content":"\"usage\""}}}}],"usage":{usage}}}"#),
        )
    }

    fn messages(usage: &str) -> Option<Usage> {
        read(
            Operation::Messages,
            &format!(r#"{{"usage":{usage},"content":[]}}"#),
        )
    }

    #[test]
    fn openai_input_includes_what_was_cached() {
        let usage = chat(
            r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
                "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30},
                "completion_tokens_details":{"reasoning_tokens":5}}"#,
        );
        let expected = Usage {
            input: 10,
            cache_read: 60,
            cache_write_5m: 30,
            output: 20,
            reasoning: 5,
            ..Usage::default()
        };
        assert_eq!(usage, Some(expected));
        let responses = read(
            Operation::Responses,
            r#"{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":2,"total_tokens":11}}"#,
        );
        assert_eq!(
            responses,
            Some(Usage {
                input: 5,
                cache_read: 4,
                output: 2,
                ..Usage::default()
            })
        );
    }

    #[test]
    fn more_cached_than_read_never_wraps() {
        let usage = chat(r#"{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":9,"cache_write_tokens":9}}"#).unwrap();
        assert_eq!(
            (usage.input, usage.cache_read, usage.cache_write_5m),
            (0, 5, 0)
        );
    }

    #[test]
    fn anthropic_input_excludes_what_was_cached() {
        let usage = messages(
            r#"{"input_tokens":7,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,
                "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},
                "output_tokens":9,"output_tokens_details":{"thinking_tokens":4}}"#,
        );
        let expected = Usage {
            input: 7,
            cache_read: 100,
            cache_write_5m: 20,
            cache_write_1h: 30,
            output: 9,
            reasoning: 4,
            estimated: false,
        };
        assert_eq!(usage, Some(expected));
    }

    /// Vendors of Messages tell it as a sum, once more in parts by how long it is kept, and all of it in each event.
    #[test]
    fn a_cache_write_told_as_a_sum_and_in_parts_and_again_in_a_later_event_is_counted_once() {
        let usage = r#"{"input_tokens":7,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,
            "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30},"output_tokens":9}"#;
        let mut told = Told::default();
        for event in 1..=3 {
            let usage = Raw::new(usage.as_bytes());
            told.take(Operation::Messages, usage, &UsageHints::default());
            let expected = Usage {
                input: 7,
                cache_read: 100,
                cache_write_5m: 20,
                cache_write_1h: 30,
                output: 9,
                ..Usage::default()
            };
            assert_eq!(told.usage(), Some(expected), "after event {event}");
        }
    }

    #[test]
    fn cache_writes_without_a_split_are_never_free() {
        for split in [
            "",
            r#","cache_creation":null"#,
            r#","cache_creation":{"ephemeral_1h_input_tokens":null}"#,
        ] {
            let usage = messages(&format!(
                r#"{{"input_tokens":1,"cache_creation_input_tokens":50,"output_tokens":1{split}}}"#
            ));
            assert_eq!(usage.unwrap().cache_write_5m, 50, "{split}");
        }
        let only_split = messages(
            r#"{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}}"#,
        );
        let only_split = only_split.unwrap();
        assert_eq!(
            (only_split.cache_write_5m, only_split.cache_write_1h),
            (2, 3)
        );
    }

    #[test]
    fn a_total_stands_in_for_what_is_left_out() {
        let embeddings = read(
            Operation::Embeddings,
            r#"{"data":[],"usage":{"total_tokens":8}}"#,
        )
        .unwrap();
        assert_eq!((embeddings.input, embeddings.output), (8, 0));
        let beside = chat(
            r#"{"prompt_tokens":14,"completion_tokens":9,"total_tokens":117,"completion_tokens_details":{"reasoning_tokens":94}}"#,
        );
        let beside = beside.unwrap();
        assert_eq!(
            (beside.output, beside.reasoning),
            (103, 94),
            "reasoning counted beside the output is output"
        );
    }

    #[test]
    fn what_tells_nothing_is_no_usage() {
        for usage in ["null", "{}", "[]", "5", r#"{"prompt_tokens":null}"#] {
            assert_eq!(chat(usage), None, "{usage}");
        }
        assert_eq!(read(Operation::ChatCompletions, r#"{"choices":["#), None);
        assert_eq!(read(Operation::CountTokens, r#"{"input_tokens":5}"#), None);
        assert_eq!(
            chat(r#"{"prompt_tokens":0,"completion_tokens":0}"#),
            Some(Usage::default()),
            "zero told is zero"
        );
    }

    #[test]
    fn hints_lead_to_unusual_places() {
        let hints = UsageHints {
            pointers: vec!["/choices/0/usage".into()],
            cached_tokens_pointers: vec!["/missing".into(), "/cached_tokens".into()],
            ..UsageHints::default()
        };
        let body = br#"{"choices":[{"usage":{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":4}}]}"#;
        let usage = read_usage(Operation::ChatCompletions, body, &hints).unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (5, 4, 1));
    }

    #[test]
    fn what_chat_vendors_tell_of_their_caches_in_places_of_their_own_is_counted_once() {
        for (cache, prompt) in [
            (
                r#""prompt_cache_hit_tokens":60,"prompt_cache_miss_tokens":40"#,
                true,
            ),
            (
                r#""prompt_cache_hit_tokens":60,"prompt_cache_miss_tokens":40"#,
                false,
            ),
            (r#""cached_tokens":60"#, true),
            (
                r#""cached_tokens":60,"prompt_tokens_details":{"cached_tokens":60}"#,
                true,
            ),
            (
                r#""prompt_tokens_details":{"cached_tokens":60},"prompt_cache_hit_tokens":60"#,
                true,
            ),
            (
                r#""prompt_tokens_details":{"cached_tokens":0},"cached_tokens":60"#,
                true,
            ),
            (
                r#""prompt_tokens_details":null,"cached_tokens":60,"prompt_cache_hit_tokens":60"#,
                true,
            ),
        ] {
            let prompt = if prompt {
                r#""prompt_tokens":100,"#
            } else {
                ""
            };
            let usage = chat(&format!(r#"{{{prompt}"completion_tokens":5,{cache}}}"#)).unwrap();
            assert_eq!(
                (usage.input, usage.cache_read, usage.output),
                (40, 60, 5),
                "{cache}"
            );
        }
        // The manifest's word stands, even where it leads to a zero.
        let hints = UsageHints {
            cached_tokens_pointers: vec!["/mine".into()],
            ..UsageHints::default()
        };
        for (mine, read) in [("7", 7), ("0", 0), ("null", 60)] {
            let body =
                format!(r#"{{"usage":{{"prompt_tokens":100,"cached_tokens":60,"mine":{mine}}}}}"#);
            let usage = read_usage(Operation::ChatCompletions, body.as_bytes(), &hints);
            assert_eq!(usage.unwrap().cache_read, read, "{mine}");
        }
        // In the dialect of Responses these names say nothing.
        let other = read(
            Operation::Responses,
            r#"{"usage":{"input_tokens":100,"output_tokens":5,"cached_tokens":60}}"#,
        );
        assert_eq!(other.unwrap().cache_read, 0);
    }

    #[test]
    fn later_events_replace_earlier_ones() {
        let mut told = Told::default();
        let mut take = |usage: &str| {
            told.take(
                Operation::Messages,
                Raw::new(usage.as_bytes()),
                &UsageHints::default(),
            )
        };
        take(
            r#"{"input_tokens":83555,"output_tokens":1,"cache_creation_input_tokens":10,
                "cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":6}}"#,
        );
        take(r#"{"input_tokens":224,"output_tokens":20,"cache_creation_input_tokens":10}"#);
        take(r#"{"input_tokens":0,"output_tokens":22}"#);
        let expected = Usage {
            input: 224,
            cache_write_5m: 4,
            cache_write_1h: 6,
            output: 22,
            ..Usage::default()
        };
        assert_eq!(told.usage(), Some(expected));
    }
}
