//! A stream collected into a whole answer: the same in any chunking, JSON, never larger than what it was made of, and what it was
//! once it is unfolded and collected again.

use serde_json::Value;
use tollgate_dialect::{Aggregator, Incomplete, Operation, unfold};

use crate::input::Input;
use crate::stream::{is_json, shown};
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
    let pieces = input.pieces();
    let whole = collected(operation, &[input.payload], LIMIT);
    let cut = collected(operation, &pieces, LIMIT);
    assert_eq!(whole, cut, "{}", shown(input.payload));
    if let Ok(answer) = &whole {
        assert!(is_json(answer), "{}", shown(answer));
        // What a vendor leaves out is put in, a few hundred bytes an item; an item takes a few bytes to name.
        let most = 1_024 + input.payload.len() * 64;
        assert!(
            answer.len() <= most,
            "{} bytes of {}",
            answer.len(),
            input.payload.len()
        );
        unfolded(operation, answer);
    }
    let limit = 64 << (input.byte(1) & 7);
    let _ = collected(operation, &pieces, limit);
}

/// What is missing in an answer may be told as nothing; all that is said is said again.
fn unfolded(operation: Operation, answer: &[u8]) {
    let Some(stream) = unfold(operation, answer, true) else {
        return;
    };
    let again = collected(operation, &[&stream], 64 * LIMIT).expect("it is a stream");
    let said = |bytes: &[u8]| {
        let mut answer: Value = serde_json::from_slice(bytes).expect("an answer");
        let said = ["content", "output", "choices"].map(|member| answer[member].take());
        let [content, output, mut choices] = said;
        let choices = choices
            .as_array_mut()
            .map(std::mem::take)
            .unwrap_or_default();
        let messages = choices
            .into_iter()
            .map(|mut choice| choice["message"].take());
        (content, output, messages.collect::<Vec<_>>())
    };
    assert_eq!(said(&again), said(answer), "{}", shown(&stream));
}

fn collected(operation: Operation, pieces: &[&[u8]], limit: usize) -> Result<Vec<u8>, Incomplete> {
    let mut aggregator = Aggregator::new(operation, limit);
    for piece in pieces {
        if let Err(why) = aggregator.push(piece) {
            assert_eq!(aggregator.push(b"data: {}\n\n"), Err(why.clone()));
            assert_eq!(aggregator.finish(), Err(why.clone()));
            return Err(why);
        }
    }
    aggregator.finish().map(|answer| answer.to_vec())
}
