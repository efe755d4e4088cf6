//! Takes the usage chunk out of a chat stream when it was the gateway that asked for it.

use bytes::Bytes;

use super::delta::value_at;
use super::tap::USAGE;
use crate::json::walk::{Raw, Shape};
use crate::sse::{self, Boundaries};

/// Drops exactly the chunks with `"choices":[]` and a usage object; every other byte passes uncopied.
/// Use it only where the gateway set `include_usage` and the client did not ask.
#[derive(Debug, Default)]
pub struct StreamFilter {
    boundaries: Boundaries,
    /// The unfinished event, in the pieces in which it came.
    held: Vec<Bytes>,
    held_bytes: usize,
    /// The event at hand is too large to be a usage chunk and passes as it comes.
    passing: bool,
}

/// A usage chunk is far smaller than this.
const LARGEST_USAGE_EVENT: usize = 64 << 10;

impl StreamFilter {
    /// A filter at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they arrived; hands on what may go out, in order. The unfinished end of an event may wait.
    pub fn push(&mut self, chunk: Bytes, mut emit: impl FnMut(Bytes)) {
        let mut dropped = Vec::new();
        let mut start = 0;
        let mut boundaries = std::mem::take(&mut self.boundaries);
        for end in boundaries.ends(&chunk) {
            if !std::mem::take(&mut self.passing) && self.is_usage(&chunk[start..end]) {
                dropped.push(start..end);
                self.discard();
            } else {
                // Events pass together with their neighbours: nothing is cut where nothing is dropped.
                self.release(&mut emit);
            }
            start = end;
        }
        self.boundaries = boundaries;
        let mut from = 0;
        for range in dropped {
            send(chunk.slice(from..range.start), &mut emit);
            from = range.end;
        }
        let rest = chunk.len() - start;
        if self.passing || self.held_bytes + rest > LARGEST_USAGE_EVENT {
            // Too large to be a usage chunk: no reason to wait for its end.
            self.passing |= rest > 0;
            self.release(&mut emit);
            send(chunk.slice(from..), &mut emit);
        } else if rest == 0 {
            send(chunk.slice(from..), &mut emit);
        } else {
            send(chunk.slice(from..start), &mut emit);
            self.held_bytes += rest;
            self.held.push(chunk.slice(start..));
        }
    }

    /// The stream has ended; hands on what was waiting.
    pub fn finish(&mut self, mut emit: impl FnMut(Bytes)) {
        let last = !self.passing && self.is_usage(&[]);
        if last {
            self.discard()
        } else {
            self.release(&mut emit)
        }
    }

    fn release(&mut self, emit: &mut impl FnMut(Bytes)) {
        self.held_bytes = 0;
        self.held.drain(..).for_each(emit);
    }

    fn discard(&mut self) {
        self.held_bytes = 0;
        self.held.clear();
    }

    /// Whether the held pieces and `rest` together are a usage chunk.
    fn is_usage(&self, rest: &[u8]) -> bool {
        if self.held_bytes + rest.len() > LARGEST_USAGE_EVENT {
            return false;
        }
        if self.held.is_empty() {
            return is_usage_event(rest);
        }
        let mut whole = Vec::with_capacity(self.held_bytes + rest.len());
        self.held
            .iter()
            .for_each(|piece| whole.extend_from_slice(piece));
        whole.extend_from_slice(rest);
        is_usage_event(&whole)
    }
}

fn send(bytes: Bytes, emit: &mut impl FnMut(Bytes)) {
    if !bytes.is_empty() {
        emit(bytes);
    }
}

fn is_usage_event(event: &[u8]) -> bool {
    // Nearly every chunk has no usage, or a null that a look at one byte tells.
    let mut from = 0;
    loop {
        match USAGE.find(&event[from..]) {
            None => return false,
            Some(at) => from += at + 7,
        }
        if event.get(value_at(event, from)) == Some(&b'{') {
            break;
        }
    }
    let Some(event) = sse::read(event) else {
        return false;
    };
    let chunk = Raw::new(&event.data);
    chunk
        .get("usage")
        .is_some_and(|usage| usage.shape() == Shape::Object)
        && chunk.get("choices").is_some_and(|choices| {
            choices.shape() == Shape::Array && choices.items().next().is_none()
        })
        && chunk.get("error").is_none_or(Raw::is_null)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTA: &str = r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"\"usage\" a"}}],"usage":null}"#;
    const FINISH: &str = r#"data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
    const USAGE: &str =
        r#"data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    const PREAMBLE: &str =
        r#"data: {"id":"","choices":[],"prompt_filter_results":[],"usage":null}"#;
    const DONE: &str = "data: [DONE]";

    fn run(stream: &str, cuts: &[usize]) -> String {
        let whole = Bytes::copy_from_slice(stream.as_bytes());
        let mut filter = StreamFilter::new();
        let mut out = Vec::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&whole.len()]) {
            filter.push(whole.slice(from..cut), |bytes| {
                out.extend_from_slice(&bytes)
            });
            from = cut;
        }
        filter.finish(|bytes| out.extend_from_slice(&bytes));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn exactly_the_usage_chunk_goes_wherever_the_stream_is_cut() {
        for end in ["\n\n", "\r\n\r\n", "\r\r"] {
            let join = |events: &[&str]| {
                events
                    .iter()
                    .map(|event| format!("{event}{end}"))
                    .collect::<String>()
            };
            let stream = join(&[": hi", PREAMBLE, DELTA, FINISH, USAGE, DONE]);
            let expected = join(&[": hi", PREAMBLE, DELTA, FINISH, DONE]);
            assert_eq!(run(&stream, &[]), expected);
            for cut in 1..stream.len() {
                assert_eq!(run(&stream, &[cut]), expected, "cut at {cut}");
            }
            let every: Vec<_> = (1..stream.len()).collect();
            assert_eq!(run(&stream, &every), expected);
        }
    }

    #[test]
    fn a_stream_without_usage_chunk_passes_uncopied() {
        let chunk = Bytes::from(format!("{DELTA}\n\n{FINISH}\n\n"));
        let mut filter = StreamFilter::new();
        let mut out = Vec::new();
        filter.push(chunk.clone(), |bytes| out.push(bytes));
        assert_eq!(out.len(), 1);
        assert_eq!(
            (out[0].as_ptr(), out[0].len()),
            (chunk.as_ptr(), chunk.len())
        );
    }

    #[test]
    fn what_only_resembles_a_usage_chunk_stays() {
        let large = format!(
            r#"data: {{"choices":[],"usage":{{}},"x":"{}"}}"#,
            "x".repeat(70_000)
        );
        for event in [
            r#"data: {"choices":[],"usage":{},"error":{"message":"m"}}"#,
            r#"data: {"usage":{"prompt_tokens":1}}"#,
            r#"data: {"choices":[]"usage"}"#,
            r#": "choices":[],"usage":{}"#,
            &large,
        ] {
            let stream = format!("{event}\n\n{DONE}\n\n");
            assert_eq!(run(&stream, &[]), stream);
            assert_eq!(run(&stream, &[10]), stream);
        }
        assert_eq!(
            run(&format!("{large}\n\n{USAGE}\n\n"), &[66_000]),
            format!("{large}\n\n"),
            "and does not hide the next one"
        );
    }

    #[test]
    fn a_usage_chunk_without_its_blank_line_goes_too() {
        assert_eq!(
            run(&format!("{DELTA}\n\n{USAGE}"), &[]),
            format!("{DELTA}\n\n")
        );
        assert_eq!(
            run(&format!("{DELTA}\n\ndata: {{\"cho"), &[]),
            format!("{DELTA}\n\ndata: {{\"cho"),
            "what is cut off stays"
        );
    }
}
