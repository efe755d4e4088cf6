//! Streams of each dialect, read the same however they are cut.

use proptest::prelude::*;

use super::*;

fn read_in(
    operation: Operation,
    hints: &UsageHints,
    stream: &[u8],
    cuts: &[usize],
) -> StreamSummary {
    let mut tap = StreamTap::new(operation, Arc::new(hints.clone()));
    let mut from = 0;
    for &cut in cuts {
        tap.push(&stream[from..cut]);
        from = cut;
    }
    tap.push(&stream[from..]);
    tap.finish()
}

/// Reads the stream whole, cut once at every place, and byte by byte: always the same.
fn read(operation: Operation, stream: &str) -> StreamSummary {
    let hints = UsageHints::default();
    let stream = stream.as_bytes();
    let whole = read_in(operation, &hints, stream, &[]);
    for cut in 0..=stream.len() {
        assert_eq!(
            read_in(operation, &hints, stream, &[cut]),
            whole,
            "cut at {cut}"
        );
    }
    let every: Vec<_> = (0..stream.len()).collect();
    assert_eq!(read_in(operation, &hints, stream, &every), whole);
    whole
}

#[test]
fn a_bare_data_line_is_an_event_wherever_the_stream_is_cut() {
    let summary = read(Operation::Messages, "event: ping\ndata\n\n: c\n\n");
    assert_eq!(summary.events, 1);
}

fn failed(code: &str, message: &str) -> Ended {
    Ended::Failed {
        code: code.into(),
        message: message.into(),
    }
}

const CHAT: &str = concat!(
    ": hello\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"four\"},\"finish_reason\":null}],\"usage\": null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":\"12345\"}}]},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n",
    "data: [DONE]\n\n",
);

#[test]
fn a_chat_stream_is_read_with_any_line_ends_and_any_cuts() {
    for end in ["\n", "\r\n", "\r"] {
        let summary = read(Operation::ChatCompletions, &CHAT.replace('\n', end));
        assert_eq!(
            summary.usage,
            Some(Usage {
                input: 5,
                cache_read: 4,
                output: 3,
                ..Usage::default()
            })
        );
        assert_eq!(summary.ended, Ended::Complete);
        assert_eq!((summary.events, summary.output_bytes_estimate), (6, 9));
    }
    assert_eq!(
        read(
            Operation::ChatCompletions,
            &format!("\u{feff}{}", &CHAT[9..])
        )
        .events,
        6,
        "behind a byte order mark"
    );
}

#[test]
fn a_chat_stream_may_end_without_done() {
    let finished = CHAT.replace("data: [DONE]\n\n", "");
    assert_eq!(
        read(Operation::ChatCompletions, &finished).ended,
        Ended::Complete
    );
    let cut = &CHAT[..CHAT
        .find("data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},")
        .unwrap()];
    let cut = read(Operation::ChatCompletions, cut);
    assert_eq!((cut.ended, cut.usage), (Ended::Cut, None));
    assert_eq!(
        read(Operation::ChatCompletions, "data: [DONE]").ended,
        Ended::Complete,
        "without its blank line"
    );
    assert_eq!(read(Operation::ChatCompletions, "").ended, Ended::Cut);
}

#[test]
fn usage_that_grows_from_event_to_event_counts_once() {
    let event = |output: u64| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{output}}}}}\n\n"
        )
    };
    let stream = format!("{}{}{}", event(1), event(2), event(7));
    assert_eq!(
        read(Operation::ChatCompletions, &stream)
            .usage
            .unwrap()
            .output,
        7
    );
}

#[test]
fn zeros_are_usage_only_in_a_stream_that_came_to_its_end() {
    let zero = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}\n\n";
    assert_eq!(read(Operation::ChatCompletions, zero).usage, None);
    assert_eq!(
        read(
            Operation::ChatCompletions,
            &format!("{zero}data: [DONE]\n\n")
        )
        .usage,
        Some(Usage::default())
    );
}

#[test]
fn a_failure_in_a_chat_stream_is_not_forgotten_over_done() {
    let stream = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":\"gone\"}}\n\ndata: [DONE]\n\n";
    assert_eq!(
        read(Operation::ChatCompletions, stream).ended,
        failed("502", "gone")
    );
    let stream = "event: error\ndata: {\"error\":{\"message\":\"m\",\"type\":\"t\"}}\n\n";
    assert_eq!(
        read(Operation::ChatCompletions, stream).ended,
        failed("t", "m")
    );
}

const RESPONSES: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"usage\":null}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"hello\"}\n\n",
    "event: response.function_call_arguments.delta\ndata: {\"sequence_number\":2,\"delta\":\"{}\",\"type\":\"response.function_call_arguments.delta\"}\n\n",
);

fn responses_end(kind: &str) -> String {
    format!(
        "{RESPONSES}event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"error\":null,\"usage\":{{\"input_tokens\":8,\"input_tokens_details\":{{\"cached_tokens\":3}},\"output_tokens\":2}}}}}}\n\n"
    )
}

#[test]
fn responses_usage_sits_in_each_of_the_three_ends() {
    for (kind, ended) in [
        ("response.completed", Ended::Complete),
        ("response.incomplete", Ended::Complete),
        ("response.failed", failed("", "")),
    ] {
        let summary = read(Operation::Responses, &responses_end(kind));
        assert_eq!(
            summary.usage,
            Some(Usage {
                input: 5,
                cache_read: 3,
                output: 2,
                ..Usage::default()
            }),
            "{kind}"
        );
        assert_eq!(summary.ended, ended);
        assert_eq!((summary.events, summary.output_bytes_estimate), (4, 7));
    }
    assert_eq!(read(Operation::Responses, RESPONSES).ended, Ended::Cut);
    let error = format!(
        "{RESPONSES}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"code\":\"c\",\"message\":\"m\"}}}}\n\n"
    );
    assert_eq!(read(Operation::Responses, &error).ended, failed("c", "m"));
}

#[test]
fn an_error_knows_where_in_the_stream_it_lands() {
    let mut tap = StreamTap::new(Operation::Responses, Arc::default());
    assert_eq!(tap.position(), StreamPosition::default());
    tap.push(RESPONSES.as_bytes());
    let expected = StreamPosition {
        next_sequence: 3,
        response_id: Some("resp_1".into()),
        mid_event: false,
    };
    assert_eq!(tap.position(), expected);
    tap.push(b"event: response.out");
    assert!(tap.position().mid_event);
    tap.push(b"put\ndata: {}\n");
    assert!(tap.position().mid_event);
    tap.push(b"\n");
    assert!(!tap.position().mid_event);
}

#[test]
fn messages_usage_is_what_the_last_event_says() {
    let stream = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":10,\"cache_creation\":{\"ephemeral_5m_input_tokens\":4,\"ephemeral_1h_input_tokens\":6},\"output_tokens\":1}}}        }\n\n",
        "event: ping\ndata: {\"type\": \"ping\"}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"opaque\"}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":7,\"output_tokens\":5,\"output_tokens_details\":{\"thinking_tokens\":2}}   }\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let summary = read(Operation::Messages, stream);
    let expected = Usage {
        input: 7,
        cache_write_5m: 4,
        cache_write_1h: 6,
        output: 5,
        reasoning: 2,
        ..Usage::default()
    };
    assert_eq!(summary.usage, Some(expected));
    assert_eq!(
        (summary.ended, summary.output_bytes_estimate),
        (Ended::Complete, 5)
    );
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n";
    assert_eq!(
        read(Operation::Messages, error).ended,
        failed("overloaded_error", "m")
    );
}

#[test]
fn data_may_have_several_lines() {
    let stream = "data: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":1,\ndata:\"completion_tokens\":2}}\n\n";
    let summary = read(Operation::ChatCompletions, stream);
    assert_eq!((summary.events, summary.usage.unwrap().output), (1, 2));
}

#[test]
fn what_a_chat_vendor_read_from_its_cache_is_counted_wherever_it_says_so() {
    for cached in [
        "\"prompt_cache_hit_tokens\":6,\"prompt_cache_miss_tokens\":3",
        "\"cached_tokens\":6",
        "\"cached_tokens\":6,\"prompt_tokens_details\":{\"cached_tokens\":6}",
    ] {
        let stream = format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":1,{cached}}}}}\n\ndata: [DONE]\n\n"
        );
        let usage = read(Operation::ChatCompletions, &stream).usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (3, 6, 1));
    }
}

#[test]
fn hints_lead_to_usage_in_unusual_events() {
    let stream = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"billing\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"cached\":4}}]}\n\n";
    let hints = UsageHints {
        stream_pointers: vec!["/choices/0/billing".into()],
        cached_tokens_pointers: vec!["/cached".into()],
        ..UsageHints::default()
    };
    let usage = read_in(Operation::ChatCompletions, &hints, stream, &[20])
        .usage
        .unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output), (5, 4, 1));
    assert_eq!(
        read(
            Operation::ChatCompletions,
            std::str::from_utf8(stream).unwrap()
        )
        .usage,
        None
    );
}

#[test]
fn usage_that_came_before_the_output_is_not_that_of_the_answer() {
    let start = r#"event: message_start
data: {"type":"message_start","message":{"usage":{"input_tokens":1000,"output_tokens":1}}}

"#;
    let delta = r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"abcdefgh"}}

"#;
    let end = r#"event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}

"#;
    let error = r#"event: error
data: {"type":"error","error":{"type":"api_error","message":"broke"}}

"#;
    let messages = |parts: &[&str]| read(Operation::Messages, &parts.concat());
    let summary = messages(&[start, delta, error]);
    assert!(matches!(summary.ended, Ended::Failed { .. }));
    assert_eq!(
        (summary.usage.unwrap().output, summary.output_bytes_estimate),
        (1, 8)
    );
    assert!(
        !summary.usage_is_whole,
        "a vendor that breaks would be paid for one token"
    );
    let summary = messages(&[start, delta, end, error]);
    assert!(summary.usage_is_whole && summary.usage.unwrap().output == 2);
    assert!(!messages(&[start, delta]).usage_is_whole);
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let untold = messages(&[start, delta, stop]);
    assert!(untold.ended == Ended::Complete && !untold.usage_is_whole);
    let nothing = end.replace(r#"{"output_tokens":2}"#, "null");
    assert!(!messages(&[start, delta, &nothing, error]).usage_is_whole);
    assert!(
        messages(&[
            start,
            delta,
            end,
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        ])
        .usage_is_whole
    );
    let failed = r#"event: response.failed
data: {"type":"response.failed","response":{"error":{"code":"c","message":"m"},"usage":{"input_tokens":1,"output_tokens":2}}}

"#;
    assert!(read(Operation::Responses, failed).usage_is_whole);
}

#[test]
fn an_event_without_end_costs_no_memory_and_hides_nothing_after_it() {
    let mut tap = StreamTap::new(Operation::ChatCompletions, Arc::default());
    let piece = vec![b'x'; 1 << 20];
    tap.push(b"data: ");
    for _ in 0..40 {
        tap.push(&piece);
        assert!(tap.tail.capacity() <= 2 * LARGEST_EVENT);
    }
    assert!(tap.tail.is_empty() && tap.position().mid_event);
    tap.push(b"\n\n");
    tap.push(CHAT.as_bytes());
    assert_eq!(tap.finish().usage.unwrap().output, 3);
}

proptest! {
    #[test]
    fn any_cuts_read_the_same(cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8), crlf: bool) {
        let stream = if crlf { CHAT.replace('\n', "\r\n") } else { CHAT.to_owned() };
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.sort_unstable();
        let hints = UsageHints::default();
        let whole = read_in(Operation::ChatCompletions, &hints, stream.as_bytes(), &[]);
        prop_assert_eq!(read_in(Operation::ChatCompletions, &hints, stream.as_bytes(), &cuts), whole);
    }

    #[test]
    fn garbage_harms_nobody(bytes in proptest::collection::vec(any::<u8>(), 0..200), near in r#"(data:|event: |\n|\r|\{"(type|delta|usage|choices|error)":|"message_start"|[\[\]{}",:0-9]|null|\[DONE\]){0,60}"#) {
        for operation in Operation::ALL {
            read_in(operation, &UsageHints::default(), &bytes, &[]);
            read_in(operation, &UsageHints::default(), near.as_bytes(), &[]);
        }
    }
}

#[test]
fn what_only_the_vendor_can_read_is_marked_in_any_chunking() {
    let text = "EqQBCkgIChABGAIiQL2UoU0b1OHYi0";
    let own = crate::opaque_marks(format!("{{\"signature\":\"{text}\"}}").as_bytes());
    assert_eq!(own.len(), 1);
    let event =
        |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{rest}}}\n\n");
    for (operation, stream) in [
        (
            Operation::Messages,
            event(
                "content_block_delta",
                &format!(r#""index":0,"delta":{{"type":"signature_delta","signature":"{text}"}}"#),
            ),
        ),
        (
            Operation::Messages,
            event(
                "content_block_start",
                &format!(
                    r#""index":0,"content_block":{{"type":"redacted_thinking","data":"{text}"}}"#
                ),
            ),
        ),
        (
            Operation::Responses,
            event(
                "response.output_item.done",
                &format!(r#""item":{{"type":"reasoning","encrypted_content":"{text}"}}"#),
            ),
        ),
    ] {
        for size in [1, 7, stream.len()] {
            let mut tap = StreamTap::new(operation, Arc::default());
            stream
                .as_bytes()
                .chunks(size)
                .for_each(|chunk| tap.push(chunk));
            assert_eq!(tap.opaque_marks(), own, "{operation:?} in pieces of {size}");
        }
    }
}
