//! Changes to an input that keep it nearly what it was: whole events and whole JSON values are dropped, doubled, moved and
//! exchanged. libFuzzer's own changes, bytes here and there, mostly make something that no reader looks at twice; they
//! come in between.

use std::ops::Range;

use crate::input::{HEAD, next};

/// Values that somebody has sent, or that sit on an edge.
const VALUES: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1.5",
    "1e999",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "\"\"",
    "\" \"",
    "\"a\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\n\\n\"",
    "\"{\\\"a\\\":1}\"",
    "\"tg1.maker.item.cnNfMQplA\"",
    "\"tg1.other.signature.eA\"",
    "{}",
    "[]",
    "[{}]",
    "{\"a\":[null]}",
];

/// A longer input would only be slow.
const LARGEST: usize = 1 << 16;

/// Changes `data[..size]`, of which up to `max_size` bytes may be used; gives the new size.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    bytes: impl Fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut random = Random(seed | 1);
    if size <= HEAD || size > LARGEST || random.below(3) == 0 {
        return bytes(data, size, max_size);
    }
    if random.below(8) == 0 {
        data[random.below(HEAD)] = random.below(256) as u8;
    }
    let mut payload = data[HEAD..size].to_vec();
    for _ in 0..=random.below(3) {
        payload = match random.below(3) {
            0 => events(&payload, &mut random),
            _ => values(&payload, &mut random),
        };
    }
    payload.truncate(max_size.saturating_sub(HEAD).min(data.len() - HEAD));
    data[HEAD..HEAD + payload.len()].copy_from_slice(&payload);
    HEAD + payload.len()
}

struct Random(u32);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        next(&mut self.0) as usize % end.max(1)
    }
}

/// Drops, doubles, moves or cuts an event: what lies between two blank lines.
fn events(payload: &[u8], random: &mut Random) -> Vec<u8> {
    let mut events: Vec<&[u8]> = Vec::new();
    let mut from = 0;
    for at in 1..payload.len() {
        if payload[at] == b'\n' && payload[at - 1] == b'\n' && at > from {
            events.push(&payload[from..=at]);
            from = at + 1;
        }
    }
    events.push(&payload[from..]);
    let (one, other) = (random.below(events.len()), random.below(events.len()));
    match random.below(6) {
        0 => _ = events.remove(one),
        1 => events.insert(other, events[one]),
        2 => events.swap(one, other),
        3 => events.truncate(one + 1),
        4 => events[one] = &events[one][..random.below(events[one].len())],
        _ => events.insert(one, b": c\r\n\r\n"),
    }
    events.concat()
}

/// Drops, doubles or replaces a JSON value, wherever one stands.
fn values(payload: &[u8], random: &mut Random) -> Vec<u8> {
    let places = places(payload);
    if places.is_empty() {
        return payload.to_vec();
    }
    let one = places[random.below(places.len())].clone();
    let other = places[random.below(places.len())].clone();
    // Behind the value comes a comma, or it is the last.
    let comma = payload.get(one.end) == Some(&b',');
    let (range, with): (Range<usize>, Vec<u8>) = match random.below(8) {
        0 if comma => (one.start..one.end + 1, Vec::new()),
        1 => (one.end..one.end, [b",", &payload[one]].concat()),
        2 => (one.end..one.end, [b",", &payload[other]].concat()),
        3 | 4 => (one, payload[other].to_vec()),
        5 => {
            // A string that holds what stood there.
            let inside: Vec<u8> = payload[one.clone()]
                .iter()
                .flat_map(|byte| match byte {
                    b'"' | b'\\' => vec![b'\\', *byte],
                    byte => vec![*byte],
                })
                .collect();
            (one, [b"\"", &inside[..], b"\""].concat())
        }
        _ => (one, VALUES[random.below(VALUES.len())].into()),
    };
    [&payload[..range.start], &with, &payload[range.end..]].concat()
}

/// Where values and names stand, and names together with their values.
fn places(payload: &[u8]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let (mut open, mut names) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(byte) = payload.get(at) {
        let begun = at;
        at += 1;
        let whole = match byte {
            b'"' => {
                while let Some(byte) = payload.get(at) {
                    at += 1 + usize::from(*byte == b'\\');
                    if *byte == b'"' {
                        break;
                    }
                }
                at = at.min(payload.len());
                if payload.get(at) == Some(&b':') {
                    names.push(begun);
                    continue;
                }
                begun..at
            }
            b'{' | b'[' => {
                open.push((begun, names.len()));
                continue;
            }
            b'}' | b']' => match open.pop() {
                Some((begun, depth)) => {
                    names.truncate(depth);
                    begun..at
                }
                None => continue,
            },
            b'0'..=b'9' | b'-' | b't' | b'f' | b'n' if !open.is_empty() => {
                while payload
                    .get(at)
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
                {
                    at += 1;
                }
                begun..at
            }
            _ => continue,
        };
        if payload[..whole.start].trim_ascii_end().ends_with(b":")
            && let Some(name) = names.pop()
        {
            places.push(name..whole.end);
        }
        places.push(whole);
    }
    places
}
