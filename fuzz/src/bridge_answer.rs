//! A vendor's whole answer as the client's: of the client's dialect or an error, the same as a stream that is made of it;
//! and the text in it can be found and replaced.

use std::sync::Arc;

use tollgate_dialect::bridge::{StreamBridge, answer};
use tollgate_dialect::{
    Document, Operation, UsageHints, answer_segments, first_event_failure, read_usage,
    replace_answer,
};

use crate::bridge_stream::chosen;
use crate::grammar::{self, End};
use crate::input::Input;
use crate::stream::{is_json, is_legible, shown};
use crate::support::{LIMIT, stamp};

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    bridged(&input);
    let operation = input.pick(0, &Operation::ALL);
    let hints = UsageHints {
        pointers: vec!["/x_usage/usage".into(), "/choices/0/usage".into()],
        cached_tokens_pointers: vec!["/cached_tokens".into()],
        ..UsageHints::default()
    };
    if let Some(usage) = read_usage(operation, input.payload, &hints) {
        assert!(usage.reasoning <= usage.output && !usage.estimated);
    }
    let _ = first_event_failure(operation, input.payload);
    text(operation, input.payload);
}

fn bridged(input: &Input<'_>) {
    let context = chosen(input);
    let hints = Arc::new(UsageHints::default());
    let told = answer(&context, &stamp(), &hints, input.payload);
    assert_eq!(
        told,
        answer(&context, &stamp(), &hints, input.payload),
        "equal input gives equal bytes"
    );
    let mut bridge = StreamBridge::new(context.clone(), stamp(), hints, LIMIT);
    let mut events = Vec::new();
    bridge.whole(input.payload, &mut events);
    bridge.finish(&tollgate_dialect::bridge::Upstream::Closed, &mut events);
    let end = match &told {
        Ok(_) => End::Complete,
        Err(_) => End::Failed,
    };
    let sent = || shown(input.payload);
    if !is_legible(&events) {
        assert!(
            told.is_ok_and(|told| is_json(&told)) || end == End::Failed,
            "{}",
            sent()
        );
        return;
    }
    assert_eq!(
        grammar::check(context.from, &events),
        Ok(end),
        "{}\n→\n{}",
        sent(),
        shown(&events)
    );
    let Ok(told) = told else { return };
    // A number that no float holds stands in text in a stream, and in an object in a whole answer.
    let Ok(value) = serde_json::from_slice(&told) else {
        assert!(is_json(&told), "{}\n→\n{}", sent(), shown(&told));
        return;
    };
    if let Err(wrong) = grammar::check_whole(context.from, &value) {
        panic!("{wrong}\n{}\n→\n{}", sent(), shown(&told));
    }
}

fn text(operation: Operation, body: &[u8]) {
    let Ok(mut document) = Document::parse(body.to_vec().into()) else {
        return;
    };
    let Ok(found) = answer_segments(&document, operation) else {
        return;
    };
    let changed: Vec<(usize, String)> = found
        .iter()
        .enumerate()
        .map(|(at, segment)| (at, format!("{}\"é", segment.text)))
        .collect();
    if replace_answer(&mut document, operation, &changed).is_err() {
        return;
    }
    let bytes = document.to_bytes();
    assert!(is_json(&bytes), "{}", shown(&bytes));
    let again = Document::parse(bytes).expect("what was changed can be read");
    let again = answer_segments(&again, operation).expect("and so can its text");
    let texts: Vec<&str> = again.iter().map(|segment| &*segment.text).collect();
    let expected: Vec<&str> = changed.iter().map(|(_, text)| &**text).collect();
    assert_eq!(texts, expected);
}
