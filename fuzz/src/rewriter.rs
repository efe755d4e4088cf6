//! Streams whose text is filtered. A filter that changes nothing changes nothing; one that is slow loses nothing; all of
//! them see the same text in any chunking, and nothing follows a denial.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_dialect::{AnswerRewriter, Channel, Denied, Kind, Operation, TextFilter};

use crate::input::Input;
use crate::stream::{events, is_json, says_twice, shown};

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
    let way = input.pick(
        1,
        &[Way::Through, Way::Slow(3), Way::Slow(usize::MAX), Way::Deny],
    );
    let whole = run(operation, &[input.payload], way);
    let cut = run(operation, &pieces, way);
    assert!(
        whole == cut,
        "{way:?}\n{:?} {}\n→\n{:?} {}",
        whole.denied,
        shown(&whole.out),
        cut.denied,
        shown(&cut.out)
    );
    let told = || {
        format!(
            "{way:?}\n{}\n→\n{}",
            shown(input.payload),
            shown(&whole.out)
        )
    };
    if says_twice(input.payload) {
        return;
    }
    let (sent, rest) = events(input.payload);
    let (out, _) = events(&whole.out);
    for (_, data) in &out {
        let data = data.trim_ascii();
        assert!(
            data == b"[DONE]" || data.is_empty() || is_json(data),
            "{}",
            told()
        );
    }
    if whole.denied.is_some() {
        return;
    }
    if way == Way::Through && rest.is_empty() {
        assert_eq!(out.len(), sent.len(), "{}", told());
        for (old, new) in sent.iter().zip(&out) {
            let tree = |data: &[u8]| serde_json::from_slice::<Value>(data).ok();
            assert!(old == new || tree(&old.1) == tree(&new.1), "{}", told());
        }
    }
    // Of a Responses stream that breaks off before the first delta, what was held back is lost with the rest.
    let whole_text = way == Way::Through || operation != Operation::Responses;
    if way != Way::Deny && whole_text {
        let again = run(operation, &[&whole.out], Way::Through);
        assert_eq!(again.denied, None, "{}", told());
        assert_eq!(again.seen, whole.seen, "{}", told());
    }
}

/// What a filter does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Through,
    /// Holds back so many letters.
    Slow(usize),
    /// Ends the answer where a text has an `E`.
    Deny,
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    out: Vec<u8>,
    denied: Option<Denied>,
    /// All text of each channel.
    seen: BTreeMap<Channel, String>,
}

fn run(operation: Operation, pieces: &[&[u8]], way: Way) -> Outcome {
    let mut rewriter = AnswerRewriter::new(operation);
    let mut filter = Filter {
        way,
        seen: BTreeMap::new(),
        held: BTreeMap::new(),
    };
    let mut out = Vec::new();
    let mut denied = None;
    for piece in pieces {
        if let Err(why) = rewriter.push(piece, &mut filter, &mut out) {
            denied = Some(why);
            break;
        }
    }
    let length = out.len();
    let finished = rewriter.finish(&mut filter, &mut out);
    if denied.is_some() {
        assert_eq!((finished, out.len()), (Ok(()), length), "nothing follows");
    } else {
        denied = finished.err();
    }
    let lost: Vec<_> = filter
        .held
        .iter()
        .filter(|(_, held)| !held.is_empty())
        .collect();
    assert!(
        denied.is_some() || lost.is_empty(),
        "held back for ever: {lost:?}"
    );
    Outcome {
        out,
        denied,
        seen: filter.seen,
    }
}

struct Filter {
    way: Way,
    seen: BTreeMap<Channel, String>,
    held: BTreeMap<Channel, String>,
}

impl TextFilter for Filter {
    fn push(&mut self, channel: Channel, _: Kind, text: &str) -> Result<String, Denied> {
        self.seen.entry(channel).or_default().push_str(text);
        match self.way {
            Way::Through => Ok(text.to_owned()),
            Way::Deny if text.contains('E') => Err(Denied {
                reason: "an-e".to_owned(),
                message: "it has an E".to_owned(),
            }),
            Way::Deny => Ok(text.to_owned()),
            Way::Slow(letters) => {
                let held = self.held.entry(channel).or_default();
                held.push_str(text);
                let go = held.chars().count().saturating_sub(letters);
                let go = held.char_indices().nth(go).map_or(held.len(), |(at, _)| at);
                Ok(held.drain(..go).collect())
            }
        }
    }

    fn finish(&mut self, channel: Channel) -> Result<String, Denied> {
        Ok(self.held.remove(&channel).unwrap_or_default())
    }
}
