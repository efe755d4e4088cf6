//! Goes over a text as it arrives and replaces what the detectors find.

use std::rc::Rc;

use crate::detect::{Detector, Found, Place, goes_on};
use crate::rules::Rules;

/// A text under way.
pub(crate) struct Scanner {
    rules: Rc<Rules>,
    /// Whether any detector looks at places that begin with this byte.
    interesting: [bool; 256],
    /// Text that may still become a match.
    held: String,
    /// The byte before what is held.
    before: u8,
    /// Inside a match that is longer than anything waited for.
    dropping: bool,
    /// The text is JSON.
    json: bool,
    /// Inside a string of that JSON.
    in_string: bool,
}

impl Scanner {
    pub(crate) fn new(rules: &Rc<Rules>, json: bool) -> Self {
        let detectors = || rules.detectors.iter().chain(&rules.json_literals);
        let interesting = |byte: usize| detectors().any(|detector| detector.may_begin(byte as u8));
        Self {
            rules: Rc::clone(rules),
            interesting: std::array::from_fn(interesting),
            held: String::new(),
            before: b' ',
            dropping: false,
            json,
            in_string: false,
        }
    }

    /// Takes text; returns what may go out.
    pub(crate) fn push(&mut self, text: &str) -> String {
        self.held.push_str(text);
        self.scan(false)
    }

    /// Returns what was held back.
    pub(crate) fn finish(&mut self) -> String {
        self.scan(true)
    }

    fn scan(&mut self, ended: bool) -> String {
        let text = std::mem::take(&mut self.held);
        let bytes = text.as_bytes();
        let mut out = String::with_capacity(text.len());
        // What lies between `sent` and `at` goes out as it is.
        let (mut sent, mut at) = (0, 0);
        while at < bytes.len() {
            let byte = bytes[at];
            if self.dropping {
                if goes_on(byte) {
                    at += 1;
                    sent = at;
                    continue;
                }
                self.dropping = false;
            }
            if self.interesting[usize::from(byte)] {
                let place = Place {
                    rest: &bytes[at..],
                    before: self.before,
                    ended,
                };
                match self.look(place) {
                    Found::Undecided => break,
                    Found::Match { length, endless } => {
                        out.push_str(&text[sent..at]);
                        at += self.replace(&bytes[at..], length, &mut out);
                        sent = at;
                        self.before = bytes[at - 1];
                        self.dropping = endless;
                        continue;
                    }
                    Found::Nothing => {}
                }
            }
            let step = self.step(&bytes[at..]);
            if at + step > bytes.len() && !ended {
                break;
            }
            at = (at + step).min(bytes.len());
        }
        out.push_str(&text[sent..at]);
        self.held.push_str(&text[at..]);
        out
    }

    /// What begins at a place: the longest match, or that it is not decided yet.
    fn look(&self, place: Place) -> Found {
        let byte = place.rest[0];
        let literals: &[Detector] = if self.in_string {
            &self.rules.json_literals
        } else {
            &[]
        };
        let mut best = Found::Nothing;
        for detector in self.rules.detectors.iter().chain(literals) {
            if !detector.may_begin(byte) {
                continue;
            }
            match (detector.at(place), best) {
                (Found::Nothing, _) => {}
                (Found::Undecided, _) => return Found::Undecided,
                (
                    found @ Found::Match { length, .. },
                    Found::Match {
                        length: longest, ..
                    },
                ) => {
                    if length > longest {
                        best = found;
                    }
                }
                (found, _) => best = found,
            }
        }
        best
    }

    /// Writes what stands in a match's place; returns how many bytes it stands for.
    fn replace(&self, rest: &[u8], length: usize, out: &mut String) -> usize {
        if !self.json {
            out.push_str(&self.rules.with);
            return length;
        }
        if self.in_string {
            out.push_str(&self.rules.with_json);
            return length;
        }
        // A bare number becomes a string, and all of the number does.
        out.push('"');
        out.push_str(&self.rules.with_json);
        out.push('"');
        let in_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        length + rest[length..].iter().take_while(in_number).count()
    }

    /// Goes over one byte, or one escape of a JSON string, which counts as a space.
    fn step(&mut self, rest: &[u8]) -> usize {
        if self.json {
            match rest {
                [b'"', ..] => self.in_string = !self.in_string,
                [b'\\', b'u', ..] if self.in_string => {
                    self.before = b' ';
                    return 6;
                }
                [b'\\', ..] if self.in_string => {
                    self.before = b' ';
                    return 2;
                }
                _ => {}
            }
        }
        self.before = rest[0];
        1
    }
}
