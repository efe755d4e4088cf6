//! What the gateway reads of a request and changes in it: facts, a lowered cap, its text, sealed reasoning taken out.

use tollgate_dialect::bridge::{has_foreign, has_sealed, strip_foreign, strip_sealed};
use tollgate_dialect::{Document, Operation, facts, lower_output_cap, replace, segments};

use crate::input::Input;
use crate::stream::{is_json, shown};

/// A larger cap is refused.
const LARGEST_CAP: u64 = 100_000_000;

/// See the module.
pub fn check(data: &[u8]) {
    let Some(input) = Input::of(data) else { return };
    let operation = input.pick(0, &Operation::ALL);
    let Ok(document) = Document::parse(input.payload.to_vec().into()) else {
        return;
    };
    caps(&document, operation, &input);
    text(document.clone(), operation);
    foreign(document.clone(), operation);
    sealed(document, operation);
}

fn caps(document: &Document, operation: Operation, input: &Input<'_>) {
    let Ok(before) = facts(document, operation) else {
        return;
    };
    assert!(!before.model.is_empty() && before.model.len() <= 256);
    assert!(before.input_chars_estimate <= input.payload.len() as u64);
    let cap = (u64::from(input.byte(1)) << (input.byte(2) % 24)).min(LARGEST_CAP);
    let mut lowered = document.clone();
    lower_output_cap(&mut lowered, operation, cap).expect("its facts can be read");
    let bytes = lowered.to_bytes();
    let read = Document::parse(bytes.clone()).and_then(|again| facts(&again, operation));
    let mut after = match read {
        Ok(after) => after,
        // A cap of nothing is no cap.
        Err(_) if cap == 0 => return,
        Err(why) => panic!("{why}\n{}", shown(&bytes)),
    };
    if matches!(
        operation,
        Operation::ChatCompletions | Operation::Responses | Operation::Messages
    ) {
        let expected = before.output_cap.map_or(cap, |before| before.min(cap));
        assert_eq!(after.output_cap, Some(expected), "{}", shown(&bytes));
    }
    after.output_cap = before.output_cap;
    after.input_chars_estimate = before.input_chars_estimate;
    assert_eq!(after, before, "nothing else changes");
}

fn text(mut document: Document, operation: Operation) {
    let Ok(found) = segments(&document, operation) else {
        return;
    };
    let changed: Vec<(usize, String)> = found
        .iter()
        .enumerate()
        .map(|(at, segment)| (at, format!("{}\"é", segment.text)))
        .collect();
    let kinds: Vec<_> = found.iter().map(|one| (one.role, one.kind)).collect();
    if replace(&mut document, operation, &changed).is_err() {
        return;
    }
    let bytes = document.to_bytes();
    assert!(is_json(&bytes), "{}", shown(&bytes));
    let again = Document::parse(bytes).expect("what was changed can be read");
    let again = segments(&again, operation).expect("and so can its text");
    let texts: Vec<&str> = again.iter().map(|segment| &*segment.text).collect();
    let expected: Vec<&str> = changed.iter().map(|(_, text)| &**text).collect();
    assert_eq!(texts, expected);
    let now: Vec<_> = again.iter().map(|one| (one.role, one.kind)).collect();
    assert_eq!(now, kinds);
}

/// As if another vendor had made all of it.
fn foreign(mut document: Document, operation: Operation) {
    let suspect = has_foreign(&document, operation, &|_| true) || has_sealed(&document, operation);
    if strip_foreign(&mut document, operation, &|_| true).is_err() {
        return;
    }
    let bytes = document.to_bytes();
    assert!(is_json(&bytes), "{}", shown(&bytes));
    assert!(suspect || !document.is_modified());
    let mut again = Document::parse(bytes.clone()).expect("what was changed can be read");
    strip_foreign(&mut again, operation, &|_| true).expect("as before");
    assert!(!again.is_modified(), "taken out at once: {}", shown(&bytes));
}

fn sealed(mut document: Document, operation: Operation) {
    let suspect = has_sealed(&document, operation);
    if strip_sealed(&mut document, operation).is_err() {
        return;
    }
    assert!(suspect || !document.is_modified());
    let bytes = document.to_bytes();
    assert!(is_json(&bytes), "{}", shown(&bytes));
    let mut again = Document::parse(bytes.clone()).expect("what was changed can be read");
    strip_sealed(&mut again, operation).expect("as before");
    assert!(!again.is_modified(), "taken out at once: {}", shown(&bytes));
}
