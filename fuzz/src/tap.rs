//! The native path of a stream: what is read on the side, the usage chunk taken out, the look at the beginning, the last
//! response. Each says the same in any chunking, and an error put behind any part of a stream can be read.

use std::sync::Arc;

use bytes::Bytes;
use tollgate_dialect::{
    ApiError, Commit, ErrorKind, LastResponse, Operation, StreamFilter, StreamPosition,
    StreamSummary, StreamTap, UsageHints, commit_check, sniff_event_stream, stream_error,
};

use crate::input::Input;
use crate::stream::{Event, events, is_json, shown};
use crate::support::LIMIT;

const OPERATIONS: [Operation; 3] = [
    Operation::ChatCompletions,
    Operation::Responses,
    Operation::Messages,
];

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let operation = input.pick(0, &OPERATIONS);
    let hints = Arc::new(hints(&input));
    let pieces = input.pieces();
    let whole = tapped(operation, &hints, &[input.payload]);
    let cut = tapped(operation, &hints, &pieces);
    assert_eq!(whole, cut, "{}", shown(input.payload));
    let (found, rest) = events(input.payload);
    // The unfinished one counts where its data is whole.
    let told = found.len() as u64..=found.len() as u64 + u64::from(!rest.is_empty());
    assert!(
        told.contains(&whole.0.events),
        "{told:?} events, not {}",
        whole.0.events
    );
    last_words(operation, &whole.1, input.payload);
    filter(&input, &pieces, &found);
    beginning(operation, &pieces);
    last_response(&input, &pieces);
    let _ = sniff_event_stream(input.payload);
}

fn hints(input: &Input<'_>) -> UsageHints {
    match input.byte(1) & 3 {
        0 => UsageHints::default(),
        1 => UsageHints {
            stream_pointers: vec!["/choices/0/usage".into(), "/x/usage".into()],
            cached_tokens_pointers: vec!["/cached_tokens".into()],
            ..UsageHints::default()
        },
        _ => UsageHints {
            stream_pointers: vec!["/x_meter/tokens".into(), "/response/x".into()],
            ..UsageHints::default()
        },
    }
}

fn tapped(
    operation: Operation,
    hints: &Arc<UsageHints>,
    pieces: &[&[u8]],
) -> (StreamSummary, StreamPosition) {
    let mut tap = StreamTap::new(operation, hints.clone());
    for piece in pieces {
        let (before, ended) = (tap.output_bytes(), tap.is_ended());
        tap.push(piece);
        assert!(tap.output_bytes() >= before && tap.is_ended() >= ended);
    }
    let position = tap.position();
    (tap.finish(), position)
}

/// The client must be able to read the error that ends a stream, wherever that was cut.
fn last_words(operation: Operation, position: &StreamPosition, sent: &[u8]) {
    let error = ApiError::new(ErrorKind::UpstreamFailed, "it broke");
    let told = stream_error(operation.dialect(), &error, "req1", position);
    let stream = [sent, &told].concat();
    let (found, rest) = events(&stream);
    assert!(rest.is_empty());
    let words = match operation {
        Operation::Responses => 2,
        _ => 1,
    };
    for (_, data) in &found[found.len().saturating_sub(words)..] {
        assert!(
            is_json(data) && String::from_utf8_lossy(data).contains("it broke"),
            "{}\n→\n{}",
            shown(&stream),
            shown(data)
        );
    }
}

fn filter(input: &Input<'_>, pieces: &[&[u8]], sent: &[Event]) {
    let whole = filtered(&[input.payload]);
    let cut = filtered(pieces);
    assert!(whole == cut, "{}\n→\n{}", shown(&whole), shown(&cut));
    let (left, _) = events(&whole);
    let mut left = left.iter().peekable();
    for event in sent {
        if left.peek() == Some(&event) {
            left.next();
            continue;
        }
        let data = String::from_utf8_lossy(&event.1);
        assert!(
            data.contains("\"usage\"") && data.contains("\"choices\""),
            "taken out: {data}"
        );
    }
    assert_eq!(left.next(), None, "nothing comes in");
}

fn filtered(pieces: &[&[u8]]) -> Vec<u8> {
    let mut filter = StreamFilter::new();
    let mut out = Vec::new();
    for piece in pieces {
        let piece = Bytes::copy_from_slice(piece);
        filter.push(piece, |bytes| out.extend_from_slice(&bytes));
    }
    filter.finish(|bytes| out.extend_from_slice(&bytes));
    out
}

/// A verdict about the beginning stays.
fn beginning(operation: Operation, pieces: &[&[u8]]) {
    let (mut received, mut verdict) = (Vec::new(), Commit::Wait);
    // Each look begins at the front.
    for piece in pieces.iter().take(64) {
        received.extend_from_slice(piece);
        let now = commit_check(operation, &received);
        assert!(verdict == Commit::Wait || now == verdict);
        verdict = now;
    }
}

fn last_response(input: &Input<'_>, pieces: &[&[u8]]) {
    let found = |pieces: &[&[u8]], limit: usize| {
        let mut last = LastResponse::new(limit);
        pieces.iter().for_each(|piece| last.push(piece));
        last.take()
    };
    let whole = found(&[input.payload], LIMIT);
    assert_eq!(whole, found(pieces, LIMIT));
    assert!(whole.is_none_or(|response| is_json(response.as_bytes())));
    let _ = found(pieces, 64);
}
